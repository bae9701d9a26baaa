# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients of a service saw: pure functions over the records of requests and streams."""
from __future__ import annotations

import math
from collections import Counter, namedtuple

from ..faults.outcome import longest_gap

# One request of a client key. Times are seconds since the epoch; ``status`` is 0 and ``release`` empty where no answer came (or one that names
# no release); ``error`` is empty where the request succeeded.
Answer = namedtuple("Answer", ("key", "issued", "finished", "status", "release", "error"))

# One stream. ``begun`` is when its first event came (0.0: none did), ``end`` one of ENDS.
Stream = namedtuple("Stream", ("key", "issued", "begun", "finished", "status", "release", "events", "end", "error"))
COMPLETE, CUT, ERROR = ENDS = ("complete", "cut", "error")


def summarise(answers):
    """Count what happened.

    :returns: a dictionary of numbers and seconds; ``releases`` has {release: {status: requests}}, status 0 for those without an answer.
    :raises ValueError: where nothing was sent: no requests is no success.
    """
    if not answers:
        raise ValueError("the clients sent nothing: nothing can be said")
    start, end = min(answer.issued for answer in answers), max(answer.finished for answer in answers)
    failed = [answer for answer in answers if answer.error]
    releases = {}
    for answer in answers:
        counts = releases.setdefault(answer.release, Counter())
        counts[answer.status] += 1
    return {
        "start": start,
        "end": end,
        "sent": len(answers),
        "failed": len(failed),
        "keys": len({answer.key for answer in answers}),
        "releases": {release: dict(sorted(counts.items())) for release, counts in sorted(releases.items())},
        "errors": dict(Counter(answer.error for answer in failed).most_common()),
        "seconds": {release: latency(answers, release) for release in sorted(releases) if release},
        "longest_gap": round(longest_gap(answers, start, end), 3),
        "failures": [
            {"offset": round(answer.issued - start, 3), "seconds": round(answer.finished - answer.issued, 3), "status": answer.status,
             "release": answer.release, "key": answer.key, "error": answer.error}
            for answer in sorted(failed, key=lambda answer: answer.issued)
        ],
    }


def latency(answers, release):
    """How long the answers of a release took, failed ones included: {"p50", "p99", "max"} in seconds."""
    return _ranks(answer.finished - answer.issued for answer in answers if answer.release == release)


def _ranks(seconds):
    took = sorted(seconds)
    return {"p50": round(_rank(took, 50), 4), "p99": round(_rank(took, 99), 4), "max": round(took[-1], 4)}


