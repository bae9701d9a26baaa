# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a kubeadm run, written before it starts: what a later run reads after a kill.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import copy
import hashlib
import json
import os
import time

from .._common.fs import atomic_write, read_or_none

PATH = "/var/lib/ironrack/kubeadm.json"


def fingerprint(documents):
    """:returns: a SHA-256 over what kubeadm builds a node from.

    certSANs are left out: the PKI issues the API server's certificate, which the API server reads again while it runs.
    """
    counted = copy.deepcopy(documents)
    for document in counted:
        document.get("apiServer", {}).pop("certSANs", None)
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()


class Record:
    """The file on the host.

    :param path: where it lies.
    """

    def __init__(self, path=PATH):
        self._path = path

    def read(self):
        """:returns: the record as a dict, empty where there is none. One that cannot be read counts as a run that was cut off."""
        content = read_or_none(self._path)
        if content is None:
            return {}
        try:
            record = json.loads(content)
            return record if record.get("state") in ("running", "done") else dict(record, state="running")
        except (ValueError, AttributeError):
            return {"state": "running"}

    def write(self, record):
        """Replace the record, whole."""
        os.makedirs(os.path.dirname(self._path), mode=0o755, exist_ok=True)
        atomic_write(self._path, (json.dumps(record, indent=2, sort_keys=True) + "\n").encode(), mode=0o644)

    def begin(self, action, kubernetes, documents):
        """:returns: the new record of a run that starts now, written."""
        record = {"action": action, "state": "running", "kubernetes": kubernetes,
                  "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "config_sha256": fingerprint(documents)}
        self.write(record)
        return record

    def finish(self, record):
        """Say that the run came to its end."""
        self.write(dict(record, state="done"))

    def remove(self):
        """Forget that there was a run."""
        if os.path.exists(self._path):
            os.unlink(self._path)
