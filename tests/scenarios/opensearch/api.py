# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request at a time to one node, never asked twice: what a node says is what a step judges."""
from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from collections import namedtuple

from ..common import OUTPUT, NotProved, hosts_of

PORT, NODES_PORT = 9200, 9300
GROUPS = {"opensearch_managers", "opensearch_data", "opensearch_ingest"}
CA, CERT, KEY, PASSWORD = (OUTPUT / name for name in ("opensearch-ca.crt", "opensearch-admin.crt", "opensearch-admin.key", "opensearch-admin-password"))
#: Seconds for a connection to come about: a host without power does not even refuse one.
CONNECT = 2
#: status: of HTTP; body: what was in the answer, parsed where it is JSON; seconds: from the request to its end.
Answer = namedtuple("Answer", "status body seconds")


def nodes(inventory):
    """:returns: {name: address} of the nodes of OpenSearch. :raises NotProved: where there are none."""
    found = {name: entry["address"] for name, entry in hosts_of(inventory).items() if GROUPS & set(entry["groups"])}
    if not found:
        raise NotProved("%s has no OpenSearch" % inventory)
    return found


def context(certificate=True, newest=None):
    """:param certificate: whether the administrator's certificate is shown. :param newest: the newest version of TLS that is offered; None: any."""
    made = ssl.create_default_context(cafile=str(CA))
    if certificate:
        made.load_cert_chain(str(CERT), str(KEY))
    if newest:
        made.maximum_version = newest
    return made


def ask(address, method, path, body=None, *, user=None, tls=None, timeout=30):
    """:param body: a value that becomes JSON, or text as it is. :param user: (name, password) in the place of the administrator's certificate.

    :returns: :class:`Answer`. :raises OSError: where there is no answer; what became of the request is not known then.
    """
    headers = {"Content-Type": "application/x-ndjson" if isinstance(body, str) else "application/json"}
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(user).encode()).decode()
    begun = time.monotonic()
    connection = http.client.HTTPSConnection(address, PORT, timeout=min(CONNECT, timeout), context=tls or context(certificate=user is None))
    try:
        connection.connect()
        connection.sock.settimeout(timeout)
        connection.request(method, path, body if body is None or isinstance(body, str) else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    except http.client.HTTPException as error:
        raise OSError("%s %s: %r" % (method, path, error)) from error
    finally:
        connection.close()
    return Answer(answer.status, json.loads(text) if text[:1] in ("{", "[") else text, time.monotonic() - begun)


def well(address, method, path, body=None, **options):
    """:returns: the body of an answer that is none of an error. :raises NotProved: where it is one."""
    answer = ask(address, method, path, body, **options)
    if answer.status >= 400:
        raise NotProved("%s %s at %s: %d %s" % (method, path, address, answer.status, str(answer.body)[:600]))
    return answer.body
