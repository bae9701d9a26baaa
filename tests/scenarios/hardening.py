# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the cluster secure by default? kube-bench says so, on one host of each kind. The judgement is in cis.py."""
from __future__ import annotations

import subprocess
import sys


from . import cis as benchmark
from .common import OUTPUT, ROOT, NotProved, hosts_of, on, say

BENCHMARK = "cis-1.10"
PLACE = "/tmp/ironrack-kube-bench"
# Cold, kube-bench has to be compiled.
BUILD_LIMIT, RUN_LIMIT = 1200, 120


def cis(inventory):
    """Every automatic check of the CIS benchmark passes on a control plane, an etcd host and a worker; the rest has an answer."""
    hosts = groups_of(inventory)
    folder = kube_bench()
    apart = not set(hosts["control_plane"]) <= set(hosts["etcd"])
    wrong, doubts = [], {}
    for host, targets in kinds(hosts):
        report = run(folder, host, targets)
        for target in targets:
            answered = benchmark.OF_ETCDS_POD + (benchmark.OF_ETCDS_DATA if apart else ())
            checks = report.get(target, [])
            wrong += ["%s: %s" % (host, problem) for problem in benchmark.problems(target, checks, answered if target == "master" else ())]
            doubts.update(benchmark.warnings(checks))
            say("kube-bench %s on %s: %s" % (target, host, ", ".join("%d %s" % (
                sum(check.status == status for check in checks), status) for status in ("PASS", "FAIL", "WARN", "INFO"))))
    for host in hosts["etcd"]:
        wrong += benchmark.files_of_etcd(host, on(host, "sudo", "stat", "-c", "'%a %U:%G %n'", *benchmark.ETCD_FILES))
    answers = benchmark.answers((ROOT / "docs" / "security.md").read_text())
    for number, text in sorted(doubts.items(), key=lambda pair: [int(part) for part in pair[0].split(".")]):
        say("  WARN %s %s: %s" % (number, text, answers.get(number, "NO ANSWER")))
    wrong += ["docs/security.md has no answer to %s: %s" % (number, text) for number, text in doubts.items() if number not in answers]
    if wrong:
        raise NotProved("the cluster is not as secure as promised:\n  %s" % "\n  ".join(wrong))
    say("%s: no automatic check fails but %s, which files and folder of external etcd answer on %d hosts; %d manual ones have an answer" % (
        BENCHMARK, " and ".join(benchmark.OF_ETCDS_POD), len(hosts["etcd"]), len(doubts)))


def groups_of(inventory):
    """:returns: group -> names of its hosts, in the inventory's order, for the groups that the benchmark has targets for."""
    hosts = hosts_of(inventory)
    return {group: [name for name, host in hosts.items() if group in host["groups"]] for group in ("control_plane", "etcd", "workers")}


def kinds(hosts):
    """:returns: [(host, targets)], one host of each kind."""
    chosen = {}
    for group, targets in (("control_plane", ("master", "controlplane", "node")), ("etcd", ("etcd",)), ("workers", ("node",))):
        if not hosts[group]:
            raise NotProved("group %s has no host" % group)
        # A host of one kind only, where there is one: it shows that the checks hold there too.
        others = {name for other, names in hosts.items() if other != group for name in names}
        host = next((name for name in hosts[group] if name not in others), hosts[group][0])
        chosen[host] = tuple(dict.fromkeys(chosen.get(host, ()) + targets))
    return list(chosen.items())


def kube_bench():
    """:returns: the folder with kube-bench and its rules, built where it is missing."""
    done = subprocess.run([sys.executable, "-m", "lab.artifacts", "tool", "kube-bench"], cwd=ROOT, capture_output=True, text=True,
                          timeout=BUILD_LIMIT, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise NotProved("kube-bench could not be built:\n%s" % (done.stdout + done.stderr)[-3000:])
    return done.stdout.strip().splitlines()[-1]


def run(folder, host, targets):
    """Run kube-bench on a host as root, and take it away again.

    :returns: what it said, by target.
    """
    ssh = ["ssh", "-F", str(OUTPUT.parent / "ssh_config"), host]
    packed = subprocess.run(["tar", "-C", folder, "-cz", "kube-bench", "cfg"], check=True, capture_output=True, timeout=60).stdout
    subprocess.run([*ssh, "mkdir", "-p", PLACE, "&&", "tar", "-xz", "-C", PLACE], input=packed, check=True, capture_output=True, timeout=60)
    try:
        done = subprocess.run([*ssh, "sudo", PLACE + "/kube-bench", "run", "--targets", ",".join(targets), "--benchmark", BENCHMARK,
                               "--config-dir", PLACE + "/cfg", "--json"],
                              capture_output=True, text=True, timeout=RUN_LIMIT, check=False, stdin=subprocess.DEVNULL)
    finally:
        on(host, "sudo", "rm", "-rf", PLACE)
    (OUTPUT / ("kube-bench-%s.json" % host)).write_text(done.stdout)
    try:
        return benchmark.read(done.stdout)
    except ValueError as error:
        raise NotProved("kube-bench on %s ended with status %d: %s\n%s" % (host, done.returncode, error, done.stderr[-2000:])) from error
