# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection without a host, for the benchmark of the controller alone."""
from __future__ import annotations

import json

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

from ansible_collections.ironrack.cluster.tests.bench.answers import Unanswered, answer, asked

DOCUMENTATION = """
name: stub
short_description: Answer modules without a host
description:
  - Opens nothing and starts nothing. It reads which module the controller sends, and gives the answer of tests/bench/answers.py.
extends_documentation_fragment:
  - connection_pipelining
options: {}
"""


class Connection(ConnectionBase):
    """Answers at once."""

    transport = "stub"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        """:returns: (status, what the module prints, what it complains of)."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        if not in_data:
            raise AnsibleConnectionFailure("the stub answers piped modules only, not the command %s" % cmd)
        try:
            module, arguments = asked(in_data)
            found = answer(module, json.loads(arguments)["ANSIBLE_MODULE_ARGS"])
        except Unanswered as error:
            return 1, b"", str(error).encode()
        return 0, json.dumps(found).encode(), b""

    def put_file(self, in_path, out_path):
        """No file goes anywhere: nothing that changes a host is asked of the stub."""
        raise AnsibleConnectionFailure("the stub takes no files: %s" % in_path)

    def fetch_file(self, in_path, out_path):
        """No host, no file."""
        raise AnsibleConnectionFailure("the stub has no files: %s" % in_path)

    def close(self):
        """Nothing to close."""
        self._connected = False
