# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fault cost: pure functions over the records of the client, of NGINX's log and of /readyz samples."""
from __future__ import annotations

from collections import namedtuple

# One request. Times are seconds since the epoch; ``error`` is empty where the request succeeded.
Request = namedtuple("Request", ("kind", "issued", "finished", "status", "error"))

# One question to an API server's own /readyz.
Sample = namedtuple("Sample", ("sent", "ready", "text"))

# What the promises allow: failed requests of both kinds and reads alone, the longest gap of the reads at the fault, for how long after the fault
# writes, or requests of any kind, may still be issued and fail, and how many fail of each client that asks one by one (None: not judged).
Limits = namedtuple("Limits", ("failed", "failed_reads", "gap", "writes_within", "within", "one_by_one"))
LIMITS = {
    "follower": Limits(failed=0, failed_reads=0, gap=0.7, writes_within=None, within=None, one_by_one=0),
    "leader": Limits(failed=None, failed_reads=0, gap=None, writes_within=1.5, within=None, one_by_one=None),
    # How many fail of an open-loop client is its rate times the 0.5 s of five adverts: of it the time is promised, and of each client that waits for
    # its answers, whose failing request outlasts that time, the number.
    "balancer": Limits(failed=None, failed_reads=None, gap=1.0, writes_within=None, within=0.7, one_by_one=1),
}


# For how long after a fault a gap counts as the fault's: more than the time in which the balancers, or etcd, have noticed it. Later
# ones come from the return of the host, whose start takes both cores of the machine that also runs the client.
NOTICED = 5.0


# The control reads once in this many seconds. So long a gap of it is its own rhythm, and no stall of the machine.
CONTROL_INTERVAL = 0.1
CONTROL_RHYTHM = 2 * CONTROL_INTERVAL


def longest_gap(requests, start, end, window=None):
    """The longest time without a success, by completion; the edges of the run count, so that an outage to the end is seen.

    :param window: (from, to): only gaps that touch it.
    """
    moments = [start] + sorted(request.finished for request in requests if not request.error) + [end]
    return max((later - earlier for earlier, later in zip(moments, moments[1:])
                if window is None or earlier <= window[1] and later >= window[0]), default=0.0)


def in_flight(request, fault):
    """Whether a request was under way while the fault happened.

    A refused connection never was: something answered for a process that was dead already.

    :param fault: (earliest, latest): the moments between which it happened.
    """
    return request.issued <= fault[1] and request.finished >= fault[0] and "ConnectionRefused" not in request.error


def summarise(requests, fault=None):
    """Count what happened.

    :param requests: list of :class:`Request`.
    :param fault: (earliest, latest) moment of the fault; None for a run without one.
    :returns: a dictionary of numbers, seconds and the failures one by one, offsets counted from the latest moment of the fault.
    :raises ValueError: where there is nothing to count: no requests is no success.
    """
    if not requests:
        raise ValueError("the client sent nothing: nothing can be said")
    start = min(request.issued for request in requests)
    end = max(request.finished for request in requests)
    zero = fault[1] if fault else start
    summary = {"start": start, "end": end, "fault": list(fault) if fault else None}
    for kind in sorted({request.kind for request in requests}):
        these = [request for request in requests if request.kind == kind]
        failed = [request for request in these if request.error]
        flying = [request for request in failed if fault and in_flight(request, fault)]
        summary[kind] = {
            "sent": len(these),
            "failed": len(failed) - len(flying),
            "failed_in_flight": len(flying),
            "longest_gap": round(longest_gap(these, start, end), 3),
            "gap_at_fault": round(longest_gap(these, start, end, (fault[0], fault[1] + NOTICED) if fault else None), 3),
            "slowest": round(max(request.finished - request.issued for request in these), 3),
        }
    summary["failures"] = [
        {
            "kind": request.kind,
            "offset": round(request.issued - zero, 3),
            "seconds": round(request.finished - request.issued, 3),
            "status": request.status,
            "error": request.error,
            "in_flight": bool(fault and in_flight(request, fault)),
        }
        for request in sorted(requests, key=lambda request: request.issued) if request.error
    ]
    return summary


def stall(requests, fault):
    """For how long the machine itself stood still at the fault: the gap in the reads of a control, beyond their own rhythm.

    The control asks an API server that the fault does not touch, past the balancers. All hosts of a lab share the processors of one
    machine with both clients; what the control did not get either is nothing that the lost host cost.

    :param requests: the control's :class:`Request`, none where no API server was left to ask.
    :param fault: (earliest, latest) moment of the fault.
    :returns: seconds, 0 where it did not.
    """
    if not requests:
        return 0.0
    return round(max(0.0, summarise(requests, fault)["read"]["gap_at_fault"] - CONTROL_RHYTHM), 3)


