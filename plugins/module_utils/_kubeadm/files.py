# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client for what runs on a built node: it renders, writes, restarts and asks, and decides nothing.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import os
import shutil
import tempfile
import time

from .._common.cli import Cli
from .._common.fs import atomic_write, read_or_none, sha256_file
from .._common.http import HttpClient, HttpError
from .._common.lock import RUN_DIR
from .._kube.ready import CA_FILE, url
from .._systemd.client import Systemd
from .command import KUBEADM, config_text
from .config import without_authority
from .host import PATH
from .plan import CONTROL_PLANE
from .rollout import READ_AT_START, annotation_patch, files_of, with_patches

ADMIN_CONF = "/etc/kubernetes/admin.conf"
KUBECTL = "/usr/local/bin/kubectl"
KUBELET_CERT = "/var/lib/kubelet/pki/kubelet-client-current.pem"
MANAGER = "ironrack.cluster"


class NodeFiles:
    """Files and processes of the host that the module runs on.

    :param module: the AnsibleModule.
    :param run_dir: folder in memory for what lives as long as one run.
    """

    def __init__(self, module, run_dir=RUN_DIR):
        self._module = module
        self._cli = Cli(module, env={"PATH": PATH})
        self._systemd = Systemd(self._cli)
        self._run_dir = run_dir

    def contents(self):
        """:returns: file name -> SHA-256 of what the API server reads when it starts."""
        found = {}
        for folder, dummy, names in os.walk(READ_AT_START):
            for name in names:
                path = os.path.join(folder, name)
                found[os.path.relpath(path, READ_AT_START)] = sha256_file(path)
        return found

    @staticmethod
    def hashes(paths):
        """:returns: path -> SHA-256, None where it is missing."""
        return {path: sha256_file(path) if os.path.exists(path) else None for path in paths}

    @staticmethod
    def read(path):
        """:returns: a file's bytes, empty where it is missing."""
        return read_or_none(path) or b""

    def patches(self, contents):
        """Have a folder with the patches that kubeadm applies to what it writes.

        :param contents: see :func:`.rollout.contents_sum`.
        :returns: its path, empty where there is nothing to patch.
        """
        folder = os.path.join(self._run_dir, "kubeadm-patches")
        if not contents:
            return ""
        os.makedirs(folder, mode=0o700, exist_ok=True)
        atomic_write(os.path.join(folder, "kube-apiserver+merge.json"), annotation_patch(contents).encode(), mode=0o600)
        return folder

    def render(self, role, documents, contents):
        """Have kubeadm write the node's files into a folder of their own. Nothing else is touched, and nobody is asked.

        :returns: path -> bytes, as kubeadm would write them in their places.
        """
        os.makedirs(self._run_dir, mode=0o755, exist_ok=True)
        folder = tempfile.mkdtemp(prefix="kubeadm-render-", dir=self._run_dir)
        cli = Cli(self._module, env={"PATH": PATH, "KUBEADM_INIT_DRYRUN_DIR": folder})
        try:
            config = os.path.join(folder, "config-of-kubeadm")
            if role != CONTROL_PLANE:
                documents = without_authority(documents, os.path.join(folder, "pki"))
            atomic_write(config, config_text("init", with_patches(documents, self.patches(contents))).encode(), mode=0o600)
            for phase in (["control-plane", "all"] if role == CONTROL_PLANE else [], ["kubelet-start"]):
                if phase:
                    cli.run([KUBEADM, "init", "phase"] + phase + ["--config", config, "--dry-run"],
                            hint="kubeadm was to render the files of this node into a folder of their own; nothing was changed.")
            return {path: self.read(os.path.join(folder, os.path.basename(path))) for path in files_of(role)}
        finally:
            shutil.rmtree(folder)

    @staticmethod
    def write(path, content):
        """Replace a file, whole, with its old mode. What it is staged as begins with a dot, which the kubelet passes over."""
        atomic_write(path, content)

    @staticmethod
    def age(path):
        """:returns: seconds since a file was written."""
        return time.time() - os.stat(path).st_mtime

    @staticmethod
    def process_age(name):
        """:returns: seconds since the youngest process of this name was started, None where there is none."""
        ages = []
        for pid in os.listdir("/proc"):
            if not pid.isdigit():
                continue
            try:
                with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as stream:
                    text = stream.read()
            except OSError:
                continue
            # The name stands in brackets, may hold blanks, and ends after 15 letters.
            if text[text.find("(") + 1:text.rfind(")")] == name[:15]:
                ticks = int(text[text.rfind(")") + 1:].split()[19])
                ages.append(time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
        return min(ages) if ages else None

    def component_ready(self, address, port):
        """:returns: (whether kube-controller-manager or kube-scheduler is well, what it said). Their certificates are made by themselves."""
        return self._asked(url(address, port, "/healthz"), HttpClient(verify=False))

    def kubelet_ready(self, address, port, endpoint, node, client=None):
        """:returns: (whether the kubelet is well and its Node Ready, what was seen).

        :param address: of its own health check; port 0: it has none.
        """
        if port:
            done, seen = self._asked(url(address, port, "/healthz").replace("https:", "http:"), client or HttpClient())
            if not done:
                return done, seen
        try:
            asking = client or HttpClient(ca_file=CA_FILE, cert_file=KUBELET_CERT, key_file=KUBELET_CERT)
            answer = asking.request("GET", "https://%s/api/v1/nodes/%s" % (endpoint, node))
            conditions = json.loads(answer.body).get("status", {}).get("conditions", []) if answer.status == 200 else []
        except (HttpError, ValueError, OSError) as error:
            return False, str(error)
        ready = [one for one in conditions if one.get("type") == "Ready"]
        if not ready:
            return False, "the API answered %d for Node %s" % (answer.status, node)
        return ready[0].get("status") == "True", "Node %s is not Ready: %s" % (node, ready[0].get("message", ""))

    @staticmethod
    def _asked(target, client):
        try:
            answer = client.request("GET", target)
        except HttpError as error:
            return False, str(error)
        return answer.status == 200, "%s answered %d" % (target, answer.status)

    def restart_kubelet(self):
        """Restart the kubelet. :returns: the invocation before."""
        before = self.kubelet_invocation()
        self._systemd.queue("restart", "kubelet.service")
        return before

    def kubelet_invocation(self):
        """:returns: systemd's name of the kubelet's present process, empty where it does not run."""
        shown = self._systemd.show(["kubelet.service"])["kubelet.service"]
        return shown.get("InvocationID", "") if shown.get("ActiveState") == "active" else ""

    def kubelet_words(self):
        """:returns: the last lines of the kubelet's journal."""
        return self._systemd.last_words("kubelet.service")

    def upload(self, documents):
        """Have the cluster keep the configuration that joining nodes read: kubeadm-config and kubelet-config."""
        self._phase(documents, ["upload-config", "all"], ["--kubeconfig", ADMIN_CONF])

    def roll_proxy(self, documents, proxy_sum):
        """Give kube-proxy its configuration, and new pods where they were started with another one.

        kubeadm's own phase would not do: it changes the ConfigMap, which kube-proxy reads when it starts, and restarts nothing.
        """
        manifest = self._phase(documents, ["addon", "kube-proxy"], ["--print-manifest"]).stdout
        kubectl = [KUBECTL, "--kubeconfig", ADMIN_CONF, "--request-timeout=60s"]
        self._cli.run(kubectl + ["apply", "--server-side", "--force-conflicts", "--field-manager=" + MANAGER, "--filename=-"], data=manifest)
        patch = {"spec": {"template": {"metadata": {"annotations": {"ironrack.cluster/config-sha256": proxy_sum}}}}}
        self._cli.run(kubectl + ["--namespace=kube-system", "patch", "daemonset", "kube-proxy", "--type=merge", "--patch", json.dumps(patch)])

    def _phase(self, documents, words, options):
        handle, path = tempfile.mkstemp(prefix="kubeadm-phase-", dir=self._run_dir)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(config_text("init", documents))
            return self._cli.run(["timeout", "--kill-after=30", "300", KUBEADM, "init", "phase"] + words + ["--config", path] + options,
                                 hint="The API is asked with %s, by the endpoint." % ADMIN_CONF)
        finally:
            os.unlink(path)
