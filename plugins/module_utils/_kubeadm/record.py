# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a kubeadm run, written before it starts: what a later run reads after a kill.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import os
import time

from .._common.fs import atomic_write, read_or_none

PATH = "/var/lib/ironrack/kubeadm.json"


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

    def begin(self, action, kubernetes):
        """:returns: the new record of a run of kubeadm that starts now, written."""
        record = {"action": action, "state": "running", "kubernetes": kubernetes,
                  "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        self.write(record)
        return record

    def finish(self, record):
        """:returns: the record that says that kubeadm came to its end, written."""
        record = dict(record, state="done")
        self.write(record)
        return record

    def begin_rollout(self, record, paths):
        """Name the files that are about to be written and seen through; the node stays one that is done: it is never reset for this.

        :returns: the record, written.
        """
        record = dict(record, unfinished=sorted(set(record.get("unfinished") or ()) | set(paths)))
        self.write(record)
        return record

    def stop_rollout(self, record, unsure):
        """Note that a rollout ended early: all files are seen through or put back but ``unsure``."""
        self.write(dict(record, unfinished=sorted(unsure)))

    def finish_rollout(self, record, sums, files):
        """Say that a configuration is what this node runs.

        :param sums: of the configuration, see :func:`.rollout.sums`.
        :param files: path -> SHA-256.
        """
        record = {key: value for key, value in record.items() if key not in ("unfinished", "config_sha256")}
        self.write(dict(record, rolled_out=dict(sums, files=files)))

    def remove(self):
        """Forget that there was a run."""
        if os.path.exists(self._path):
            os.unlink(self._path)
