#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_restore
short_description: Restore indices from a snapshot in the safe order
version_added: "0.1.0"
description:
  - Refuses with all the reasons at once, before anything is changed, where the snapshot is not whole, lacks an index, is of another version or runs, where
    there is no room, no manifest or a data stream.
  - After the loss of the cluster the manifest is in the snapshot alone. Then it is brought back from there first; in check mode it is not known yet.
  - Restores each index under a new name, without aliases and global state; waits for it, within O(timeout); and compares its documents with
    the manifest. What is found wrong by then turns the restore back, no alias has moved, and what was restored is deleted again.
  - Then all aliases move from the old indices to the restored ones in one call. The name of an index that was deleted becomes an alias of its restored one.
    Meanwhile no client can bring that name into being by writing to it.
  - An old index stays, without taking writes, until O(confirm) says that it may go. Its name becomes an alias of the restored one in the call that
    deletes it.
  - A run that was killed, or whose wait was over, is gone on with by the same call. It has what it is about to do written down in the index
    C(ironrack-backups).
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.opensearch_backup
  - ironrack.cluster.attributes.predicts
options:
  snapshot:
    description: Name of the snapshot.
    type: str
    required: true
  indices:
    description: Names of the indices, each by itself. Indices with a dot in front are refused.
    type: list
    elements: str
    required: true
  aliases:
    description:
      - For the name of an index, a list of the aliases that the restored one gets.
      - Where an index is not here it gets those of the index that has its name now; where that came into being after the snapshot, or there is none, also
        those of the manifest.
    type: dict
    default: {}
  late_documents:
    description:
      - When the documents of the index that has the name now are merged into the restored one, over those with the same id.
      - V(auto) is where that index came into being after the snapshot began, so that it holds what clients wrote since it was lost. It takes no
        writes from then on.
      - With V(never) they stay in the old index, which is there until O(confirm).
    type: str
    choices: [auto, always, never]
    default: auto
  wait_for:
    description: What a restored index has to be before the aliases move; V(yellow) has one copy of each shard.
    type: str
    choices: [green, yellow]
    default: green
  checksum:
    description: Whether all documents are read and compared by their checksum, as far as the manifest or a proof has one. Otherwise they are counted only.
    type: bool
    default: true
  allow_partial:
    description: Whether the snapshot may be PARTIAL. The indices that are restored have to be whole in it all the same.
    type: bool
    default: false
  allow_unverified:
    description: Whether there may be no manifest to compare with, as in a snapshot of others.
    type: bool
    default: false
  confirm:
    description: Name of the snapshot once more, when the old indices may be deleted.
    type: str
  abort:
    description: Takes back a restore that was begun and whose aliases have not moved.
    type: bool
    default: false
  timeout:
    description: Seconds for each wait.
    type: int
    default: 3600
attributes:
  diff_mode:
    description: Shows where the aliases point before and after.
    support: full
"""

EXAMPLES = r"""
- name: An index that was deleted comes back
  ironrack.cluster.opensearch_restore:
    urls: ["https://192.0.2.51:9200"]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    repository: backups
    snapshot: hourly-20261121t1200z
    indices: [logs-000007]
"""

RETURN = r"""
phase:
  description:
    - V(done) where nothing is left to do; V(swapped) where the old indices wait for O(confirm); V(failed) where it was taken back.
    - In check mode what it is now; V(forward) where it has not begun.
  returned: success
  type: str
steps:
  description: What this run did, or would do, in words.
  returned: success
  type: list
  elements: str
restored:
  description:
    - For each index its V(target), what was V(compared) (V(documents), V(checksum), V(checksum_compared) and the V(basis)), and the V(merged) late
      V(documents), of which V(replaced) were over restored ones. Null where that has not been, or is not needed.
  returned: success
  type: dict
old_indices:
  description: Names of the old indices that are there.
  returned: success
  type: list
  elements: str
aliases:
  description: For each alias of a restored index, the indices that it points at.
  returned: success
  type: dict
"""

import secrets

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import problem, refuse
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import holding, restoring, snapshots
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import as_lines
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.backup_api import BackupApi
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, OpenSearchClient
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.records import Records
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.restore_checks import Wish
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.restorer import Restorer

#: Steps that change nothing.
QUIET = (restoring.FINISH, restoring.PAUSE, restoring.GIVE_UP)


def problems_of(params):
    """:returns: what is wrong with the parameters alone."""
    found = snapshots.index_problems(params["indices"])
    if params["confirm"] is not None and params["confirm"] != params["snapshot"]:
        found.append(problem("confirm", "%r" % params["confirm"], "the name of the snapshot: %s" % params["snapshot"],
                             "Give that to delete the old indices, or leave it out."))
    for index, names in sorted(params["aliases"].items()):
        if index not in params["indices"] or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            found.append(problem("aliases.%s" % index, "%r" % (names,), "a list of names, for one of the indices", "Correct it."))
    return found


def run(params, api, check_mode):
    """:returns: the module's result."""
    refuse(problems_of(params))
    wish = Wish(params["repository"], params["snapshot"], params["indices"], params["allow_partial"], params["allow_unverified"])
    options = {"late": params["late_documents"], "copies": params["wait_for"] == "green", "confirmed": params["confirm"] is not None,
               "abort": params["abort"], "aliases": params["aliases"], "checksum": params["checksum"], "timeout": params["timeout"]}
    restorer = Restorer(api, Records(api), wish, options, holding.holder())
    seen = restorer.look()
    before = restorer.result(seen)
    if check_mode:
        steps, later = restorer.foresee(seen)
        result = dict(before, steps=["%s: %s" % (step.kind, step.why) for step in steps if step.kind not in QUIET])
        after = restorer.result(later)["aliases"]
        if restorer.lacks_manifest():
            result["steps"].insert(0, "recall: the manifests come back from the snapshot, and it is compared then")
    else:
        restorer.recall(secrets.token_hex(4))
        seen = restorer.run(restorer.look())
        result = restorer.result(seen)
        after = result["aliases"]
    return dict(result, changed=bool(result["steps"]), diff={
        "before_header": "aliases", "after_header": "aliases", "before": as_lines(before["aliases"] or None), "after": as_lines(after or None)})


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            repository={"type": "str", "required": True},
            snapshot={"type": "str", "required": True},
            indices={"type": "list", "elements": "str", "required": True},
            aliases={"type": "dict", "default": {}},
            late_documents={"type": "str", "choices": [restoring.AUTO, restoring.ALWAYS, restoring.NEVER], "default": restoring.AUTO},
            wait_for={"type": "str", "choices": ["green", "yellow"], "default": "green"},
            checksum={"type": "bool", "default": True},
            allow_partial={"type": "bool", "default": False},
            allow_unverified={"type": "bool", "default": False},
            confirm={"type": "str"},
            abort={"type": "bool", "default": False},
            timeout={"type": "int", "default": 3600}),
        supports_check_mode=True)
    conclude(module, lambda: run(module.params, BackupApi(OpenSearchClient(module.params)), module.check_mode))


if __name__ == "__main__":
    main()
