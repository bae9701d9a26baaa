#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: packet_rules
short_description: Takes away packet-filter rules that a node's components left in the kernel
version_added: "0.1.0"
description:
  - Removes chains of iptables and ip6tables by the beginnings of their names, with every rule that is in one of them or jumps to one.
  - Removes rules that name a set of O(set_prefixes), then those sets, and whole tables of nftables.
  - Every other rule, and the policy of every chain, stays. Counters start anew in the tables of iptables that lose something.
  - Meant for a host where nothing that writes such rules runs any more. A host without one of the commands has nothing of its kind.
author:
  - ironrack.cluster contributors (@ironrack)
options:
  chain_prefixes:
    description: What the names of the chains begin with.
    type: list
    elements: str
    default: [KUBE-, FLANNEL-, CNI-]
  nft_tables:
    description: Tables of nftables, each a family and a name.
    type: list
    elements: str
    default: [ip kube-proxy, ip6 kube-proxy, ip flannel-ipv4, ip6 flannel-ipv6, inet ironrack_drain]
  set_prefixes:
    description: What the names of the sets of ipset begin with.
    type: list
    elements: str
    default: [KUBE-, kube-router-, "inet6:KUBE-", "inet6:kube-router-"]
attributes:
  check_mode:
    description: Predicts what would be removed without removing it.
    support: full
  diff_mode:
    description: Shows the chains, rules, tables and sets that go.
    support: full
"""

EXAMPLES = r"""
- name: Take away what kube-proxy and the pod network left
  ironrack.cluster.packet_rules:

- name: Take away the chains of another component
  ironrack.cluster.packet_rules:
    chain_prefixes: [CILIUM_]
    nft_tables: []
    set_prefixes: []
"""

RETURN = r"""
before:
  description: What is removed, as lists C(chains), C(rules), C(tables) and C(sets). C(rules) are those of chains that stay.
  returned: success
  type: dict
  sample:
    chains: [iptables filter KUBE-FORWARD]
    rules: [iptables filter -A FORWARD -j KUBE-FORWARD]
    tables: [ip kube-proxy]
    sets: []
after:
  description: The same lists afterwards, empty.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._host import packet_rules

KINDS = ("chains", "rules", "tables", "sets")
# The kernel frees what a removed rule held a little later.
SET_TIMEOUT = 15


class Manager:
    """Finds what goes, and removes it: rules first, because they hold the sets.

    :param module: the AnsibleModule.
    """

    def __init__(self, module):
        self._module = module
        self._cli = Cli(module)

    def run(self):
        """:returns: the module's result."""
        params = self._module.params
        wrong = packet_rules.problems(params["chain_prefixes"], params["nft_tables"], params["set_prefixes"])
        if wrong:
            raise IronrackError("; ".join(wrong), problems=wrong)
        before, restores = dict((kind, []) for kind in KINDS), []
        for command in ("iptables", "ip6tables"):
            stripped = packet_rules.strip(self._read([command + "-save"]), params["chain_prefixes"], params["set_prefixes"])
            before["chains"] += ["%s %s" % (command, chain) for chain in stripped.chains]
            before["rules"] += ["%s %s" % (command, rule) for rule in stripped.rules]
            if stripped.text:
                restores.append((command + "-restore", stripped.text))
        before["tables"] = packet_rules.tables_present(self._read(["nft", "list", "tables"]), params["nft_tables"])
        before["sets"] = packet_rules.sets_present(self._read(["ipset", "list", "-n"]), params["set_prefixes"])
        if not self._module.check_mode:
            self._remove(restores, before["tables"], before["sets"])
        after = dict((kind, []) for kind in KINDS)
        return dict(
            changed=any(before.values()), before=before, after=after, diff=dict(before=_lines(before), after=_lines(after)))

    def _read(self, argv):
        # get_bin_path looks into the sbin folders too: a short PATH must not pass for a host without the command
        path = self._module.get_bin_path(argv[0])
        return self._cli.run([path] + argv[1:]).stdout if path else ""

    def _remove(self, restores, tables, sets):
        for command, text in restores:
            self._cli.run(
                [self._path(command), "--wait=10"], data=text,
                hint="Each table changes as a whole or not at all. Run it again once nothing else changes packet-filter rules on this host.")
        for table in tables:
            self._cli.run([self._path("nft"), "delete", "table"] + table.split())
        for name in sets:
            wait_for(lambda name=name: self._destroyed(name), "the set %s to be destroyed" % name, SET_TIMEOUT)

    def _path(self, command):
        return self._module.get_bin_path(command) or command

    def _destroyed(self, name):
        done = self._cli.run([self._path("ipset"), "destroy", name], ok=(0, 1))
        return done.rc == 0, done.stderr.strip()


def _lines(kinds):
    return "".join("%s: %s\n" % (kind[:-1], item) for kind in KINDS for item in kinds[kind])


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            chain_prefixes=dict(type="list", elements="str", default=["KUBE-", "FLANNEL-", "CNI-"]),
            nft_tables=dict(type="list", elements="str", default=[
                "ip kube-proxy", "ip6 kube-proxy", "ip flannel-ipv4", "ip6 flannel-ipv6", "inet ironrack_drain"]),
            set_prefixes=dict(type="list", elements="str", default=["KUBE-", "kube-router-", "inet6:KUBE-", "inet6:kube-router-"]),
        ),
        supports_check_mode=True,
    )
    conclude(module, lambda: Manager(module).run())


if __name__ == "__main__":
    main()
