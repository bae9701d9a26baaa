# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin client over the Python package kubernetes, for modules that run where the API can be reached.

It asks and answers in plain dicts and decides nothing.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import base64
import json
import os
import traceback

from ansible.module_utils.basic import missing_required_lib

from .._common.errors import IronrackError
from .._common.http import HttpClient, HttpError

try:
    import kubernetes
    import urllib3
    import yaml
    IMPORT_ERROR = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

ARGUMENT_SPEC = {
    "kubeconfig": {"type": "path", "required": True},
    "request_timeout": {"type": "int", "default": 20},
}


class KubeError(IronrackError):
    """The API said no. Its details carry ``status``."""


class KubeUnreachable(IronrackError):
    """No API answered: no kubeconfig, no network, no server."""


class KubeClient:
    """Requests with one kubeconfig.

    :param kubeconfig: path of the file.
    :param timeout: seconds for one request.
    """

    def __init__(self, kubeconfig, timeout=20):
        if IMPORT_ERROR:
            raise IronrackError(missing_required_lib("kubernetes"), exception=IMPORT_ERROR)
        if not os.path.exists(kubeconfig):
            raise KubeUnreachable("there is no kubeconfig at %s; site.yml delivers it" % kubeconfig)
        self._path = kubeconfig
        self._timeout = timeout
        configuration = kubernetes.client.Configuration()
        configuration.retries = 2
        try:
            kubernetes.config.load_kube_config(config_file=kubeconfig, client_configuration=configuration, persist_config=False)
        except (kubernetes.config.ConfigException, yaml.YAMLError, OSError) as error:
            raise IronrackError("the kubeconfig %s cannot be used: %s" % (kubeconfig, error))
        self._api = kubernetes.client.ApiClient(configuration)
        self._core = kubernetes.client.CoreV1Api(self._api)
        self.server = configuration.host
        self._http = HttpClient(ca_file=configuration.ssl_ca_cert, cert_file=configuration.cert_file, key_file=configuration.key_file, timeout=timeout)
        self._token = configuration.auth_settings().get("BearerToken", {}).get("value")

    def _ask(self, call, *arguments, **options):
        try:
            answer = call(*arguments, _request_timeout=self._timeout, **options)
        except kubernetes.client.ApiException as error:
            raise KubeError("the API at %s answered %s %s" % (self.server, error.status, error.reason), status=error.status)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise KubeUnreachable("the API at %s did not answer: %s" % (self.server, error))
        return self._api.sanitize_for_serialization(answer)

    def request(self, method, path, body=None, accept="application/json", content_type="application/json"):
        """Send one plain request: for any kind of object, and for lists and answers as metadata alone.

        :param body: a document, or None.
        :returns: (status, document), whatever the status.
        :raises KubeUnreachable: where no answer came.
        """
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
        if self._token:
            headers["Authorization"] = self._token
        try:
            answer = self._http.request(method, self.server + path, json.dumps(body).encode() if body is not None else None, headers)
            return answer.status, json.loads(answer.body or b"{}")
        except HttpError as error:
            raise KubeUnreachable("the API at %s did not answer: %s" % (self.server, error))
        except ValueError:
            # What no API group serves is answered in plain words ("404 page not found"), whatever was asked for.
            if answer.status == 404:
                return answer.status, {"message": answer.body.decode("utf-8", "replace").strip()}
            raise KubeError("the API at %s answered %s with what is no JSON" % (self.server, answer.status), status=answer.status)

    def ca_pem(self):
        """:returns: the PEM bytes of the CA that the kubeconfig trusts."""
        with open(self._path, encoding="utf-8") as stream:
            content = yaml.safe_load(stream)
        return kubeconfig_ca(content, os.path.dirname(self._path))

    def nodes(self):
        """:returns: all Node objects."""
        return self._ask(self._core.list_node)["items"]

    def patch_node(self, name, body):
        """Merge ``body`` into a Node."""
        return self._ask(self._core.patch_node, name, body)

    def secrets(self, namespace, labels):
        """:returns: the Secrets of a namespace that a label selector picks."""
        return self._ask(self._core.list_namespaced_secret, namespace, label_selector=labels)["items"]

    def create_secret(self, namespace, body):
        """Create a Secret."""
        return self._ask(self._core.create_namespaced_secret, namespace, body)


def kubeconfig_ca(content, folder):
    """:returns: the PEM bytes of the CA of a parsed kubeconfig's current context. :raises IronrackError: where it has none."""
    contexts = {entry["name"]: entry["context"] for entry in content.get("contexts") or []}
    clusters = {entry["name"]: entry["cluster"] for entry in content.get("clusters") or []}
    cluster = clusters.get(contexts.get(content.get("current-context"), {}).get("cluster"), {})
    if cluster.get("certificate-authority-data"):
        return base64.b64decode(cluster["certificate-authority-data"])
    if cluster.get("certificate-authority"):
        with open(os.path.join(folder, cluster["certificate-authority"]), "rb") as stream:
            return stream.read()
    raise IronrackError("the kubeconfig names no certificate authority, so a joining node could not tell the cluster from an impostor")
