# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts noted themselves while a fault was watched: elections, moves of the virtual address, servers in and out of service.

It judges nothing. It is what a person asks for first when a promise was broken.
"""
from __future__ import annotations

import re
from collections import namedtuple

Note = namedtuple("Note", ("moment", "host", "text"))

UNITS = {"etcd": ("etcd",), "load_balancers": ("keepalived", "ironrack-balancer-health")}
# What counts of their lines; the first group is the text.
TELLING = (
    re.compile(r'"msg":"([^"]*(?:elected leader|lost leader|became leader|took too long, leader is overloaded)[^"]*)'),
    re.compile(r"(\(\w+\) (?:Entering \w+ STATE|Received advert .*))"),
    re.compile(r"(\S+ is (?:not )?ready.*|in service: .*|.*nginx -t.*|NGINX .*)", re.IGNORECASE),
)


def parse(host, text):
    """The notes in the output of ``journalctl --output=short-unix``.

    :returns: list of :class:`Note`, moments in seconds since the epoch.
    """
    found = []
    for line in text.splitlines():
        moment, _host, _process, message = (line.split(" ", 3) + [""] * 3)[:4]
        matches = [match for match in (pattern.search(message) for pattern in TELLING) if match]
        if matches and re.fullmatch(r"\d+\.\d+", moment):
            found.append(Note(float(moment), host, matches[0].group(1)))
    return found


def gather(lab, since, without=()):
    """Ask the hosts that were there all the time.

    :param lab: :class:`tests.faults.hosts.Lab`.
    :param since: seconds since the epoch.
    :returns: list of :class:`Note` in the order in which they happened; what a host does not tell is left out.
    """
    found = []
    for group, units in UNITS.items():
        for host in lab.group(group):
            if host not in without:
                words = ["sudo", "journalctl", "--no-pager", "--output=short-unix", "--since=@%d" % since]
                found += parse(host, lab.ssh(host, words + ["--unit=%s" % unit for unit in units], timeout=30)[1])
    return sorted(found)
