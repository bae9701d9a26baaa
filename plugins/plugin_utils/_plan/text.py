# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as text for a terminal. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

import textwrap

from .words import count

WIDTH = 100
#: A fresh host has hundreds of paths; the number counts, the page and the JSON file have them all.
ITEMS_SHOWN = 6
NAMES_SHOWN = 12


def headline(data):
    """:returns: the plan in one sentence."""
    counts = data["counts"]
    if data["verdict"] == "nothing":
        return "nothing would change"
    told = "%s on %s, %s, %s" % (count(counts["changes"], "task") + " would change something", count(counts["hosts"], "host"),
                                 count(counts["restarts"], "restart"), count(counts["reloads"], "reload"))
    if data["verdict"] == "incomplete":
        told += "; NOT WHOLE: %s could not be looked at to the end" % count(counts["unknown"], "host")
    return told


def scope(data):
    """:returns: what the plan does not cover, as a sentence; "" where it covers everything."""
    if not data["limited"]:
        return ""
    return "This plan is for a part of the hosts (--limit): %s. Run site.yml with the same options." % names([one["name"] for one in data["hosts"]])


def groups(hosts):
    """Hosts for which the same is said stand together: a rack of a hundred workers is one paragraph.

    :returns: [(hosts, one of them)], and the names of those where nothing would change.
    """
    alike, still = {}, []
    for one in hosts:
        if not one["changes"] and not one["unknown"]:
            still.append(one["name"])
            continue
        said = repr(([(change["words"], change["items"], change["really"]) for change in one["changes"]], one["means"], one["roles"],
                     [(part["task"], part["why"]) for part in one["unknown"]]))
        alike.setdefault(said, []).append(one)
    return [(members, members[0]) for members in alike.values()], still


def names(of):
    """:returns: names in a line, the rest of many as a number."""
    return ", ".join(of) if len(of) <= NAMES_SHOWN else "%s and %d more" % (", ".join(of[:NAMES_SHOWN - 1]), len(of) - NAMES_SHOWN + 1)


def title(members, first):
    """:returns: the heading of a paragraph of hosts."""
    return "%s (%s)" % (names([one["name"] for one in members]), ", ".join(first["roles"]) or "no part of its own")


def unknown_words(part):
    """:returns: what is not known of a host, and why."""
    return "Not known from here on: '%s' failed: %s" % (part["task"], part["why"])


def change_words(change):
    """:returns: one change as a sentence."""
    # A role's name stands before that of its task: the sentence says enough without.
    words = "%s (%s)" % (change["words"], change["task"].rpartition(" : ")[2])
    if change["really"]:
        words = "REALLY DONE, because the task says check_mode: false: " + words
    return words


def lines(data):
    """:returns: the lines of the plan.

    :param data: see :func:`.collect.collect`.
    """
    told = ["", *_wrapped("Plan for %s, Kubernetes %s: %s." % (data["cluster"], data["kubernetes_version"], headline(data)), "", "  ")]
    told += _wrapped(scope(data), "", "") if scope(data) else []
    alike, still = groups(data["hosts"])
    for members, first in alike:
        told += ["", *_wrapped(title(members, first), "", "  ")]
        for change in first["changes"]:
            told += _change(change)
        for part in first["unknown"]:
            told += _wrapped(unknown_words(part), "  ! ", "    ")
        for sentence in first["means"]:
            told += _wrapped(sentence, "  > ", "    ")
    if data["shared"]:
        told += ["", "The cluster as a whole"]
        for change in data["shared"]:
            told += _change(change, " (on %s)" % change["where"])
    if still:
        told += ["", *_wrapped("Nothing would change on %s." % names(still), "", "  ")]
    for heading, sentences in (("Quorum", data["quorum"]), ("Traffic", data["traffic"]), ("Said on the way", data["warnings"])):
        if sentences:
            told += ["", heading]
            for sentence in sentences:
                told += _wrapped(sentence, "  - ", "    ")
    return told + [""]


def _change(change, where=""):
    told = _wrapped(change_words(change) + where, "  - ", "    ")
    for item in change["items"][:ITEMS_SHOWN]:
        told += _wrapped(item, "      ", "        ")
    if len(change["items"]) > ITEMS_SHOWN:
        told.append("      and %d more" % (len(change["items"]) - ITEMS_SHOWN))
    return told


def _wrapped(words, first, rest):
    # Paths are left whole: somebody copies them.
    return textwrap.wrap(words, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False)
