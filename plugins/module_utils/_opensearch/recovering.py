# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a restored index has come: still on its way, there, or never to come.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .snapshots import is_system

RUNNING, READY, BROKEN = "running", "ready", "broken"
#: Deciders that say no for good: the restore is over for that shard, or it was tried as often as it may be.
_FINAL = ("restore_in_progress", "max_retry")
#: Settings of the snapshot that a restored index does not get. Index management would go on with its policy where it left off, which may be to delete
#: the index that was just restored; a search pipeline may be gone by now, and would hide documents.
IGNORED = ["index.plugins.index_state_management.*", "index.opendistro.index_state_management.*", "index.search.default_pipeline"]
#: An index that may be thrown away at any time: one copy, and nothing that keeps it from being deleted.
SCRATCH_SETTINGS = {"index.number_of_replicas": 0, "index.auto_expand_replicas": "false"}
_BLOCKS = ["index.blocks.*"]


def body(index, target, scratch):
    """:returns: the body that restores one index under another name, without aliases and global state.

    :param scratch: whether it is thrown away afterwards.
    """
    literal = target.replace("\\", "\\\\").replace("$", "\\$")  # the engine replaces as Java does
    found = {"indices": index, "ignore_unavailable": False, "include_global_state": False, "include_aliases": False, "partial": False,
             "rename_pattern": "^.+$", "rename_replacement": literal, "ignore_index_settings": IGNORED + (_BLOCKS if scratch else [])}
    return dict(found, index_settings=SCRATCH_SETTINGS) if scratch else found


def target_problems(name):
    """:returns: why an index cannot be given a name, in words."""
    if is_system(name) or name.startswith(("-", "_", "+")) or name != name.lower():
        return ["it may not begin with a dot, a dash, an underscore or a plus, and takes small letters only"]
    return ["it has %d bytes, and 255 are the most" % len(name.encode())] if len(name.encode()) > 255 else []


def judge(health, recovery, explanations):
    """Say how far an index is.

    :param health: of the index with its shards, or None where it is not there.
    :param recovery: each copy's recovery. :param explanations: of the primaries that are not active.
    :returns: (state, what was seen in words).
    """
    if not health or not health.get("number_of_shards"):
        return RUNNING, "it is not there yet"
    active, total = health.get("active_primary_shards", 0), health["number_of_shards"]
    if active == total:
        return READY, "all %d primaries are there" % total
    final = [words for one in explanations for words in _final(one)]
    if final:
        return BROKEN, "; ".join(final)
    sizes = [one["index"]["size"] for one in recovery if one.get("primary") and (one.get("index") or {}).get("size")]
    done, every = (sum(size.get(name, 0) for size in sizes) for name in ("recovered_in_bytes", "total_in_bytes"))
    waits = [one["allocate_explanation"] for one in explanations if one.get("allocate_explanation")]
    return RUNNING, "%d of %d primaries are there, %d of %d bytes%s" % (active, total, done, every, ": " + waits[0] if waits else "")


def _final(explanation):
    names = {decider["decider"] for node in explanation.get("node_allocation_decisions") or [] for decider in node.get("deciders") or []
             if decider.get("decision") == "NO"}
    if not names.intersection(_FINAL):
        return []
    info = explanation.get("unassigned_info") or {}
    return ["shard %s could not be restored: %s" % (explanation.get("shard"), (info.get("details") or info.get("reason") or "no reason was given")[:600])]


def look(api, index):
    """Ask the engine how far an index is.

    :param api: a BackupApi.
    :returns: as of :func:`judge`.
    """
    health = api.health(index)
    waiting = [int(shard) for shard, one in sorted(((health or {}).get("shards") or {}).items()) if not one.get("primary_active")]
    told = [one for one in (api.explain(index, shard) for shard in waiting[:5]) if one]
    return judge(health, api.recovery(index) if waiting else [], told)
