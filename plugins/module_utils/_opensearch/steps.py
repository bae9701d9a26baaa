# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a backup, as modules and as the schedule on the nodes take them: how old the last one is, a snapshot, its proof, retention, and expiry.

``params`` are the parameters of the module of the same name, ``now`` an aware time.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import secrets

from .._common.errors import IronrackError
from .._common.refusal import problem, refuse
from . import expiry, holding, manifest, moments, proving, recalling, retention, snapshots
from .client import OpenSearchError
from .records import Records
from .snapshotting import Taker, delete


def _read_manifest(records, repository, snapshot):
    """:returns: what is said of a snapshot's manifest."""
    found = {"checked": False, "problem": "", "complete": False}
    try:
        sheet, closed = records.manifest(repository, snapshot)
    except manifest.ManifestError as error:
        return dict(found, problem=str(error))
    if sheet is None:
        return dict(found, problem="this cluster does not have the manifest of snapshot %s; opensearch_proof brings it back where the snapshot has it" % (
            snapshot.name))
    entries = sheet["indices"]
    return dict(found, checked=True, complete=closed is not None, documents=sheet["documents"], bytes=sum(one["bytes"] for one in entries.values()),
                versions=sheet["versions"], time=sheet["time"], indices=sorted(entries))


def age(params, api, now):
    """:returns: the module's result."""
    repository, records = params["repository"], Records(api)
    exists = api.repository(repository) is not None
    listed = (api.snapshots(repository) or []) if exists else []
    series = [one for one in listed if retention.is_of(one, params["prefix"])]
    proofs = records.proofs(repository)
    ages = snapshots.ages(series, retention.proved(proofs), now)
    last, proved = ages["success"], ages["proved"]
    failed = {uuid for uuid, proof in retention.verdicts(proofs).items() if proof.verdict == retention.FAIL}
    names, streams = api.names()
    indices = proving.backed_up(names, streams)
    held = set(last[0].indices + last[0].data_streams) if last else set()
    return {
        "changed": False, "exists": exists, "states": ages["states"], "indices": indices,
        "age_seconds": last and last[1], "last": last and last[0].name, "proved_age_seconds": proved and proved[1], "last_proved": proved and proved[0].name,
        "failed_proofs": [one.name for one in listed if one.uuid in failed],
        "manifest": last and _read_manifest(records, repository, last[0]),
        "unprotected": sorted(set(indices + [name for name, kind in names.items() if kind == "data_stream"]) - held),
        "clock_offset_seconds": moments.seconds_between(api.cluster_time(), now)}


def _told_snapshot(snapshot, name, changed, stood_back, gone=False):
    """:returns: the result about a snapshot that may not be there."""
    found = dict(snapshots.told(snapshot)) if snapshot else {"state": None}
    line = name + "\n"
    return dict(found, snapshot=name, changed=changed, stood_back=stood_back, diff={
        "before_header": "snapshots", "after_header": "snapshots", "before": line if changed and gone else "", "after": line if changed and not gone else ""})


def take(params, api, check_mode, now):
    """:returns: the result of a snapshot that is to be there."""
    refuse(snapshots.schedule_problems(params["prefix"], params["slot"]))
    scheduled = params["slot"] is not None
    name = snapshots.scheduled_name(params["prefix"], now, params["slot"]) if scheduled else snapshots.manual_name(
        params["prefix"], now, secrets.token_hex(4))
    taker = Taker(api, Records(api), params["repository"], params["indices"], secrets.token_hex(8))
    there = taker.look(name, check_mode)
    if there:
        return _told_snapshot(there, name, False, True)
    if check_mode:
        return _told_snapshot(None, name, True, False)
    snapshot, mine, sheet, closed = taker.take(name, params["allow_partial"], params["timeout"], params["checksum_timeout"])
    if not mine:
        return _told_snapshot(snapshot, name, False, True)
    return dict(_told_snapshot(snapshot, name, True, False), manifest={
        "checksum": sheet["checksum"], "documents": sheet["documents"],
        "without_checksum": sorted(index for index, entry in closed["indices"].items() if not entry["checksum"])})


def remove(params, api, check_mode):
    """:returns: the result of a snapshot that is to be gone."""
    repository, name = params["repository"], params["snapshot"]
    refuse(snapshots.engine_name_problems("repository", repository) + snapshots.engine_name_problems("snapshot", name))
    there = api.snapshot(repository, name)
    if there and not check_mode:
        delete(api, Records(api), repository, there, params["timeout"])
    return _told_snapshot(there if check_mode else None, name, bool(there), False, gone=True)


def _told_proof(sheet, changed):
    """:returns: the result about the sheet of a proof."""
    return {"changed": changed, "verdict": sheet["verdict"], "why": sheet["why"], "indices": sheet["indices"], "time": sheet["time"]}


