# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One verdict over the probes of all hosts: their own problems, and those that only show when hosts are compared."""
from __future__ import annotations

from collections import namedtuple

from ...module_utils._preflight.decide import KUBELET_BEHIND, numbers

#: ok: whether nothing stands against it. accepted: problems that the site takes on itself. text: for a person.
Verdict = namedtuple("Verdict", ("ok", "problems", "accepted", "unreachable", "warnings", "text"))

#: Seconds that two hosts may be apart: etcd warns from one second on, and a certificate must not be 'not yet valid' where it is used.
MOST_APART = 2.0


BUNDLE = "the bundle"
#: What only shows when hosts are compared with each other, and the bundle on the controller, which is no host's.
COMPARED = ("same_machine", "clock", "version_skew", "lost_authorities", "bundle")


def judge(results, accept=(), bundle=()):
    """Judge all hosts.

    :param results: host -> result of preflight_probe, or None where there is none.
    :param accept: names of checks whose problems are told and do not count.
    :param bundle: (what, expected, mend) of each problem of the bundle on the controller.
    :returns: :class:`Verdict`; problems and accepted are lists of (host, problem).
    """
    unreachable = {host: result["silent"] for host, result in results.items() if result and result.get("silent")}
    probed = {host: result for host, result in results.items() if result and host not in unreachable}
    found = [(host, _problem("not_probed", "there is no result of a probe", "one", "run the probe on it first"))
             for host, result in results.items() if not result]
    found += [(host, problem) for host, result in probed.items() for problem in result.get("problems", ())]
    found += list(_same_machines(probed))
    found += list(_skew(probed))
    found += list(_lost_authorities(probed))
    found += [(BUNDLE, _problem("bundle", *one)) for one in bundle]
    clocks, warnings = _clocks(probed)
    found += clocks
    if not results:
        found.append(("the inventory", _problem("not_probed", "no host was probed", "at least one", "see that --limit leaves a host")))
    counted = [(host, problem) for host, problem in found if problem["check"] not in accept]
    accepted = [(host, problem) for host, problem in found if problem["check"] in accept]
    warnings += ["%s: %s (accepted: %s)" % (host, problem["what"], problem["check"]) for host, problem in accepted]
    ok = not counted and not unreachable
    return Verdict(ok, counted, accepted, unreachable, warnings, _text(results, counted, unreachable))


def _problem(check, what, expected, mend):
    return {"check": check, "what": what, "expected": expected, "mend": mend}


def _same_machines(probed):
    owners = {}
    for host, result in probed.items():
        machine_id = result.get("probe", {}).get("machine_id")
        if machine_id:
            owners.setdefault(machine_id, []).append(host)
    for machine_id, hosts in owners.items():
        if len(hosts) > 1:
            for host in hosts:
                yield host, _problem(
                    "same_machine", "its machine id is that of %s too" % ", ".join(other for other in hosts if other != host),
                    "a machine id of its own: the same one means one machine under two names, or a cloned image",
                    "correct ansible_host; on clones: rm /etc/machine-id, systemd-machine-id-setup, reboot")


def _running(probed, part):
    """:returns: host -> version of the API server or the kubelet that runs there, as numbers."""
    seen = {host: (result.get("probe", {}).get("versions") or {}).get(part) for host, result in probed.items()}
    return {host: numbers(version) for host, version in seen.items() if version}


def _minor(version):
    return "%d.%d" % version[:2]


def _skew(probed):
    """Kubernetes' version skew policy, between what runs now."""
    servers = _running(probed, "api")
    if not servers:
        return
    oldest, newest = min(servers.values()), max(servers.values())
    for host, version in servers.items():
        if newest[1] - version[1] > 1:
            yield host, _problem(
                "version_skew", "its API server runs %s, and another one %s" % (_minor(version), _minor(newest)),
                "API servers at most one minor apart", "bring this one to %s first" % _minor((version[0], version[1] + 1)))
    for host, version in _running(probed, "kubelet").items():
        if version[:2] > oldest[:2]:
            yield host, _problem(
                "version_skew", "its kubelet runs %s, and an API server %s" % (_minor(version), _minor(oldest)),
                "no kubelet newer than any API server", "upgrade the control planes before it")
        elif newest[1] - version[1] > KUBELET_BEHIND:
            yield host, _problem(
                "version_skew", "its kubelet runs %s, and an API server %s" % (_minor(version), _minor(newest)),
                "kubelets at most %d minors older" % KUBELET_BEHIND, "upgrade this node first")


