# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates texts of a role with Ansible itself: a request per line on standard input, an answer per line on standard output, as JSON.

It is a process of its own because Ansible finds a collection's plugins by an import hook, and one that is installed in the middle of
a test run breaks the imports of the tests beside it.

usage: render.py COLLECTIONS_PATH ROLES_FOLDER
"""
from __future__ import annotations

import json
import pathlib
import sys

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

init_plugin_loader([sys.argv[1]])


def answer(request, roles):
    """:returns: the text of a request, templated with the role's defaults and vars and the request's variables."""
    folder = roles / request["role"]
    loader = DataLoader()
    loader.set_basedir(str(folder))
    variables = {"role_path": str(folder), "ansible_search_path": [str(folder)]}
    for part in ("defaults", "vars"):
        variables.update(loader.load_from_file(str(folder / part / "main.yml"), trusted_as_template=True))
    variables.update(request["variables"])
    return Templar(loader=loader, variables=variables).template(trust_as_template(request["text"]))


for line in sys.stdin:
    try:
        reply = {"value": answer(json.loads(line), pathlib.Path(sys.argv[2]))}
    except Exception as error:
        reply = {"error": str(error)}
    print(json.dumps(reply), flush=True)
