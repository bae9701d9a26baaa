# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The share of the processors that a step has while it is a client itself.

Hosts are machines of their own and weigh more than what runs beside them: a client that gets what they leave measures itself. A playbook that is
run to its end beside it stays outside, where it was; one that drives a rollout under the clients comes along: its turns are timed, too.
"""
from __future__ import annotations

import os
from contextlib import contextmanager

#: Where this process stood before, while it stands among the hosts.
_before = []


@contextmanager
def among_hosts():
    """Give this process the share of a balancer for a while; inside of another one it changes nothing."""
    if _before:
        yield
        return
    # Not at the top: the unit tests of what imports this module know the lab by another name.
    from lab.machine import stand_among_hosts, stands

    _before.extend(stands())
    stand_among_hosts(os.getpid())
    try:
        yield
    finally:
        _move(os.getpid())
        _before.clear()


def outside(pid):
    """Have a process that was just started share the processors as this one did before; to be called before it starts others."""
    _move(pid)


def _move(pid):
    for processes in _before:
        try:
            processes.write_text("%d\n" % pid)
        except ProcessLookupError:
            pass  # it has ended by itself