def _lost_authorities(probed):
    """An empty store beside a built cluster would get new authorities, which cut off every host that trusts the old ones."""
    # Who is not root sees no store at all, and is told for that.
    stores = [host for host, result in probed.items() if result.get("probe", {}).get("store") is False and result["probe"].get("uid") == 0]
    # A host of another cluster trusts that one's, and is told for it.
    built = [host for host, result in probed.items()
             if (result.get("probe", {}).get("kubelet_server") or result.get("probe", {}).get("etcd_formed"))
             and not any(problem["check"] == "foreign_cluster" for problem in result.get("problems", ()))]
    for host in stores if built else ():
        yield host, _problem(
            "lost_authorities", "it holds no certificate authorities, and %s" % _trusting(built),
            "the store that the cluster was built with", "put the store back from its backup, or correct cluster_pki_host")
    nodes = [host for host, result in probed.items() if (result.get("probe", {}).get("opensearch") or {}).get("formed")]
    stores = [host for host, result in probed.items() if result.get("probe", {}).get("opensearch_ca") is False and result["probe"].get("uid") == 0]
    for host in stores if nodes else ():
        yield host, _problem(
            "lost_authorities", "it holds no authority of OpenSearch, and %s" % _trusting(nodes),
            "the store that OpenSearch was built with", "put the store back from its backup, or correct cluster_pki_host")


def _trusting(hosts):
    return "%s already trust%s some" % (
        ", ".join(hosts[:4]) + (" and %d more" % (len(hosts) - 4) if len(hosts) > 4 else ""), "s" if len(hosts) == 1 else "")


def _offsets(probed):
    """:returns: host -> (lowest, highest) seconds it can be ahead of the controller: the probe looked somewhere between two readings."""
    offsets = {}
    for host, result in probed.items():
        seen, around = result.get("probe", {}).get("time"), result.get("controller_time")
        if seen is not None and around:
            offsets[host] = (seen - around[1], seen - around[0])
    return offsets


def _clocks(probed):
    """Only what is certain is a problem: a slow answer widens the interval, and does not make a clock wrong."""
    offsets = _offsets(probed)
    if not offsets:
        return [], []
    # The hosts' own middle is the reference: they have to agree with each other, and a laptop's clock is not theirs.
    middles = sorted((low + high) / 2 for low, high in offsets.values())
    reference = middles[len(middles) // 2] if len(middles) != 2 else 0.0
    whose = "the other hosts'" if len(offsets) > 2 else "the controller's"
    problems = []
    for host, (low, high) in offsets.items():
        ahead, behind = low - reference, reference - high
        if max(ahead, behind) > MOST_APART:
            problems.append((host, _problem(
                "clock", "its clock is %.1f s %s %s" % (max(ahead, behind), "ahead of" if ahead > behind else "behind", whose),
                "at most %.0f s" % MOST_APART, "set cluster_ntp_servers, or mend the site's time service, and wait until it is in step")))
    if not problems and all(low > MOST_APART or high < -MOST_APART for low, high in offsets.values()):
        return [], ["The hosts agree on the time, and the controller's clock is %.1f s away from it." % abs(middles[0])]
    return problems, []


def _text(results, problems, unreachable):
    if not problems and not unreachable:
        return "1 host is fit for its part" if len(results) == 1 else "%d hosts are fit for their parts" % len(results)
    grouped = {host: [] for host in unreachable}
    for host, problem in problems:
        grouped.setdefault(host, []).append(problem)
    unfit = sum(host in results for host in grouped)
    lines = ["Nothing was changed: %s." % (
        "%d of %d hosts cannot take their part yet" % (unfit, len(results)) if unfit or not results else "what the hosts would get is not fit for them")]
    for host, found in grouped.items():
        lines.append("%s:" % host)
        if host in unreachable:
            lines.append("  - it cannot be reached: %s. To mend it: start it, or leave it out with --limit" % unreachable[host].strip().rstrip("."))
        lines += ["  - %s [%s]. Expected: %s. To mend it: %s" % (problem["what"], problem["check"], problem["expected"], problem["mend"])
                  for problem in found]
    return "\n".join(lines)
