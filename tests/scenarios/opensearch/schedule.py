# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSearch backs itself up: one snapshot a slot whoever is alive, and an alert where none can be taken."""
from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from urllib.parse import quote

from ..common import OUTPUT, NotProved, hosts_of, on, playbook, say
from ..operate import lab
from . import api, backup
from .adhoc import module

#: The schedule of the step: seconds of a slot, between two looks, and of age after which an alert fires.
PREFIX, SLOT, INTERVAL, ALERT = "often", 60, 10, 90
SCHEDULE = {"opensearch_backup_schedule": {"prefix": PREFIX, "slot": SLOT, "interval": INTERVAL, "alert_after": ALERT}}
#: Slots that are watched with all nodes, and without one; the engine and its timers have a slot to begin in.
WATCHED = 3
#: Seconds in which an alert comes, once its condition holds and its own wait is over; and in which it goes.
TOLD = 60
UNIT, OURS = "ironrack-opensearch-backup", "/etc/ironrack/opensearch"


class Prometheus:
    """The lab's, asked from outside."""

    def __init__(self, inventory):
        self._address = next(entry["address"] for entry in hosts_of(inventory).values() if "monitoring" in entry["groups"])
        word = (OUTPUT / "prometheus-password").read_text().strip()
        self._headers = {"Authorization": "Basic " + base64.b64encode(("ironrack:" + word).encode()).decode()}

    def ask(self, query):
        """:returns: (labels, number) of each series of an instant query."""
        connection = http.client.HTTPSConnection(self._address, 9090, timeout=10, context=ssl.create_default_context(cafile=OUTPUT / "prometheus-ca.crt"))
        try:
            connection.request("GET", "/api/v1/query?query=" + quote(query), headers=self._headers)
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def firing(self, name):
        """:returns: whether an alert fires."""
        return bool(self.ask('ALERTS{alertname="%s",alertstate="firing"}' % name))


def until(what, seconds, seen):
    """:returns: (what it saw, seconds that it took). :raises NotProved: where it is not seen in time."""
    begun = time.monotonic()
    while True:
        found = seen()
        if found:
            return found, time.monotonic() - begun
        if time.monotonic() - begun > seconds:
            raise NotProved("%s: not within %d s" % (what, seconds))
        time.sleep(1)


