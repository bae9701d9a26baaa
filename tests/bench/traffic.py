# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many bytes went between the lab's hosts and through the machine's bridge, from the counters of the network devices."""
from __future__ import annotations

import os
from collections import namedtuple

#: Bytes. machine_to_hosts and hosts_to_machine passed the bridge's own device: ssh and the API. received is what all hosts together got, from the
#: machine and from each other: files and images of the mirror are in it.
Traffic = namedtuple("Traffic", ("machine_to_hosts", "hosts_to_machine", "received"))


def read(bridge, root="/sys/class/net"):
    """:returns: the counters now, as :class:`Traffic`.

    :raises OSError: where there is no such bridge.
    """
    ports = os.listdir(os.path.join(root, bridge, "brif"))
    # A port sends what its host receives.
    return Traffic(_counter(root, bridge, "tx"), _counter(root, bridge, "rx"), sum(_counter(root, port, "tx") for port in ports))


def _counter(root, device, way):
    with open(os.path.join(root, device, "statistics", way + "_bytes"), encoding="ascii") as stream:
        return int(stream.read())


def between(before, after):
    """:returns: MiB by name that went between two readings."""
    return {name + "_mib": round((now - then) / 2 ** 20, 1) for name, then, now in zip(Traffic._fields, before, after)}