def _rank(ordered, percent):
    """The nearest rank: https://en.wikipedia.org/wiki/Percentile#The_nearest-rank_method"""
    return ordered[-(-len(ordered) * percent // 100) - 1]


def share(answers, candidate, since=float("-inf"), until=float("inf")):
    """Which part of the answers came from the candidate, of requests issued from ``since`` to before ``until``.

    :returns: {"answered", "candidate", "percent", "keys", "keys_candidate", "percent_of_keys"}; answers that name no release are left out.
    :raises ValueError: where no answer named one.
    """
    named = [answer for answer in answers if answer.release and since <= answer.issued < until]
    if not named:
        raise ValueError("no answer named a release from %s to %s: no share can be said" % (since, until))
    by_candidate = [answer for answer in named if answer.release == candidate]
    keys, keys_candidate = {answer.key for answer in named}, {answer.key for answer in by_candidate}
    return {
        "answered": len(named),
        "candidate": len(by_candidate),
        "percent": round(100.0 * len(by_candidate) / len(named), 3),
        "keys": len(keys),
        "keys_candidate": len(keys_candidate),
        "percent_of_keys": round(100.0 * len(keys_candidate) / len(keys), 3),
    }


def shares(answers, candidate, steps, end, settle=0.0):
    """The share at each step of a rollout.

    :param steps: list of (moment, weight in percent): from then on the candidate was to have it.
    :param end: when the last step ended.
    :param settle: seconds after each moment that are not counted, since balancers change one after the other.
    :returns: list of :func:`share` with "weight", "off" and "chance" in percentage points. ``chance`` is the standard deviation that a share
        of so many keys has by itself: each key falls on one side, as a coin does. 2,000 keys are off by 1.1 points at 50 %, 20,000 by 0.35.
    """
    found = []
    for (moment, weight), (later, _weight) in zip(steps, [*steps[1:], (end, None)]):
        part = share(answers, candidate, moment + settle, later)
        chance = math.sqrt(weight * (100.0 - weight) / part["keys"])
        found.append(dict(part, weight=weight, off=round(part["percent"] - weight, 3), chance=round(chance, 3)))
    return found


def went_back(answers, candidate):
    """The keys that another release answered after the candidate had, in the order in which their requests were issued.

    :returns: sorted keys; none may be there while weights rise.
    """
    seen, back = set(), set()
    for answer in sorted(answers, key=lambda answer: answer.issued):
        if answer.release == candidate:
            seen.add(answer.key)
        elif answer.release and answer.key in seen:
            back.add(answer.key)
    return sorted(back)


def across(streams, moment):
    """The streams that were open at a moment: those whose first event had come and whose end had not."""
    return [stream for stream in streams if stream.begun and stream.begun <= moment <= stream.finished]


def summarise_streams(streams, moments=()):
    """Count how streams ended; ``first_event`` is how long the first one took, {"p50", "p99", "max"} in seconds, None where none came.

    :param moments: of interest, e.g. of switches: for each, how the streams ended that were open then.
    :raises ValueError: where there was none.
    """
    if not streams:
        raise ValueError("no stream was opened: nothing can be said")
    return {
        "opened": len(streams),
        "ends": _ends(streams),
        "releases": {release: _ends([stream for stream in streams if stream.release == release])
                     for release in sorted({stream.release for stream in streams})},
        "first_event": _ranks(stream.begun - stream.issued for stream in streams if stream.begun) if any(stream.begun for stream in streams) else None,
        "across": [{"moment": moment, "open": len(across(streams, moment)), "ends": _ends(across(streams, moment))} for moment in moments],
        "failures": [
            {"key": stream.key, "issued": stream.issued, "seconds": round(stream.finished - stream.issued, 3), "status": stream.status,
             "release": stream.release, "events": stream.events, "end": stream.end, "error": stream.error}
            for stream in sorted(streams, key=lambda stream: stream.issued) if stream.end != COMPLETE
        ],
    }


def _ends(streams):
    counts = Counter(stream.end for stream in streams)
    return {end: counts[end] for end in ENDS}


def paragraph(summary, streams=None):
    """The summaries for a person."""
    words = ["%d requests of %d keys, %d failed, longest gap %.3f s." % (summary["sent"], summary["keys"], summary["failed"], summary["longest_gap"])]
    for release, statuses in summary["releases"].items():
        took = summary["seconds"].get(release)
        words.append("%s: %s%s." % (
            release or "no release", ", ".join("%d x %s" % (count, status or "no answer") for status, count in statuses.items()),
            "; p50 %(p50).3f s, p99 %(p99).3f s, max %(max).3f s" % took if took else ""))
    if summary["errors"]:
        words.append("Errors: %s." % ", ".join("%d x %s" % (count, error) for error, count in summary["errors"].items()))
    if streams:
        words.append("%d streams: %s%s." % (
            streams["opened"], _said(streams["ends"]),
            "; first event p50 %(p50).3f s, p99 %(p99).3f s, max %(max).3f s" % streams["first_event"] if streams["first_event"] else ""))
        words += ["%d were open at %.3f: %s." % (part["open"], part["moment"], _said(part["ends"])) for part in streams["across"]]
    return " ".join(words)


def _said(ends):
    return ", ".join("%d %s" % (count, end) for end, count in ends.items())