def taken(address):
    """:returns: slot (a number that counts slots) -> states of its snapshots, of the series."""
    found = {}
    for one in api.well(address, "GET", "/_snapshot/%s/%s-*" % (backup.REPOSITORY, PREFIX), timeout=60)["snapshots"]:
        moment = time.strptime(one["snapshot"].rsplit("-", 1)[1], "%Y%m%dt%H%Mz")
        found.setdefault(int(time.mktime(moment) - time.timezone) // SLOT, []).append(one["state"])
    return found


def slots(address, count):
    """Wait for whole slots to go by. :returns: the states of each slot's snapshots, once the last has had half a slot more."""
    first = int(time.time()) // SLOT + 1
    time.sleep(max(0, (first + count) * SLOT + SLOT / 2 - time.time()))
    found = taken(address)
    return {slot: found.get(slot, []) for slot in range(first, first + count)}


def whole(what, found):
    """:raises NotProved: where a slot has not one snapshot that is SUCCESS."""
    wrong = {slot: states for slot, states in found.items() if states != ["SUCCESS"]}
    if wrong or not found:
        raise NotProved("%s: one SUCCESS a slot was expected, and there are %s" % (what, found))


def rights(name, address):
    """What the certificates on a node open, asked there."""
    def status(user, method, path):
        return on(name, "sudo", "curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--request", method, "--cacert",
                  *("%s/%s/%s" % (OURS, user, word) if word.endswith((".crt", ".key")) else word
                    for word in ("ca.crt", "--cert", "client.crt", "--key", "client.key")),
                  "https://%s:%d%s" % (address, api.PORT, path))

    seen = {"metrics reads the health": status("metrics", "GET", "/_cluster/health"),
            "metrics reads no document": status("metrics", "GET", "/%s/_search" % backup.INDEX),
            "backup writes no document": status("backup", "DELETE", "/%s" % backup.INDEX),
            "backup changes no user": status("backup", "DELETE", "/_plugins/_security/api/internalusers/admin")}
    if list(seen.values()) != ["200", "403", "403", "403"]:
        raise NotProved("%s: what certificates open: %s" % (name, seen))


def opensearch_schedule(inventory):
    """Each slot gets one snapshot, also without a node; Prometheus knows its age and alerts while the store is gone; and the schedule can be taken away."""
    nodes, groups = api.nodes(inventory), hosts_of(inventory)
    first, store = next(iter(nodes.values())), next(name for name, entry in groups.items() if "object_store" in entry["groups"])
    backup.fill(first)
    words = ["-e", json.dumps(SCHEDULE)]
    seconds, _counts = playbook(inventory, "site", *words, record="opensearch-schedule")
    _seconds, counts = playbook(inventory, "site", *words, record="opensearch-schedule-again")
    if counts["changed"]:
        raise NotProved("the second run changed: %s" % counts["changed"])
    for name, address in nodes.items():
        rights(name, address)
    whole("with all nodes", slots(first, WATCHED))
    while_nodes_restart(nodes, first)
    looked = {name: on(name, "sudo", "journalctl", "--unit", UNIT, "--output", "cat").count('"snapshot": "%s-' % PREFIX) for name in nodes}
    if not all(looked.values()):
        raise NotProved("not every node looked: %s" % looked)
    prometheus = Prometheus(inventory)
    age = until("the age of the last backup in Prometheus", TOLD, lambda: prometheus.ask(
        'time() - max(ironrack_opensearch_backup_last_success_timestamp_seconds{series="%s"})' % PREFIX))[0][0][1]
    known = prometheus.ask('count(elasticsearch_cluster_health_status{color="green"} == 1)')
    if not 0 < age < 2 * SLOT or not known or known[0][1] != len(nodes):
        raise NotProved("the last backup is %.0f s old, and %s exporters call the cluster green" % (age, known))
    away = list(nodes)[-1]
    lab(inventory, "kill", away)
    try:
        without = slots(first, 2)
    finally:
        lab(inventory, "start", away)
    whole("with %s off" % away, without)
    api.well(first, "GET", "/_cluster/health?wait_for_status=green&wait_for_nodes=%d&timeout=120s" % len(nodes), timeout=150)
    fails, old, over = gone(store, prometheus)
    whole("after the store came back", slots(first, 1))
    playbook(inventory, "site", record="opensearch-unscheduled")
    for name in nodes:
        on(name, "sudo", "systemctl", "start", UNIT)
        left = on(name, "systemctl", "show", "--property", "ConditionResult", "--value", UNIT).strip()
        if left != "no":
            raise NotProved("%s still has a schedule" % name)
    say("opensearch-schedule: laid down in %.0f s, a second run changed nothing; one snapshot in each of %d slots of %d s, each node looked (%s); none in "
        "one in which somebody took out nodes, which each node said, and one in the next; in two more with %s off; Prometheus knew of one that was %.0f s "
        "old, and the exporters of %d green nodes; store gone: OpenSearchBackupFails after %.0f s, TooOld after %.0f s; both over %.0f s after its start; "
        "without the variable no node has a schedule" % (
            seconds, WATCHED, SLOT, ", ".join("%s %d times" % pair for pair in looked.items()), away, age, len(nodes), fails, old, over))


def while_nodes_restart(nodes, first):
    """Somebody says that nodes are taken out, one after the other: nothing is begun, although all of them are well; and it goes on when that is over."""
    said = {"operation": "restart", "who": "lab", "seconds": 10 * SLOT}
    module(nodes, "operation", said)
    try:
        held = slots(first, 1)
    finally:
        module(nodes, "operation", dict(said, state="absent"))
    if any(held.values()):
        raise NotProved("while nodes are taken out there are %s" % held)
    silent = [name for name in nodes if "restart by lab is under way" not in on(name, "sudo", "journalctl", "--unit", UNIT, "--output", "cat")]
    if silent:
        raise NotProved("%s did not say why nothing was begun" % ", ".join(silent))
    whole("after an operation", slots(first, 1))


def gone(store, prometheus):
    """The store is away. :returns: seconds until nobody could back up, until the last one was too old, and until both alerts were over."""
    on(store, "sudo", "systemctl", "stop", backup.UNIT)
    stopped = time.monotonic()
    try:
        # A look that was under way ends first, and S3's client tries for a while.
        until("OpenSearchBackupFails", 6 * INTERVAL + 2 * TOLD, lambda: prometheus.firing("OpenSearchBackupFails"))
        fails = time.monotonic() - stopped
        until("OpenSearchBackupTooOld", ALERT + 2 * TOLD, lambda: prometheus.firing("OpenSearchBackupTooOld"))
        old = time.monotonic() - stopped
    finally:
        on(store, "sudo", "systemctl", "start", backup.UNIT)
    _seen, over = until("both alerts to be over", SLOT + 3 * TOLD, lambda: not (
        prometheus.firing("OpenSearchBackupFails") or prometheus.firing("OpenSearchBackupTooOld")))
    return fails, old, over
