# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What site.yml costs the controller alone, at several sizes of the inventory: the hosts answer at once and from here.

Of each run a bare playbook's cost is taken away, which has the same number of tasks over the same hosts and connection: what is left is ours,
not Ansible's own price of a task.
"""
from __future__ import annotations

import os
import tempfile

import yaml

from . import inventories, measure

SIZES = (10, 100, 300, 1000)
#: What the lab's own ansible.cfg has.
FORKS = 20


def bare_playbook(results, hosts):
    """:returns: a playbook of as many tasks as a host ran on average, by results that were not skipped."""
    count = max(1, round(results / hosts))
    return [{"hosts": "all", "gather_facts": False, "become": True, "vars": {"ansible_pipelining": True}, "tasks": [
        {"name": "Nothing %d" % number, "ansible.builtin.ping": {}} for number in range(1, count + 1)]}]


def per_host(hosts, site, bare):
    """The figures of one size.

    :param site: :class:`measure.Cost` of site.yml. :param bare: that of the bare playbook.
    """
    return {
        "hosts": hosts, "site_s": site.seconds, "bare_s": bare.seconds, "site_cpu_s": site.cpu, "bare_cpu_s": bare.cpu,
        "memory_mib": site.memory_mib, "bare_memory_mib": bare.memory_mib,
        # Of processor time: what else the machine does lengthens the time by the clock, and not this.
        "site_per_host_ms": round(1000 * site.cpu / hosts, 1), "bare_per_host_ms": round(1000 * bare.cpu / hosts, 1),
        "own_per_host_ms": round(1000 * (site.cpu - bare.cpu) / hosts, 1),
    }


def measure_all(folder, sizes=SIZES, forks=FORKS, say=print):
    """Measure each size.

    :param folder: takes logs, and the times of each task.
    :returns: list of the figures of each size.
    """
    with open(os.path.join(measure.ROOT, "playbooks", "vars", "releases", "%s.yml" % newest_release()), encoding="utf-8") as stream:
        release = yaml.safe_load(stream)
    with tempfile.TemporaryDirectory(prefix="ironrack-bench-") as scratch:
        return [_measure_one(scratch, folder, inventories.write_bundle(scratch, release), size, forks, say) for size in sizes]


def _measure_one(scratch, folder, bundle, size, forks, say):
    inventory = inventories.write_inventory(scratch, size, {
        "ansible_connection": "stub", "ansible_python_interpreter": "/usr/bin/python3", "mirror_bundle": bundle,
        # The stub answers for it; the controller's own modules would look for a cluster.
        "cluster_client_host": "ops1", "cluster_kubeconfig": os.path.join(scratch, "kubeconfig"), "load_balancer_interface": "eth0"})
    environment = {"ANSIBLE_CONNECTION_PLUGINS": os.path.join(measure.ROOT, "tests", "bench", "connection_plugins"), "ANSIBLE_FORKS": str(forks)}
    site, counts, _times = measure.playbook(
        os.path.join("playbooks", "site.yml"), inventory, folder, "controller-%d" % size, environment=environment)
    results = sum(one["total"] - one["delegated"] for one in counts["hosts"].values())
    if len(counts["hosts"]) != size:
        raise measure.NotMeasured("%d hosts were asked for, and tasks ran on %d" % (size, len(counts["hosts"])))
    path = os.path.join(scratch, "bare-%d.yml" % size)
    with open(path, "w", encoding="utf-8") as stream:
        yaml.safe_dump(bare_playbook(results, size), stream, sort_keys=False)
    bare = measure.playbook(path, inventory, folder, "controller-bare-%d" % size, environment=environment)[0]
    found = dict(per_host(size, site, bare), results=results, changed=len(counts["changed"]))
    say("%5d hosts: site %7.1f s, bare playbook of %d results %7.1f s: per host %6.1f ms, of it ours %6.1f ms; %d MiB" % (
        size, site.seconds, results, bare.seconds, found["site_per_host_ms"], found["own_per_host_ms"], site.memory_mib))
    return found


def newest_release():
    """:returns: the Kubernetes version of the newest release file."""
    names = [name[:-4] for name in os.listdir(os.path.join(measure.ROOT, "playbooks", "vars", "releases"))]
    return max(names, key=lambda name: [int(part) for part in name.split(".")])
