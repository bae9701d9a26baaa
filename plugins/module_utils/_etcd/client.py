# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcdctl, and what it prints. Health is a linearizable read: a member that only accepts connections is no healthy one.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import os
from collections import namedtuple

from .._common.cli import CommandError
from .._common.errors import IronrackError
from .decide import Member

#: The cluster's list. cluster_id: hex.
Listing = namedtuple("Listing", ("cluster_id", "raft_term", "members"))

HINT = "Look at `journalctl -u etcd` on the host that is named."


class EtcdCtl:
    """Asks etcd members, each endpoint with a bound.

    :param cli: the shared command client.
    :param ca, cert, key: PEM files.
    :param binary: path of etcdctl 3.6.
    :param dial, command: seconds for connecting and for one request.
    """

    def __init__(self, cli, ca, cert, key, binary="/usr/local/bin/etcdctl", dial=1, command=2):
        self._cli = cli
        self._files = (ca, cert, key)
        self._binary = binary
        self._limits = ["--dial-timeout=%gs" % dial, "--command-timeout=%gs" % command]

    def lacking(self):
        """:returns: the files that are needed to ask at all and are not there."""
        return [path for path in (self._binary,) + self._files if not os.path.exists(path)]

    def _argv(self, endpoints, words):
        ca, cert, key = self._files
        return [self._binary, "--endpoints=%s" % ",".join(endpoints), "--cacert=%s" % ca, "--cert=%s" % cert, "--key=%s" % key,
                "--write-out=json"] + self._limits + list(words)

    def _json(self, endpoints, *words):
        return self._cli.json(self._argv(endpoints, words), hint=HINT)

    def _each(self, endpoints, *words):
        """:returns: a list with an entry for each endpoint that has one to give; its exit status only says that not all are well."""
        done = self._cli.run(self._argv(endpoints, words), ok=(0, 1))
        line = done.stdout.strip() or "null"
        try:
            return json.loads(line) or [], done.stderr
        except ValueError:
            raise CommandError("etcdctl did not print JSON: %s" % line[:200], rc=done.rc, stdout=done.stdout, stderr=done.stderr)

    def members(self, endpoints):
        """:returns: the cluster's :class:`Listing`, by a linearizable read."""
        return parse_members(self._json(endpoints, "member", "list", "--consistency=l"))

    def health(self, endpoints):
        """:returns: {endpoint: ""} for each that answered a linearizable read, {endpoint: what went wrong} for the others."""
        if not endpoints:
            return {}
        found, stderr = self._each(endpoints, "endpoint", "health")
        return parse_health(endpoints, found, stderr)

    def status(self, endpoints):
        """:returns: {endpoint: parsed status} of those that answered."""
        if not endpoints:
            return {}
        return parse_status(self._each(endpoints, "endpoint", "status")[0])

    def alarms(self, endpoints):
        """:returns: [{"member_id", "alarm"}]."""
        return parse_alarms(self._json(endpoints, "alarm", "list"))

    def has(self, endpoints, prefix):
        """:returns: whether any key begins with ``prefix``."""
        return bool(self._json(endpoints, "get", prefix, "--prefix", "--keys-only", "--limit=1").get("kvs"))

    def add_learner(self, endpoints, name, peer_url):
        """Make room for a member that does not vote yet."""
        self._json(endpoints, "member", "add", name, "--learner", "--peer-urls=%s" % peer_url)

    def promote(self, endpoints, member_id):
        """Let a learner vote.

        :returns: "" where it votes now, what the cluster said where it has not caught up yet.
        """
        done = self._cli.run(self._argv(endpoints, ["member", "promote", member_id]), ok=(0, 1))
        if done.rc == 0 or "can only promote a learner member" in done.stderr and "sync" not in done.stderr:
            return ""
        return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "etcdctl ended with status %d" % done.rc

    def move_leader(self, endpoints, member_id):
        """Hand leadership over to a member."""
        self._json(endpoints, "move-leader", member_id)


def parse_members(answer):
    """:returns: the :class:`Listing` of ``member list -w json``."""
    header = answer.get("header", {})
    return Listing("%x" % header.get("cluster_id", 0), header.get("raft_term", 0), [
        Member("%x" % entry["ID"], entry.get("name", ""), tuple(entry.get("peerURLs") or ()), tuple(entry.get("clientURLs") or ()),
               bool(entry.get("isLearner"))) for entry in answer.get("members") or []])


def parse_health(endpoints, found, stderr=""):
    """Read ``endpoint health -w json``. It calls every member unhealthy while there is an alarm, although reads work: that is no
    reason to keep a member from the restart that may cure it, so only a corruption counts here; alarms are listed apart.
    """
    result = dict((endpoint, words(stderr) or "no answer") for endpoint in endpoints)
    for entry in found:
        error = entry.get("error", "")
        if entry.get("health") or error.startswith("Active Alarm") and "CORRUPT" not in error:
            result[entry["endpoint"]] = ""
        else:
            result[entry["endpoint"]] = error or "unhealthy"
    return result


def parse_status(found):
    """:returns: {endpoint: {...}} of ``endpoint status -w json``."""
    result = {}
    for entry in found:
        status = entry["Status"]
        header = status.get("header", {})
        result[entry["Endpoint"]] = {
            "id": "%x" % header.get("member_id", 0),
            "cluster_id": "%x" % header.get("cluster_id", 0),
            "leader": "%x" % status.get("leader", 0),
            "version": status.get("version", ""),
            "db_size": status.get("dbSize", 0),
            "db_size_in_use": status.get("dbSizeInUse", 0),
            "raft_term": status.get("raftTerm", 0),
            "learner": bool(status.get("isLearner")),
            "errors": status.get("errors") or [],
        }
    return result


def parse_alarms(answer):
    """:returns: [{"member_id", "alarm"}] of ``alarm list -w json``."""
    kinds = {0: "NONE", 1: "NOSPACE", 2: "CORRUPT"}
    return [{"member_id": "%x" % entry.get("memberID", 0), "alarm": kinds.get(entry.get("alarm", 0), str(entry.get("alarm")))}
            for entry in answer.get("alarms") or []]


def words(stderr):
    """:returns: the last line that a person can read of etcdctl's error output, which is a mixture of JSON logs and text."""
    lines = [line for line in stderr.splitlines() if line.strip() and not line.startswith("{")]
    return lines[-1].strip() if lines else ""


def has_log(data_dir):
    """:returns: whether a data folder holds a write-ahead log: without one etcd starts as a new member, whatever else lies there."""
    try:
        return any(name.endswith(".wal") for name in os.listdir(os.path.join(data_dir, "member", "wal")))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise IronrackError("the data folder %s cannot be read: %s" % (data_dir, error))


def has_history(data_dir):
    """:returns: whether a data folder shows that its member has worked in a cluster: a snapshot, a second log, or a database of some size.

    A member that was started and never found its quorum has one log and an empty database.
    """
    try:
        logs = [name for name in os.listdir(os.path.join(data_dir, "member", "wal")) if name.endswith(".wal")]
        snapshots = [name for name in os.listdir(os.path.join(data_dir, "member", "snap")) if name.endswith(".snap")]
        return len(logs) > 1 or bool(snapshots) or os.path.getsize(os.path.join(data_dir, "member", "snap", "db")) > 1 << 20
    except OSError:
        return False
