#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: files
short_description: Many files, folders and links of a host in one call
version_added: "0.1.0"
description:
  - Renders templates on the controller, sends everything in one archive, compares it with the host and writes what differs.
  - Each file is replaced atomically. Nothing is written before every entry has been read, compared and validated; all problems are reported together.
  - Templates and sources are searched as M(ansible.builtin.template) and M(ansible.builtin.copy) do, in the role's C(templates) and C(files).
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.predicts
options:
  files:
    description:
      - The paths and what they should be. They are worked through in this order. Parents that are missing are created with mode C(0755).
    type: list
    elements: dict
    suboptions:
      path:
        description: Absolute path on the host.
        type: path
        required: true
      state:
        description:
          - What the path should be.
          - With V(absent), a file, a link or an empty folder is removed; a folder that holds anything else is refused.
        type: str
        choices: [file, directory, link, absent]
        default: file
      template:
        description: A template on the controller that is the file's content.
        type: str
      content:
        description: The file's content.
        type: str
      src:
        description: A file on the controller that is the file's content, byte by byte.
        type: str
      copy_of:
        description: Another file of the host that is the content, as one that a component has brought. In check mode it may be missing.
        type: path
      replace:
        description: Texts that are replaced in the content of O(files[].copy_of), each by its value.
        type: dict
      block:
        description: Text between two marker lines of a file whose other lines belong to somebody else. An empty text takes the block away.
        type: str
      marker:
        description: The marker lines of O(files[].block); C({mark}) becomes C(BEGIN) and C(END).
        type: str
        default: "# {mark} ironrack.cluster"
      vars:
        description: Variables for O(files[].template), above those of the task.
        type: dict
      mode:
        description:
          - Octal permission bits as a text.
          - Without it, C(0644) for files, C(0600) for secret files, C(0755) for folders; a file with a block keeps its own.
        type: str
      owner:
        description: User name. Left as it is where not given. In check mode, a user that does not exist yet is taken as one that will.
        type: str
      group:
        description: Group name; likewise.
        type: str
      secret:
        description: Keep the content out of the diff.
        type: bool
        default: false
      if_absent:
        description: Write only where the path does not exist, because from then on the file belongs to a program of the host.
        type: bool
        default: false
      target:
        description: Where a link points.
        type: path
      validate:
        description:
          - A command as a list of words; C(%s) becomes the path of the new content in a folder of its own, under the file's own name.
          - It is run before anything is written, and only when the content differs. In check mode a command that does not exist yet is left out.
        type: list
        elements: str
  payload:
    description: What the action plugin sends in place of O(files). Not for playbooks.
    type: str
attributes:
  diff_mode:
    description: Shows the content before and after, except of secret files.
    support: full
"""

EXAMPLES = r"""
- name: Configure the service
  ironrack.cluster.files:
    files:
      - path: /etc/example
        state: directory
        mode: "0750"
      - path: /etc/example/example.conf
        content: |
          listen = 127.0.0.1:8080
        validate: [grep, -q, listen, "%s"]
      - path: /etc/example/token
        content: "{{ example_token }}"
        secret: true
      - path: /etc/hosts
        block: |
          192.0.2.10 api.example.com
"""

RETURN = r"""
changed_paths:
  description: The paths that were changed, or would be.
  returned: success
  type: list
  elements: str
problems:
  description: Everything that kept the files from being written; nothing was written then.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._files import host
from ansible_collections.ironrack.cluster.plugins.module_utils._files.payload import MARKER, problems_of, unpack
from ansible_collections.ironrack.cluster.plugins.module_utils._files.plan import compare, diff_of

FILE_SPEC = dict(
    path=dict(type="path", required=True),
    state=dict(type="str", choices=["file", "directory", "link", "absent"], default="file"),
    template=dict(type="str"),
    content=dict(type="str"),
    src=dict(type="str"),
    copy_of=dict(type="path"),
    replace=dict(type="dict"),
    block=dict(type="str"),
    marker=dict(type="str", default=MARKER),
    vars=dict(type="dict"),
    mode=dict(type="str"),
    owner=dict(type="str"),
    group=dict(type="str"),
    secret=dict(type="bool", default=False, no_log=False),
    if_absent=dict(type="bool", default=False),
    target=dict(type="path"),
    validate=dict(type="list", elements="str"),
)


def validate(module, item, wanted, number):
    """:returns: what the entry's validator says against the new content, or None."""
    argv = [str(word) for word in item["validate"]]
    if module.check_mode and module.get_bin_path(argv[0]) is None:
        return None
    staged = host.stage(wanted, module.tmpdir, number)
    argv = [word.replace("%s", staged) for word in argv]
    rc, stdout, stderr = module.run_command(argv, environ_update={"LC_ALL": "C"}, handle_exceptions=True)
    if rc == 0:
        return None
    words = (stderr.strip() or stdout.strip() or "it printed nothing").replace(staged, wanted.path)
    if wanted.secret:
        words = "its output is kept back, because the file is secret"
    return "%s: %s refuses the new content (status %d): %s" % (wanted.path, argv[0], rc, words)


def plan(module, items):
    """:returns: the changes that are needed, and all problems."""
    owners = host.Owners(module.check_mode)
    wanted_items = [(item, host.wanted_of(item, owners)) for item in items]
    leaving = frozenset(wanted.path for dummy, wanted in wanted_items if wanted.state == "absent")
    changes, problems = [], list(owners.problems)
    for number, (item, wanted) in enumerate(wanted_items):
        seen = host.look(wanted.path)
        change = None if item.get("if_absent") and seen.kind != "absent" else compare(wanted, seen, leaving)
        if change is None:
            continue
        changes.append(change)
        if change.problem:
            problems.append(change.problem)
        elif wanted.state == "file" and change.content and item.get("validate"):
            refusal = validate(module, item, wanted, number)
            problems.extend([refusal] if refusal else [])
    return changes, sorted(set(problems), key=problems.index)


def run(module):
    """Compare, report, and write unless in check mode."""
    if module.params["payload"] is None:
        raise IronrackError("no payload: this module only works through its action plugin, which is installed beside it")
    items = unpack(module.params["payload"])
    problems = problems_of(items)
    changes = []
    if not problems:
        changes, problems = plan(module, items)
    if problems:
        raise IronrackError("nothing was written, because:\n- %s" % "\n- ".join(problems), problems=problems)
    if not module.check_mode:
        for change in changes:
            try:
                host.apply(change)
            except OSError as error:
                raise IronrackError("%s could not be written: %s" % (change.wanted.path, error.strerror or error))
    return dict(
        changed=bool(changes),
        changed_paths=[change.wanted.path for change in changes],
        diff=[diff_of(change) for change in changes])


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            files=dict(type="list", elements="dict", options=FILE_SPEC),
            payload=dict(type="str", no_log=True),
        ),
        supports_check_mode=True,
    )
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
