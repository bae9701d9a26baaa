# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Old indices go where a proved snapshot has them, and nothing else does; by the playbook, and by the schedule, whose user may delete no more."""
from __future__ import annotations

import json
import time

from ..common import NotProved, attempt, on, playbook, say
from . import api, schedule

#: A repository of its own: a failed proof in that of other steps stops all deletion.
REPOSITORY, FOLDER, SLOT = "lab-aging", "lab-aging", 120
#: And a series of its own each time: the snapshot that an earlier run has taken of this slot does not have the indices of this one.
PREFIX = "aging%d" % time.time()
ALIAS, KEPT, DOCUMENTS = "lab-logs", "lab-kept", 50
#: Seconds: when an index of the step is old, and how much later it goes.
OLD, TOLERANCE = 2, 1
RULES = {"opensearch_index_expiry": [{"pattern": ALIAS + "-*", "max_age": OLD}]}
STORE = {"opensearch_backup_repository": REPOSITORY, "opensearch_backup_base_path": FOLDER, "opensearch_backup_clock_tolerance": TOLERANCE}
SCHEDULE = dict(STORE, opensearch_backup_schedule={"prefix": PREFIX, "slot": SLOT, "interval": 10, "alert_after": 600}, opensearch_backup_prove_every=0)
TASK = "Old indices go"
TEXTFILE = "/var/lib/prometheus/node-exporter/ironrack_opensearch_backup.prom"


def name_of(number):
    """:returns: the name of an index of the step."""
    return "%s-%06d" % (ALIAS, number)


def make(address, *numbers):
    """Make indices of the alias with documents; the last of them takes its writes from then on. They are old when this is over."""
    for number in numbers:
        api.well(address, "PUT", "/" + name_of(number), {"settings": {"number_of_shards": 1, "number_of_replicas": 1}})
        lines = [line for one in range(DOCUMENTS) for line in (json.dumps({"index": {"_id": "%d-%d" % (number, one)}}), json.dumps({"number": one}))]
        if api.well(address, "POST", "/%s/_bulk?refresh=true" % name_of(number), "\n".join(lines) + "\n", timeout=60)["errors"]:
            raise NotProved("the documents of %s were not taken" % name_of(number))
        time.sleep(0.1)  # each has a moment of its own
    there = sorted(left(address))
    api.well(address, "POST", "/_aliases", {"actions": [
        {"add": {"index": one, "alias": ALIAS, "is_write_index": one == name_of(numbers[-1])}} for one in there]})
    time.sleep(OLD + TOLERANCE + 1)


def left(address):
    """:returns: names of the indices that fit the rule."""
    return {one["index"] for one in api.well(address, "GET", "/_cat/indices/%s-*?format=json" % ALIAS)}


def clear(address):
    """Take away what an earlier run of the step has left."""
    for name in sorted(left(address)) + [KEPT]:
        if api.ask(address, "DELETE", "/" + name).status not in (200, 404):
            raise NotProved("%s cannot be deleted" % name)


def run(inventory, record, *words, **more):
    """Back up and expire by the playbook. :returns: (what it says it expired, its whole output, whether the task of expiry changed anything)."""
    given = dict(dict(STORE, **RULES), opensearch_backup_prefix=PREFIX, opensearch_backup_slot=SLOT, **more)
    status, _seconds, counts, _followed, log = attempt(
        inventory, "opensearch_backup", "-e", json.dumps(given), *words, record=record, variables={"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"})
    text, word = " ".join(log.read_text().split()), '"expired": '
    if status or word not in text:
        raise NotProved("%s ended with %d: %s" % (record, status, text[-1500:]))
    expired = json.JSONDecoder().raw_decode(text[text.rindex(word) + len(word):])[0]
    return {one["index"] for one in expired}, text, any(TASK in task for _host, task in counts["changed"])


def hold(what, found, wanted):
    """:raises NotProved: where it is another."""
    if found != wanted:
        raise NotProved("%s: %s, and %s was expected" % (what, found, wanted))


def as_backup(name, address, method, path):
    """:returns: the status that the certificate of a node's schedule gets, asked there."""
    folder = "%s/backup/" % schedule.OURS
    return on(name, "sudo", "curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--request", method, "--cacert", folder + "ca.crt",
              "--cert", folder + "client.crt", "--key", folder + "client.key", "https://%s:%d%s" % (address, api.PORT, path))


