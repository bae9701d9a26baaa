# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A finished node and the configuration that it should have: look, and roll out so that a kill at any point leaves what a re-run finishes.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import hashlib

from .._common.errors import IronrackError
from .._common.waiting import WaitTimeout, wait_for
from . import rollout
from .plan import CONTROL_PLANE, MANIFESTS

#: Seconds for the kubelet to swap a static pod (31 were seen for an API server that took its time to end) and for that to be ready.
POD_WAIT = 300
KUBELET_WAIT = 180
#: Seconds that the other API servers may take to be ready: the one before may just have been swapped.
GUARD_WAIT = 60


class BuiltNode:
    """Brings a finished node to the configuration of its documents.

    :param params: the module's parameters.
    :param files: a NodeFiles.
    :param host: a NodeHost.
    :param record: a Record.
    :param waits: how conditions are waited for.
    """

    def __init__(self, params, files, host, record, waits=wait_for):
        self._params = params
        self._files = files
        self._host = host
        self._record = record
        self._wait = waits
        self._paths = rollout.files_of(params["role"])
        self._sums = {}
        self._rendered = {}
        self._contents = ""
        self.steps = rollout.NOTHING

    def look(self, pending=()):
        """See what this node lacks.

        :param pending: paths that a run without check mode would have changed by now.
        :returns: :class:`.rollout.Steps`.
        """
        if self._params["role"] == CONTROL_PLANE:
            hashes = self._files.contents()
            # Nobody knows yet what they will hold: anything else than now will do to see that the pod would be another one.
            hashes.update({path[len(rollout.READ_AT_START) + 1:]: "pending" for path in pending if path.startswith(rollout.READ_AT_START + "/")})
            self._contents = rollout.contents_sum(hashes)
        self._sums = rollout.sums(self._params["documents"], self._contents)
        record, present = self._record.read(), self._files.hashes(self._paths)
        if rollout.is_current(record, self._sums, present):
            return self.steps
        self._rendered = self._files.render(self._params["role"], self._params["documents"], self._contents)
        missing = [path for path in self._paths if not self._rendered[path]]
        if missing:
            raise IronrackError("kubeadm rendered nothing for %s; nothing was changed" % ", ".join(missing))
        hashed = {path: hashlib.sha256(content).hexdigest() for path, content in self._rendered.items()}
        self.steps = rollout.steps(self._params["role"], record, self._sums, hashed, present)
        return self.steps

    def adopt(self, built=False):
        """Note that this node runs its configuration, where that is so and is not noted yet.

        :param built: kubeadm came to its end just now. What the cluster keeps is from its init, or is the business of those that were there before.
        """
        if built:
            self.steps = self.steps._replace(upload=False, proxy=False)
        if self._rendered and self.steps == rollout.NOTHING:
            self._record.finish_rollout(self._record.read(), self._sums, self._files.hashes(self._paths))

    def changes(self):
        """:returns: (before, after) texts of the files that would change, by path."""
        return [(path, self._files.read(path).decode("utf-8", "replace"), self._rendered[path].decode("utf-8", "replace"))
                for path in self.steps.manifests + self.steps.kubelet]

    def roll_out(self):
        """Do it: the API server first, then the other components, the kubelet, and last what the cluster keeps.

        :raises IronrackError: where it must not be done now, or what was started did not get well; the old files are put back then.
        """
        self._guard()
        record = self._record.begin_rollout(self._record.read(), self.steps.manifests + self.steps.kubelet)
        for path in self.steps.manifests:
            self._swap([path], lambda path=path: self._pod(path))
        if self.steps.kubelet:
            self._swap(self.steps.kubelet, self._kubelet)
        if self.steps.upload:
            self._files.upload(self._params["documents"])
        if self.steps.proxy:
            self._files.roll_proxy(self._params["documents"], self._sums["proxy"])
        self._record.finish_rollout(record, self._sums, self._files.hashes(self._paths))

    def _guard(self):
        others = [server for server in self._params["api_servers"] or () if server["address"] != self._params["address"]]

        def agreed():
            seen = {}
            for server in others:
                ready, said = self._host.api_ready(server["address"], server["port"])
                seen[server["name"]] = "" if ready else said
            reasons = rollout.guard(self.steps, seen)
            return not reasons, "; ".join(reasons)

        try:
            self._wait(agreed, "the other API servers to be ready", GUARD_WAIT, interval=1)
        except WaitTimeout as error:
            raise IronrackError(
                "%s was left as it is, because a control plane is only touched while all the others serve: %s. Mend that first, then run "
                "this again" % (self._params["node_name"], error.details["last_seen"]))

    def _swap(self, paths, see_through):
        """Write files, see that what reads them gets well, and put the old ones back where it does not."""
        old = {path: self._files.read(path) for path in paths}
        for path in paths:
            if old[path] != self._rendered[path]:
                self._files.write(path, self._rendered[path])
        try:
            see_through()
        except WaitTimeout as error:
            again = [path for path in paths if old[path] and old[path] != self._rendered[path]]
            for path in again:
                self._files.write(path, old[path])
            if again and not set(again) & set(MANIFESTS):
                self._files.restart_kubelet()
            self._record.stop_rollout(self._record.read(), set(paths) - set(again))
            raise IronrackError("%s: the new configuration did not come to life: %s. %s" % (
                self._params["node_name"], error, "The old %s was put back, and no other host gets it" % " and ".join(again)
                if again else "No other host gets it"))

    def _pod(self, path):
        name = path.rpartition("/")[2][:-len(".yaml")]

        def ready():
            age, written = self._files.process_age(name), self._files.age(path)
            if age is None or age > written:
                return False, "the kubelet has not started a new %s yet" % name
            if path == MANIFESTS[0]:
                return self._host.api_ready(self._params["address"], self._params["port"])
            return self._files.component_ready(*rollout.component_endpoint(self._rendered[path].decode("utf-8", "replace")))

        self._wait(ready, "%s of %s to run with its new manifest (/var/log/pods and the journal of kubelet.service on it say why it does not)" % (
            name, self._params["node_name"]), POD_WAIT, interval=0.5)

    def _kubelet(self):
        before = self._files.restart_kubelet()
        config = self._rendered[rollout.KUBELET_CONFIG].decode("utf-8", "replace")
        address, port = rollout.health_endpoint(config)

        def ready():
            now = self._files.kubelet_invocation()
            if now in ("", before):
                return False, "systemd has no new process of it; its journal ends with: %s" % self._files.kubelet_words()[-600:]
            return self._files.kubelet_ready(address, port, self._params["endpoint"], self._params["node_name"])

        self._wait(ready, "the kubelet of %s to be well and its Node Ready" % self._params["node_name"], KUBELET_WAIT, interval=1)
