# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a kubeconfig. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import base64
import json
import re

# The file that is replaced may be somebody else's, with another kind of login.
_SECRET = re.compile(r"""(["']?\b(?:client-key-data|token|id-token|refresh-token|access-token|client-secret|password)["']?: *)[^\n,}]+""")


def render(cluster, user, server, ca, cert, key):
    """:returns: a kubeconfig with one cluster, one user and one context, as YAML.

    :param ca: PEM text; cert and key likewise.
    """
    def data(pem):
        return base64.b64encode(pem.strip().encode() + b"\n").decode()

    context = "%s@%s" % (user, cluster)
    # A JSON string is a YAML string, whatever a name holds.
    return """apiVersion: v1
kind: Config
clusters:
  - name: {cluster}
    cluster:
      server: {server}
      certificate-authority-data: {ca}
users:
  - name: {user}
    user:
      client-certificate-data: {cert}
      client-key-data: {key}
contexts:
  - name: {context}
    context:
      cluster: {cluster}
      user: {user}
current-context: {context}
preferences: {{}}
""".format(cluster=json.dumps(cluster), user=json.dumps(user), context=json.dumps(context), server=json.dumps(server),
           ca=data(ca), cert=data(cert), key=data(key))


def without_secrets(text):
    """:returns: a kubeconfig's text that may be shown."""
    return _SECRET.sub(r"\1(not shown)", text)
