# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurements on lab hosts: the floor, and what site.yml takes for the same. Each returns its figures as a dictionary."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

import yaml
from ansible_collections.ironrack.cluster.lab.settings import BRIDGE, Paths
from kubernetes import client, config

from . import floor, measure, recording, traffic

#: Hosts of the large inventory that are only written in it; all fit into the lab's network beside the real ones.
ABSENT = 180
FIRST_ABSENT = 60
WORKER = "gpu3"


class Session:
    """One series of measurements on one inventory of the lab.

    :param inventory: its folder.
    :param output: folder for logs and recordings.
    :param bundle: folder of the bundle.
    """

    def __init__(self, inventory, output, bundle):
        self.inventory, self.output, self.bundle = os.path.abspath(inventory), output, bundle
        self.paths = Paths.from_environment()

    def fresh_hosts(self):
        """Take the lab down and start it again: hosts that nothing has touched."""
        for words in (["down"], ["--inventory", self.inventory, "up"]):
            measure.run([sys.executable, "-m", "lab", *words], os.path.join(self.output, "lab-%s.log" % words[-1]))

    def floor(self):
        """The floor on fresh hosts, and the proof that it ends where site.yml ends."""
        folder = os.path.join(self.output, "floor-recording")
        steps = recording.read(folder, floor.record(self.inventory, folder))
        self.fresh_hosts()
        before = traffic.read(BRIDGE)
        phases = floor.run(steps, floor.Hosts(str(self.paths.ssh_config)), self.bundle)
        moved = traffic.between(before, traffic.read(BRIDGE))
        conditions = self.validate("floor-validate")
        return {"seconds": phases.total(), "phases": phases.seconds, "traffic": moved, "conditions": conditions}

    def converge(self):
        """site.yml on fresh hosts."""
        self.fresh_hosts()
        return self._site("converge")

    def noop(self):
        """site.yml on the built cluster; it may change nothing."""
        found = self._site("noop")
        if found["changed"]:
            raise measure.NotMeasured("the run on the built cluster changed %d things; its log is in %s" % (found["changed"], self.output))
        return found

    def add_worker(self):
        """A worker leaves and joins again, with the lab's inventory and with a large one."""
        found = {"small": self._add_worker("add-worker-small", self.inventory)}
        with tempfile.TemporaryDirectory(prefix="ironrack-bench-") as scratch:
            found["large"] = self._add_worker("add-worker-large", padded(self.inventory, scratch))
        return found

    def validate(self, record):
        """:returns: how many conditions are green from outside. :raises measure.NotMeasured: where one is not."""
        self._play("validate", self.inventory, record, ["-e", "validate_wait=120", "-e", "validate_report_dir=%s" % self.output])
        with open(next(entry.path for entry in os.scandir(self.output) if entry.name.endswith("-health.json")), encoding="utf-8") as stream:
            return json.load(stream)["counts"]["pass"]

    def _add_worker(self, record, inventory):
        self._play("reset", self.inventory, record + "-leave", ["-e", "reset_confirm=lab", "--limit", WORKER])
        client.CoreV1Api(config.new_client_from_config(str(self.paths.state / "artifacts" / "kubeconfig"))).delete_node(WORKER)
        found = self._site(record, inventory, ["--limit", WORKER])
        if not found["changed"]:
            raise measure.NotMeasured("%s did not join again: the run changed nothing" % WORKER)
        listed = subprocess.run(["ansible-inventory", "-i", inventory, "--list"], cwd=measure.ROOT, check=True, capture_output=True, text=True)
        return dict(found, hosts=len(json.loads(listed.stdout)["_meta"]["hostvars"]))

    def _site(self, record, inventory=None, words=()):
        before = traffic.read(BRIDGE)
        cost, counts = self._play("site", inventory or self.inventory, record, words)
        return {"seconds": cost.seconds, "cpu_s": cost.cpu, "memory_mib": cost.memory_mib, "traffic": traffic.between(before, traffic.read(BRIDGE)),
                "most_on_a_host": counts["most"]["connection"], "most_with_the_controller": counts["most"]["total"], "changed": len(counts["changed"])}

    def _play(self, name, inventory, record, words=()):
        return measure.playbook(os.path.join("playbooks", name + ".yml"), inventory, self.output, record, words)[:2]


def padded(inventory, folder):
    """Write the inventory of a lab with many more workers, which are only written: a run that is limited to other hosts must not ask them.

    :returns: its folder.
    """
    with open(os.path.join(inventory, "hosts.yml"), encoding="utf-8") as stream:
        content = yaml.safe_load(stream)
    network = content["all"]["vars"]["lab_subnet"].rsplit(".", 1)[0]
    workers = content["all"]["children"]["workers"]["children"]["gpu_workers"]["hosts"]
    workers.update({"absent%d" % number: {"ansible_host": "%s.%d" % (network, FIRST_ABSENT + number), "zone": "abc"[number % 3]}
                    for number in range(ABSENT)})
    with open(os.path.join(folder, "hosts.yml"), "w", encoding="utf-8") as stream:
        yaml.safe_dump(content, stream)
    os.symlink(os.path.join(inventory, "group_vars"), os.path.join(folder, "group_vars"))
    return folder
