# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenSearch node of this host: see what there is, let decide() decide, and do it so that a kill at any point leaves what a re-run finishes.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import os
import socket

from .._common.errors import IronrackError
from .._common.fs import atomic_write
from .._common.waiting import WaitTimeout, wait_for
from .._systemd import client as systemd_client
from .._systemd.decide import Unit, watched_paths
from .._systemd.decide import decide as decide_unit
from .starting import ACTS, Observation, decide, first_start


def listens(address, port, timeout=1.0):
    """:returns: whether something takes connections there."""
    try:
        socket.create_connection((address, port), timeout).close()
    except OSError:
        return False
    return True


class LocalNode:
    """One node.

    :param params: the module's parameters.
    :param systemd: a Systemd.
    :param check: only predict.
    :param probe: says whether something listens at an address and a port.
    """

    def __init__(self, params, systemd, check=False, probe=listens):
        self._params = params
        self._systemd = systemd
        self._check = check
        self._probe = probe
        self._unit = Unit(params["unit"], "started", True, params["watch"], [], [], True)
        self._shown = {}
        self._disk = {}

    def converge(self):
        """:returns: the module's result.

        :raises IronrackError: where the node must not be started, or does not get to where it listens.
        """
        seen, verdict = self._observe()
        decision = decide(seen)
        if decision.action == "refuse":
            raise IronrackError("OpenSearch on %s was left as it is: %s" % (seen.name, decision.reasons[0]), action="refuse", formed=seen.formed)
        acts, waits = decision.action in ACTS, decision.action in ("agree", "wait")
        enables = verdict.enable is True and not waits
        if not self._check:
            if enables:
                self._systemd.enable(self._unit.name, True)
            if acts:
                self._act(decision.action)
            if acts or decision.action == "none":
                self._remember()
        return {
            "changed": acts or enables, "action": decision.action, "reasons": decision.reasons + ["to be enabled at boot"] * enables,
            "formed": seen.formed, "agreement_needed": decision.action == "agree", "restart_needed": decision.action == "wait",
            "before": {"state": seen.state}, "after": {"state": "active" if acts else seen.state}}

    def _observe(self):
        params = self._params
        self._shown = self._show(reload=not self._check)
        record = systemd_client.read_record(self._unit.name)
        paths = set(watched_paths(self._unit, self._shown)) | set((record or {}).get("watch", {}))
        self._disk = dict((path, systemd_client.look(path)) for path in paths)
        pending = frozenset(params["pending"]) if self._check else frozenset()
        started = self._systemd.started(self._shown)
        verdict = decide_unit(self._unit, self._shown, self._disk, record, started, pending)
        stale = list(verdict.reasons) if verdict.action == "restart" else []
        if params.get("since") and started < params["since"]:
            stale.append("it has run since before it was to be restarted")
        seen = Observation(
            params["name"], tuple(params["managers"]), self._shown.get("ActiveState", "inactive"),
            tuple(stale), os.path.exists(params["formed_file"]), params["known"], params["restart"])
        return seen, verdict

    def _show(self, reload=False):
        return systemd_client.show_one(self._systemd, self._unit.name, reload)

    def _act(self, action):
        if action == "found":
            atomic_write(self._params["first_start_file"], first_start(self._params["managers"]).encode("utf-8"), mode=0o644)
        elif action == "start" and os.path.exists(self._params["first_start_file"]):
            os.unlink(self._params["first_start_file"])  # of a run that was killed before there was a cluster, which there is now
        old = self._shown.get("InvocationID", "")
        self._systemd.queue("restart" if action == "restart" else "start", self._unit.name)
        try:
            wait_for(lambda: self._arrived(action, old), "OpenSearch on %s to listen on port %d" % (self._params["name"], self._params["port"]),
                     self._params["wait"])
        except WaitTimeout as error:
            raise IronrackError("%s. Mend what the last lines of its journal say, and make the same run again:\n%s" % (
                error, self._systemd.last_words(self._unit.name)), action=action)

    def _arrived(self, action, old):
        shown = self._show()
        state = "the unit is %s (%s)" % (shown.get("ActiveState"), shown.get("SubState", "?"))
        if action == "restart" and shown.get("InvocationID") in ("", old):
            return False, state + ", the old process"
        # systemd starts it anew after each failure; the first one says it all.
        if shown.get("ActiveState") == "failed" or shown.get("NRestarts", "0") not in ("", "0"):
            # Once systemd has started the next one, the status is no longer that of the one which failed.
            status = shown.get("ExecMainStatus", "")
            raise WaitTimeout("OpenSearch on %s did not start: its process ended%s" % (
                self._params["name"], " with status %s" % status if status not in ("", "0") else ""))
        return self._probe(self._params["address"], self._params["port"]), state + ", nothing listens yet"

    def _remember(self):
        systemd_client.remember(self._unit, self._show(), self._disk)
