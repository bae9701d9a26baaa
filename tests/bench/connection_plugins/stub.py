# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection without a host, for the benchmark of the controller alone."""
from __future__ import annotations

import json
import os

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

from ansible_collections.ironrack.cluster.tests.bench.answers import Unanswered, answer, asked

DOCUMENTATION = """
name: stub
short_description: Answer modules without a host
description:
  - Opens nothing and starts nothing. It reads which module the controller sends, and gives the answer of tests/bench/answers.py.
  - With the variable STUB_RECORD in the environment, what was asked is added to a file of that folder, one for each address, as JSON lines.
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
            arguments = json.loads(arguments)["ANSIBLE_MODULE_ARGS"]
            found = answer(module, arguments)
            self._record(module, arguments)
        except Unanswered as error:
            return 1, b"", str(error).encode()
        return 0, json.dumps(found).encode(), b""

    def _record(self, module, arguments):
        folder = os.environ.get("STUB_RECORD")
        if folder:
            line = json.dumps({"module": module, "arguments": arguments}) + "\n"
            # One write: workers of one host may add to the file at the same time.
            handle = os.open(os.path.join(folder, self._play_context.remote_addr), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(handle, line.encode())
            finally:
                os.close(handle)

    def put_file(self, in_path, out_path):
        """No file goes anywhere: nothing that changes a host is asked of the stub."""
        raise AnsibleConnectionFailure("the stub takes no files: %s" % in_path)

    def fetch_file(self, in_path, out_path):
        """No host, no file."""
        raise AnsibleConnectionFailure("the stub has no files: %s" % in_path)

    def close(self):
        """Nothing to close."""
        self._connected = False
