# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a cluster from outside, as its clients do. It reads and decides nothing.

Each part is read by itself, under a short time-out, and all of them at the same time: a host that silently drops packets costs
one time-out, not one a question, and leaves the other parts readable.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import os
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

try:
    from kubernetes import client as kubernetes_client
    from kubernetes import config as kubernetes_config
    KUBERNETES_ERROR = None
except ImportError:
    kubernetes_client = kubernetes_config = None
    KUBERNETES_ERROR = traceback.format_exc()

from .._common.errors import IronrackError
from .._common.http import HttpClient
from .expected import address_url
from .peer import peer
from .verdict import Observation

KUBELET_PORT = 10250


def load_configuration(kubeconfig):
    """:returns: the Kubernetes client's configuration from a kubeconfig file. :raises IronrackError: where it cannot be used."""
    if not os.path.exists(kubeconfig):
        raise IronrackError("there is no kubeconfig at %s" % kubeconfig)
    configuration = kubernetes_client.Configuration()
    try:
        kubernetes_config.load_kube_config(config_file=kubeconfig, client_configuration=configuration)
    except Exception as error:  # the library raises ConfigException, YAML errors and others
        raise IronrackError("the kubeconfig at %s cannot be used: %s" % (kubeconfig, error))
    configuration.retries = False  # a retry would multiply the time-out; who polls asks again anyway
    return configuration


def api_error(error):
    """:returns: what went wrong with an API call, in one line without the response's headers."""
    status = getattr(error, "status", None)
    if status:
        return "the API answered %s %s" % (status, getattr(error, "reason", "") or "")
    return "no answer from the API: %s" % str(error).splitlines()[0][:200]


class HealthClient:
    """One look at a cluster.

    :param kubeconfig: path of an administrator's kubeconfig.
    :param expected: see :func:`.expected.expectations`.
    :param timeout: seconds for connecting and for each answer.
    :param balancer_page: URL of a balancer's health page with ``{address}`` in it.
    """

    def __init__(self, kubeconfig, expected, timeout=3, balancer_page=""):
        self._expected = expected
        self._timeout = timeout
        self._balancer_page = balancer_page
        self._configuration = load_configuration(kubeconfig)
        self._api = kubernetes_client.ApiClient(self._configuration)
        self._core = kubernetes_client.CoreV1Api(self._api)
        self._apps = kubernetes_client.AppsV1Api(self._api)

    def observe(self):
        """:returns: an :class:`Observation` of every part."""
        parts = {
            "endpoint": lambda: self._readyz(self._configuration.host),
            "nodes": lambda: self._items(self._core.list_node),
            "system_pods": lambda: self._items(self._core.list_namespaced_pod, "kube-system"),
            "daemon_sets": lambda: self._items(self._apps.list_daemon_set_for_all_namespaces),
            "deployments": lambda: self._items(self._apps.list_namespaced_deployment, "kube-system"),
            "csrs": lambda: self._items(kubernetes_client.CertificatesV1Api(self._api).list_certificate_signing_request),
            "node_metrics": lambda: self._items(
                kubernetes_client.CustomObjectsApi(self._api).list_cluster_custom_object, "metrics.k8s.io", "v1beta1", "nodes"),
        }
        seen = Observation({"now": time.time()})
        with ThreadPoolExecutor(max_workers=16) as pool:
            asked = {part: pool.submit(read) for part, read in parts.items()}
            groups = {
                "api_servers": {one["name"]: pool.submit(self._api_server, one) for one in self._expected["api_servers"]},
                "balancers": {one["name"]: pool.submit(self._balancer, one) for one in self._expected["balancers"]},
            }
            there = self._registered(asked["nodes"])
            groups["kubelets"] = {one["name"]: pool.submit(self._kubelet, one) for one in self._expected["nodes"] if one["name"] in there}
            for part, answer in asked.items():
                try:
                    seen.values[part] = answer.result()
                except Exception as error:  # urllib3, ssl and the API's own errors: all of them mean 'not read'
                    seen.errors[part] = api_error(error)
            for part, answers in groups.items():
                seen.values[part] = {name: answer.result() for name, answer in answers.items()}
        for one in self._expected["nodes"]:
            seen.values["kubelets"].setdefault(one["name"], {"error": "it has no Node"})
        return seen

    def _registered(self, asked):
        """:returns: the nodes whose kubelets are asked: a host that is no Node yet would only cost its time-out. All, where the API did not say."""
        try:
            return {node["metadata"]["name"] for node in asked.result()}
        except Exception:  # as in observe(), which tells it
            return {one["name"] for one in self._expected["nodes"]}

    def _items(self, read, *arguments):
        answer = read(*arguments, _preload_content=False, _request_timeout=(self._timeout, 3 * self._timeout))
        return json.loads(answer.data)["items"]

    def _http(self):
        setup = self._configuration
        return HttpClient(ca_file=setup.ssl_ca_cert, cert_file=setup.cert_file, key_file=setup.key_file, timeout=self._timeout)

    def _readyz(self, base):
        try:
            answer = self._http().request("GET", base + "/readyz?verbose")
        except IronrackError as error:
            return {"error": str(error)}
        return {"status": answer.status, "body": answer.body.decode("utf-8", "replace")}

    def _api_server(self, server):
        answer = self._readyz("https://" + address_url(server["address"], server["port"]))
        answer["not_after"] = self._peer(server["address"], server["port"]).get("not_after")
        return answer

    def _kubelet(self, node):
        answer = self._peer(node["address"], KUBELET_PORT)
        if "error" not in answer:
            return answer
        try:
            self._core.connect_get_node_proxy_with_path(
                node["name"], "healthz", _preload_content=False, _request_timeout=(self._timeout, self._timeout))
            return dict(answer, proxied=True)
        except Exception as error:  # as in observe()
            return {"error": "%s; %s" % (answer["error"], api_error(error))}

    def _peer(self, address, port):
        return peer(address, port, self._configuration.ssl_ca_cert, self._timeout)

    def _balancer(self, balancer):
        host = "[%s]" % balancer["address"] if ":" in balancer["address"] else balancer["address"]
        try:
            answer = HttpClient(timeout=self._timeout).request("GET", self._balancer_page.format(address=host))
        except IronrackError as error:
            return {"error": str(error)}
        try:
            page = json.loads(answer.body)
        except ValueError:
            page = None
        return {"status": answer.status, "serving": page.get("serving") if isinstance(page, dict) else None}
