# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is asked of a step: little in the scenario `releases`, the goals of the README in `releases_long`."""
from __future__ import annotations

import os
from collections import namedtuple

#: requests, switches, streams: least numbers of them in `release-switches`. rate: requests a second, at most: all hosts share two cores with the clients.
#: undone: requests in `release-blue-green`, which goes there and back until they were asked. seconds: that a step under load may take.
#: share_requests: at each step of the good canary. soak: seconds of its steps, at least.
#: faults: the spoiled releases. kills: what a rollout is doing when it is killed, one run after the other; BETWEEN is between the two balancers.
Size = namedtuple("Size", "name requests undone switches streams rate seconds share_requests soak faults kills")

BETWEEN = "between the balancers"
FAULTS = ("errors", "slow", "hanging", "dying", "unready", "leaking")
INTENTS = ("deploy", "wait_ready", "warm_up", "add_upstream", "set_weight", BETWEEN, "gate", "promote", "keep", "remove_upstream", "scale_down", "delete")

SIZES = {
    "short": Size("short", 20000, 2000, 20, 50, 200, 420, 2000, 15, ("errors",), (BETWEEN, "gate", "remove_upstream")),
    "long": Size("long", 100000, 100000, 20, 50, 200, 1500, 20000, 30, FAULTS, INTENTS),
}
#: Keys of clients. A share is as exact as there are keys: docs/figures.md.
KEYS = 20000


def chosen(environ=None):
    """:returns: the :class:`Size` that IRONRACK_RELEASES names. :raises ValueError: where there is none of that name."""
    name = (os.environ if environ is None else environ).get("IRONRACK_RELEASES") or "short"
    if name not in SIZES:
        raise ValueError("IRONRACK_RELEASES is %r, expected one of %s" % (name, ", ".join(sorted(SIZES))))
    return SIZES[name]


def soak_for(requests, rate, least, most=240):
    """:returns: whole seconds in which so many requests come at a measured rate, with a fifth more for the moments of change.

    :raises ValueError: where no request came: nothing can be planned then.
    """
    if rate <= 0:
        raise ValueError("no request was answered: no step can be planned")
    return max(least, min(most, int(1.2 * requests / rate) + 1))
