# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one API server is ready, asked on a node and without credentials: kubeadm lets anybody read /readyz.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import os

from .._common.http import HttpClient, HttpError

CA_FILE = "/etc/kubernetes/pki/ca.crt"


def url(address, port, path):
    """:returns: an https URL; an IPv6 address gets its brackets."""
    return "https://%s:%d%s" % ("[%s]" % address if ":" in address else address, port, path)


def api_ready(address, port, ca_file=CA_FILE):
    """:returns: (whether the API server is ready, what it said)."""
    if not os.path.exists(ca_file):
        return False, "%s is not there" % ca_file
    try:
        answer = HttpClient(ca_file=ca_file).request("GET", url(address, port, "/readyz"))
    except HttpError as error:
        return False, str(error)
    return answer.status == 200, "/readyz of %s answered %d" % (address, answer.status)
