# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster consists of, from several answers of its API to one description. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

ZONE = "zone"


def nodes(info, stats, elected):
    """:returns: each node, in the order of their names.

    :param info: the answer of ``_nodes`` with jvm, plugins and process. :param stats: that of ``_nodes/stats`` with os and fs.
    :param elected: the name of the elected cluster manager, or None.
    """
    found = [_node(key, node, (stats.get("nodes") or {}).get(key) or {}, elected) for key, node in (info.get("nodes") or {}).items()]
    return sorted(found, key=lambda node: node["name"])


def _node(key, node, stats, elected):
    jvm, disk = node.get("jvm") or {}, (stats.get("fs") or {}).get("total") or {}
    return {
        "name": node["name"], "id": key, "address": node.get("ip"), "version": node.get("version"), "roles": sorted(node.get("roles") or []),
        "zone": (node.get("attributes") or {}).get(ZONE), "is_elected": node["name"] == elected, "java_version": jvm.get("version"),
        "heap_max_bytes": (jvm.get("mem") or {}).get("heap_max_in_bytes"), "compressed_pointers": _truth(jvm.get("using_compressed_ordinary_object_pointers")),
        "memory_bytes": ((stats.get("os") or {}).get("mem") or {}).get("total_in_bytes"), "memory_locked": (node.get("process") or {}).get("mlockall"),
        "disk_bytes": disk.get("total_in_bytes"), "disk_free_bytes": disk.get("available_in_bytes"),
        "plugins": sorted(({"name": plugin["name"], "version": plugin.get("version")} for plugin in node.get("plugins") or []), key=lambda one: one["name"]),
    }


def _truth(text):
    # The engine writes this one as text, "unknown" where the JVM does not tell.
    return {"true": True, "false": False}.get(str(text).lower())


def indices(rows, settings):
    """:returns: each index, in the order of their names.

    :param rows: the answer of ``_cat/indices`` as JSON, in bytes. :param settings: that of ``_settings``, flat and human.
    """
    return [_index(row, (settings.get(row["index"]) or {}).get("settings") or {}) for row in sorted(rows, key=lambda one: one["index"])]


def _index(row, settings):
    return {
        "name": row["index"], "uuid": row.get("uuid"), "status": row.get("status"), "health": row.get("health"),
        "primaries": _number(row.get("pri")), "replicas": _number(row.get("rep")), "auto_expand_replicas": settings.get("index.auto_expand_replicas"),
        "documents": _number(row.get("docs.count")), "bytes": _number(row.get("store.size")),
        "created_by_version": settings.get("index.version.created_string"),
    }


def _number(text):
    return int(text) if str(text or "").isdigit() else None


def manager(rows):
    """:returns: the name of the elected cluster manager, of an answer of ``_cat/cluster_manager``, or None."""
    name = rows[0].get("node") if rows else None
    return name if name and name != "-" else None
