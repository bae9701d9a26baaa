# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kube-bench said, and whether that is what was promised. Pure.

Of the benchmark's checks those that are scored are automatic: each has to pass. The others are 'manual': kube-bench warns where it cannot
tell, and docs/security.md answers each of those.
"""
from __future__ import annotations

import json
import re
from collections import namedtuple

Check = namedtuple("Check", ("number", "text", "status", "scored", "seen"))

#: target -> checks with an answer (PASS or FAIL) on an untouched kubeadm cluster with external etcd. Fewer means that kube-bench saw less.
FLOOR = {"master": 48, "controlplane": 1, "etcd": 7, "node": 18}
#: Manual checks that have to pass all the same: those that plain kubeadm passes, and those that the defaults of the collection add.
#: Not 1.1.10: it looks at files that are there only while a pod of the pod network runs on the host.
PROMISED = {
    "master": ("1.1.20", "1.1.21", "1.2.3", "1.2.9", "1.2.27", "1.2.29", "1.3.1"),
    "controlplane": ("3.2.1",),
    "etcd": ("2.7",),
    "node": ("4.1.7", "4.1.8", "4.2.4", "4.2.5", "4.2.7", "4.2.8", "4.2.11", "4.2.12", "4.2.13"),
}
#: They speak of etcd's pod, which a cluster with external etcd does not have: files_of_etcd() answers them.
OF_ETCDS_POD = ("1.1.7", "1.1.8")
#: They look for etcd's data on the control plane's own host.
OF_ETCDS_DATA = ("1.1.11", "1.1.12")
#: path -> (bits that may be set, owner) of external etcd.
ETCD_FILES = {
    "/etc/systemd/system/etcd.service": (0o600, "root:root"),
    "/etc/etcd/etcd.env": (0o600, "root:root"),
    "/var/lib/etcd/data": (0o700, "etcd:etcd"),
}
_ANSWER = re.compile(r"^\|\s*(\d+(?:\.\d+)+)\s*\|\s*(\S.*?)\s*\|", re.MULTILINE)


def read(text):
    """Read what `kube-bench run --json` printed.

    :returns: target -> list of :class:`Check`.
    :raises ValueError: where it is no such report.
    """
    try:
        controls = json.loads(text)["Controls"]
        return {one["node_type"]: [
            Check(check["test_number"], check["test_desc"], check["status"], check["scored"], check.get("actual_value") or check.get("reason") or "")
            for group in one["tests"] for check in group["results"]] for one in controls}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("this is no report of kube-bench (%s): %s" % (error, text[:200])) from error


def problems(target, checks, answered=()):
    """Judge one target of one host.

    :param checks: list of :class:`Check`; an empty one is no pass.
    :param answered: numbers of checks that may fail, since they do not apply and something else answers them.
    :returns: sentences; empty where everything that was promised holds.
    """
    if target not in FLOOR:
        return ["%s: nobody has said what is promised of this target" % target]
    if not checks:
        return ["%s: no check was made" % target]
    found = ["%s fails: %s (seen: %s)" % (check.number, check.text, check.seen.strip()[:200] or "nothing")
             for check in checks if check.status == "FAIL" and check.number not in answered]
    found += ["%s is automatic and ended as %s: %s" % (check.number, check.status, check.text)
              for check in checks if check.scored and check.status not in ("PASS", "FAIL")]
    told = sum(check.status in ("PASS", "FAIL") for check in checks)
    if told < FLOOR[target]:
        found.append("%s: only %d checks have an answer, and on plain kubeadm %d have" % (target, told, FLOOR[target]))
    passed = {check.number for check in checks if check.status == "PASS"}
    found += ["%s does not pass, although it is promised" % number for number in PROMISED[target] if number not in passed]
    return found


def warnings(checks):
    """:returns: (number, text) of the checks that kube-bench leaves to a person."""
    return [(check.number, check.text) for check in checks if check.status == "WARN"]


def answers(page):
    """:returns: number of a check -> our answer, from the tables of docs/security.md."""
    return dict(_ANSWER.findall(page))


def files_of_etcd(host, listed):
    """Answer 1.1.7, 1.1.8, 1.1.11 and 1.1.12 for an external etcd.

    :param listed: lines `MODE OWNER:GROUP PATH`, as `stat -c '%a %U:%G %n'` prints them.
    :returns: sentences on what is open or missing.
    """
    seen = {}
    for line in listed.splitlines():
        mode, owner, path = line.split(" ", 2)
        seen[path] = (int(mode, 8), owner)
    found = []
    for path, (allowed, wanted) in ETCD_FILES.items():
        if path not in seen:
            found.append("%s: %s is not there" % (host, path))
            continue
        mode, owner = seen[path]
        if mode & ~allowed:
            found.append("%s: %s has mode %o, and %o is the most" % (host, path, mode, allowed))
        if owner != wanted:
            found.append("%s: %s belongs to %s and not to %s" % (host, path, owner, wanted))
    return found
