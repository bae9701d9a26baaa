# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API calls of the network check. It does what it is told and decides nothing.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import socket
import threading

try:
    from kubernetes import client as kubernetes_client
    from kubernetes.stream import stream
except ImportError:
    kubernetes_client = stream = None

from .client import api_error, load_configuration
from .network import LABEL, Attempt, befriending


class NetworkClient:
    """Objects in one namespace, and commands in its pods.

    :param kubeconfig: path of an administrator's kubeconfig.
    :param namespace: name of the namespace.
    :param binary: path of the probe in its image.
    :param timeout: seconds for a call of the API.
    """

    def __init__(self, kubeconfig, namespace, binary, timeout=10):
        self.namespace = namespace
        self._binary, self._timeout = binary, timeout
        self._configuration = load_configuration(kubeconfig)
        self._core = kubernetes_client.CoreV1Api(kubernetes_client.ApiClient(self._configuration))
        self._apps = kubernetes_client.AppsV1Api(self._core.api_client)
        self._networking = kubernetes_client.NetworkingV1Api(self._core.api_client)
        self._local = threading.local()

    def _call(self, method, *arguments, **options):
        return json.loads(method(*arguments, _preload_content=False, _request_timeout=self._timeout, **options).data)

    def namespaces(self):
        """:returns: the namespaces of network checks, this one and others."""
        return self._call(self._core.list_namespace, label_selector=LABEL)["items"]

    def create(self, manifest):
        """Create one object of the kinds that the check has."""
        makers = {"DaemonSet": self._apps.create_namespaced_daemon_set, "Deployment": self._apps.create_namespaced_deployment,
                  "Pod": self._core.create_namespaced_pod, "Service": self._core.create_namespaced_service,
                  "NetworkPolicy": self._networking.create_namespaced_network_policy}
        if manifest["kind"] == "Namespace":
            return self._call(self._core.create_namespace, manifest)
        return self._call(makers[manifest["kind"]], self.namespace, manifest)

    def delete_namespace(self, name):
        """Delete a namespace; one that is gone already is fine."""
        try:
            self._call(self._core.delete_namespace, name)
        except kubernetes_client.ApiException as error:
            if error.status != 404:
                raise

    def delete_policy(self, name):
        """Delete the NetworkPolicy."""
        self._call(self._networking.delete_namespaced_network_policy, name, self.namespace)

    def pods(self, app):
        """:returns: the pods labelled app=``app``."""
        return self._call(self._core.list_namespaced_pod, self.namespace, label_selector="app=" + app)["items"]

    def daemon_set(self, name):
        """:returns: the DaemonSet."""
        return self._call(self._apps.read_namespaced_daemon_set, name, self.namespace)

    def deployment(self, name):
        """:returns: the Deployment."""
        return self._call(self._apps.read_namespaced_deployment, name, self.namespace)

    def patch_deployment(self, name, patch):
        """Patch the Deployment. :returns: it."""
        return self._call(self._apps.patch_namespaced_deployment, name, self.namespace, patch)

    def befriend(self, pod):
        """Give a pod the label of a friend."""
        self._call(self._core.patch_namespaced_pod, pod, self.namespace, befriending())

    def events(self):
        """:returns: the warnings of the namespace in words, for the reason why pods do not start."""
        items = self._call(self._core.list_namespaced_event, self.namespace)["items"]
        return [one.get("message", "") for one in items if one.get("type") == "Warning"]

    def log(self, pod):
        """:returns: the pod's log as text."""
        answer = self._core.read_namespaced_pod_log(pod, self.namespace, _preload_content=False, _request_timeout=self._timeout)
        return answer.data.decode("utf-8", "replace")

    def connect(self, pod, address, through):
        """Let a pod connect to ``address`` (host:port). :returns: an :class:`.network.Attempt`."""
        if not hasattr(self._local, "core"):  # stream() swaps a method of its ApiClient for the time of a call: one for each thread
            self._local.core = kubernetes_client.CoreV1Api(kubernetes_client.ApiClient(self._configuration))
        command = [self._binary, "connect", address, "--timeout=2s", "--protocol=tcp"]
        try:
            session = stream(self._local.core.connect_get_namespaced_pod_exec, pod, self.namespace, command=command,
                             stdout=True, stderr=True, stdin=False, tty=False, _preload_content=False, _request_timeout=self._timeout)
            session.run_forever(timeout=self._timeout)
            if session.is_open():
                session.close()
                return Attempt(pod, address, through, "the command did not end within %d s" % self._timeout, False)
            status, said = session.returncode, (session.read_stdout(timeout=0) or "") + (session.read_stderr(timeout=0) or "")
        except Exception as error:  # websocket, urllib3 and the API's own errors: all of them mean 'not tried'
            return Attempt(pod, address, through, api_error(error), False)
        return Attempt(pod, address, through, "" if status == 0 else said.strip() or "status %s" % status, True)

    @staticmethod
    def connect_from_here(address, port, through):
        """Connect from the host where this runs. :returns: an :class:`.network.Attempt`."""
        where = "%s:%d" % (address, port)
        try:
            socket.create_connection((address, port), timeout=3).close()
        except OSError as error:
            return Attempt("this host", where, through, str(error), True)
        return Attempt("this host", where, through, "", True)
