#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_settings
short_description: Kernel modules, sysctl values, swap and system users of a host, as they are now
version_added: "0.1.0"
description:
  - Compares the running kernel and the user database with what is wanted and changes what differs.
  - What has to survive a boot (C(modules-load.d), C(sysctl.d)) is written by M(ironrack.cluster.files).
  - Works where a kernel has everything built in and no C(/proc/modules).
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.predicts
options:
  modules:
    description: Kernel modules to be loaded.
    type: list
    elements: str
    default: []
  sysctl:
    description: Values by their keys, as in C(net.ipv4.ip_forward).
    type: dict
    default: {}
  swap:
    description: With V(false) swap is switched off, and its entries in C(/etc/fstab) become comments. Left alone where not given or V(true).
    type: bool
  groups:
    description: System groups to exist.
    type: list
    elements: str
    default: []
  users:
    description: System users to exist. One that exists is left as it is.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The user's name.
        type: str
        required: true
      group:
        description: Its primary group. A group of the user's own name where not given.
        type: str
      home:
        description: Its home folder, which is not created.
        type: path
      shell:
        description: Its login shell.
        type: path
      comment:
        description: Its comment in the user database.
        type: str
attributes:
  check_mode:
    details: A key that only a module not yet loaded brings would be changed.
  diff_mode:
    description: Shows the settings before and after.
    support: full
"""

EXAMPLES = r"""
- name: Let the kernel forward packets
  ironrack.cluster.host_settings:
    modules: [br_netfilter]
    sysctl:
      net.ipv4.ip_forward: 1
    swap: false
"""

RETURN = r"""
before:
  description: The settings that differ, as they were.
  returned: success
  type: dict
after:
  description: The same settings afterwards.
  returned: success
  type: dict
"""

import grp
import os
import pwd

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli, CommandError
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.fs import atomic_write, read_or_none
from ansible_collections.ironrack.cluster.plugins.module_utils._host import settings

USER_SPEC = dict(
    name=dict(type="str", required=True),
    group=dict(type="str"),
    home=dict(type="path"),
    shell=dict(type="path"),
    comment=dict(type="str"),
)


class Manager:
    """Compares one concern after the other and changes what differs.

    :param module: the AnsibleModule.
    """

    def __init__(self, module):
        self._module = module
        self._cli = Cli(module)
        self._before, self._after, self._problems = {}, {}, []

    def run(self):
        """:returns: the module's result."""
        for concern in (self._groups, self._users, self._modules, self._sysctls, self._swap):
            concern()
        if self._problems:
            raise IronrackError("\n- ".join(["not everything could be set:"] + self._problems), problems=self._problems)
        return dict(
            changed=bool(self._after), before=self._before, after=self._after,
            diff=dict(before=_lines(self._before), after=_lines(self._after)))

    def _differs(self, name, before, after, action):
        self._before[name], self._after[name] = before, after
        if not self._module.check_mode:
            try:
                action()
            except CommandError as error:
                self._problems.append("%s: %s" % (name, error))
            except OSError as error:
                self._problems.append("%s: %s" % (name, error.strerror or error))

    def _groups(self):
        for name in self._module.params["groups"]:
            if not _exists(grp.getgrnam, name):
                self._differs("group %s" % name, "absent", "present", lambda name=name: self._cli.run(["groupadd", "--system", "--", name]))

    def _users(self):
        for user in self._module.params["users"]:
            if not _exists(pwd.getpwnam, user["name"]):
                self._differs("user %s" % user["name"], "absent", "present", lambda user=user: self._cli.run(settings.useradd(user)))

    def _modules(self):
        listing = read_or_none("/lib/modules/%s/modules.builtin" % os.uname().release) or b""
        builtin = settings.builtin_modules(listing.decode("utf-8", "replace"))
        for name in settings.missing_modules(self._module.params["modules"], lambda name: os.path.isdir("/sys/module/" + name), builtin):
            self._differs("module %s" % name, "not loaded", "loaded", lambda name=name: self._cli.run(
                ["modprobe", "--", name], hint="This kernel (%s) may lack it." % os.uname().release))

    def _sysctls(self):
        for key, wanted in self._module.params["sysctl"].items():
            wanted = str(int(wanted)) if isinstance(wanted, bool) else str(wanted)
            path = os.path.join("/proc/sys", settings.sysctl_path(key))
            now = read_or_none(path)
            text = now.decode("utf-8", "replace").strip() if now is not None else "no such key"
            if now is None or not settings.same_value(text, wanted):
                self._differs("sysctl %s" % key, text, wanted, lambda path=path, wanted=wanted: _write(path, wanted))

    def _swap(self):
        if self._module.params["swap"] is not False:
            return
        devices = settings.swap_devices((read_or_none("/proc/swaps") or b"").decode("utf-8", "replace"))
        if devices:
            self._differs("swap", ", ".join(devices), "off", lambda: self._cli.run(["swapoff", "--all"]))
        fstab = (read_or_none("/etc/fstab") or b"").decode("utf-8", "surrogateescape")
        without = settings.without_swap(fstab)
        if without != fstab:
            self._differs("swap in /etc/fstab", "on", "off", lambda: atomic_write(
                os.path.realpath("/etc/fstab"), without.encode("utf-8", "surrogateescape")))


def _exists(ask, name):
    try:
        ask(name)
    except KeyError:
        return False
    return True


def _write(path, value):
    # not atomic_write: a sysctl is a file of the kernel that takes one write
    with open(path, "w", encoding="ascii") as stream:
        stream.write(value + "\n")


def _lines(values):
    return "".join("%s: %s\n" % pair for pair in values.items())


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            modules=dict(type="list", elements="str", default=[]),
            sysctl=dict(type="dict", default={}),
            swap=dict(type="bool"),
            groups=dict(type="list", elements="str", default=[]),
            users=dict(type="list", elements="dict", default=[], options=USER_SPEC),
        ),
        supports_check_mode=True,
    )
    conclude(module, lambda: Manager(module).run())


if __name__ == "__main__":
    main()
