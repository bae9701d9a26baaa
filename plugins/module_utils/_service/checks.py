# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a description beyond the types of its values: numbers, names and times that do not go together. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import math
import re

from .._common.refusal import problem
from .._nginx.traffic import BadTraffic
from .._release.settings import CANARY, DEFAULTS, names_problems
from . import balancing, images
from .fields import UNKNOWN, is_whole, unknown

PRODUCTION = "production"
#: Seconds between the end of the longest stream and the kill of a pod.
MARGIN = 10
#: A Service's name, and the value of a label.
LONGEST = 63


def grace_of(pod):
    """:returns: seconds from a pod's deletion until it is killed."""
    return pod["grace_seconds"] or pod["drain_seconds"] + pod["stream_seconds"] + MARGIN


def smallest(service):
    """:returns: the number of pods below which nothing takes the stable release."""
    return service["autoscaling"]["min_replicas"] or service["replicas"]


def count_of(value, replicas, up):
    """:returns: a number of pods, or a percentage of them as one."""
    if is_whole(value):
        return value
    part = replicas * int(value[:-1]) / 100
    return math.ceil(part) if up else math.floor(part)


def deeper(where, service, profile, found, pod_of):
    """Judge what several values say together, where each of them has its type.

    :param service: the complete description.
    :param found: the problems of its types.
    :param pod_of: called with (service, release).
    """
    # What nobody reads spoils nothing.
    bad = [one["where"] for one in found if one["what"] != UNKNOWN]

    def sound(parts):
        return not any(place == "%s.%s" % (where, part) or place.startswith(("%s.%s." % (where, part), "%s.%s[" % (where, part)))
                       for place in bad for part in parts)

    more = []
    for judge, parts in CHECKS:
        if sound(parts):
            more += judge(where, service, profile, pod_of)
    return more


def _names(where, service, _profile, _pod_of):
    releases = {"%s.releases.%s" % (where, name): name for name in service["releases"]}
    found = names_problems(service["name"], releases)
    for place, release in releases.items():
        name = "%s-%s" % (service["name"], release)
        if len(name) > LONGEST:
            found.append(problem(place, "its Service would be called %s, %d characters" % (name, len(name)), "at most %d" % LONGEST,
                                 "Shorten the release's name or the service's."))
    if not service["releases"]:
        found.append(problem(where + ".releases", "it is empty", "a release and its image", "Describe the stable release."))
    elif service["stable"] not in service["releases"]:
        found.append(problem(where + ".stable", "release %s is unknown" % service["stable"], "one of %s" % ", ".join(sorted(service["releases"])),
                             "Describe the release or correct its name."))
    return found


def _images(where, service, profile, _pod_of):
    found = []
    for name, release in sorted(service["releases"].items()):
        place = "%s.releases.%s.image" % (where, name)
        image = images.parse(release["image"])
        if image is None:
            found.append(problem(place, "%s names no image of a registry" % release["image"], "REGISTRY/NAME@sha256:DIGEST", "Name the registry too."))
        elif profile == PRODUCTION and not image.digest:
            found.append(problem(place, "%s is a tag, which can be another image tomorrow" % release["image"],
                                 "a digest in profile production: %s@sha256:..." % image.name, "Pin it by its digest."))
    return found


