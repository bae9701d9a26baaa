# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade asks of backups, on a cluster that could be upgraded once there is a newer version: the check that the playbook makes first."""
from __future__ import annotations

import json
import time

from ..common import NotProved, playbook, say
from ..releases.service import until
from . import api, backup
from .adhoc import module
from .faults import WHOLE, colour, elected
from .restart import SETTINGS

#: A version that the engine could be upgraded to from the lab's, and that nobody installs here.
NEWER = "3.99.0"
REPOSITORY, LEFT_OUT = "lab-upgraded", "lab-left-out"
STORE = {"opensearch_backup_repository": REPOSITORY, "opensearch_backup_base_path": REPOSITORY}


def check(nodes, **options):
    """:returns: the result of opensearch_upgrade_check, whether it refuses or not."""
    return module(nodes, "upgrade_check", dict({"version": NEWER, "nodes": list(nodes), "repository": REPOSITORY, "wait": 10}, **options))


def refused(what, nodes, words, **options):
    """Have it refused. :raises NotProved: where it is not, or for another reason alone."""
    told = check(nodes, **options)
    problems = told.get("problems") or []
    if len(problems) != 1 or words not in problems[0]["what"]:
        raise NotProved("%s: it says %s" % (what, told.get("msg") or told))
    say("  %s is refused: %s" % (what, problems[0]["what"]))


def opensearch_upgrade_proof(inventory):
    """Without a snapshot, with one that lacks an index, with one that is too old, and with one that a scratch restore has just proved."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    api.ask(first, "DELETE", "/_snapshot/" + REPOSITORY)
    backup.fill(first)
    until("a green cluster", WHOLE, lambda: colour(first) == ("green", len(nodes)))
    refused("an upgrade without a snapshot", nodes, "none is proved")
    api.ask(first, "DELETE", "/" + LEFT_OUT)
    api.well(first, "PUT", "/" + LEFT_OUT, SETTINGS)
    part = dict(STORE, opensearch_backup_indices=[backup.INDEX])
    playbook(inventory, "opensearch_backup", "-e", json.dumps(part), record="opensearch-upgrade-proof-part")
    refused("one whose proved snapshot has one index alone", nodes, LEFT_OUT)
    begun = time.monotonic()
    playbook(inventory, "opensearch_backup", "-e", json.dumps(dict(STORE, opensearch_backup_prove_every=0)), record="opensearch-upgrade-proof")
    told = check(nodes)
    if "turns" not in told or sorted(told["turns"]) != sorted(nodes) or told["turns"][-1] != elected(first):
        raise NotProved("with a proved snapshot: %s" % (told.get("msg") or told))
    time.sleep(2)
    refused("one whose proved snapshot is too old", nodes, "proved", snapshot_max_age=1)
    api.well(first, "DELETE", "/_snapshot/" + REPOSITORY)
    api.well(first, "DELETE", "/" + LEFT_OUT)
    say("opensearch-upgrade-proof: to %s: refused without a snapshot, with one that lacks an index and with one that is too old; %.0f s later, with one that "
        "was proved, the order is %s" % (NEWER, time.monotonic() - begun, ", ".join(told["turns"])))
