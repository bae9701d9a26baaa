# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as plain data, from the journal of a run in check mode. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

from ansible_collections.ironrack.cluster.plugins.module_utils._health.expected import best_etcd_view

from .._report.data import ROLES
from . import meaning
from .record import CHANGED, FAILED, READ, SEEN
from .words import describe


def collect(model, lines, certificates=(), covered=()):
    """Make the plan.

    :param model: the result of cluster_model.
    :param lines: the journal, see :func:`.record.entry`.
    :param certificates: what pki_bundle would issue.
    :param covered: the hosts that the run was allowed to look at.
    :returns: the data that texts, pages and the JSON file are made of.
    """
    # Items of a loop of which the plan keeps nothing are all the same: they are one change of one task.
    lines = list({repr(line): line for line in lines if line["outcome"] in (CHANGED, FAILED, SEEN)}.values())
    changed = [line for line in lines if line["outcome"] == CHANGED]
    local = {name: [] for name in model["hosts"]}
    shared = []
    for line in changed:
        change = _change(line, certificates)
        # What is done elsewhere on a host's behalf (the API, the controller, the store of certificates) is not that host's change.
        (shared if line["delegate"] else local.setdefault(line["host"], [])).append(change)
    unknown = [{"host": line["host"], "task": line["task"], "why": line["why"]} for line in lines if line["outcome"] == FAILED]
    view = best_etcd_view([line["details"] for line in lines if line["action"] in READ and "reachable" in line["details"]])
    hosts = [_host(name, model["hosts"].get(name, {}), changes, [one for one in unknown if one["host"] == name])
             for name, changes in local.items() if not covered or name in covered]
    acts = [action for changes in local.values() for _unit, action in meaning.unit_actions(changes)]
    acts += ["restart" for changes in local.values() for change in changes for _part in meaning.rolled_out(change)]
    acts += [change["etcd"] for changes in local.values() for change in changes if change.get("etcd")]
    pairs = sorted({(line["host"], line["task"]) for line in changed})
    return {
        "cluster": model["name"],
        "kubernetes_version": model["kubernetes_version"],
        "limited": bool(model.get("limited")),
        "verdict": "incomplete" if unknown else "changes" if pairs else "nothing",
        "counts": {
            "changes": len(pairs), "hosts": sum(bool(one["changes"]) for one in hosts), "restarts": acts.count("restart"),
            "reloads": acts.count("reload"), "unknown": len({one["host"] for one in unknown})},
        "changed": [list(pair) for pair in pairs],
        "hosts": hosts,
        "shared": shared,
        "quorum": meaning.quorum(model, local, view),
        "traffic": meaning.traffic(model, local),
        "warnings": list(dict.fromkeys(one for line in lines for one in line["warnings"])),
    }


def _change(line, certificates):
    change = dict(describe(line, certificates), task=line["task"], host=line["host"], where=line["delegate"] or line["host"], really=line["really"])
    details = line["details"]
    if change["kind"] == "unit":
        change["units"] = {name: unit["action"] for name, unit in details.get("units", {}).items() if unit["action"] != "none"}
    elif change["kind"] == "etcd":
        change["etcd"] = details.get("action", "")
    elif change["kind"] == "node":
        change["kubeadm"] = details.get("action", "")
        change["rollout"] = list((details.get("rollout") or {}).get("files", []))
    return change


def _host(name, host, changes, unknown):
    return {"name": name, "zone": host.get("zone") or "", "roles": [word for flag, word in ROLES if host.get(flag)],
            "changes": changes, "means": meaning.of_host(changes), "unknown": unknown}