def one_by_one(clients, fault):
    """What the fault cost clients that ask one request after the other.

    :param clients: {kind: list of :class:`Request`}, a client each.
    A killed lab host refuses connections for some 50 ms before its network is gone, as no host without power does. Such a client would meet
    the one fault twice: a refusal is counted with what was in flight.

    :returns: {kind: {sent, failed, failed_in_flight}}.
    :raises ValueError: where a client sent nothing.
    """
    costs = {}
    for kind, requests in clients.items():
        if not requests:
            raise ValueError("the client that asks one by one sent no %s: nothing can be said" % kind)
        failed = [request for request in requests if request.error]
        flying = sum(request.issued <= fault[1] and request.finished >= fault[0] for request in failed)
        costs[kind] = {"sent": len(requests), "failed": len(failed) - flying, "failed_in_flight": flying}
    return costs


def judge(summary, limits, stalled=0.0):
    """The promises that were not kept, as sentences; an empty list means all were.

    :param summary: of :func:`summarise`, with reads and writes; its ``one_by_one`` is of :func:`one_by_one`.
    :param limits: :class:`Limits`.
    :param stalled: seconds of :func:`stall`; they lengthen the gap that is allowed, and excuse no failed request.
    """
    broken = []
    reads, writes = summary["read"], summary["write"]
    if reads["sent"] == reads["failed"] + reads["failed_in_flight"]:
        broken.append("no read succeeded at all")
    if limits.failed_reads is not None and reads["failed"] > limits.failed_reads:
        broken.append("%d reads failed, at most %d may" % (reads["failed"], limits.failed_reads))
    if limits.failed is not None and reads["failed"] + writes["failed"] > limits.failed:
        broken.append("%d requests failed, at most %d may" % (reads["failed"] + writes["failed"], limits.failed))
    if limits.one_by_one is not None:
        broken += ["%d %ss failed of the client that asks one by one, at most %d may" % (part["failed"], kind, limits.one_by_one)
                   for kind, part in summary["one_by_one"].items() if part["failed"] > limits.one_by_one]
    if limits.gap is not None and reads["gap_at_fault"] > limits.gap + stalled:
        broken.append("the longest gap of the reads at the fault was %.3f s, at most %g s is allowed, and %.3f s in which the machine stood still" % (
            reads["gap_at_fault"], limits.gap, stalled))
    if limits.writes_within is not None:
        late = [failure for failure in summary["failures"]
                if failure["kind"] == "write" and not failure["in_flight"] and not 0 <= failure["offset"] <= limits.writes_within]
        if late:
            broken.append("%d writes failed that were issued outside of the first %g s after the fault, at %s s" % (
                len(late), limits.writes_within, ", ".join("%.2f" % failure["offset"] for failure in late[:10])))
    if limits.within is not None:
        late = [failure for failure in summary["failures"] if not failure["in_flight"] and not -1.0 <= failure["offset"] <= limits.within]
        if late:
            broken.append("%d requests failed that were issued outside of the first %g s after the fault, at %s s" % (
                len(late), limits.within, ", ".join("%.2f" % failure["offset"] for failure in late[:10])))
    return broken


def unready_until(samples):
    """The last moment at which an API server was certainly not ready, before its first good answer.

    The question's sending time is taken: the answer tells of a later moment, so that no doubt is left.
    None where the samples do not show how it became ready.
    """
    last = None
    for sample in samples:
        if sample.ready:
            return last
        last = sample.sent
    return None


# A line of NGINX's /var/log/nginx/api.log that reached an upstream server.
Session = namedtuple("Session", ("began", "client", "server", "status"))


def parse_sessions(text):
    """The sessions of NGINX's log, one for each upstream server that it got a connection to.

    The fields are $msec $remote_addr $upstream_addr $status $session_time $upstream_connect_time ...; where a server was
    tried in vain its connect time is `-`. Lists are joined by ', ' in the log: a field ends where no comma does.
    """
    sessions = []
    for line in text.splitlines():
        fields = line.replace(", ", ",").split()
        if len(fields) < 6:
            continue
        ended, client, addresses, status, lasted, connects = fields[:6]
        try:
            began = float(ended) - float(lasted)
        except ValueError:
            continue
        for address, connect in zip(addresses.split(","), connects.split(",")):
            if connect != "-":
                sessions.append(Session(began, client, address, status))
    return sessions


def routed_before_ready(sessions, server, fault_at, ready_at):
    """The sessions that were brought to ``server`` after the fault and before it was ready."""
    return [session for session in sessions if session.server == server and fault_at < session.began < ready_at]


def paragraph(summary):
    """The summary for a person."""
    words = []
    for kind in ("read", "write"):
        part = summary.get(kind)
        if part:
            words.append("%d %ss, %d failed (and %d that were in flight when the fault came), longest gap %.3f s, slowest %.3f s" % (
                part["sent"], kind, part["failed"], part["failed_in_flight"], part["longest_gap"], part["slowest"]))
    text = "; ".join(words) + "."
    late = [failure for failure in summary["failures"] if not failure["in_flight"]]
    if late:
        text += " Failed, by seconds after the fault: %s." % ", ".join(
            "%s %+.2f (%s)" % (failure["kind"], failure["offset"], failure["error"]) for failure in late[:12])
    return text
