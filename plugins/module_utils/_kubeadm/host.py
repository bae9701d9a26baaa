# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client for one node host: it looks and runs, and decides nothing.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import os
import stat

from .._common.cli import Cli
from .._common.errors import IronrackError
from .._common.http import HttpClient, HttpError
from .._common.lock import RUN_DIR, try_lock
from .._kube.ready import CA_FILE, api_ready
from .command import config_text, explain, kubeadm_argv, reset_argv
from .modes import PATHS, PRIVATE
from .plan import TRACES

# kubeadm looks for the kubelet in PATH, and sudo's PATH on some distributions lacks /usr/local/bin.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NodeHost:
    """The host that the module runs on.

    :param module: the AnsibleModule.
    :param run_dir: folder for the lock and for configuration that lives as long as one run.
    """

    def __init__(self, module, run_dir=RUN_DIR):
        self._cli = Cli(module, env={"PATH": PATH})
        self._run_dir = run_dir
        self._lock = None

    def present(self):
        """:returns: those of kubeadm's files that exist."""
        return frozenset(path for path in TRACES if os.path.exists(path))

    def modes(self):
        """:returns: path -> (permission bits, uid, gid) of those files of kubeadm's that exist and are root's alone."""
        found = {}
        for path in PATHS:
            try:
                seen = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            # kubelet.conf and its like are plain files; what a link leads to is somebody else's.
            if stat.S_ISREG(seen.st_mode):
                found[path] = (stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid)
        return found

    def tighten(self, paths):
        """Let only root read these files."""
        for path in paths:
            os.chown(path, 0, 0)
            os.chmod(path, PRIVATE)

    def unit_active(self, unit):
        """:returns: whether systemd calls the unit active."""
        return self._cli.run(["systemctl", "is-active", unit], ok=range(0, 256)).stdout.strip() == "active"

    def api_ready(self, address, port):
        """:returns: (whether this host's own API server is ready, what it said)."""
        return api_ready(address, port)

    def node_ready(self, endpoint, name, token):
        """:returns: (whether a Node of this name looks alive, or None where the API did not say; what was seen)."""
        target = "https://%s/api/v1/nodes/%s" % (endpoint, name)
        try:
            answer = HttpClient(ca_file=CA_FILE).request("GET", target, headers={"Authorization": "Bearer %s" % token})
            if answer.status == 404:
                return False, "no Node %s" % name
            if answer.status != 200:
                return None, "the API at %s answered %d for Node %s" % (endpoint, answer.status, name)
            conditions = json.loads(answer.body).get("status", {}).get("conditions", [])
        except (HttpError, ValueError) as error:
            return None, str(error)
        ready = any(condition.get("type") == "Ready" and condition.get("status") == "True" for condition in conditions)
        return ready, "Node %s is %s" % (name, "Ready" if ready else "not Ready")

    def other_kubeadm(self):
        """:returns: process ids of kubeadm on this host: a run outlives the ssh connection that started it."""
        found = []
        for pid in os.listdir("/proc"):
            if pid.isdigit():
                try:
                    with open("/proc/%s/comm" % pid, encoding="utf-8") as stream:
                        if stream.read().strip() == "kubeadm":
                            found.append(int(pid))
                except OSError:
                    continue
        return found

    def preloads(self):
        """:returns: names of the image pulls that still run in the background."""
        done = self._cli.run(["systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating", "ironrack-preload-*"])
        return [line.split()[0] for line in done.stdout.splitlines() if line.strip()]

    def try_lock(self):
        """:returns: whether this process now is the only one of its kind on the host; held until it ends."""
        os.makedirs(self._run_dir, mode=0o755, exist_ok=True)
        if self._lock is None:
            self._lock = os.open(os.path.join(self._run_dir, "kubeadm.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        return try_lock(self._lock)

    def reset(self, node, timeout):
        """Take kubeadm's traces off this host. :raises IronrackError: with its last lines."""
        self._check("reset", self._cli.run(reset_argv(timeout), ok=range(0, 256)), node, timeout)
        left = sorted(self.present())
        if left:
            raise IronrackError("kubeadm reset on %s left %s behind: look at why it cannot be removed" % (node, ", ".join(left)))

    def run_kubeadm(self, verb, documents, node, timeout, **discovery):
        """Run `kubeadm init` or `kubeadm join` to its end.

        The configuration holds a token, so it is a file that only root reads, in memory, for as long as the run.

        :raises IronrackError: with kubeadm's last lines.
        """
        path = os.path.join(self._run_dir, "kubeadm-run.yaml")
        self._drop(path)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        # What it writes is root's alone from the start. To tighten it afterwards would be a change of files younger than the kubelet that
        # kubeadm has just started with them, and such a kubelet is restarted.
        before = os.umask(0o077)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(config_text(verb, documents, **discovery))
            self._check(verb, self._cli.run(kubeadm_argv(verb, path, timeout), ok=range(0, 256)), node, timeout)
        finally:
            os.umask(before)
            self._drop(path)

    @staticmethod
    def _drop(path):
        if os.path.exists(path):
            os.unlink(path)

    @staticmethod
    def _check(verb, done, node, timeout):
        if done.rc:
            raise IronrackError(explain(verb, done.rc, "%s\n%s" % (done.stdout, done.stderr), node, timeout), rc=done.rc)
