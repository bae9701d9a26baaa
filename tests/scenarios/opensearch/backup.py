# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An index is lost and comes back as it was; a backup that is damaged, or not to be reached, is found before any client is sent to it."""
from __future__ import annotations

import hashlib
import json
import time

from ..common import NotProved, attempt, hosts_of, on, playbook, say
from . import api

INDEX, ALIAS, REPOSITORY = "lab-books", "lab-library", "ironrack"
DOCUMENTS, BULK, PAGE = 20000, 2000, 2000
UNIT, FOLDER = "ironrack-object-store", "/var/lib/object-store/data/opensearch"
PROVE = {"opensearch_backup_prove_every": 0}
#: Of the series that retention is shown on: its slot, and how old one has to be to go, in seconds; how many proved ones have to be newer.
PREFIX, SLOT, OLD, KEEP = "lab", 60, 61, 2
BROKEN = "lab-broken"


def fill(address):
    """Make an index of documents that have an alias."""
    for old in api.well(address, "GET", "/_cat/indices/%s*?format=json" % INDEX):
        api.well(address, "DELETE", "/" + old["index"])
    api.well(address, "PUT", "/" + INDEX, {"settings": {"number_of_shards": 2, "number_of_replicas": 1}, "aliases": {ALIAS: {}},
                                           "mappings": {"properties": {"number": {"type": "integer"}}}})
    for start in range(0, DOCUMENTS, BULK):
        lines = []
        for number in range(start, start + BULK):
            lines += [json.dumps({"index": {"_id": "book-%d" % number}}),
                      json.dumps({"number": number, "text": hashlib.sha256(b"%d" % number).hexdigest() * 4})]
        answer = api.well(address, "POST", "/%s/_bulk" % INDEX, "\n".join(lines) + "\n", timeout=120)
        if answer["errors"]:
            raise NotProved("a bulk of documents was not taken: %s" % str(answer)[:400])
    api.well(address, "POST", "/%s/_refresh" % INDEX)


def content(address, name):
    """:returns: (number of documents, checksum over all of them with their ids), as clients find them under a name."""
    total, after, digest = 0, None, hashlib.sha256()
    while True:
        body = {"size": PAGE, "sort": [{"number": "asc"}], "track_total_hits": False}
        if after:
            body["search_after"] = after
        hits = api.well(address, "POST", "/%s/_search" % name, body, timeout=60)["hits"]["hits"]
        for hit in hits:
            digest.update(json.dumps([hit["_id"], hit["_source"]], sort_keys=True).encode())
        total += len(hits)
        if len(hits) < PAGE:
            return total, digest.hexdigest()
        after = hits[-1]["sort"]


def aliases(address):
    """:returns: {alias: the indices that it points at} of what the steps made."""
    found = {}
    for index, entry in api.well(address, "GET", "/_alias").items():
        for alias in entry["aliases"]:
            found.setdefault(alias, set()).add(index)
    return {alias: sorted(indices) for alias, indices in found.items() if alias in (INDEX, ALIAS)}


def snapshots(address):
    """:returns: names of the snapshots of the repository that are SUCCESS, oldest first."""
    listed = api.well(address, "GET", "/_snapshot/%s/_all" % REPOSITORY, timeout=60)["snapshots"]
    return [one["snapshot"] for one in sorted(listed, key=lambda one: one["start_time_in_millis"]) if one["state"] == "SUCCESS"]


def restore_words(snapshot, **more):
    """:returns: the words behind the playbook's name."""
    return ["-e", json.dumps(dict(more, opensearch_backup_snapshot=snapshot, opensearch_backup_indices=[INDEX]))]


def opensearch_backup(inventory):
    """Back up, lose an index, restore it: the same documents, found by the same names."""
    first = next(iter(api.nodes(inventory).values()))
    fill(first)
    before = content(first, ALIAS)
    if before[0] != DOCUMENTS:
        raise NotProved("the index has %d documents of %d" % (before[0], DOCUMENTS))
    backed, _counts = playbook(inventory, "opensearch_backup", "-e", json.dumps(PROVE), record="opensearch-backup")
    snapshot = snapshots(first)[-1]
    api.well(first, "DELETE", "/" + INDEX)
    if aliases(first):
        raise NotProved("the index is still there: %s" % aliases(first))
    restored, _counts = playbook(inventory, "opensearch_restore", *restore_words(snapshot), record="opensearch-restore")
    after, named = content(first, ALIAS), content(first, INDEX)
    if not before == after == named:
        raise NotProved("%s has %s, before %s; %s has %s" % (ALIAS, after, before, INDEX, named))
    _seconds, counts = playbook(inventory, "opensearch_restore", *restore_words(snapshot), record="opensearch-restore-again")
    if counts["changed"]:
        raise NotProved("the same restore once more changed: %s" % counts["changed"])
    say("opensearch-backup: snapshot %s of %d documents and its proof by a scratch restore in %.0f s; the index deleted and restored in %.0f s, with the same "
        "checksum over all documents under %s and %s; once more: nothing changed" % (snapshot, before[0], backed, restored, ALIAS, INDEX))


