# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file of the lab's hosts with its SHA-256, to prove that nothing changed, or what did."""
from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

from .common import OUTPUT, NotProved, hosts_of

# The lab gives these folders file systems of their own.
LISTED = ("/", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd")
# What may differ although no task changed anything: logs, sudo's and Ansible's own traces, and what the system writes about itself.
UNWATCHED = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/var/log", "/var/lib/systemd", "/var/lib/sudo", "/var/lib/private",
             "/var/cache/ldconfig", "/root/.ansible", "/home/operator/.ansible")


def listing(host, unwatched=UNWATCHED):
    """:returns: {path: what it is} of a host: type, mode, owner, link target, and the SHA-256 of each file.

    :param unwatched: folders that are left out.
    """
    prune = ["("]
    for path in unwatched:
        prune += ["-path", path, "-o"]
    prune = [*prune[:-1], ")", "-prune", "-o"]
    ssh = ["ssh", "-F", str(OUTPUT.parent / "ssh_config"), host, "sudo"]
    kinds = subprocess.run([*ssh, "find", *LISTED, "-xdev", *["'%s'" % word if word in "()" else word for word in prune], "-printf", "'%y %m %u %g %l %p\\n'"],
                           check=True, capture_output=True, text=True, timeout=120).stdout
    sums = subprocess.run([*ssh, "find", *LISTED, "-xdev", *["'%s'" % word if word in "()" else word for word in prune], "-type", "f",
                           "-exec", "sha256sum", "'{}'", "+"], check=True, capture_output=True, text=True, timeout=300).stdout
    found = {line.rsplit(" ", 1)[-1]: line for line in kinds.splitlines()}
    for line in sums.splitlines():
        digest, path = line.split("  ", 1)
        found[path] = found.get(path, "") + " " + digest
    if len(found) < 1000:
        raise NotProved("only %d files were listed on %s: the listing is no proof" % (len(found), host))
    return found


def everything(inventory, unwatched=UNWATCHED):
    """:returns: {host: listing} of all hosts."""
    hosts = hosts_of(inventory)
    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(hosts, pool.map(lambda host: listing(host, unwatched), hosts)))


def nothing_changed(what, before, after):
    """:raises NotProved: where a file differs between two listings."""
    differing = ["%s: %s" % (host, path) for host in before for path in sorted(before[host].keys() | after[host].keys())
                 if before[host].get(path) != after[host].get(path)]
    if differing:
        raise NotProved("%s changed %d files:\n  %s" % (what, len(differing), "\n  ".join(differing[:40])))
