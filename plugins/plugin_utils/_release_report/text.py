# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout in a few lines. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

import time

from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.progress import spoken

HEADLINES = {"promoted": "Released", "rolled_back": "Rolled back", "under way": "Under way", "going back": "Going back", "paused": "Paused",
             "unknown": "Not known"}
COLOURS = {"promoted": "pass", "rolled_back": "fail", "going back": "fail", "unknown": "skipped"}


def clock(at):
    """:returns: a moment in words, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def headline(data):
    """:returns: what has become of it, in one sentence that says who has the traffic."""
    weight = data["weights_now"].get(data["candidate"], 0)
    if data["result"] == "promoted":
        return "%s took over all of the traffic of %s from %s." % (data["candidate"], data["service"], data["stable"])
    if data["result"] == "rolled_back":
        return "%s has all of the traffic of %s again; %s was taken back." % (data["stable"], data["service"], data["candidate"])
    return "%s has %d %% of the traffic of %s, %s the rest." % (data["candidate"], weight, data["service"], data["stable"])


def holder(lock):
    """:returns: who drives, in words."""
    if not lock or not lock.get("holder"):
        return "nobody drives"
    return "%s drives, renewed %s" % (lock["holder"], lock["renewed"][:19]) if lock["held"] else "nobody drives: the lock of %s is over" % lock["holder"]


def lines(data):
    """:returns: the status as lines."""
    names = tuple(data[name] for name in ("number", "service", "stable", "candidate", "strategy"))
    found = ["rollout %d of %s, %s to %s by %s: %s" % (names + (HEADLINES[data["result"]].lower(),))]
    found.append("  " + headline(data))
    found += ["  " + data["line"]] if data["line"] else []
    found += ["  why: " + data["why"]] if data["why"] else []
    found += ["  %s: %s after %d looks: %s" % (step["gate"], step["verdict"], step["looks"], step["why"]) for step in data["steps"]]
    found.append("  %s to %s UTC, %s; %s" % (clock(data["began"]), clock(data["until"]), spoken(max(0, data["until"] - data["began"])), holder(data["lock"])))
    return found


def history(entries):
    """:returns: a history as lines."""
    return ["%s  %s: %s%s" % (entry["when"], entry["who"], entry["what"], " (%s)" % entry["why"] if entry.get("why") else "") for entry in entries]