def blob_of(store, index, since):
    """A snapshot has other indices too, whose damage the restore of one would rightly pass by.

    :returns: the path of a large blob of an index in the object store. :param since: it came there after this time.
    """
    # Each shard has lists too, below the folders of indices.
    lists = on(store, "sudo", "find", FOLDER, "-name", "index-[0-9]*", "-not", "-path", "*/indices/*").split()
    newest = max(lists, key=lambda path: int(path.rpartition("-")[2]))
    folder = json.loads(on(store, "sudo", "cat", newest))["indices"][index]["id"]
    found = on(store, "sudo", "find", FOLDER, "-path", "*/indices/%s/*" % folder, "-name", "__*", "-size", "+100k", "-newermt", "@%d" % since, "-print",
               "-quit").strip()
    if not found:
        raise NotProved("no blob of %s was found below %s" % (index, FOLDER))
    return found


def opensearch_damaged(inventory):
    """A damaged blob, and an object store without an answer: both are told, and no alias has moved; mended, the same restore ends well."""
    first = next(iter(api.nodes(inventory).values()))
    store = next(name for name, entry in hosts_of(inventory).items() if "object_store" in entry["groups"])
    fill(first)
    before, held, begun = content(first, ALIAS), aliases(first), time.time()
    playbook(inventory, "opensearch_backup", record="opensearch-damaged-backup")
    snapshot = snapshots(first)[-1]
    blob = blob_of(store, INDEX, begun)
    on(store, "sudo", "cp", "--archive", blob, "/var/tmp/blob")
    on(store, "sudo", "dd", "if=/dev/zero", "of=" + blob, "bs=1024", "seek=8", "count=4", "conv=notrunc")
    try:
        status, damaged, _counts, _followed, log = attempt(inventory, "opensearch_restore", *restore_words(snapshot), record="opensearch-damaged")
        text = " ".join(log.read_text().split())
    finally:
        on(store, "sudo", "cp", "--archive", "/var/tmp/blob", blob)
    said = text[text.rfind("[ERROR]"):][:300] if "[ERROR]" in text else ""
    problems = ["the restore of a damaged blob ended well"] if not status else []
    problems += [] if INDEX in said else ["the error does not name %s: %s" % (INDEX, text[-1500:])]
    problems += ["aliases moved: %s, before %s" % (aliases(first), held)] if aliases(first) != held else []
    on(store, "sudo", "systemctl", "stop", UNIT)
    try:
        gone, _seconds, _counts, _followed, log = attempt(inventory, "opensearch_backup", record="opensearch-store-gone")
        silence = " ".join(log.read_text().split())
    finally:
        on(store, "sudo", "systemctl", "start", UNIT)
    without = silence[silence.rfind("[ERROR]"):][:400] if "[ERROR]" in silence else ""
    problems += ["a backup without an object store ended well"] if not gone else []
    problems += [] if REPOSITORY in without else ["the error does not name the repository: %s" % silence[-1500:]]
    problems += ["content or aliases are others"] if (content(first, ALIAS), aliases(first)) != (before, held) else []
    mended, _counts = playbook(inventory, "opensearch_restore", *restore_words(snapshot), record="opensearch-damaged-mended")
    problems += ["what was restored in the end is another"] if content(first, ALIAS) != before or aliases(first) == held else []
    if problems:
        raise NotProved("a damaged backup: %s" % "; ".join(problems))
    time.sleep(1)
    say("opensearch-damaged: 4 KiB of a blob overwritten: found in %.0f s, no alias moved (%s); object store gone: %s; with the blob as it was, "
        "the same restore in %.0f s" % (damaged, said, without, mended))


def series(address):
    """:returns: [(name, state)] of the snapshots of the series that the step takes, oldest first."""
    listed = api.well(address, "GET", "/_snapshot/%s/_all" % REPOSITORY, timeout=60)["snapshots"]
    return [(one["snapshot"], one["state"]) for one in sorted(listed, key=lambda one: one["start_time_in_millis"]) if one["snapshot"].startswith(PREFIX + "-")]


