# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether so many pods more can be placed on the nodes that there are, and what is short where they cannot. Pure.

It follows the scheduler in what refuses a pod for sure (readiness, taints, labels, requests, anti-affinity, spread) and in nothing else.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import re
from collections import Counter, namedtuple
from fractions import Fraction

from . import objects
from .spec import pod_of

# name, zone; free: resource -> what is left; pods: of the release that are there; labels.
Room = namedtuple("Room", ("name", "zone", "free", "pods"))
# placed, wanted: pods; short: sentences.
Placement = namedtuple("Placement", ("placed", "wanted", "short"))

_UNITS = {"": 1, "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
          "E": 10**18, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_QUANTITY = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:[eE]([+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)\Z")
#: What is shown of each resource.
SHOWN = {"cpu": (1, "CPUs"), "memory": (2**30, "GiB of memory"), objects.GPU: (1, "GPUs"), "pods": (1, "places for pods")}


def quantity(text):
    """:returns: a quantity of Kubernetes as an exact number. :raises ValueError: where it is none."""
    found = _QUANTITY.match(str(text).strip())
    if not found:
        raise ValueError("%r is no quantity of Kubernetes" % (text,))
    number, exponent, unit = found.groups()
    return Fraction(number if not number.endswith(".") else number[:-1]) * (Fraction(10) ** int(exponent) if exponent else _UNITS[unit or ""])


def requests_of(spec):
    """:returns: resource -> what a pod's containers ask for, as the scheduler counts it."""
    def asked(container):
        resources = container.get("resources") or {}
        return {name: quantity(amount) for name, amount in dict(resources.get("limits") or {}, **(resources.get("requests") or {})).items()}

    total, first = Counter(), {}
    sidecars = Counter()
    for container in spec.get("containers") or []:
        total.update(asked(container))
    for container in spec.get("initContainers") or []:
        one = Counter(asked(container))
        one.update(sidecars)
        if container.get("restartPolicy") == "Always":
            sidecars = one
        for name, amount in one.items():
            first[name] = max(first.get(name, 0), amount)
    total.update(sidecars)
    for name, amount in (spec.get("overhead") or {}).items():
        total[name] += quantity(amount)
    return {name: max(total[name], first.get(name, 0)) for name in set(total) | set(first)}


def need_of(service, release):
    """:returns: resource -> what one pod of a release asks for."""
    pod = pod_of(service, release)
    need = requests_of({"containers": [{"resources": {"requests": pod["resources"]["requests"], "limits": dict(
        pod["resources"]["limits"], **({objects.GPU: pod["gpus"]} if pod["gpus"] else {}))}}]})
    return dict(need, pods=Fraction(1))


def rooms(service, release, nodes, pods):
    """:returns: (the :class:`Room` of each node that takes the release's pods, node -> why it does not).

    :param nodes: Node objects; pods: all pods of the cluster.
    """
    pod, used, own = pod_of(service, release), {}, Counter()
    selector = objects.selector_of(service, release)
    for one in pods:
        node = one["spec"].get("nodeName")
        if node and (one.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            used.setdefault(node, Counter()).update(dict(requests_of(one["spec"]), pods=Fraction(1)))
            own[node] += _has(one["metadata"].get("labels"), selector) and not one["metadata"].get("deletionTimestamp")
    found, shut = [], {}
    for node in sorted(nodes, key=lambda one: one["metadata"]["name"]):
        name, labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
        why = _shut(node, pod)
        if why:
            shut[name] = why
            continue
        free = {resource: quantity(amount) - used.get(name, {}).get(resource, 0) for resource, amount in node["status"]["allocatable"].items()}
        found.append(Room(name, labels.get(objects.ZONE_LABEL, ""), free, own[name]))
    return found, shut


def _has(labels, wanted):
    return all((labels or {}).get(name) == value for name, value in wanted.items())


def _shut(node, pod):
    if not any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"].get("conditions") or []):
        return "it is not ready"
    if node["spec"].get("unschedulable"):
        return "it is cordoned"
    if not _has(node["metadata"].get("labels"), pod["node_selector"]):
        return "it lacks a label of pod.node_selector"
    for taint in node["spec"].get("taints") or []:
        if taint["effect"] != "PreferNoSchedule" and not any(_tolerates(one, taint) for one in pod["tolerations"]):
            return "its taint %s is not tolerated" % taint["key"]
    return ""


def _tolerates(toleration, taint):
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if not toleration.get("key"):
        return toleration.get("operator") == "Exists"
    if toleration["key"] != taint["key"]:
        return False
    return toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", "")


def place(service, release, wanted, nodes, pods):
    """Place pods of a release, one after the other, where the fewest of it are.

    :param wanted: the pods that the release is to have in all, with those for a restart; those that run now are among them.
    :returns: :class:`Placement`.
    """
    open_rooms, shut = rooms(service, release, nodes, pods)
    need = need_of(service, release)
    apart, even = (service["spread"][part] == "required" for part in ("host", "zone"))
    if even:
        # Without a zone of its own a node takes none of them.
        shut.update({room.name: "it has no label %s, and spread.zone is required" % objects.ZONE_LABEL for room in open_rooms if not room.zone})
        open_rooms = [room for room in open_rooms if room.zone]
    counts = {room.name: room.pods for room in open_rooms}
    free = {room.name: dict(room.free) for room in open_rooms}
    there, placed = sum(counts.values()), 0
    missing = max(0, wanted - there)
    while placed < missing:
        chosen = _choose(open_rooms, counts, free, need, apart, even)
        if chosen is None:
            break
        counts[chosen] += 1
        placed += 1
        for name, amount in need.items():
            free[chosen][name] = free[chosen].get(name, 0) - amount
    if placed == missing:
        return Placement(there + placed, wanted, [])
    return Placement(there + placed, wanted, _short(missing, missing - placed, need, open_rooms, shut, apart, even))


def _fits(free, need):
    return all(free.get(name, 0) >= amount for name, amount in need.items() if amount)


def _choose(open_rooms, counts, free, need, apart, even):
    zones = Counter()
    for room in open_rooms:
        zones[room.zone] += counts[room.name]
    least = min(zones.values()) if zones else 0
    fitting = [room for room in open_rooms if _fits(free[room.name], need) and not (apart and counts[room.name])
               and not (even and zones[room.zone] > least)]
    # Of the zones with the fewest, the one with the most left; of its nodes, the one with the fewest.
    return min(fitting, key=lambda room: (zones[room.zone], counts[room.name], room.name)).name if fitting else None


def _short(missing, unplaced, need, open_rooms, shut, apart, even):
    """:returns: sentences on what is short for pods that could not be placed."""
    found = []
    for name, amount in sorted(need.items()):
        left = sum((max(room.free.get(name, Fraction(0)), 0) for room in open_rooms), Fraction(0))
        asked = amount * missing
        if asked > left:
            found.append("%s short: %s asked for, %s free" % (_shown(name, asked - left), _shown(name, asked), _shown(name, left)))
    if apart:
        hosts = sum(1 for room in open_rooms if not room.pods)
        if missing > hosts:
            found.append("%d nodes short: with spread.host required each pod needs one without another, and %d of %d are" % (
                missing - hosts, hosts, len(open_rooms)))
    if not open_rooms:
        found.append("no node takes its pods")
    elif not found:
        found.append("what is free is in pieces: %s" % ("a zone is full, and spread.zone is required" if even else "no node has enough for one pod more"))
    found += ["%s takes none: %s" % pair for pair in sorted(shut.items())]
    return ["%d of %d pods cannot be placed" % (unplaced, missing)] + found


def _shown(name, amount):
    unit, words = SHOWN.get(name, (1, name))
    number = float(amount / unit)
    return "%s %s" % (("%.2f" % number).rstrip("0").rstrip("."), words)
