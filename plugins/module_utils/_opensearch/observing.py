# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a cluster, for the health conditions. It reads and decides nothing.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from .._common.errors import IronrackError
from .._health.peer import peer
from .._health.verdict import Observation
from . import moments, steps
from .allocation import unassigned
from .asking import explain, read_health, read_shards
from .backup_api import BackupApi
from .client import LOST, OpenSearchClient, OpenSearchUnreachable
from .health import has_manager
from .reading import read_nodes

#: What only a cluster that answers can tell, in the order in which it is asked.
PARTS = ("health", "nodes", "settings", "unassigned", "backups")


def observe(params, expected, connect=OpenSearchClient):
    """Look once.

    :param params: a module's: how the API is asked, and ``timeout``, seconds for a handshake with a node.
    :param expected: see :mod:`.conditions`.
    :returns: an :class:`Observation`.
    """
    seen = Observation({"now": time.time()})
    with ThreadPoolExecutor(max_workers=8) as pool:
        asked = {one["name"]: pool.submit(peer, one["address"], expected["http_port"], params["ca_file"], params["timeout"]) for one in expected["nodes"]}
        _ask(seen, params, expected, connect)
        seen.values["peers"] = {name: answer.result() for name, answer in asked.items()}
    return seen


def _ask(seen, params, expected, connect):
    try:
        client = connect(params)
    except IronrackError as error:
        seen.errors.update(dict.fromkeys(PARTS + ("members", "elected"), str(error)))
        return
    reads = {
        "health": lambda: read_health(client),
        "nodes": lambda: read_nodes(client),
        "settings": BackupApi(client).cluster_settings,
        "unassigned": lambda: [] if seen.values.get("health", {}).get("status") == "green" else explain(client, unassigned(read_shards(client))),
        "backups": lambda: _backups(client, expected),
    }
    away = None
    for part in PARTS:
        if away is not None and part != "nodes" or isinstance(away, OpenSearchUnreachable):
            seen.errors[part] = str(away)
            continue
        try:
            seen.values[part] = reads[part]()
            if part == "health" and not has_manager(seen.values[part]):
                away = IronrackError("there is no elected cluster manager, which others have to ask")
        except IronrackError as error:
            seen.errors[part] = str(error)
            # Of a cluster that does not answer, or has no manager to answer, each question would cost the time-out of every address. Nodes tell of
            # themselves without one.
            if isinstance(error, OpenSearchUnreachable) or error.details.get("status") == LOST:
                away = away or error
    _divide(seen)


def _divide(seen):
    for number, part in enumerate(("members", "elected")):
        if "nodes" in seen.errors:
            seen.errors[part] = seen.errors["nodes"]
        else:
            seen.values[part] = seen.values["nodes"][number]


def _backups(client, expected):
    if not expected.get("backups"):
        return None
    return steps.age(expected["backups"], BackupApi(client), moments.now())
