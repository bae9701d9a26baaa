# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories of any size, and the bundle that their mirror needs. Pure, but for the writing."""
from __future__ import annotations

import hashlib
import ipaddress
import json
import os

import yaml

#: Hosts that are there whatever the size: mirror, two balancers, three control planes with etcd.
FIXED = 6
#: The hosts' network, with room for the largest inventory, and the virtual address in it.
NETWORK = ipaddress.ip_network("10.20.0.0/16")
ZONES = ("a", "b", "c")
#: The default has room for 256 nodes.
PODS = "10.240.0.0/12"


def inventory(count, variables=None):
    """:returns: an inventory of ``count`` hosts, as Ansible's YAML has it: the topology of the lab, with more workers.

    :param variables: of group all.
    :raises ValueError: where nothing is left for a worker.
    """
    if count <= FIXED:
        raise ValueError("an inventory needs more than %d hosts, and %d were asked for" % (FIXED, count))

    def hosts(*names):
        return {"hosts": {name: own[name] for name in names}}

    planes, balancers = ("cp1", "cp2", "cp3"), ("lb1", "lb2")
    workers = tuple("gpu%d" % number for number in range(1, count - FIXED + 1))
    names = ("ops1",) + balancers + planes + workers
    own = {name: {"ansible_host": str(NETWORK[256 + number]), "zone": ZONES[number % len(ZONES)]} for number, name in enumerate(names)}
    return {"all": {
        "vars": dict({"cluster_name": "bench", "cluster_vip": str(NETWORK[10]), "cluster_vip_prefix": NETWORK.prefixlen, "cluster_pod_cidr": PODS},
                     **(variables or {})),
        "children": {
            "mirror": hosts("ops1"), "load_balancers": hosts(*balancers), "etcd": {"hosts": dict.fromkeys(planes)},
            "control_plane": hosts(*planes), "workers": hosts(*workers)}}}


def bundle(release):
    """:returns: name -> content of a bundle that is whole and weighs nothing, its manifest included.

    :param release: the content of a release file.
    """
    files = {"files/" + one["file"]: {} for component in release["components"].values() for one in component["files"]}
    files.update({"images/%s-%s.tar" % (one["name"].rsplit("/", 1)[-1], one["tag"]): {"image": one["name"], "tag": str(one["tag"])}
                  for one in release["images"]})
    content = {name: name.encode() for name in files}
    manifest = {name: dict(more, sha256=hashlib.sha256(content[name]).hexdigest(), size=len(content[name])) for name, more in files.items()}
    return dict(content, **{"manifest.json": json.dumps({"version": 1, "release": release["version"], "files": manifest}).encode()})


def write_inventory(folder, count, variables=None):
    """:returns: the path of a new inventory."""
    path = os.path.join(folder, "hosts-%d.yml" % count)
    with open(path, "w", encoding="utf-8") as stream:
        yaml.safe_dump(inventory(count, variables), stream)
    return path


def write_bundle(folder, release):
    """:returns: the folder of a new bundle."""
    target = os.path.join(folder, "bundle")
    for name, data in bundle(release).items():
        path = os.path.join(target, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(data)
    return target
