# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which snapshots may go, and why each of the others stays. Pure.

Snapshots share what they store, so one damaged file can spoil many of them, and the state SUCCESS says nothing about that. Therefore a snapshot goes
only where it is old AND enough newer ones stay that a scratch restore has proved. Those that are newest among the proved ones never have enough
newer ones themselves, so what a deletion relies on is never deleted in its turn.

Only scheduled snapshots of one prefix are judged, and only they count: a manual one, or one of another series, may hold other indices.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from collections import namedtuple

from .._common.refusal import problem
from . import moments, snapshots

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"

#: max_age: seconds after which a SUCCESS may go; min_count: how many newer proved ones have to stay; failed_max_age: seconds for FAILED and PARTIAL;
#: tolerance: seconds that clocks may differ.
Policy = namedtuple("Policy", ("max_age", "min_count", "failed_max_age", "tolerance"))
#: uuid of the snapshot, verdict, time (aware), complete: whether all of its indices were restored, and what was found in words.
Proof = namedtuple("Proof", ("uuid", "verdict", "time", "complete", "why"))
#: delete, keep: lists of (name, why); stopped: why nothing is deleted at all, empty where something may be.
Decision = namedtuple("Decision", ("delete", "keep", "stopped"))


def policy_problems(policy):
    """:returns: what is wrong with a policy."""
    found = []
    if policy.min_count < 1:
        found.append(problem("min_count", "%d" % policy.min_count, "1 at least: otherwise nothing that was proved would have to stay", "Set it to 3."))
    for name in ("max_age", "failed_max_age"):
        if getattr(policy, name) <= policy.tolerance:
            found.append(problem(name, "%d seconds" % getattr(policy, name), "more than the %d seconds that clocks may differ" % policy.tolerance,
                                 "Set it to days."))
    return found


def verdicts(proofs):
    """The last word on each snapshot. A proof that could not be carried out says nothing, so the one before it stands.

    :param proofs: :class:`Proof` in any order.
    :returns: uuid -> :class:`Proof` that passed for all of its indices, or failed.
    """
    found = {}
    for proof in sorted(proofs, key=lambda one: one.time):
        if proof.verdict == FAIL or (proof.verdict == PASS and proof.complete):
            found[proof.uuid] = proof
    return found


def proved(proofs):
    """:returns: the uuids of snapshots whose last word is that they can be restored as a whole."""
    return {uuid for uuid, proof in verdicts(proofs).items() if proof.verdict == PASS}


def decide(listed, prefix, proofs, policy, now, cluster_time):
    """Say what goes and what stays.

    :param listed: :class:`~.snapshots.Snapshot` of one repository, all of them.
    :param prefix: of the series that is judged.
    :param proofs: :class:`Proof` of that repository.
    :param now: aware time of this host. :param cluster_time: aware time of the cluster.
    :returns: :class:`Decision`; only the series is in it. Where it is stopped, ``delete`` is empty and ``keep`` says what would have become of each.
    """
    words = verdicts(proofs)
    series = sorted((one for one in listed if is_of(one, prefix)), key=_order)
    stopped = stops(listed, words, policy.tolerance, now, cluster_time)
    relied_on = [one for one in series if not snapshots.shortcomings(one) and one.started and words.get(one.uuid, (0, 0))[1] == PASS]
    delete, keep = [], []
    for one in series:
        newer = [other for other in relied_on if one.started and moments.seconds_between(one.started, other.started) > policy.tolerance]
        goes, why = _judge(one, newer, policy, now)
        (delete if goes else keep).append((one.name, why))
    if stopped:
        return Decision([], sorted(keep + [(name, "nothing is deleted now; otherwise: " + why) for name, why in delete]), stopped)
    return Decision(delete, keep, [])


def is_of(snapshot, prefix):
    """:returns: whether a snapshot is a scheduled one of a series."""
    named = snapshots.parse(snapshot.name)
    return bool(named) and (named.kind, named.prefix) == (snapshots.SCHEDULED, prefix)


def _order(snapshot):
    return snapshot.started or moments.EPOCH, snapshot.name


def stops(listed, words, tolerance, now, cluster_time):
    """:returns: why nothing at all may be deleted.

    :param listed: all :class:`~.snapshots.Snapshot` of a repository. :param words: of :func:`verdicts`.
    :param tolerance: seconds that clocks may differ. :param now: aware time of this host. :param cluster_time: aware time of the cluster.
    """
    found = []
    apart = moments.seconds_between(cluster_time, now)
    if abs(apart) > tolerance:
        found.append("the clock of this host is %+d s from that of the cluster, so nobody can tell how old anything is; have both follow the same time"
                     % apart)
    for one in sorted(listed, key=_order):
        word = words.get(one.uuid)
        if one.state == snapshots.IN_PROGRESS:
            found.append("%s runs; it may rely on what is about to be deleted" % one.name)
        if one.started and moments.seconds_between(now, one.started) > tolerance:
            found.append("%s began in the future (%s): the clock of a cluster manager, or of this host, is or was wrong" % (
                one.name, moments.text(one.started)))
        if word and word.verdict == FAIL:
            found.append("%s could not be restored in its proof of %s: %s. Others share its files. Prove the newest one; then prove this one again, or "
                         "delete it by its name with opensearch_snapshot" % (one.name, moments.text(word.time), word.why))
    return found


def _judge(one, newer, policy, now):
    """:returns: (whether a snapshot may go, why)."""
    if one.state not in (snapshots.SUCCESS, snapshots.PARTIAL, snapshots.FAILED):
        return False, "its state is %s" % one.state
    if not one.started:
        return False, "it does not say when it began"
    # Nothing can be restored from a FAILED one, so nothing that is newer has to stand in for it.
    needed = 0 if one.state == snapshots.FAILED else policy.min_count
    limit = policy.max_age if one.state == snapshots.SUCCESS and not snapshots.shortcomings(one) else policy.failed_max_age
    age = moments.seconds_between(one.started, now)
    told = "it is %s, %d s old (limit %d s), and %d newer ones are proved (%d have to stay)" % (one.state, age, limit, len(newer), needed)
    if age <= limit + policy.tolerance:
        return False, "too young: " + told
    if len(newer) < needed:
        return False, "needed: " + told
    return True, told