def by_playbook(inventory, first):
    """:returns: seconds that the restore of an index took that had gone."""
    old = [name_of(number) for number in range(1, 5)]
    make(first, 1, 2, 3, 4)
    said, _text, _changed = run(inventory, "opensearch-expiry-dry", opensearch_backup_prove_every=0, opensearch_backup_indices=old,
                                opensearch_backup_dry_run=True)
    hold("a dry run says that these would go", said, set(old[:3]))
    hold("after it there are", left(first), set(old))
    make(first, 5, 6)
    later = {"opensearch_backup_prove_every": 10 ** 9, "opensearch_backup_indices": [name_of(6)]}
    said, _text, changed = run(inventory, "opensearch-expiry-check", "--check", **later)
    hold("a check run predicts a change, that these go, and leaves", (changed, said, left(first)), (True, set(old), set(old) | {name_of(5), name_of(6)}))
    said, text, changed = run(inventory, "opensearch-expiry", **later)
    hold("a run changes, says that these went, and leaves", (changed, said, left(first)), (True, set(old), {name_of(5), name_of(6)}))
    if "does not have it" not in text:
        raise NotProved("it does not say why %s stays: %s" % (name_of(5), text[-1500:]))
    said, _text, changed = run(inventory, "opensearch-expiry-again", **later)
    hold("a second run changes, says, and leaves", (changed, said, left(first)), (False, set(), {name_of(5), name_of(6)}))
    snapshot = next(one["snapshot"] for one in api.well(first, "GET", "/_snapshot/%s/%s-*" % (REPOSITORY, PREFIX), timeout=60)["snapshots"]
                    if old[0] in one["indices"])
    given = dict(STORE, opensearch_backup_snapshot=snapshot, opensearch_backup_indices=old[:1])
    seconds, _counts = playbook(inventory, "opensearch_restore", "-e", json.dumps(given), record="opensearch-expiry-restore")
    hold("documents of what had gone and was restored", api.well(first, "GET", "/%s/_count" % old[0])["count"], DOCUMENTS)
    for target in api.well(first, "GET", "/_alias/" + old[0]):
        api.well(first, "DELETE", "/" + target)
    return seconds


def by_schedule(inventory, nodes):
    """:returns: seconds until the schedule had deleted an index, counted from when it was laid down."""
    name, first = next(iter(nodes.items()))
    api.well(first, "PUT", "/" + KEPT, {"settings": {"number_of_shards": 1, "number_of_replicas": 1}})
    words = ["-e", json.dumps(dict(SCHEDULE, **RULES))]
    playbook(inventory, "site", *words, record="opensearch-expiry-site")
    begun = time.monotonic()
    _seconds, counts = playbook(inventory, "site", *words, record="opensearch-expiry-site-again")
    hold("a second run of site changes", counts["changed"], [])
    schedule.until("%s to go by the schedule" % name_of(5), 6 * SLOT, lambda: name_of(5) not in left(first))
    gone = time.monotonic() - begun
    hold("of the rule's indices the schedule leaves", left(first), {name_of(6)})
    # One that is not there: 404 is for whoever might delete it.
    hold("its user deletes one of the pattern, and another", [as_backup(name, first, "DELETE", "/" + one) for one in (ALIAS + "-none", KEPT)], ["404", "403"])
    journal = "".join(on(one, "sudo", "journalctl", "--unit", schedule.UNIT, "--output", "cat", "--lines", "400") for one in nodes)
    if '"expired": [{"index": "%s"' % name_of(5) not in journal:
        raise NotProved("no node's journal says that %s went" % name_of(5))
    schedule.until("the number of what is overdue", 60, lambda: any(
        line.startswith("ironrack_opensearch_backup_indices_overdue{") and line.endswith(" 0") for line in on(name, "sudo", "cat", TEXTFILE).splitlines()))
    playbook(inventory, "site", "-e", json.dumps(SCHEDULE), record="opensearch-expiry-without")
    hold("without rules its user deletes one of the pattern", as_backup(name, first, "DELETE", "/%s-none" % ALIAS), "403")
    playbook(inventory, "site", record="opensearch-expiry-unscheduled")
    return gone


def opensearch_expiry(inventory):
    """What is old goes where a proved snapshot has it; what is written to, or in none, stays and is named; the schedule's user may delete no more."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    clear(first)
    restored = by_playbook(inventory, first)
    gone = by_schedule(inventory, nodes)
    clear(first)
    api.well(first, "DELETE", "/_snapshot/" + REPOSITORY)
    say("opensearch-expiry: of four indices a dry run named the three that no write goes to; rolled over, a run deleted all four and nothing else, as a check "
        "run had said, kept one that no snapshot had and said so, and a second one changed nothing; one of them restored in %.0f s with its %d documents; the "
        "schedule deleted the fifth %.0f s after it was laid down, once a proved snapshot had it; its user gets 403 for an index of no rule, and for all "
        "without rules" % (restored, DOCUMENTS, gone))
