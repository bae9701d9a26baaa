# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes nodes of a cluster out of service, one after the other: a word in the cluster's own state, with an owner and an end.

It is a persistent setting of the kind that the engine leaves to its users, so that whoever is elected knows it, and no index has to serve for it. Between
two nodes of an operation a cluster looks as if nothing were going on: a snapshot that begins then would hold the operation up for as long as it takes.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
from collections import namedtuple
from datetime import timedelta

from .._common.errors import IronrackError
from . import moments

#: Source: ClusterService.USER_DEFINED_METADATA of the engine, "cluster.metadata.*".
SETTING = "cluster.metadata.ironrack_operation"
PATH = "/_cluster/settings"
#: operation: such as restart; who: is at work; until: when others may think that nobody is any more, an aware moment.
Hold = namedtuple("Hold", ("operation", "who", "until"))


def text(hold):
    """:returns: the value of the setting."""
    return json.dumps({"operation": hold.operation, "who": hold.who, "until": moments.text(hold.until)}, sort_keys=True)


def parse(value):
    """:returns: :class:`Hold`, or None where there is none. What nobody can read is none: it would hold up everything for ever."""
    try:
        found = json.loads(value or "null")
        return Hold(str(found["operation"]), str(found["who"]), moments.of_text(found["until"]))
    except (ValueError, KeyError, TypeError):
        return None


def value(client):
    """:returns: the setting as it is, or None."""
    answer = client.expect("GET", PATH, params={"flat_settings": True}, what="the question for its settings")
    return (answer.get("persistent") or {}).get(SETTING)


def under_way(client, now):
    """:returns: what is under way, in words; empty where nothing is."""
    hold = parse(value(client))
    if hold is None or hold.until <= now:
        return ""
    return "%s by %s is under way, until %s at the latest" % (hold.operation, hold.who, moments.text(hold.until))


def held_by_another(before, who, now):
    """:returns: whether somebody else may be at work. The same person goes on with what a run of theirs has left, whatever it was."""
    return before is not None and before.until > now and before.who != who


def wanted(before, operation, who, now, seconds, take_over=False):
    """:returns: the :class:`Hold` to write.

    :param before: the one that is there, or None. :param seconds: until others may think that nobody is at work.
    :raises IronrackError: where somebody else may be.
    """
    if held_by_another(before, who, now) and not take_over:
        raise IronrackError("%s by %s is under way, and may be until %s: wait for its end. Where it is certain that nobody is at work any more, say "
                            "opensearch_take_over=true" % (before.operation, before.who, moments.text(before.until)))
    return Hold(operation, who, moments.aware(now) + timedelta(seconds=seconds))
