# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is room for what is to be restored. Pure.

The engine places no shard on a node whose disk is over the low watermark, and says so only in the log of the elected manager; so what lies below it
counts, and not what is free.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import re

WATERMARK = "cluster.routing.allocation.disk.watermark.low"
_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40, "pb": 1 << 50}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?b)")
#: What the engine takes where nobody set it.
#: The engine's own.
DEFAULT = "85%"


def setting(settings, name):
    """:returns: the value of a setting of the cluster that holds, or None.

    :param settings: transient, persistent and defaults, each flat.
    """
    for layer in ("transient", "persistent", "defaults"):
        if (settings.get(layer) or {}).get(name) is not None:
            return settings[layer][name]
    return None


def kept_free(watermark, total):
    """:returns: bytes of a disk that have to stay free.

    :param watermark: ``4gb`` that stay free, or ``85%`` or ``0.85`` that may be used. :param total: bytes of the disk.
    :raises ValueError: where it is none of these.
    """
    words = str(watermark).strip().lower()
    found = _SIZE.fullmatch(words)
    if found:
        return int(float(found.group(1)) * _UNITS[found.group(2)])
    used = float(words[:-1]) / 100 if words.endswith("%") else float(words)
    return int(total * (1 - used))


def shortage(nodes, settings, size, copies):
    """Say why there is no room.

    :param nodes: id -> roles and fs.total of every node. :param settings: of the cluster.
    :param size: bytes of one copy of all that is to be restored. :param copies: how many of each there will be.
    :returns: a sentence, or empty where there is room.
    """
    watermark = setting(settings, WATERMARK) or DEFAULT
    free = []
    for node in nodes.values():
        total = (node.get("fs") or {}).get("total") or {}
        if "data" in (node.get("roles") or ()) and total.get("total_in_bytes"):
            free.append(max(0, total["available_in_bytes"] - kept_free(watermark, total["total_in_bytes"])))
    if not free:
        return "no data node says how much room it has"
    if len(free) < copies:
        return "%d copies need as many data nodes, and there are %d" % (copies, len(free))
    if sum(free) < size * copies:
        return "%d bytes are needed (%d copies), and the data nodes have %d below the low watermark (%s); make room first" % (
            size * copies, copies, sum(free), watermark)
    return ""
