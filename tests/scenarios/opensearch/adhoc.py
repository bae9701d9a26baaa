# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One module of this collection, run by itself from the controller with the administrator's certificate."""
from __future__ import annotations

import json
import os
import re
import subprocess

from ..common import ROOT, NotProved
from . import api

RESULT = re.compile(r"^localhost \| ([A-Z]+)!? => (?={)", re.MULTILINE)


def module(nodes, name, arguments, check=False):
    """:param nodes: {name: address}; the first one is asked first. :param name: of the module, without opensearch in front. :param check: for a check run.

    :returns: the module's result, whether it failed or not, with its ``diff`` and what it was called with.
    :raises NotProved: where it says nothing, or where a password that it was given is in what is printed at the third level of verbosity.
    """
    given = dict({"urls": ["https://%s:%d" % (address, api.PORT) for address in nodes.values()], "ca_file": str(api.CA), "cert_file": str(api.CERT),
                  "key_file": str(api.KEY)}, **arguments)
    words = ["ansible", "localhost", "-vvv", "-m", "ironrack.cluster.opensearch_" + name, "-a", json.dumps(given), *(["--check"] if check else [])]
    # Whatever whoever calls wants to read: a scenario asks for YAML.
    environment = dict(os.environ, ANSIBLE_NOCOLOR="1", ANSIBLE_CALLBACK_RESULT_FORMAT="json")
    done = subprocess.run(words, cwd=ROOT, timeout=120, capture_output=True, text=True, check=False, env=environment)
    if "user_password" in arguments and arguments["user_password"] in done.stdout + done.stderr:
        raise NotProved("opensearch_%s: the password that it was given is in what it prints" % name)
    found = RESULT.search(done.stdout)
    if not found:
        raise NotProved("opensearch_%s says nothing: %s %s" % (name, done.stdout[-500:], done.stderr[-500:]))
    # What is printed of a failure does not hold the word for it.
    return dict(json.JSONDecoder().raw_decode(done.stdout, found.end())[0], failed=found.group(1) == "FAILED")
