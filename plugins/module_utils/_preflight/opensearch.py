# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a host of OpenSearch, from what was read of it. No I/O.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import re

PARTS = ("opensearch_managers", "opensearch_data", "opensearch_ingest")
UNIT = "/etc/systemd/system/opensearch.service"
SETTINGS = "/etc/opensearch/opensearch.yml"
#: Options of the JVM that say how large the heap is.
HEAP_OPTION = re.compile(r"^(\d+(-\d*)?:)?-(Xm[sx]|XX:(Max|Initial|Min)(HeapSize|RAMPercentage)\b|XX:MaxRAM\b)")
FORMED = "/etc/ironrack/opensearch/formed"


def built(unit, settings):
    """What a node was built with.

    :param unit: text of its unit. settings: text of its opensearch.yml.
    :returns: version, name and roles; empty where nothing tells.
    """
    version = re.search(r"^ExecStart=/opt/opensearch/([0-9.]+)/", unit, re.M)
    name = re.search(r"^cluster\.name: *[\"']?([^\s\"']+)", settings, re.M)
    roles = re.search(r"^node\.roles: *\[(.*)\]", settings, re.M)
    return {"version": version.group(1) if version else "", "name": name.group(1) if name else "",
            "roles": re.findall(r"[a-z_]+", roles.group(1)) if roles else []}


def _is_node(wants):
    return bool(wants.opensearch) and any(part in wants.parts for part in PARTS)


def opensearch_version(probe, wants):
    """A version is no setting that is rolled out: indices of a newer one are never read by an older one, and an upgrade has an order."""
    seen = probe["opensearch"]
    if _is_node(wants) and seen["formed"] and seen["version"] and seen["version"] != wants.opensearch["version"]:
        yield ("its OpenSearch is %s, and %s is asked for" % (seen["version"], wants.opensearch["version"]), "the version that the cluster has",
               "run opensearch_upgrade, which restarts one node after the other in an order that site.yml has not, or set cluster_opensearch_version to %s" % (
                   seen["version"]))


def opensearch_name(probe, wants):
    seen = probe["opensearch"]
    if _is_node(wants) and seen["formed"] and seen["name"] and seen["name"] != wants.opensearch["name"]:
        yield ("its OpenSearch is part of the cluster %s, and %s is asked for" % (seen["name"], wants.opensearch["name"]),
               "%s: its nodes would no longer know each other" % seen["name"], "set cluster_opensearch_name to %s" % seen["name"])


def opensearch_roles(probe, wants):
    """The engine starts no node that has on its disk what its roles have no use for: shards without data, the cluster's state without data and a vote."""
    seen = probe["opensearch"]
    if not _is_node(wants) or not seen["formed"]:
        return
    is_data, is_manager = (part in wants.parts for part in ("opensearch_data", "opensearch_managers"))
    if "data" in seen["roles"] and not is_data:
        yield ("its node of OpenSearch holds data, and opensearch_data does not have it any more",
               "a node without data, which the engine starts in another role",
               "put it back into opensearch_data and run opensearch_node_replace for it, which takes its shards and its data away; then take it out")
    elif "cluster_manager" in seen["roles"] and not is_data and not is_manager:
        yield ("its node of OpenSearch keeps the cluster's state, and opensearch_managers does not have it any more",
               "a node without that, which the engine starts in another role",
               "put it back into opensearch_managers and run opensearch_node_replace for it, which moves its data aside; then take it out")


def opensearch_heap(probe, wants):
    """What the heap leaves is the page cache, which the engine reads its indices by."""
    for option in wants.opensearch.get("jvm_options", ()) if _is_node(wants) else ():
        if HEAP_OPTION.match(option):
            yield ("opensearch_jvm_options has %s, which wins over opensearch_heap and is held against no memory" % option,
                   "options that say nothing of the heap's size", "take it out, and set opensearch_heap")
    heap = wants.opensearch.get("heap", "") if _is_node(wants) else ""
    megabytes = int(heap[:-1]) * (1024 if heap.endswith("g") else 1) if heap else 0
    if megabytes > probe["memory_mib"] // 2:
        yield ("opensearch_heap is %s, and the host has %d MiB of memory" % (heap, probe["memory_mib"]), "at most half of the memory, %d MiB" % (
            probe["memory_mib"] // 2), "make it smaller, or leave it out")