def recall(api, repository, name, timeout):
    """Have what a snapshot holds of manifests, proofs and users.

    :returns: see recalling.recall.
    :raises IronrackError: where there is no such snapshot, or it holds none.
    """
    snapshot = api.snapshot(repository, name)
    if snapshot is None or not recalling.can_be(snapshot):
        refuse([problem("snapshot", "there is no %s in %s" % (name, repository) if snapshot is None else "%s holds no manifest" % name,
                        "one that opensearch_snapshot took", "opensearch_snapshot_info lists them.")])
    return recalling.recall(api, Records(api), repository, snapshot, secrets.token_hex(4), holding.holder(), timeout)


def prove(params, api, check_mode, now):
    """:returns: the module's result. :raises IronrackError: where the verdict is no pass."""
    records, repository, name = Records(api), params["repository"], params["snapshot"]
    prover = proving.Prover(api, records, secrets.token_hex(4), params["timeout"], params["checksum"])
    holder = holding.holder()

    def recall(snapshot):
        if recalling.can_be(snapshot):
            recalling.recall(api, records, repository, snapshot, secrets.token_hex(4), holder, params["timeout"])
        return recalling.can_be(snapshot)

    earlier = records.passed(repository, prover.look(repository, name, None if check_mode else recall)[0])
    if earlier and moments.seconds_between(moments.of_text(earlier["time"]), now) <= params["max_age"]:
        return _told_proof(earlier, False)
    if check_mode:
        return {"changed": True, "verdict": None, "why": "check mode restores nothing", "indices": {}, "time": None}
    result = _told_proof(prover.prove(repository, name, holder), True)
    if result["verdict"] != retention.PASS:
        raise IronrackError("snapshot %s of %s is not proved (%s): %s" % (name, repository, result["verdict"], result["why"]), **result)
    return result


def _listed(pairs):
    """:returns: (name, why) as the result gives them."""
    return [{"snapshot": name, "why": why} for name, why in pairs]


def retain(params, api, check_mode, now):
    """:returns: the module's result."""
    repository, records = params["repository"], Records(api)
    policy = retention.Policy(params["max_age"], params["min_count"], params["failed_max_age"], params["clock_tolerance"])
    refuse(retention.policy_problems(policy) + snapshots.schedule_problems(params["prefix"], None))
    if api.repository(repository) is None:
        refuse([problem("repository", "there is no repository %s" % repository, "one that is registered", "Register it with opensearch_repository.")])
    there = api.snapshots(repository)
    decision = retention.decide(there, params["prefix"], records.proofs(repository), policy, now, api.cluster_time())
    if not (check_mode or params["dry_run"]):
        _carry_out(api, records, repository, [one for one in there if one.name in dict(decision.delete)], params["timeout"])
    names = sorted(name for name, _why in decision.delete + decision.keep)
    lines = ["".join(name + "\n" for name in kept) for kept in (names, sorted(name for name, _why in decision.keep))]
    return {"changed": bool(decision.delete) and not params["dry_run"], "deleted": _listed(decision.delete), "kept": _listed(decision.keep),
            "stopped": decision.stopped,
            "diff": {"before_header": repository, "after_header": repository, "before": lines[0], "after": lines[1]}}


def _carry_out(api, records, repository, doomed, timeout):
    """Delete snapshots, the oldest first. :raises IronrackError: at the first that stays, with those that are gone."""
    gone = []
    for one in doomed:
        try:
            delete(api, records, repository, one, timeout)
        except IronrackError as error:
            raise IronrackError("%s. Gone before that: %s" % (error, ", ".join(gone) or "none"), **dict(error.details, gone=gone))
        gone.append(one.name)


class _Proved:
    """The newest snapshot of a series that a scratch restore has proved, and whether it could bring an index back as it is now."""

    def __init__(self, api, records, repository, prefix, series, proofs, now):
        self._api = api
        newest = snapshots.ages(series, retention.proved(proofs), now)["proved"]
        self._name, self._entries, self._why = newest and newest[0].name, {}, ""
        if newest is None:
            self._why = "no snapshot of the series %s is proved" % prefix
            return
        try:
            sheet = records.manifest(repository, newest[0])[0]
            self._entries = (sheet or {}).get("indices") or {}
            self._why = "" if sheet else "this cluster does not have the manifest of %s, the newest proved snapshot" % self._name
        except manifest.ManifestError as error:
            self._why = str(error)

    def lack(self, index, rule):
        """:returns: (word, why) where an index has to stay for now; None where it may go."""
        if rule.without_snapshot:
            return None
        if self._why:
            return expiry.NOT_HELD, self._why
        if not index.is_open:
            return expiry.UNREADABLE, "it is closed, so nobody can tell whether %s has it as it is; open it, or delete it yourself" % self._name
        try:
            seen = self._api.describe([index.name])[index.name]
        except OpenSearchError as error:
            return expiry.UNREADABLE, str(error)
        words = expiry.lack(index, self._name, self._entries.get(index.name), seen)
        return (expiry.NOT_HELD, words) if words else None


