# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes may take no shards, and when they have none left. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.errors import IronrackError
from . import allocation

SETTING = "cluster.routing.allocation.exclude._name"
DATA = "data"


def names_in(settings):
    """:returns: the names that flat settings exclude, in their order."""
    return [name.strip() for name in settings.get(SETTING, "").split(",") if name.strip()]


def wanted(before, names, present):
    """:returns: the names to exclude: those that others have put there stay."""
    if present:
        return before + [name for name in dict.fromkeys(names) if name not in before]
    return [name for name in before if name not in names]


def refuse(before, names, after, roles):
    """Refuse an exclusion that would drain nothing, or that nothing could take the shards of.

    :param before: names that are excluded. :param after: those that are to be.
    :param roles: name -> roles of each node of the cluster.
    :raises IronrackError: with all the reasons.
    """
    # One that was excluded before and has left is a drain that an earlier run began, and its node is being replaced.
    problems = ["no node of the cluster is called %s; there are: %s" % (name, ", ".join(sorted(roles)))
                for name in names if name not in roles and name not in before]
    data = [name for name, its in roles.items() if DATA in its]
    if after != before and not any(name not in after for name in data):
        problems.append("no node that holds data would be left: add one first, or take one from those that are excluded")
    if problems:
        raise IronrackError("the nodes are not excluded:\n- %s" % "\n- ".join(problems), problems=problems)


def lost(shards):
    """:returns: primaries that are on no node: a node that left with them has not been drained."""
    return [one for one in allocation.unassigned(shards) if one.primary]


def is_empty(shards, names):
    """:returns: whether nodes hold no shard, and no primary got lost."""
    return not any(allocation.left_on(shards, names).values()) and not lost(shards)


def shown(shards, names):
    """:returns: what is left, in one line."""
    parts = ["%s holds %d" % (name, len(left)) for name, left in allocation.left_on(shards, names).items()]
    return "%s; primaries on no node: %d" % (", ".join(parts), len(lost(shards)))
