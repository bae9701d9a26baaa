# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has changed between two records, for a site's own tasks and for webhooks.

An event is told once, by whoever saw it happen. A run that is killed just then has told nobody; the history has all of them.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import os
from urllib.parse import urlsplit

from .._common.http import HttpClient, HttpError
from .._release.machine import BACK, FORWARD, PROMOTED
from .._release.plan import SET_WEIGHT

START, STEP, AFTER, TURNED, ROLLED_BACK, END, PAUSED = "start", "step", "promoted", "turned_back", "rolled_back", "end", "paused"
#: Seconds for one webhook: nobody watches the gate meanwhile.
TIMEOUT = 3


def between(before, after):
    """What has happened. Pure.

    :param before: the record as it was; None where there was none.
    :param after: the record as it is.
    :returns: list of {event, rollout, stable, candidate, weight, why}.
    """
    old, new = (before or {}).get("rollout"), after["rollout"]
    found = []
    if new and (not old or old["number"] != new["number"]):
        found.append(_event(START, after, new, new["why"]))
        old = dict(new, phase=FORWARD, position=0, promoted=False)
    if not old:
        return found
    ended = new is None
    forward = old["plan"][FORWARD] if ended else new["plan"][FORWARD]
    if old["phase"] == FORWARD:
        turned = after["last"]["result"] != PROMOTED if ended else new["phase"] == BACK
        reached = old["position"] if turned else len(forward) if ended else new["position"]
        for op in forward[old["position"]:reached]:
            if op["kind"] == SET_WEIGHT:
                found.append(_event(STEP, after, old, "", op["weight"]))
        if (ended and not turned or new and new["promoted"]) and not old["promoted"]:
            found.append(_event(AFTER, after, old, "", 100))
        if turned:
            found.append(_event(TURNED, after, new or old, after["last"]["why"] if ended else new["why"]))
    if ended:
        result = after["last"]["result"]
        found.append(_event(END if result == PROMOTED else ROLLED_BACK, after, old, after["last"]["why"]))
    return found


def _event(name, record, rollout, why, weight=None):
    plan = rollout["plan"]
    if weight is None:
        weight = record["traffic"]["weights"].get(plan["candidate"], 0)
    return {"event": name, "service": record["service"], "rollout": rollout["number"], "strategy": plan["strategy"], "stable": plan["stable"],
            "candidate": plan["candidate"], "weight": weight, "why": why}


def paused(record, why):
    """:returns: the event of a rollout that waits for a person. Pure."""
    return _event(PAUSED, record, record["rollout"], why)


def notify(webhooks, event, post=None):
    """Tell the webhooks.

    :param webhooks: of the description: url or url_file, ca_file.
    :param event: with where.
    :param post: called with (url, ca_file, body), returns the status.
    :returns: a sentence for each that could not be told. An address may be a secret, so its host alone is named.
    """
    problems = []
    for one in webhooks:
        host = "a webhook"
        try:
            url = one.get("url") or _content(one["url_file"])
            host = urlsplit(url).hostname or host
            status = (post or _post)(url, one.get("ca_file"), json.dumps(event, sort_keys=True).encode())
            if not 200 <= status < 300:
                problems.append("%s answered %d to the event %s" % (host, status, event["event"]))
        except (HttpError, OSError, ValueError) as error:
            # The text of the error names the address.
            problems.append("%s could not be told of the event %s: %s" % (host, event["event"], type(error).__name__))
    return problems


def _content(path):
    with open(os.path.expanduser(path), encoding="utf-8") as stream:
        return stream.read().strip()


def _post(url, ca_file, body):
    http = HttpClient(ca_file=os.path.expanduser(ca_file) if ca_file else None, timeout=TIMEOUT)
    return http.request("POST", url, body, {"Content-Type": "application/json"}).status
