#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_cluster_info
short_description: Ask an etcd cluster for its members, their health, its leader and its alarms
version_added: "0.1.0"
author: "ironrack.cluster contributors (@ironrack)"
extends_documentation_fragment:
  - ironrack.cluster.etcd_client
description:
  - Health is a linearizable read through each member, never a mere connection.
  - A cluster that does not answer is no failure, but RV(reachable=false), unless O(wait_healthy) says otherwise.
  - Needs C(etcdctl) 3.6 on the host that it runs on.
attributes:
  check_mode:
    support: full
    description: Asks as ever, but does not wait. A host without etcdctl reports RV(reachable=false).
  diff_mode:
    support: none
    description: Changes nothing.
options:
  endpoints:
    description: Client URLs of the members.
    type: list
    elements: str
    required: true
  keys:
    description: Beginnings of keys whose presence is asked.
    type: list
    elements: str
    default: []
  wait_healthy:
    description: Seconds to wait for the cluster to be well; 0 does not wait and does not fail.
    type: int
    default: 0
  expected_members:
    description: How many voting members have to be healthy for that; with 0, quorum is enough.
    type: int
    default: 0
  fail_unhealthy:
    description: Whether the end of O(wait_healthy) without a healthy cluster is a failure. With V(false) the result tells how it is.
    type: bool
    default: true
  fail_on_alarm:
    description: Fail where a member has raised an alarm, with what to do.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: The etcd cluster is well
  ironrack.cluster.etcd_cluster_info:
    endpoints: ["https://192.0.2.21:2379", "https://192.0.2.22:2379", "https://192.0.2.23:2379"]
    keys: [/registry/]
    wait_healthy: 120
    expected_members: 3
    fail_on_alarm: true
  become: true
  register: etcd_cluster
"""

RETURN = r"""
reachable:
  description: Whether a member gave the cluster's list by a linearizable read.
  returned: always
  type: bool
quorum:
  description: Whether any member answered a linearizable read.
  returned: always
  type: bool
members:
  description: The members that the cluster lists, each with V(id), V(name), V(peer_urls), V(client_urls), V(learner), V(healthy),
    V(leader), V(version), V(db_size) and V(db_size_in_use) in bytes, and V(error).
  returned: always
  type: list
  elements: dict
leader:
  description: The leader's name.
  returned: always
  type: str
cluster_id:
  description: The cluster's ID in hexadecimal.
  returned: always
  type: str
raft_term:
  description: The number of elections so far.
  returned: always
  type: int
alarms:
  description: Alarms, each with V(member_id) and V(alarm), which is V(NOSPACE) or V(CORRUPT).
  returned: always
  type: list
  elements: dict
keys:
  description: For each beginning of O(keys), whether there is such a key. Empty where the cluster is not reachable.
  returned: always
  type: dict
errors:
  description: What went wrong, for each endpoint that is not healthy.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, fail_from
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.client import EtcdCtl
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.report import alarm_words, report, shortcomings


def ask(etcd, endpoints, keys):
    """:returns: the report on the cluster as it is now."""
    lacking = etcd.lacking()
    if lacking:
        missing = "not asked: %s is not on this host" % " and ".join(lacking)
        return report(endpoints, dict((endpoint, missing) for endpoint in endpoints), None, {}, [], {})
    health = etcd.health(endpoints)
    healthy = [endpoint for endpoint in endpoints if not health[endpoint]]
    if not healthy:
        return report(endpoints, health, None, {}, [], {})
    return report(endpoints, health, etcd.members(healthy), etcd.status(endpoints), etcd.alarms(healthy),
                  dict((key, etcd.has(healthy, key)) for key in keys))


def waited(etcd, params, seconds):
    """:returns: the report, once the cluster is well or ``seconds`` have passed (0: as it is)."""
    if not seconds:
        return ask(etcd, params["endpoints"], params["keys"])

    def condition():
        found = ask(etcd, params["endpoints"], params["keys"])
        lacks = shortcomings(found, params["expected_members"])
        return not lacks, "; ".join(lacks), found

    try:
        return wait_for(condition, "the etcd cluster to be healthy", seconds, interval=1)
    except IronrackError:
        if params["fail_unhealthy"]:
            raise
        return ask(etcd, params["endpoints"], params["keys"])


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            endpoints=dict(type="list", elements="str", required=True),
            ca_file=dict(type="path", default="/etc/etcd/pki/ca.crt"),
            cert_file=dict(type="path", default="/etc/etcd/pki/health-client.crt"),
            key_file=dict(type="path", default="/etc/etcd/pki/health-client.key", no_log=False),
            etcdctl=dict(type="path", default="/usr/local/bin/etcdctl"),
            keys=dict(type="list", elements="str", default=[], no_log=False),
            wait_healthy=dict(type="int", default=0),
            expected_members=dict(type="int", default=0),
            fail_unhealthy=dict(type="bool", default=True),
            fail_on_alarm=dict(type="bool", default=False)),
        supports_check_mode=True)
    params = module.params
    etcd = EtcdCtl(Cli(module), params["ca_file"], params["cert_file"], params["key_file"], params["etcdctl"])
    try:
        found = waited(etcd, params, 0 if module.check_mode else params["wait_healthy"])
        if found["alarms"] and params["fail_on_alarm"]:
            raise IronrackError("the etcd cluster has raised alarms: %s" % "; ".join(alarm_words(found)), **found)
    except IronrackError as error:
        fail_from(module, error)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