def _indices(api, patterns, restores):
    return expiry.read(*api.matching(patterns), restores)


def _old(api, records, rules, now, tolerance):
    """:returns: (restores, indices, verdicts of those that are old, name -> (word, why) of those that ISM may manage)."""
    restores = expiry.of_restores(records.restores())
    indices = _indices(api, [rule.pattern for rule in rules], restores)
    old = expiry.decide(indices, rules, {}, [], now, tolerance).expire
    policies = api.policies([one.index.name for one in old])
    managed = {one.index.name: (expiry.MANAGED, "ISM manages it, by the policy %s" % policies[one.index.name])
               for one in old if policies.get(one.index.name)}
    managed.update({one.index.name: (expiry.UNKNOWN, "ISM does not say whether it manages it; whoever asks needs indices:admin/opensearch/ism/managedindex")
                    for one in old if one.index.name not in policies})
    return restores, indices, old, managed


def overdue(params, api, now, grace):
    """:returns: names of indices that ought to have gone by their rules some seconds ago, and are there.

    :param grace: seconds.
    """
    rules = expiry.rules_of(params["rules"])
    _restores, _there, old, managed = _old(api, Records(api), rules, now, params["clock_tolerance"])
    return expiry.overdue([one for one in old if managed.get(one.index.name, [""])[0] != expiry.MANAGED], grace)


def expire(params, api, check_mode, now):
    """:returns: the module's result. :raises IronrackError: at the first index that cannot be deleted, with those that are gone."""
    repository, records, tolerance = params["repository"], Records(api), params["clock_tolerance"]
    refuse(expiry.problems_of(params["rules"]) + snapshots.schedule_problems(params["prefix"], None))
    if api.repository(repository) is None:
        refuse([problem("repository", "there is no repository %s" % repository, "one that is registered", "Register it with opensearch_repository.")])
    rules, listed, proofs = expiry.rules_of(params["rules"]), api.snapshots(repository), records.proofs(repository)
    restores, indices, old, lacks = _old(api, records, rules, now, tolerance)
    proved = _Proved(api, records, repository, params["prefix"], [one for one in listed if retention.is_of(one, params["prefix"])], proofs, now)
    for one in old:
        word = None if one.index.name in lacks else proved.lack(one.index, one.rule)
        if word:
            lacks[one.index.name] = word
    stopped = restores.stops + retention.stops(listed, retention.verdicts(proofs), tolerance, now, api.cluster_time())
    stopped += ["%s runs" % one for one in api.running() if one.split("/", 1)[0] != repository]
    decision = expiry.decide(indices, rules, lacks, stopped, now, tolerance)
    if not (check_mode or params["dry_run"]):
        decision = _delete(api, restores, proved, decision)
    before = sorted(one.index.name for one in decision.expire + decision.keep)
    after = sorted(one.index.name for one in decision.keep)
    return {"changed": bool(decision.expire) and not params["dry_run"], "stopped": stopped,
            "expired": [{"index": one.index.name, "why": one.why} for one in decision.expire],
            "kept": [{"index": one.index.name, "reason": one.word, "why": one.why} for one in decision.keep],
            "overdue": expiry.overdue(decision.keep, 0),
            "diff": {"before_header": "indices", "after_header": "indices", "before": "".join(name + "\n" for name in before),
                     "after": "".join(name + "\n" for name in after)}}


def _delete(api, restores, proved, decision):
    """Delete indices, the oldest first, each by its name and only where it still is what was judged.

    :returns: the :class:`~.expiry.Decision` as it was carried out.
    """
    gone, spared = [], []
    for one in decision.expire:
        now = next((again for again in _indices(api, [one.index.name], restores) if again.name == one.index.name), None)
        word = (expiry.CHANGED, "it is another index, or writes go to it, since a moment ago") if now and now != one.index else None
        word = word or (proved.lack(now, one.rule) if now else None)
        if word:
            spared.append(one._replace(word=word[0], why=word[1]))
            continue
        try:
            api.delete_index(one.index.name)
        except IronrackError as error:
            names = [each.index.name for each in gone]
            raise IronrackError("%s. Gone before that: %s" % (error, ", ".join(names) or "none"), **dict(error.details, gone=names))
        gone.append(one)
    return expiry.Decision(gone, decision.keep + spared)
