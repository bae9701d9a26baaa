# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a cluster and what to do next, as text for a terminal of 80 columns. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

import textwrap

from ansible_collections.ironrack.cluster.plugins.module_utils._health.verdict import red

WIDTH = 79
#: Zones side by side, and hosts shown in each: a rack of a hundred workers is a number, not a hundred lines.
ZONES_IN_A_ROW = 3
HOSTS_SHOWN = 10
SHORT = {"balancer": "balancer", "control plane": "api", "etcd": "etcd", "worker": "worker", "mirror": "mirror", "OpenSearch": "search", "object store": "s3"}
MARKS = {"leader": "*", "elected": "^", "VIP": " VIP"}


def summary(data, next_steps=True):
    """:returns: the lines of a summary.

    :param data: see :func:`.data.collect`.
    """
    lines = [""] + textwrap.wrap("%s: %s" % (data["cluster"], ", ".join(_parts(data))), WIDTH, break_long_words=False)
    lines += picture(data["zones"]) + [_legend(data)]
    lines += _health(data)
    if data["promises"]["not_kept"]:
        lines += ["", "What a cluster of this shape does not promise:"]
        for one in data["promises"]["not_kept"]:
            lines += textwrap.wrap(one, WIDTH, initial_indent="  - ", subsequent_indent="    ")
    if next_steps:
        lines += [""] + _next_steps(data)
    return [line for line in lines if line is not None] + [""]


def _parts(data):
    parts = ["Kubernetes %s at %s" % (data["kubernetes_version"], data["endpoint"])] if data["kubernetes_version"] else []
    return parts + (["OpenSearch %s at %s" % (data["opensearch"]["version"], data["opensearch"]["urls"][0])] if data["opensearch"] else [])


def picture(zones):
    """:returns: the lines of a drawing: one box a zone."""
    lines = []
    for start in range(0, len(zones), ZONES_IN_A_ROW):
        row = zones[start:start + ZONES_IN_A_ROW]
        width = (WIDTH - 2 * (len(row) - 1)) // len(row) - 2
        boxes = [_box(one, min(width, 38)) for one in row]
        height = max(len(box) for box in boxes)
        for box in boxes:
            box[-1:-1] = [_inside("", len(box[0]) - 2)] * (height - len(box))
        lines += [""] + ["  ".join(parts).rstrip() for parts in zip(*boxes)]
    return lines


def _box(zone, width):
    title = " zone %s " % zone["zone"] if zone["zone"] else " no zone "
    shown = zone["hosts"] if len(zone["hosts"]) <= HOSTS_SHOWN else zone["hosts"][:HOSTS_SHOWN - 1]
    lines = [_host(one, width - 2) for one in shown]
    if len(shown) < len(zone["hosts"]):
        lines.append("and %d more hosts" % (len(zone["hosts"]) - len(shown)))
    return ["+-" + title[:width - 1].ljust(width - 1, "-") + "+"] + [_inside(one, width) for one in lines] + ["+" + "-" * width + "+"]


def _inside(text, width):
    return "|" + (" " + text)[:width].ljust(width) + "|"


def _host(host, width):
    roles = "+".join(SHORT.get(one, one) for one in host["roles"])
    marks = "".join(MARKS[one] for one in host["marks"])
    does = roles + marks + {True: "", False: " DOWN", None: ""}[host["ready"]]
    return "%s %s" % (_shortened(host["name"], max(8, width - len(does) - 1)).ljust(5), does)


def _shortened(name, width):
    """:returns: the name, with its middle left out where it is too long: the number at its end tells one host from another."""
    return name if len(name) <= width else name[:width - 5] + "~" + name[-4:]


def _legend(data):
    notes = []
    if any("leader" in one["marks"] for zone in data["zones"] for one in zone["hosts"]):
        notes.append("* leads etcd")
    if any("elected" in one["marks"] for zone in data["zones"] for one in zone["hosts"]):
        notes.append("^ manages OpenSearch")
    if data["vip_holder"]:
        notes.append("VIP holds %s" % data["vip"])
    return "  ".join(notes) or None


def _health(data):
    counts = data["counts"]
    if data["verdict"] == "not judged":
        return []
    lines = ["", "Health: %s (%d pass, %d fail, %d inconclusive)" % (data["verdict"], counts["pass"], counts["fail"], counts["inconclusive"])]
    for one in red(data["conditions"]):
        lines += textwrap.wrap("%s: %s (expected: %s). %s" % (one["name"], one["seen"], one["expected"], one["how_to_mend"]), WIDTH,
                               initial_indent="  - ", subsequent_indent="    ")
    return lines


def _next_steps(data):
    where = "" if data["client_host"] == "localhost" else " (on %s)" % data["client_host"]
    lines = ["What to try next%s:" % where]
    if data["kubernetes_version"]:
        lines += ["  export KUBECONFIG=%s" % data["kubeconfig"],
                  "  kubectl get nodes -o wide",
                  "  kubectl get pods -A",
                  "  kubectl top nodes",
                  "  kubectl create deployment hello --image=IMAGE --replicas=3"]
    if data["opensearch"]:
        words = ["curl", *("--%s %s" % (option, data["opensearch"][name]) for option, name in (
            ("cacert", "ca_file"), ("cert", "cert_file"), ("key", "key_file"))), data["opensearch"]["urls"][0] + "/_cat/nodes?v"]
        lines += ["  " + " \\\n    ".join(words)]
    return lines + ["  ansible-playbook -i INVENTORY ironrack.cluster.validate   # check it again"]
