#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: opensearch_repository
short_description: Have a snapshot repository that every node can use
version_added: "0.1.0"
description:
  - Registers a repository, and has every node that holds data or may be cluster manager write into it. A node that cannot is named, with its reason.
  - Where a new or changed repository cannot be used, what was registered before is put back, so that a schedule does not go on with a broken one.
  - Forgetting a repository leaves what is in it. One that runs a snapshot or a restore is not forgotten, nor changed; the engine refuses.
  - Credentials belong into the keystore of every node. As settings they are refused, because everybody who may see the repository could read them.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.opensearch_auth
  - ironrack.cluster.attributes.predicts
options:
  name:
    description: Name of the repository.
    type: str
    required: true
  state:
    description: Whether it is registered.
    type: str
    choices: [present, absent]
    default: present
  type:
    description:
      - V(s3) is an object store, and needs the plugin repository-s3 on every node.
      - V(fs) is a folder that all nodes share at the same path, which C(path.repo) has to allow on each.
    type: str
    choices: [s3, fs]
    default: s3
  settings:
    description:
      - Its settings, flat. V(s3) needs C(bucket), V(fs) needs C(location).
      - Settings that are registered and not here are taken away.
    type: dict
    default: {}
  replace:
    description:
      - Whether one that is registered with other settings gets these. With V(false) it is refused, as where snapshots are only read, and others rely on what
        is registered.
    type: bool
    default: true
  verify_timeout:
    description: Seconds for all nodes to write into it.
    type: int
    default: 120
attributes:
  check_mode:
    details: Nothing is written into the repository then, so whether all nodes can use it is not known.
  diff_mode:
    description: Shows type and settings before and after.
    support: full
"""

EXAMPLES = r"""
- name: Snapshots go into a bucket
  ironrack.cluster.opensearch_repository:
    urls: ["https://192.0.2.51:9200", "https://192.0.2.52:9200"]
    ca_file: /etc/ironrack/opensearch/ca.crt
    cert_file: /etc/ironrack/opensearch/admin.crt
    key_file: /etc/ironrack/opensearch/admin.key
    name: backups
    type: s3
    settings:
      bucket: opensearch
      base_path: cluster1
      endpoint: https://192.0.2.61:7070
      region: us-east-1
      path_style_access: true
"""

RETURN = r"""
nodes:
  description: Names of the nodes that have written into it. Empty in check mode, and where it is absent.
  returned: success
  type: list
  elements: str
  sample: [os1, os2, os3]
unable:
  description: Why a node cannot use it, by the name of the node.
  returned: when one cannot
  type: dict
  sample: {os2: "Access Denied"}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import refuse
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import repository, snapshots
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.asking import as_lines
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.backup_api import BackupApi
from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch.client import ARGUMENT_SPEC, OpenSearchClient, OpenSearchUnreachable


def verified(api, name, timeout):
    """:returns: names of the nodes that have written into a repository. :raises IronrackError: where one cannot, with its name and why."""
    status, answer = api.verify(name, timeout)
    unable = repository.unable(status, answer, api.nodes())
    if unable:
        raise IronrackError("repository %s cannot be used from %s. Mend it there (credentials in its keystore, the way to the store, the store's "
                            "certificate, rights on the folder), then run this again" % (
                                name, "; ".join("%s: %s" % pair for pair in sorted(unable.items()))), unable=unable)
    return sorted(node["name"] for node in answer["nodes"].values())


def put_back(api, name, before):
    """Have what was registered before. :returns: a sentence about it."""
    if before is None:
        api.delete_repository(name)
        return "It is not registered any more, as before"
    api.put_repository(name, before)
    return "What was registered before is registered again"


def run(params, api, check_mode):
    """:returns: the module's result."""
    name = params["name"]
    absent = params["state"] == "absent"
    refuse(snapshots.engine_name_problems("name", name) + ([] if absent else repository.problems_of(params["type"], params["settings"])))
    before = api.repository(name)
    before = before and repository.wanted(before["type"], before.get("settings") or {})
    after = None if absent else repository.wanted(params["type"], params["settings"])
    changed, nodes = before != after, []
    if before is not None and after is not None and changed and not params["replace"]:
        refuse(repository.differences(name, before, after))
    if absent and changed and not check_mode:
        api.delete_repository(name)
    elif not absent and not check_mode:
        if changed:
            api.put_repository(name, after)
        try:
            nodes = verified(api, name, params["verify_timeout"])
        except IronrackError as error:
            if changed:
                raise IronrackError("%s. %s" % (error, put_back(api, name, before)), **error.details)
            raise
    return {"changed": changed, "nodes": nodes,
            "diff": {"before_header": name, "after_header": name, "before": as_lines(before), "after": as_lines(after)}}


class Nothing:
    """The API of a cluster that is not there yet."""

    @staticmethod
    def repository(_name):
        """:returns: None."""


def asked(module, connect=OpenSearchClient):
    """:returns: the module's result; before there is a cluster, a check run predicts that all is new."""
    try:
        return run(module.params, BackupApi(connect(module.params)), module.check_mode)
    except OpenSearchUnreachable:
        if not module.check_mode:
            raise
        return run(module.params, Nothing(), True)


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENT_SPEC,
            name={"type": "str", "required": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            type={"type": "str", "choices": ["s3", "fs"], "default": "s3"},
            settings={"type": "dict", "default": {}},
            replace={"type": "bool", "default": True},
            verify_timeout={"type": "int", "default": 120}),
        supports_check_mode=True)
    conclude(module, lambda: asked(module))


if __name__ == "__main__":
    main()
