# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The member of this host: see what there is, let decide() decide, and do it so that a kill at any point leaves what a re-run finishes.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from .._common.cli import CommandError
from .._common.errors import IronrackError
from .._common.fs import atomic_write
from .._common.waiting import WaitTimeout, wait_for
from .._systemd import client as systemd_client
from .._systemd.decide import Unit, watched_paths
from .._systemd.decide import decide as decide_unit
from .client import has_history, has_log
from .decide import Observation, decide, find, initial_environment, join_guard, joined_pairs, quorum_guard


def listens(url, timeout=1.0):
    """:returns: whether something accepts connections at a URL: a quick way to leave out hosts that are not there."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port or 2379), timeout).close()
    except OSError:
        return False
    return True


class LocalMember:
    """One etcd member, and the cluster as it sees it.

    :param params: the module's parameters.
    :param etcd: an EtcdCtl.
    :param systemd: a Systemd.
    :param drain: keeps requests away from what needs this very member, see drain.py.
    :param check: only predict.
    :param probe: says whether something listens at a URL.
    """

    def __init__(self, params, etcd, systemd, drain, check=False, probe=listens):
        self._params = params
        self._etcd = etcd
        self._systemd = systemd
        self._drain = drain
        self._check = check
        self._probe = probe
        self._unit = Unit(params["unit"], "started", True, params["watch"], [], [], True)
        self._others = [member["client_url"] for member in params["members"] if member["name"] != params["name"]]
        self._shown = {}
        self._disk = {}
        self.warnings = []

    def converge(self):
        """:returns: the module's result.

        :raises IronrackError: where the member must not be touched, or did not get well in time.
        """
        seen, verdict = self._observe()
        decision = decide(seen)
        if decision.action == "refuse":
            raise IronrackError("etcd member %s: %s" % (seen.name, decision.reasons[0]), action="refuse", formed=True)
        acts = decision.action not in ("none", "agree")
        reasons = decision.reasons + ["to be enabled at boot"] * (verdict.enable is True and not decision.action == "agree")
        before = {"state": seen.state, "role": role(seen)}
        after = dict(before)
        if acts:
            after = {"state": "active", "role": "voter"}
        if not self._check:
            self._drain.clear()
            if verdict.enable is True and decision.action != "agree":
                self._systemd.enable(self._unit.name, True)
            if acts:
                getattr(self, "_" + decision.action)(seen, decision)
            elif decision.action == "none" and seen.state == "active":
                self._remember()
        return {
            "changed": acts or verdict.enable is True and decision.action != "agree", "action": decision.action, "reasons": reasons,
            "formed": seen.formed, "bootstrap_needed": decision.action == "agree", "member_id": decision.id, "before": before, "after": after,
        }

    # what there is -----------------------------------------------------------------------------------------------------------------

    def _observe(self):
        params = self._params
        self._shown = self._show(reload=not self._check)
        record = systemd_client.read_record(self._unit.name)
        paths = set(watched_paths(self._unit, self._shown)) | set((record or {}).get("watch", {}))
        self._disk = dict((path, systemd_client.look(path)) for path in paths)
        pending = frozenset(params["pending"]) if self._check else frozenset()
        verdict = decide_unit(self._unit, self._shown, self._disk, record, self._systemd.started(self._shown), pending)
        state = self._shown.get("ActiveState", "inactive")
        members, living = self._list(state)
        data = has_log(params["data_dir"])
        formed = os.path.exists(params["formed_file"]) or state == "active" or data and has_history(params["data_dir"])
        seen = Observation(
            params["name"], params["peer_url"], tuple(member["name"] for member in params["members"]), data, formed, state,
            tuple(verdict.reasons) if verdict.action == "restart" else (), members, living,
            None if params["unformed"] is None else tuple(params["unformed"]))
        return seen, verdict

    def _show(self, reload=False):
        return systemd_client.show_one(self._systemd, self._unit.name, reload)

    def _list(self, state):
        """:returns: (the list of the cluster that answers or None, whether something listens where the others should)."""
        lacking = self._etcd.lacking()
        if lacking and not self._check:
            raise IronrackError("etcd cannot be asked on this host: %s is not there. The tasks before this one put it there"
                                % " and ".join(lacking))
        if state == "active" and not lacking:
            try:
                return self._etcd.members([self._params["client_url"]]).members, None
            except IronrackError:
                pass  # a learner answers no such question, and one without quorum cannot
        open_endpoints = [url for url in self._others if self._probe(url)]
        if lacking:
            return None, bool(open_endpoints)
        healthy = [url for url, error in sorted(self._etcd.health(open_endpoints).items()) if not error]
        return (self._etcd.members(healthy).members if healthy else None), None

    # what is done ------------------------------------------------------------------------------------------------------------------

    def _start(self, seen, decision):
        self._systemd.queue("start", self._unit.name)
        me = find(seen)
        if me is not None and me.learner:
            self._promote(seen, decision)
        elif len(seen.model) == 1:
            self._wait_healthy()

    def _bootstrap(self, seen, decision):
        pairs = [(member["name"], member["peer_url"]) for member in self._params["members"]]
        self._write_initial(pairs, "new")
        self._start(seen, decision)

    def _join(self, seen, decision):
        if not decision.id:
            self._guard(join_guard, "a member can be added", everyone=False)
        members = self._wait(lambda: self._add(seen), "the cluster to take in %s" % seen.name)
        me = find(seen._replace(members=members))
        self._write_initial(joined_pairs(members, seen.name, seen.peer_url), "existing")
        self._systemd.queue("start", self._unit.name)
        if me.learner:
            self._promote(seen, decision._replace(id=me.id))
        else:
            self._wait_healthy()

    def _add(self, seen):
        """Have the cluster list this host, as a learner where it does not yet.

        etcd refuses while its members have known each other for less than five seconds ("unhealthy cluster"), and an answer can be lost
        although the member was added: so the list is read before each attempt.
        """
        endpoints = self._healthy_others()
        if not endpoints:
            return False, "no other member answers"
        try:
            members = self._etcd.members(endpoints).members
            if find(seen._replace(members=members)) is not None:
                return True, "", members
            self._etcd.add_learner(endpoints, seen.name, seen.peer_url)
        except CommandError as error:
            return False, error.details.get("stderr", str(error)).strip().splitlines()[-1:]
        return False, "added"

    def _promote(self, seen, decision):
        def condition():
            endpoints = self._healthy_others()
            if not endpoints:
                return False, "no other member answers"
            answer = self._etcd.promote(endpoints, decision.id)
            return not answer, "%s; the unit is %s" % (answer, self._show().get("ActiveState"))

        self._wait(condition, "the learner %s to be in sync and promoted" % seen.name)
        self._wait_healthy()

    def _restart(self, seen, decision):
        old = self._shown.get("InvocationID")
        if decision.guarded:
            if len(seen.members or ()) == 1:
                self.warnings.append("etcd has one member: the cluster does not answer while it restarts")
            self._guard(lambda listing, health: quorum_guard(listing, decision.id, health), "%s can be spared" % seen.name)
            with self._drain.aside():
                self._hand_over(decision.id)
                self._replace_process(old)
                self._wait_healthy()
        else:
            self._replace_process(old)
        self._remember()

    def _replace_process(self, old):
        self._systemd.queue("restart", self._unit.name)
        self._wait(lambda: (self._show().get("InvocationID") not in ("", old), "the old process"), "a new process of etcd")

    def _healthy_others(self):
        return [url for url, error in sorted(self._etcd.health(self._others).items()) if not error]

    def _guard(self, judge, what, everyone=True):
        """Wait for a guard to agree for a short while, as the member before may just have been restarted; then refuse."""
        own = [self._params["client_url"]] if everyone else []

        def condition():
            known = self._etcd.health(self._others + own)
            healthy = [url for url, error in sorted(known.items()) if not error]
            if not healthy:
                return False, "no member answers a linearizable read"
            listing = self._etcd.members(healthy[:1]).members
            unknown = [url for member in listing for url in member.client_urls[:1] if not set(member.client_urls) & set(known)]
            known.update(self._etcd.health(unknown))
            health = dict((member.id, min([known[url] for url in member.client_urls if url in known] or ["it was never started"]))
                          for member in listing)
            reasons = judge(listing, health)
            return not reasons, "; ".join(reasons)

        try:
            wait_for(condition, what, self._params["guard_wait"], interval=1)
        except WaitTimeout as error:
            raise IronrackError(
                "etcd on %s was left as it is, because a member is only touched while all the others are healthy: %s. Mend that first, "
                "then run this again" % (self._params["name"], error.details["last_seen"]), action="refuse", formed=True)

    def _hand_over(self, mine):
        """Give leadership away before the restart: a killed leader costs an election, a moved one some milliseconds."""
        status = self._etcd.status([self._params["client_url"]] + self._others)
        ids = sorted(entry["id"] for entry in status.values() if entry["id"] != mine and not entry["learner"])
        if ids and any(entry["leader"] == mine for entry in status.values()):
            self._etcd.move_leader([self._params["client_url"]], ids[0])

    def _write_initial(self, pairs, state):
        text = initial_environment(pairs, state, self._params["token"])
        atomic_write(self._params["initial_file"], text.encode("utf-8"), mode=0o644)

    def _wait_healthy(self):
        url = self._params["client_url"]

        def answers():
            error = self._etcd.health([url])[url]
            return not error, "%s; the unit is %s" % (error, self._show().get("ActiveState"))

        self._wait(answers, "etcd on %s to answer a linearizable read" % self._params["name"])

    def _wait(self, condition, what):
        try:
            return wait_for(condition, what, self._params["wait"])
        except WaitTimeout as error:
            raise IronrackError("%s. The last lines of its journal:\n%s" % (error, self._systemd.last_words(self._unit.name)))

    def _remember(self):
        systemd_client.remember(self._unit, self._show(), self._disk)


def role(seen):
    """:returns: what this host is in the cluster's list: voter, learner, absent, or unknown where nobody answered."""
    if seen.members is None:
        return "unknown"
    me = find(seen)
    return "absent" if me is None else "learner" if me.learner else "voter"
