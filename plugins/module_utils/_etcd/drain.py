# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server beside a member stands aside while that member restarts: it uses no other one, so what it is asked meanwhile would hang.

New connections from other hosts are refused for that time, by a table of nftables of its own. A balancer that is refused goes on to the next
server within the same request. Connections that stand are left alone, and so is whoever asks on this host. The rule ends by itself, so that a
run which is killed leaves no host that refuses for ever.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import contextlib
import time

from .._common.waiting import wait_for

TABLE = "inet ironrack_drain"
#: Seconds for requests that have come already. Most take some milliseconds; watches never end, and are not waited for.
SETTLE = 2
#: Seconds for the API server to be connected to its member again: its client asks anew after up to some seconds.
READY_WAIT = 60
#: Seconds that the rule outlives the longest restart.
SLACK = 60

_RULES = """\
table {table}
delete table {table}
table {table} {{
  set refused {{
    type inet_service
    flags timeout
  }}
  chain input {{
    type filter hook input priority -10; policy accept;
    iif lo accept
    ct state established,related accept
    tcp dport @refused reject with tcp reset
  }}
}}
add element {table} refused {{ {port} timeout {seconds}s }}
"""


class Drain:
    """The API server of this host.

    :param cli: a Cli.
    :param server: {name, address, port} of the API server, and ``others``: such of all others.
    :param ready: says whether the API server at an address and port is ready, and what it said.
    :param guard_wait: seconds that the others may take to be ready.
    :param restart_wait: seconds that the restart may take.
    """

    def __init__(self, cli, server, ready, guard_wait, restart_wait, sleep=time.sleep):
        self._cli = cli
        self._server = server
        self._ready = ready
        self._guard_wait = guard_wait
        self._restart_wait = restart_wait
        self._sleep = sleep

    def clear(self):
        """Let everybody in again whom a run that was killed has left refused. A host without such a rule, or without nftables, has nothing to clear."""
        self._cli.run(["nft", "delete", "table"] + TABLE.split(), ok=range(0, 256))

    @contextlib.contextmanager
    def aside(self):
        """Have nobody new come in; at the end, wait until the API server is ready again.

        One that is not ready now gets no requests anyway: then nothing is done.

        :raises WaitTimeout: where another API server is not ready, which had to answer meanwhile; or this one does not become so again.
        :raises CommandError: where the host has no nftables.
        """
        if not self._is_ready(self._server)[0]:
            yield
            return
        wait_for(self._others_ready, "the other API servers to be ready", self._guard_wait, interval=1)
        self._cli.run(["nft", "-f", "-"], data=_RULES.format(
            table=TABLE, port=self._server["port"], seconds=self._restart_wait + READY_WAIT + SLACK),
            hint="The API server of this host cannot be kept free of requests while its etcd member restarts.")
        try:
            self._sleep(SETTLE)
            yield
            wait_for(lambda: self._is_ready(self._server), "the API server of this host to be ready again", READY_WAIT)
        finally:
            self._cli.run(["nft", "delete", "table"] + TABLE.split())

    def _is_ready(self, server):
        return self._ready(server["address"], server["port"])

    def _others_ready(self):
        wrong = ["%s: %s" % (server["name"], said) for server in self._server["others"] for ready, said in [self._is_ready(server)] if not ready]
        return not wrong, "; ".join(wrong)


class Nobody:
    """No API server stands beside the member, or no other one could answer meanwhile."""

    def clear(self):
        """Do nothing."""

    @contextlib.contextmanager
    def aside(self):
        """Do nothing."""
        yield


def drain_of(cli, server, ready, guard_wait, restart_wait):
    """:returns: :class:`Drain`, or :class:`Nobody` where there is no server or no other one."""
    return Drain(cli, server, ready, guard_wait, restart_wait) if server and server["others"] else Nobody()
