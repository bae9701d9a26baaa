#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_keystore
short_description: Have secret settings in the keystore of an OpenSearch node
version_added: "0.1.0"
description:
  - Makes the keystore where there is none, sets what is wanted and is not there, and removes what an earlier run has set and nobody wants any more. Settings
    that others have put there stay.
  - No secret stands in a command line. The engine shows no secret of a keystore, so what was set is kept in O(record_file) as a salted hash.
  - A node reads its keystore when it starts.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.predicts
options:
  home:
    description: Folder of the release, with C(bin/opensearch-keystore) and C(jdk).
    type: path
    required: true
  conf:
    description: Folder of the node's settings, where the keystore lies.
    type: path
    default: /etc/opensearch
  user:
    description: The user that OpenSearch runs as, who owns the keystore.
    type: str
    default: opensearch
  values:
    description: The secret settings by their full names. A secret is one line.
    type: dict
    required: true
  record_file:
    description: Where it is kept what was set. Whoever watches this file restarts a node for other secrets.
    type: path
    default: /etc/ironrack/opensearch/keystore.json
attributes:
  check_mode:
    details: A release that is not installed yet will have no keystore, and an empty secret is taken as one that is still to be made.
  diff_mode:
    description: Shows the names of the settings before and after.
    support: full
"""

EXAMPLES = r"""
- name: The node may write into the object store
  ironrack.cluster.opensearch_keystore:
    home: /opt/opensearch/3.4.0
    values:
      s3.client.default.access_key: "{{ backup_access_key }}"
      s3.client.default.secret_key: "{{ backup_secret_key }}"
  become: true
  no_log: true
"""

RETURN = r"""
created:
  description: Whether there was no keystore.
  returned: success
  type: bool
set:
  description: Names of the settings that were set, or in check mode would be.
  returned: success
  type: list
  elements: str
removed:
  description: Names of those that were removed, or would be.
  returned: success
  type: list
  elements: str
changed_paths:
  description: O(record_file), where anything was done.
  returned: success
  type: list
  elements: str
"""

import os
import secrets

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.fs import atomic_write, read_or_none, sha256_file
from ansible_collections.ironrack.cluster.plugins.module_utils._common.lock import RUN_DIR, locked
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import problem, refuse
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import keystore

#: Seconds that another run may take, which starts a JVM for each thing it does.
WAIT = 120


class Keystore:
    """The engine's own command, as the engine's user. It refuses a keystore that another user owns.

    :param cli: a Cli with the environment that the command reads.
    :param params: the module's parameters.
    """

    def __init__(self, cli, params):
        self._cli = cli
        self._command = ["runuser", "--user", params["user"], "--", os.path.join(params["home"], "bin", "opensearch-keystore")]
        self._file = os.path.join(params["conf"], "opensearch.keystore")
        self.installed = os.path.exists(self._command[-1])

    def sum(self):
        """:returns: SHA-256 of its file, '' where there is none."""
        return sha256_file(self._file) if os.path.exists(self._file) else ""

    def names(self, known):
        """:param known: the record. :returns: the settings that it has, None where there is none."""
        if not self.sum():
            return None
        # A JVM is started for the answer: not where nobody has touched the file since the record was written.
        return known["settings"] if known.get("keystore") == self.sum() else self._run(["list"]).stdout.split()

    def create(self):
        """Make an empty one."""
        self._run(["create"])

    def set(self, values):
        """Set all of them in one go."""
        self._run(["add", "--force", "--stdin", *sorted(values)], "".join("%s\n" % values[name] for name in sorted(values)))

    def remove(self, names):
        """Remove settings."""
        self._run(["remove", *names])

    def _run(self, words, data=None):
        return self._cli.run(self._command + words, data=data)


def problems_of(values, check_mode):
    """:returns: why these cannot be settings of a keystore. A check run may come before a secret is made, which is empty then."""
    return [problem("values.%s" % name, "it has %s" % ("several lines" if str(value).strip() else "no value"), "a secret of one line", "Give that.")
            for name, value in sorted(values.items()) if "\n" in str(value or "") or not (check_mode or str(value or "").strip())]


def converge(store, params, check_mode):
    """:returns: the module's result. :raises IronrackError: where the engine's command fails; the next run does the rest."""
    values = {name: str(value or "") for name, value in params["values"].items()}
    known = keystore.read((read_or_none(params["record_file"]) or b"").decode("utf-8", "replace"))
    there = store.names(known) if store.installed else None
    create, wanted, gone = keystore.decide(values, known, there)
    changed = bool(create or wanted or gone)
    if changed and not check_mode:
        if create:
            store.create()
        if wanted:
            store.set({name: values[name] for name in wanted})
        if gone:
            store.remove(gone)
    # Also where only the record was lost or is of other settings: what it says is what is there.
    stale = changed or sorted(values) != known.get("settings")
    if stale and not check_mode:
        atomic_write(params["record_file"], keystore.record(values, secrets.token_hex(16), store.sum()).encode("utf-8"), mode=0o600)
    after = sorted((set(there or ()) | set(values)) - set(gone))
    return {"changed": stale, "created": create, "set": wanted, "removed": gone, "changed_paths": [params["record_file"]] if stale else [],
            "diff": {"before_header": "keystore", "after_header": "keystore", "before": "".join("%s\n" % name for name in sorted(there or ())),
                     "after": "".join("%s%s\n" % (name, " (set anew)" if name in wanted and name in (there or ()) else "") for name in after)}}


def run(module):
    """:returns: the module's result."""
    params = module.params
    refuse(problems_of(params["values"], module.check_mode))
    environment = {"OPENSEARCH_PATH_CONF": params["conf"], "OPENSEARCH_JAVA_HOME": os.path.join(params["home"], "jdk")}
    store = Keystore(Cli(module, environment), params)
    if module.check_mode:
        return converge(store, params, True)
    os.makedirs(RUN_DIR, mode=0o755, exist_ok=True)
    with locked(os.path.join(RUN_DIR, "opensearch.lock"), WAIT):
        return converge(store, params, False)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            home=dict(type="path", required=True),
            conf=dict(type="path", default="/etc/opensearch"),
            user=dict(type="str", default="opensearch"),
            values=dict(type="dict", required=True, no_log=True),
            record_file=dict(type="path", default="/etc/ironrack/opensearch/keystore.json")),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
