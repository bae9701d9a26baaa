#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_alias
short_description: Have an alias of OpenSearch point where it should, in one step
version_added: "0.1.0"
description:
  - Points an alias to exactly the indices that are named. All additions and removals are one request that happens as a whole or not at all, so that a
    client that uses the alias never finds none, both or neither.
  - Refuses more than one write index, be it asked for or there already, because only a person can say which one holds the newest documents.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.attributes.predicts
options:
  name:
    description: The alias.
    type: str
    required: true
  state:
    description: Whether it should be there.
    type: str
    choices: [present, absent]
    default: present
  indices:
    description: The indices that it points to, each by its own name. All others lose it.
    type: list
    elements: dict
    suboptions:
      index:
        description: Name of the index.
        type: str
        required: true
      is_write_index:
        description:
          - Whether documents that are written to the alias go there. At most one may be.
          - Where it is left out for an alias of a single index, writes go to that one; for one of several they are refused.
        type: bool
      filter:
        description: A query that documents have to match to be found through the alias.
        type: dict
      routing:
        description: The routing value for reads and writes.
        type: str
attributes:
  diff_mode:
    description: Shows where it points before and after.
    support: full
"""

EXAMPLES = r"""
- name: Readers and writers go to the restored index from now on
  ironrack.cluster.opensearch_alias:
    urls: [https://192.0.2.51:9200, https://192.0.2.52:9200]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    name: logs
    indices:
      - index: logs-000001
      - index: logs-000002-restored
        is_write_index: true
"""

RETURN = r"""
indices:
  description: Where the alias points afterwards, or would, by the name of the index.
  returned: success
  type: dict
  sample: {logs-000001: {}, logs-000002-restored: {is_write_index: true}}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import aliases
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import ask, bring, get, path_of, put
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, quoted


def exists(client, index):
    """:returns: whether there is an index of this name."""
    status, answer = client.request("HEAD", "/" + quoted(index))
    if status not in (200, 404):
        raise client.refusal(status, answer, "the question whether there is an index %s" % index)
    return status == 200


def refuse_name(client, alias):
    """:raises IronrackError: where an index has the name that the alias is to have."""
    if exists(client, alias):
        raise IronrackError(
            "there is an index %s, so no alias can have that name. Most likely a client wrote to it while there was no alias, and the engine made it: look "
            "at what it holds, move its documents to where they belong, and delete it" % alias)


def refuse_missing(module, client, wanted):
    """:raises IronrackError: where an index is not there; a check run only warns, since an earlier task may be what makes it."""
    missing = [index for index in wanted if not exists(client, index)]
    words = "there is no index %s, to which the alias %s is to point" % (", ".join(missing), module.params["name"])
    if missing and not module.check_mode:
        raise IronrackError(words)
    if missing:
        module.warn(words)


def run(module):
    """:returns: the module's result."""
    params, alias = module.params, module.params["name"]
    path, what = path_of("/_alias", alias), "the alias %s" % alias
    after = aliases.wanted(params["indices"] or []) if params["state"] == "present" else {}
    client, answer = ask(module, lambda one: (get(one, path, what),))
    before = aliases.current(answer[0], alias) if answer else {}
    if len(aliases.writers(before)) > 1:
        raise IronrackError("the alias %s has several write indices already: %s. Find out which one holds the newest documents, and set is_write_index to "
                            "false for the others by hand" % (alias, ", ".join(aliases.writers(before))))
    moves = aliases.actions(alias, before, after)
    if client and moves and after:
        if not before:
            refuse_name(client, alias)
        refuse_missing(module, client, after)
    done = bring(module, before, after, lambda: put(client, "POST", "/_aliases", {"actions": moves}, what), what)
    return dict(done, indices=after)


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            name={"type": "str", "required": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            indices={"type": "list", "elements": "dict", "options": {
                "index": {"type": "str", "required": True}, "is_write_index": {"type": "bool"}, "filter": {"type": "dict"}, "routing": {"type": "str"}}}),
        required_if=[("state", "present", ("indices",))],
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