def _config(where, service, _profile, _pod_of):
    return [problem("%s.releases.%s.config.%s" % (where, name, key), "the name of a file cannot be that", "letters, digits, dots, dashes and underscores",
                    "Rename it.")
            for name, release in sorted(service["releases"].items()) for key in sorted(release["config"])
            if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", key) or key in (".", "..")]


def _times(where, service, _profile, _pod_of):
    pod, found = service["pod"], []
    least = pod["drain_seconds"] + pod["stream_seconds"]
    if grace_of(pod) <= least:
        found.append(problem(where + ".pod.grace_seconds", "a pod is killed after %d s" % pod["grace_seconds"],
                             "more than %d: %d s of draining and %d s of the longest stream" % (least, pod["drain_seconds"], pod["stream_seconds"]),
                             "Raise it, or leave it out."))
    wait = service["rollout"].get("ready_timeout", DEFAULTS[CANARY]["ready_timeout"])
    if is_whole(wait) and wait <= pod["load_seconds"]:
        found.append(problem(where + ".rollout.ready_timeout", "a rollout waits %d s for ready pods, and a model may load for %d s" % (
            wait, pod["load_seconds"]), "more than pod.load_seconds", "Set it to %d or more." % (pod["load_seconds"] + 300)))
    return found


def _sizes(where, service, _profile, _pod_of):
    found = []
    if not service["surge"] and not service["unavailable"]:
        found.append(problem(where + ".surge", "neither a pod more nor a pod less is allowed", "1 or more of either", "Set surge, or unavailable."))
    if service["unavailable"] >= smallest(service):
        found.append(problem(where + ".unavailable", "%d of %d pods may be away at once" % (service["unavailable"], smallest(service)),
                             "less than there are", "Lower it, or raise replicas."))
    return found


def _disruption(where, service, _profile, _pod_of):
    budget, least, place = service["disruption"], smallest(service), where + ".disruption"
    most, kept = budget["max_unavailable"], budget["min_available"]
    if most is not None and kept is not None:
        return [problem(place, "it has both max_unavailable and min_available", "one of them", "Leave one out.")]
    if most is not None and not count_of(most, least, up=True):
        return [problem(place + ".max_unavailable", "it is %s, which blocks every drain" % most, "1 or more", "Raise it, or no node can be drained.")]
    if kept is not None and count_of(kept, least, up=True) >= least:
        return [problem(place + ".min_available", "it is %s of %d pods, which blocks every drain" % (kept, least), "less than there are",
                        "Lower it, or raise replicas.")]
    return []


def _autoscaling(where, service, _profile, pod_of):
    scaling, place = service["autoscaling"], where + ".autoscaling"
    if not any(scaling[name] for name in ("min_replicas", "max_replicas", "cpu_percent", "metrics")):
        return []
    found = []
    if scaling["max_replicas"] is None:
        found.append(problem(place + ".max_replicas", "it is missing", "the most pods", "Set it."))
    elif scaling["max_replicas"] < max(smallest(service), service["replicas"]):
        found.append(problem(place + ".max_replicas", "it is %d" % scaling["max_replicas"],
                             "%d or more, which there are at least" % max(smallest(service), service["replicas"]), "Raise it."))
    if not scaling["cpu_percent"] and not scaling["metrics"]:
        found.append(problem(place, "it says not by what to scale", "cpu_percent, or metrics", "Set one of them."))
    if scaling["cpu_percent"]:
        found += [problem("%s.releases.%s.resources" % (where, name), "its pods request no cpu, of which cpu_percent is a part", "requests.cpu",
                          "Set it in pod.resources.requests.")
                  for name in sorted(service["releases"]) if "cpu" not in pod_of(service, name)["resources"]["requests"]]
    if service["vertical"] in ("initial", "recreate"):
        found.append(problem(where + ".vertical", "it is %s while autoscaling is on: each would answer to what the other does" % service["vertical"],
                             "none or recommend", "Choose one of the two."))
    return found


def _balancer(where, service, _profile, _pod_of):
    place, found = where + ".balancer", []
    options = service["balancer"]
    for name in sorted(options):
        if name in balancing.GIVEN:
            found.append(problem("%s.%s" % (place, name), "it is set here", "nothing: a rollout decides it", "Leave it out."))
        elif name not in balancing.DEFAULTS:
            found.append(unknown(place, name, balancing.DEFAULTS))
    return found + balancing.type_problems(place, options)


def _upstream(where, service, profile, pod_of):
    place, found = where + ".balancer", []
    if service["stable"] not in service["releases"] or _balancer(where, service, profile, pod_of):
        return []
    try:
        balancing.judge(service)
    except BadTraffic as error:
        for sentence in error.details["problems"]:
            what, _comma, expected = sentence.partition(", expected ")
            found.append(problem(place, what, expected or "what the module nginx_upstream takes", "Correct it."))
    return found


def _fallback(where, service, _profile, _pod_of):
    names = [server["name"] for server in service["fallback"]]
    return [problem(where + ".fallback", "%s is there twice" % name, "each name once", "Rename one.")
            for name in sorted(set(names)) if names.count(name) > 1]


#: Each with the parts of a description that it reads.
CHECKS = (
    (_names, ("name", "releases", "stable")),
    (_images, ("releases",)),
    (_config, ("releases",)),
    (_times, ("pod", "rollout")),
    (_sizes, ("replicas", "surge", "unavailable", "autoscaling")),
    (_disruption, ("replicas", "disruption", "autoscaling")),
    (_autoscaling, ("replicas", "autoscaling", "releases", "pod", "vertical")),
    (_balancer, ("balancer",)),
    (_upstream, ("name", "namespace", "releases", "stable", "pod", "fallback", "balancer")),
    (_fallback, ("fallback",)),
)


def beside_each_other(services, taken, zones):
    """:returns: the problems of descriptions that are each right and do not go together.

    :param services: complete descriptions.
    :param taken: (port, by whom) of the balancers.
    :param zones: the cluster's zones.
    """
    services = [one for one in services if isinstance(one.get("name"), str) and isinstance(one.get("releases"), dict)]
    names = [one["name"] for one in services]
    found = [problem("llm_services.%s" % name, "%d services have this name" % names.count(name), "each name once", "Rename one.")
             for name in sorted(set(names)) if names.count(name) > 1]
    return found + _same_objects(services, zones) + _same_ports(services, taken)


def _same_objects(services, zones):
    """`chat` with release `v1-a` and `chat-v1` with release `a` would have one Service, and release v1 in zone a the Deployment of release v1-a."""
    seen, found = {}, []
    for service in services:
        for release in sorted(service["releases"], key=str):
            name = "%s-%s" % (service["name"], release)
            for made in [name] + ["%s-%s" % (name, zone) for zone in zones]:
                key, who = (str(service.get("namespace")), made), "release %s of %s" % (release, service["name"])
                if seen.setdefault(key, who) != who:
                    found.append(problem("llm_services.%s.releases.%s" % (service["name"], release), "an object of it is called %s, as one of %s is" % (
                        made, seen[key]), "names that differ", "Rename the release."))
    return found


def _same_ports(services, taken):
    found, reserved, by_port = [], dict(taken), {}
    for service in services:
        options = service["balancer"] if isinstance(service.get("balancer"), dict) else {}
        port, names = options.get("port", balancing.DEFAULTS["port"]), options.get("server_names") or [""]
        place = "llm_services.%s.balancer.port" % service["name"]
        if not is_whole(port) or not isinstance(names, list):
            continue
        if port in reserved:
            found.append(problem(place, "port %d of the balancers is taken by %s" % (port, reserved[port]), "a free port", "Choose another."))
        for other, others_names, secure in by_port.get(port, []):
            both = sorted(set(map(str, names)) & set(map(str, others_names)))
            if both:
                found.append(problem(place, "%s has port %d too, %s" % (
                    other, port, "with server name %s" % ", ".join(both) if both != [""] else "and neither has a server name"),
                    "another port, or other server_names", "Change one of the two."))
            if secure != bool(options.get("certificate")):
                found.append(problem(place, "%s has port %d too, and one speaks TLS and the other does not" % (other, port),
                                     "the same on one port", "Give both a certificate, or another port."))
        by_port.setdefault(port, []).append((service["name"], names, bool(options.get("certificate"))))
    return found
