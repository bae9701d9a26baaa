# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restart and a backup cost by our playbooks, against what the engine and the disks take by themselves: the same hosts, documents and end state."""
from __future__ import annotations

import base64
import json
import os
import time

from ..common import OUTPUT, NotProved, hosts_of, on, playbook, say
from ..releases.service import until
from . import api
from .backup import PROVE, REPOSITORY, restore_words, snapshots
from .faults import WHOLE, colour

INDEX, BULK, EACH, MIB = "lab-bench", 200, 100, 160


def fill(address):
    """Make an index of documents that do not compress. :returns: its bytes on the disks of one copy."""
    api.ask(address, "DELETE", "/" + INDEX)
    api.well(address, "PUT", "/" + INDEX, {"settings": {"number_of_shards": 2, "number_of_replicas": 1, "codec": "best_compression"},
                                           "mappings": {"properties": {"text": {"type": "binary"}, "number": {"type": "integer"}}}})
    size = (MIB << 20) // (BULK * EACH)
    for start in range(BULK):
        lines = []
        for number in range(start * EACH, (start + 1) * EACH):
            lines += [json.dumps({"index": {"_id": str(number)}}),
                      json.dumps({"number": number, "text": base64.b64encode(os.urandom(size * 3 // 4)).decode()})]
        if api.well(address, "POST", "/%s/_bulk" % INDEX, "\n".join(lines) + "\n", timeout=120)["errors"]:
            raise NotProved("a bulk of documents was not taken")
    api.well(address, "POST", "/%s/_flush?force=true" % INDEX, timeout=120)
    api.well(address, "POST", "/%s/_refresh" % INDEX)
    return api.well(address, "GET", "/%s/_stats/store" % INDEX)["_all"]["primaries"]["store"]["size_in_bytes"]


def restart_floor(nodes):
    """:returns: seconds for each node: systemd's own restart, and until the cluster is green again, asked each half second."""
    took = []
    for name, address in nodes.items():
        asked = next(other for other in nodes.values() if other != address)
        begun = time.monotonic()
        on(name, "sudo", "systemctl", "restart", "--no-block", "opensearch")
        until("%s to be away" % name, 60, lambda: colour(asked) != ("green", len(nodes)), 0.2)
        until("all nodes, green", WHOLE, lambda: colour(asked) == ("green", len(nodes)))
        took.append(time.monotonic() - begun)
    return took


def copy_floor(store):
    """:returns: seconds that the store's host takes to write and to read as many bytes that do not compress, to the disk and from it."""
    begun = time.monotonic()
    on(store, "sudo", "dd", "if=/dev/urandom", "of=/var/lib/object-store/copy", "bs=1M", "count=%d" % MIB, "conv=fsync")
    written = time.monotonic() - begun
    begun = time.monotonic()
    on(store, "sudo", "dd", "if=/var/lib/object-store/copy", "of=/dev/null", "bs=1M")
    read = time.monotonic() - begun
    on(store, "sudo", "rm", "/var/lib/object-store/copy")
    return written, read


def engine_restore(address, snapshot):
    """:returns: seconds of the engine's own restore of the index under another name, until it is green."""
    name = INDEX + "-copy"
    begun = time.monotonic()
    api.well(address, "POST", "/_snapshot/%s/%s/_restore?wait_for_completion=true" % (REPOSITORY, snapshot), {
        "indices": INDEX, "include_global_state": False, "include_aliases": False, "rename_pattern": "(.+)", "rename_replacement": name}, timeout=300)
    api.well(address, "GET", "/_cluster/health/%s?wait_for_status=green&timeout=120s" % name, timeout=150)
    took = time.monotonic() - begun
    api.well(address, "DELETE", "/" + name)
    return took


def engine_snapshot(address):
    """:returns: seconds of the engine's own snapshot of the index, which has to copy all of it."""
    begun = time.monotonic()
    api.well(address, "PUT", "/_snapshot/%s/bench-%d?wait_for_completion=true" % (REPOSITORY, time.time()),
             {"indices": INDEX, "include_global_state": False}, timeout=300)
    return time.monotonic() - begun


def opensearch_bench(inventory):
    """Figures as JSON; nothing is judged but that each side did the same."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    store = next(name for name, entry in hosts_of(inventory).items() if "object_store" in entry["groups"])
    floor = restart_floor(nodes)
    ours, _counts = playbook(inventory, "opensearch_restart", record="opensearch-bench-restart")
    size = fill(first)
    playbook(inventory, "opensearch_backup", "-e", json.dumps(dict(PROVE, opensearch_backup_indices=[INDEX])), record="opensearch-bench-first")
    fill(first)
    taken = engine_snapshot(first)
    fill(first)
    backed, _counts = playbook(inventory, "opensearch_backup", "-e", json.dumps({"opensearch_backup_indices": [INDEX]}), record="opensearch-bench-backup")
    snapshot = snapshots(first)[-1]
    again = engine_restore(first, snapshot)
    api.well(first, "DELETE", "/" + INDEX)
    words = restore_words(snapshot)
    restored, _counts = playbook(inventory, "opensearch_restore", "-e", json.dumps(dict(json.loads(words[1]), opensearch_backup_indices=[INDEX])),
                                 record="opensearch-bench-restore")
    written, read = copy_floor(store)
    figures = {"nodes": len(nodes), "restart_floor_s": floor, "restart_ours_s": ours, "bytes": size, "snapshot_engine_s": taken, "backup_ours_s": backed,
               "restore_engine_s": again, "restore_ours_s": restored, "copy_write_s": written, "copy_read_s": read}
    (OUTPUT / "opensearch-bench.json").write_text(json.dumps(figures, indent=1) + "\n")
    say("opensearch-bench: restart %.1f s a node, the engine's own %.1f s; %.0f MiB: backup %.1f s (the engine's snapshot %.1f s, a plain copy %.1f s), "
        "restore %.1f s (the engine's %.1f s, a plain read %.1f s)" % (
            ours / len(nodes), sum(floor) / len(floor), size / 2 ** 20, backed, taken, written, restored, again, read))
