#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: pki_bundle
short_description: Issue and renew the certificates of a whole cluster in one call
version_added: "0.1.0"
author: "ironrack.cluster contributors (@ironrack)"
description:
  - Keeps the one store of a cluster's certificate authorities, key pairs and certificates, and returns their content.
  - Issues whatever is missing, and issues again what is near its end, signed by another authority, not paired with its key,
    or wrong in its subject, names or usages.
  - An authority is never replaced. Where its key is lost, does not match, or another authority is named, the module fails and says
    what to do.
  - Keys are ECDSA P-256. A key is kept when its certificate is issued again, so that a host that reads its files one after the other
    never pairs an old key with a new certificate; remove a key from the store to have a new one.
  - Needs the C(openssl) command, 1.1.1 or newer, on the host that it runs on, and nothing else.
  - The result holds private keys. Set C(no_log=true) on the task; the error of a failure is shown nevertheless.
attributes:
  check_mode:
    support: full
    description: Reports what would be issued, with a placeholder as the content, so that later tasks can predict a change.
  diff_mode:
    support: full
    description: Shows names and reasons, never a key.
options:
  store:
    description: The folder of the store. It gets the mode 0700.
    type: path
    default: /etc/ironrack/pki
  authorities:
    description: The certificate authorities.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name, and that of its files.
        type: str
        required: true
      common_name:
        description: The common name of a new one.
        type: str
        required: true
      cert:
        description: Path, on the host, of a site's own authority's certificate, to be imported instead of making one.
        type: str
        default: ""
      key:
        description: Path of its key.
        type: str
        default: ""
      chain:
        description: Path of the certificates above it, up to the root. Needed where it is an intermediate.
        type: str
        default: ""
      days:
        description: Days that a new one is valid.
        type: int
        default: 3650
  keypairs:
    description: Key pairs without a certificate.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Its name, and that of its files.
        type: str
        required: true
  certificates:
    description: The certificates.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name, and that of its files.
        type: str
        required: true
      authority:
        description: The name of the authority that signs it.
        type: str
        required: true
      common_name:
        description: Its common name.
        type: str
        required: true
      organizations:
        description: Its organizations, which Kubernetes reads as groups.
        type: list
        elements: str
        default: []
      sans:
        description: Its subject alternative names, C(DNS:name) or C(IP:address).
        type: list
        elements: str
        default: []
      usages:
        description: What it is for.
        type: list
        elements: str
        choices: [server, client]
        required: true
      days:
        description: Days that it is valid, cut to those that its authority has left.
        type: int
        default: 365
  encryption:
    description:
      - The keys that data is encrypted with in etcd. They are made once and kept for ever, because a snapshot of etcd needs the key of its time.
      - Where it is not given, the store has none. M(ironrack.cluster.encryption_keyring) rotates them.
    type: dict
    suboptions:
      enabled:
        description:
          - Whether there is to be a key. C(false) is refused as long as data is encrypted.
        type: bool
        required: true
      resources:
        description: The kinds of objects, such as C(secrets) or C(deployments.apps). On a built cluster a rotation adds them.
        type: list
        elements: str
        default: [secrets]
  passwords:
    description:
      - Names of passwords. Each is made once, of 256 random bits, and returned as C(NAME.password), with its bcrypt hash as C(NAME.bcrypt).
      - A password is kept until M(ironrack.cluster.pki_password) turns it, because what was told its hash knows no other. In between, the next one is
        C(NAME.next.password).
    type: list
    elements: str
    default: []
  renew_before_days:
    description: Days left below which a certificate is issued again; at most a third of its validity.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: The cluster's certificates are issued and current
  ironrack.cluster.pki_bundle:
    store: /etc/ironrack/pki
    authorities:
      - {name: etcd-ca, common_name: ironrack etcd}
    keypairs:
      - {name: sa}
    certificates:
      - name: etcd-cp1
        authority: etcd-ca
        common_name: cp1
        sans: ["DNS:cp1", "IP:192.0.2.21"]
        usages: [server, client]
  become: true
  no_log: true
  register: pki_bundle
"""

RETURN = r"""
files:
  description:
    - The content of every file that was asked for, by its name, and C(encryption.yaml), the EncryptionConfiguration of the API servers.
    - In check mode a placeholder stands for what is not there.
  returned: success
  type: dict
  sample: {"etcd-ca.crt": "-----BEGIN CERTIFICATE-----..."}
changes:
  description: What was issued, renewed or imported, and why.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "etcd-cp1", "reason": "it expires on 2027-01-02, in 41 days"}]
expires:
  description: When each authority and certificate ends, in UTC.
  returned: success
  type: dict
  sample: {"etcd-cp1": "2027-11-21T01:53:57Z"}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.bundle import Bundle
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.spec import parse_specs


def run(module):
    """:returns: the module's result. :raises IronrackError: where going on would replace what others depend on."""
    params = module.params
    bundle = Bundle(params["store"], Cli(module), params["renew_before_days"], module.check_mode)
    authorities, certificates = parse_specs(params["authorities"], params["keypairs"], params["certificates"])
    bundle.converge(authorities, [keypair["name"] for keypair in params["keypairs"]], certificates, params["encryption"],
                    params["passwords"])
    for warning in bundle.warnings:
        module.warn(warning)
    lines = "".join("%s: %s\n" % (change["name"], change["reason"]) for change in bundle.changes)
    return dict(changed=bool(bundle.changes), files=bundle.files, changes=bundle.changes, expires=bundle.expires,
                diff={"before": "", "after": lines, "after_header": "issued or renewed in %s" % params["store"]})


def main():
    """Run the module."""
    authority = dict(name=dict(type="str", required=True), common_name=dict(type="str", required=True), cert=dict(type="str", default=""),
                     key=dict(type="str", default="", no_log=False), chain=dict(type="str", default=""), days=dict(type="int", default=3650))
    certificate = dict(
        name=dict(type="str", required=True), authority=dict(type="str", required=True), common_name=dict(type="str", required=True),
        organizations=dict(type="list", elements="str", default=[]), sans=dict(type="list", elements="str", default=[]),
        usages=dict(type="list", elements="str", choices=["server", "client"], required=True), days=dict(type="int", default=365))
    module = AnsibleModule(
        argument_spec=dict(
            store=dict(type="path", default="/etc/ironrack/pki"),
            authorities=dict(type="list", elements="dict", required=True, options=authority),
            keypairs=dict(type="list", elements="dict", default=[], no_log=False, options=dict(name=dict(type="str", required=True))),
            certificates=dict(type="list", elements="dict", required=True, options=certificate),
            encryption=dict(type="dict", options=dict(
                enabled=dict(type="bool", required=True), resources=dict(type="list", elements="str", default=["secrets"]))),
            passwords=dict(type="list", elements="str", default=[], no_log=False),
            renew_before_days=dict(type="int", default=60)),
        supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
