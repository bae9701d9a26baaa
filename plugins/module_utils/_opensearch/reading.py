# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster consists of, asked of its API and given back as :mod:`nodes` describes it.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from . import nodes, settings
from .asking import PATIENCE

#: Of an index's settings: what an upgrade has to know. The first one is only there where it is asked for in words for humans.
OF_INDICES = "index.version.created_string,index.auto_expand_replicas"


def read_nodes(client):
    """:returns: (the nodes, the name of the elected one)."""
    # Without a manager there is no such line, and the nodes that are left have to be told all the same.
    status, rows = client.request("GET", "/_cat/cluster_manager", params=dict(PATIENCE, format="json"))
    elected = nodes.manager(rows) if status == 200 else None
    info = client.expect("GET", "/_nodes/jvm,plugins,process", what="the question for its nodes")
    stats = client.expect("GET", "/_nodes/stats/os,fs", what="the question for its nodes' memory and disks")
    return nodes.nodes(info, stats, elected), elected


def read_settings(client):
    """:returns: both kinds of settings, flat."""
    answer = client.expect("GET", "/_cluster/settings", params={"flat_settings": True}, what="the question for its settings")
    return {kind: settings.flat(answer.get(kind)) for kind in ("persistent", "transient")}


def read_indices(client):
    """:returns: the indices."""
    rows = client.expect("GET", "/_cat/indices", what="the question for its indices", params={
        "format": "json", "bytes": "b", "expand_wildcards": "all", "h": "index,uuid,status,health,pri,rep,docs.count,store.size"})
    told = client.expect("GET", "/_all/_settings/" + OF_INDICES, params={"flat_settings": True, "human": True, "expand_wildcards": "all"},
                         what="the question for its indices' settings")
    return nodes.indices(rows, told)
