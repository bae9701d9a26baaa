# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions of the control plane: the endpoint, the API servers, etcd, the balancers. Pure functions.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .peer import valid_for_a_month
from .verdict import Finding, Unknown, listing

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


def _ready(answer):
    return answer.get("status") == 200


def _words(answer):
    return answer.get("error") or "/readyz answered %s" % answer.get("status")


def api_endpoint_answers(seen, expected):
    """The address that clients use leads to an API server that is ready."""
    answer = seen.get("endpoint")
    return Finding(_ready(answer), "%s at %s" % (_words(answer), expected["endpoint"]), "/readyz answers 200 at %s" % expected["endpoint"])


def api_servers_ready(seen, expected):
    """Each API server is ready by itself, not only the one that the endpoint happened to choose."""
    answers = seen.get("api_servers")
    names = [one["name"] for one in expected["api_servers"]]
    wrong = ["%s: %s" % (name, _words(answers.get(name, {"error": "not asked"}))) for name in names if not _ready(answers.get(name, {}))]
    return Finding(bool(names) and not wrong, "%d of %d ready%s" % (len(names) - len(wrong), len(names), "".join("; " + one for one in wrong)),
                   "/readyz answers 200 at each of %d" % len(names))


def api_certificates_valid(seen, expected):
    """The certificate that each API server shows is good for another month."""
    return valid_for_a_month(seen.get("api_servers"), [one["name"] for one in expected["api_servers"]], seen.get("now"))


def etcd_healthy(seen, expected):
    """The API servers reach etcd, and etcd's own view has every member healthy, voting, under one leader."""
    wanted = "%d members healthy, one leader, and each API server's etcd check ok" % len(expected["etcd_members"])
    wrong = _api_etcd_checks(seen)
    if expected.get("etcd") is None:
        return Finding(not wrong, "; ".join(wrong) or "every API server reaches etcd", wanted)
    view = expected["etcd"]
    if not view.get("reachable"):
        raise Unknown("; ".join(wrong + ["no etcd host could read its cluster: %s" % _why_unreachable(view)]))
    members = {one["name"]: one for one in view.get("members") or []}
    wrong += ["%s is no member" % name for name in expected["etcd_members"] if name not in members]
    wrong += ["%s is a member that the inventory does not know" % (name or "a member without a name")
              for name in members if name not in expected["etcd_members"]]
    wrong += ["%s is not healthy" % name for name, one in sorted(members.items()) if not one.get("healthy")]
    wrong += ["%s is still a learner" % name for name, one in sorted(members.items()) if one.get("learner")]
    leaders = [name for name, one in members.items() if one.get("leader")]
    if len(leaders) != 1:
        wrong.append("leaders: %s" % listing(leaders))
    return Finding(bool(members) and not wrong, "; ".join(wrong) or "%d of %d members healthy, leader %s" % (
        len(members), len(expected["etcd_members"]), leaders[0]), wanted)


def _why_unreachable(view):
    errors = ["%s: %s" % one for one in sorted((view.get("errors") or {}).items())]
    return view.get("msg") or "; ".join(errors) or "no host answered"


def _api_etcd_checks(seen):
    """:returns: what is wrong in the etcd lines of the API servers' /readyz?verbose."""
    wrong, told = [], 0
    for name, answer in sorted(seen.get("api_servers").items()):
        lines = [line for line in (answer.get("body") or "").splitlines() if line[3:].split(" ")[0] in ("etcd", "etcd-readiness")]
        told += bool(lines)
        wrong += ["%s says: %s" % (name, line) for line in lines if not line.startswith("[+]")]
    if not told:
        raise Unknown("no API server told about its etcd check")
    return wrong


def etcd_alarms(seen, expected):
    """No alarm (NOSPACE, CORRUPT) is raised: an etcd with one of them takes no writes."""
    view = expected["etcd"]
    if not view.get("reachable") or "alarms" not in view:
        raise Unknown("no etcd host could read the alarms")
    alarms = [str(one.get("alarm", one)) if isinstance(one, dict) else str(one) for one in view["alarms"]]
    return Finding(not alarms, "alarms: %s" % listing(alarms), "alarms: none")


def control_plane_pods_ready(seen, expected):
    """API server, controller manager and scheduler run on every control plane, each of them ready."""
    pods = {one["metadata"]["name"]: one for one in seen.get("system_pods")}
    names = ["%s-%s" % (component, node["name"]) for node in expected["nodes"] if node["control_plane"] for component in COMPONENTS]
    wrong = [name if name in pods else "%s is not there" % name for name in names if not pod_ready(pods.get(name, {}))]
    return Finding(bool(names) and not wrong, "%d of %d ready%s" % (
        len(names) - len(wrong), len(names), "; not ready: " + listing(wrong) if wrong else ""), "%d pods ready" % len(names))


def pod_ready(pod):
    """:returns: whether a pod's Ready condition is True."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod.get("status", {}).get("conditions") or [])


def balancers_answer(seen, expected):
    """Each load balancer answers, and the daemon beside it has every API server in service."""
    answers, wrong = seen.get("balancers"), []
    for one in expected["balancers"]:
        answer = answers.get(one["name"], {"error": "not asked"})
        if answer.get("status") != 200:
            wrong.append("%s: %s" % (one["name"], answer.get("error") or "its page answered %s" % answer.get("status")))
            continue
        # A page without this list is a site's own: that it answers 200 is all that it says.
        out = [] if answer.get("serving") is None else [one["name"] for one in expected["api_servers"] if one["name"] not in answer["serving"]]
        if out:
            wrong.append("%s sends nobody to %s" % (one["name"], listing(out)))
    count = len(expected["balancers"])
    return Finding(count > 0 and not wrong, "%d of %d in order%s" % (count - len(wrong), count, "".join("; " + one for one in wrong)),
                   "each of %d answers and has every API server in service" % count)
