# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

from ansible_collections.ironrack.cluster.lab import faults
from ansible_collections.ironrack.cluster.lab.faults import Faults

MACS = {"cp2": "02:00:00:00:00:02", "cp3": "02:00:00:00:00:03"}


def listing(*comments, table=faults.TABLE):
    rules = [{"rule": {"family": "netdev", "table": table, "chain": "in", "comment": comment}} for comment in comments]
    return json.dumps({"nftables": [{"metainfo": {}}, {"table": {"family": "netdev", "name": table}}, *rules]})


def test_a_cut_drops_everything_in_and_out():
    text = faults.ruleset(Faults(cut=True), MACS)
    assert text.count('drop comment "cut"') == 2
    assert "hook ingress device eth0" in text and "hook egress device eth0" in text


def test_a_partition_drops_the_peers_frames_only():
    text = faults.ruleset(Faults(peers=frozenset({"cp2"})), MACS)
    assert 'ether saddr 02:00:00:00:00:02 drop comment "partition cp2"' in text
    assert 'ether daddr 02:00:00:00:00:02 drop comment "partition cp2"' in text
    assert '"cut"' not in text


def test_no_fault_leaves_no_table():
    assert faults.ruleset(Faults(), MACS) == f"add table netdev {faults.TABLE}\ndelete table netdev {faults.TABLE}\n"


def test_the_listing_is_read_back():
    assert faults.parse(listing("cut", "partition cp2", "partition cp2")) == Faults(True, frozenset({"cp2"}))
    assert faults.parse(listing("cut", table="another")) == Faults()


def test_healing_a_host_takes_its_partitions_from_the_others_too():
    seen = Faults(True, frozenset({"cp2", "cp3"}))
    assert faults.healed(seen, "cp1", {"cp1"}) == Faults()
    assert faults.healed(seen, "cp1", {"cp2"}) == Faults(True, frozenset({"cp3"}))
    assert faults.partitioned(Faults(), "cp3").describe() == ["partition from cp3"]