def slot(inventory, record, **more):
    """Take the snapshot of the present slot, and delete what is old. :returns: (status, text) of the run."""
    words = dict(dict(PROVE, opensearch_backup_prefix=PREFIX, opensearch_backup_slot=SLOT, opensearch_backup_indices=[INDEX], opensearch_backup_max_age=OLD,
                      opensearch_backup_failed_max_age=OLD, opensearch_backup_min_count=KEEP,
                      opensearch_backup_clock_tolerance=1), **more)
    status, _seconds, _counts, _followed, log = attempt(inventory, "opensearch_backup", "-e", json.dumps(words), record=record)
    return status, " ".join(log.read_text().split())


def opensearch_retention(inventory):
    """On the real repository: a slot has one snapshot, a PARTIAL one counts for nothing, what goes leaves enough newer ones that are proved.

    A failed proof stops all of it.
    """
    first = next(iter(api.nodes(inventory).values()))
    store = next(name for name, entry in hosts_of(inventory).items() if "object_store" in entry["groups"])
    fill(first)
    begun, had, gone = time.time(), [], []
    for number in range(4):
        time.sleep(max(0, begun + number * (SLOT + 5) - time.time()))
        partial = number == 1
        if partial:
            api.well(first, "PUT", "/%s?wait_for_active_shards=0" % BROKEN, {"settings": {"index.routing.allocation.require._name": "nobody"}})
        more = {"opensearch_backup_indices": [INDEX, BROKEN], "opensearch_backup_allow_partial": True, "opensearch_backup_prove_every": 10 ** 9}
        status, text = slot(inventory, "opensearch-retention-%d" % number, **(more if partial else {}))
        if partial:
            api.well(first, "DELETE", "/" + BROKEN)
        now = series(first)
        left = [one for one in had if one not in now]
        gone += left
        if status or not now or now[-1] in had:
            raise NotProved("run %d of the series ended with %d, and the series is %s: %s" % (number, status, now, text[-1200:]))
        newer = [state for _name, state in now].count("SUCCESS")
        if left and newer < KEEP:
            raise NotProved("%s went, and %s is left" % (left, now))
        had = now
    if not gone or not any(state == "PARTIAL" for _name, state in gone + had):
        raise NotProved("of the series nothing went (%s), or none of it was PARTIAL: %s" % (gone, had))
    twice = [slot(inventory, "opensearch-retention-twice-%d" % number, opensearch_backup_dry_run=True)[0] for number in range(2)]
    after = series(first)
    if any(twice) or len(after) > len(had) + 2:
        raise NotProved("two runs in a slot ended with %s and left %s, before %s" % (twice, after, had))
    stopped = damaged_proof(inventory, first, store)
    say("opensearch-retention: %d snapshots of a series, one of them PARTIAL; %s went, each with %d newer ones proved; %s" % (
        len(gone) + len(had), ", ".join("%s (%s)" % one for one in gone), KEEP, stopped))


def damaged_proof(inventory, first, store):
    """A snapshot whose proof fails: nothing is deleted from then on, and it says why. :returns: a sentence."""
    fill(first)
    begun = time.time()
    time.sleep(SLOT)
    before = series(first)
    status, text = slot(inventory, "opensearch-retention-whole", opensearch_backup_dry_run=True, opensearch_backup_prove_every=10 ** 9)
    taken = [one for one in series(first) if one not in before]
    if status or not taken:
        raise NotProved("no snapshot to be damaged: %s, %s: %s" % (status, taken, text[-800:]))
    blob = blob_of(store, INDEX, begun)
    on(store, "sudo", "dd", "if=/dev/zero", "of=" + blob, "bs=1024", "seek=8", "count=4", "conv=notrunc")
    held = series(first)
    status, text = slot(inventory, "opensearch-retention-damaged", opensearch_backup_slot=86400)
    if not status or [one for one in held if one not in series(first)]:
        raise NotProved("with a damaged blob the run ended with %d, and the series is %s, before %s: %s" % (status, series(first), held, text[-1200:]))
    said = text[text.rfind("[ERROR]"):][:260] if "[ERROR]" in text else "without an error"
    later, text = slot(inventory, "opensearch-retention-stopped", opensearch_backup_prove_every=10 ** 9)
    if "could not be restored in its proof" not in text or [one for one in held if one not in series(first)]:
        raise NotProved("after a failed proof it ended with %d and does not say that nothing is deleted; the series is %s: %s" % (
            later, series(first), text[-1500:]))
    return "a damaged blob: the proof failed (%s), and nothing was deleted by it or after it" % said
