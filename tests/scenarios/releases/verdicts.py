# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts over what clients and balancers said. Pure: each function returns sentences about what does not hold, and none where all does.

Nothing seen is always such a sentence.
"""
from __future__ import annotations

from collections import namedtuple

from ...traffic import tally

#: What a balancer's running workers said at a moment (seconds since the epoch): generation None and weights {} where it did not answer.
Sample = namedtuple("Sample", "at balancer generation weights")
#: A generation on its way over the balancers: when the first had it, when the last had it or a newer one, and its weights.
Switch = namedtuple("Switch", "generation begun ended weights")
#: Balancers change one after the other, and a connection that stood may carry one more request by the former split (client_keepalive_min).
SETTLE = 6.0
POINTS = 1.0


def _by_balancer(samples):
    found = {}
    for sample in sorted(samples, key=lambda sample: sample.at):
        if sample.generation is not None:
            found.setdefault(sample.balancer, []).append(sample)
    return found


def switches(samples, balancers):
    """:returns: [:class:`Switch`] of every generation that came to all of the balancers after their first word, oldest first.

    :raises ValueError: where a balancer never answered.
    """
    seen = _by_balancer(samples)
    silent = sorted(set(balancers) - set(seen))
    if silent or not balancers:
        raise ValueError("%s never said what it serves: no switch can be told" % (", ".join(silent) or "no balancer"))
    known = max(seen[name][0].generation for name in balancers)
    found = []
    for generation in sorted({sample.generation for name in balancers for sample in seen[name] if sample.generation > known}):
        first = {name: next((sample.at for sample in seen[name] if sample.generation >= generation), None) for name in balancers}
        if None not in first.values():
            weights = next(sample.weights for name in balancers for sample in seen[name] if sample.generation == generation)
            found.append(Switch(generation, min(first.values()), max(first.values()), weights))
    return found


def weights_of(samples, release, balancer):
    """:returns: [(moment, percent)] of a release on one balancer, one for each change."""
    found = []
    for sample in _by_balancer(samples).get(balancer, []):
        percent = sample.weights.get(release, 0)
        if not found or found[-1][1] != percent:
            found.append((sample.at, percent))
    return found


def steps(samples, release, balancers):
    """:returns: [(percent, since, until)]: while all balancers gave a release the same weight above 0. The last one ends with the samples."""
    moments = sorted({at for name in balancers for at, _percent in weights_of(samples, release, name)})
    if not moments:
        return []
    last = max(sample.at for sample in samples)
    found = []
    for since, until in zip(moments, [*moments[1:], last]):
        now = {_at(weights_of(samples, release, name), since) for name in balancers}
        if len(now) != 1 or None in now or now == {0}:
            continue
        percent = now.pop()
        if found and found[-1][0] == percent and found[-1][2] == since:
            found[-1] = (percent, found[-1][1], until)
        else:
            found.append((percent, since, until))
    return found


def _at(changes, moment):
    """:returns: the percent at a moment; None where it was not yet seen."""
    now = [percent for at, percent in changes if at <= moment]
    return now[-1] if now else None


def rise(samples, release, balancers, wanted):
    """Whether each balancer gave a release just the weights of the steps, one after the other, from 0 on."""
    found = []
    for name in balancers:
        seen = [percent for _moment, percent in weights_of(samples, release, name)]
        seen = seen[1:] if seen[:1] == [0] else seen
        if seen != list(wanted):
            found.append("%s gave %s %s %%, and the steps are %s" % (name, release, seen or "nothing", list(wanted)))
    return found or ([] if balancers else ["no balancer was watched"])


def traffic_of(samples, release, balancers):
    """:returns: (the first moment at which a release had any weight, the moment from which all balancers gave it none); None where that never was."""
    changes = {name: weights_of(samples, release, name) for name in balancers}
    begun = [at for name in balancers for at, percent in changes[name] if percent]
    if not begun:
        return None, None
    ended = [changes[name][-1] if changes[name] else (None, None) for name in balancers]
    return min(begun), max(at for at, _percent in ended) if all(percent == 0 for _at_, percent in ended) else None


def turned_back(samples, release, balancers, within=None):
    """Whether a release had weight and lost it on all balancers, in at most so many seconds."""
    begun, ended = traffic_of(samples, release, balancers)
    if begun is None:
        return ["%s never had a weight on any balancer: nothing was there to detect" % release]
    if ended is None:
        return ["%s still has a weight on a balancer" % release]
    if within is not None and ended - begun > within:
        return ["weight 0 came %.1f s after the first weight, at most %.1f s are allowed" % (ended - begun, within)]
    return []


def failures(answers, least, excused=()):
    """Whether enough was asked, and nothing failed outside of some times.

    :param least: requests that there have to be.
    :param excused: (from, until) of times whose failures are counted elsewhere.
    """
    found = [] if len(answers) >= least else ["%d requests were asked, at least %d are needed to say anything" % (len(answers), least)]
    bad = [answer for answer in answers if answer.error and not within(answer, excused)]
    if bad:
        start = min(answer.issued for answer in answers)
        found.append("%d of %d requests failed: %s" % (len(bad), len(answers), "; ".join(
            "+%.2f s %s %s (%s)" % (answer.issued - start, answer.key, answer.release or "no release", answer.error) for answer in bad[:12])))
    return found


def within(record, times):
    """:returns: whether a request or a stream lived in one of some times."""
    # A request counts by all of its life: what began before a crash may fail by it.
    return any(record.finished >= since and record.issued <= until for since, until in times)


def blame(answers, since, until, percent):
    """Whether the requests that failed from the first weight of a candidate to its last are no more than its share, and none failed else.

    :param percent: the largest weight that it had.
    """
    during = [answer for answer in answers if since <= answer.issued <= until + SETTLE]
    if not during:
        return ["no request was issued while the candidate had traffic"]
    failed = sum(1 for answer in during if answer.error)
    most = (percent + POINTS) / 100.0 * len(during)
    found = [] if failed <= most else ["%d of %d requests failed while the candidate had traffic, its share of %g %% (and a point) allows %d" % (
        failed, len(during), percent, most)]
    return found + failures(answers, 1, [(since - 0.5, until + SETTLE)])


def candidate_requests(answers, release, since, until):
    """:returns: how many requests a candidate got in a time; one without an answer was its, since the stable release answers all."""
    return sum(1 for answer in answers if since <= answer.issued <= until and (answer.release == release or answer.error and not answer.release))


def shares(answers, release, found_steps, wanted_requests):
    """Judge the share of a release at each step.

    :param found_steps: of :func:`steps`.
    :param wanted_requests: that each step has to have.
    :returns: (problems, the parts of :func:`tally.share`, each with ``weight``, ``off`` and ``allowed`` in percentage points).
    """
    problems, parts = [], []
    for percent, since, until in found_steps:
        try:
            part = tally.shares(answers, release, [(since, percent)], until, settle=min(SETTLE, (until - since) / 2))[0]
        except ValueError as error:
            problems.append("at %d %%: %s" % (percent, error))
            continue
        # 20,000 keys and more are within a point; fewer are not, by chance alone.
        part["allowed"] = POINTS if part["keys"] >= 15000 else POINTS + 3 * part["chance"]
        parts.append(part)
        if part["answered"] < wanted_requests:
            problems.append("at %d %% only %d requests were answered, %d are needed" % (percent, part["answered"], wanted_requests))
        if abs(part["off"]) > part["allowed"]:
            problems.append("at %d %% clients measured %.2f %% over %d requests of %d keys, at most %.2f points off are allowed" % (
                percent, part["percent"], part["answered"], part["keys"], part["allowed"]))
    return problems or ([] if parts else ["no step was seen"]), parts


def nobody_back(answers, release):
    """Whether no key was answered by another release after the candidate had answered it."""
    if not any(answer.release == release for answer in answers):
        return ["%s answered nobody: nobody could go back from it" % release]
    back = tally.went_back(answers, release)
    return ["%d keys went back from %s: %s" % (len(back), release, ", ".join(back[:8]))] if back else []


def streams_whole(streams, moments, least, excused=()):
    """Whether enough streams were open at each moment, and all ended whole outside of some times."""
    if not streams:
        return ["no stream was opened"]
    if not moments:
        return ["no switch was seen: no stream was open at one"]
    found = []
    few = [(moment, len(tally.across(streams, moment))) for moment in moments if len(tally.across(streams, moment)) < least]
    if few:
        found.append("at %d of %d switches fewer than %d streams were open: %s" % (
            len(few), len(moments), least, ", ".join("%d" % number for _moment, number in few[:20])))
    broken = [stream for stream in streams if stream.end != tally.COMPLETE and not within(stream, excused)]
    if broken:
        told = ["%s of %s after %.1f s and %d events (%s)" % (
            stream.key, stream.release or "no release", stream.finished - stream.issued, stream.events, stream.error) for stream in broken[:8]]
        found.append("%d of %d streams did not end whole: %s" % (len(broken), len(streams), "; ".join(told)))
    return found


def only(answers, release, since, least):
    """Whether a balancer answered, and by one release alone, from a moment on."""
    named = [answer for answer in answers if answer.release and answer.issued >= since]
    found = [] if len(named) >= least else ["%d requests were answered, at least %d are needed to say anything" % (len(named), least)]
    others = [answer for answer in named if answer.release != release]
    if others:
        found.append("%d of %d requests were answered by %s, %.1f s after that moment at first; only %s may answer" % (
            len(others), len(named), ", ".join(sorted({answer.release for answer in others})), others[0].issued - since, release))
    return found


def clean(state, results=("promoted", "rolled_back"), stable=None):
    """Whether a service stands as a finished rollout leaves it.

    :param state: ``record`` (of the ConfigMap), ``pods`` (release -> {replicas, ready}), ``balancers`` (name -> (generation, weights)).
    :param results: of the last rollout that are right.
    :param stable: who has to have the traffic; None: whoever the record says.
    """
    record = state["record"]
    if not record:
        return ["there is no record of a rollout"]
    last = record.get("last") or {}
    found = [] if not record["rollout"] else ["rollout %d is still under way" % record["rollout"]["number"]]
    if last.get("result") not in results:
        found.append("the last rollout is %s, expected %s: %s" % (last.get("result"), " or ".join(results), last.get("why")))
    if stable and record["stable"] != stable:
        found.append("the stable release is %s, expected %s" % (record["stable"], stable))
    stable = record["stable"]
    if not state["balancers"]:
        found.append("no balancer was asked")
    for name, (generation, weights) in sorted(state["balancers"].items()):
        if {release: weight for release, weight in weights.items() if weight} != {stable: 100}:
            found.append("%s serves %s under generation %s, expected all of it by %s" % (name, weights, generation, stable))
    if len({generation for generation, _weights in state["balancers"].values()}) > 1:
        found.append("the balancers are of different generations: %s" % {name: seen[0] for name, seen in sorted(state["balancers"].items())})
    pods = state["pods"].get(stable) or {"replicas": 0, "ready": 0}
    if not pods["replicas"] or pods["ready"] < pods["replicas"]:
        found.append("%d of %d pods of %s are ready" % (pods["ready"], pods["replicas"], stable))
    return found + ["%s still has %d pods" % (release, seen["replicas"]) for release, seen in sorted(state["pods"].items())
                    if release != stable and seen["replicas"]]
