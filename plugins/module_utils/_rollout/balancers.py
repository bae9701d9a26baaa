# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each balancer says that its workers serve, and which of them no client reaches.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

from .._common.http import HttpClient, HttpError
from .._nginx.render import status_host

#: The port of NGINX's own pages.
PORT = 8080
#: Seconds for a page. A balancer that is cut off holds up a look for that long.
TIMEOUT = 3
#: Seconds that another balancer has to have heard nothing of one that is away.
SILENCE = 10
#: Seconds that the page of another balancer may be old.
FRESH = 10


class Balancers:
    """The pages of all balancers.

    :param addresses: name -> address.
    :param service: the service's name.
    :param port: of the pages.
    """

    def __init__(self, addresses, service, port=PORT):
        self._addresses, self._service, self._port = addresses, service, port
        self._http = HttpClient(timeout=TIMEOUT)

    def _get(self, name, path, headers=None):
        address = self._addresses[name]
        host = "[%s]" % address if ":" in address else address
        # A connection that is kept would stay with a worker of before a reload.
        return self._http.request("GET", "http://%s:%d%s" % (host, self._port, path), headers=dict(headers or {}, Connection="close"))

    def _all(self, ask, names):
        with ThreadPoolExecutor(max_workers=16) as pool:
            return dict(zip(names, pool.map(ask, names)))

    def statuses(self):
        """:returns: name -> what its running workers have of the service; {} where that is nothing, None where it did not answer."""
        def ask(name):
            try:
                answer = self._get(name, "/upstream.json", {"Host": status_host(self._service)})
                if answer.status != 200:
                    return {} if answer.status == 404 else None
                status = json.loads(answer.body)
                return status if isinstance(status, dict) and isinstance(status.get("generation"), int) else None
            except (HttpError, ValueError):
                return None
        return self._all(ask, sorted(self._addresses))

    def pages(self, names):
        """:returns: name -> what its guard of generations says, where that is there and new; None else."""
        def ask(name):
            try:
                answer = self._get(name, "/balancer-traffic.json")
                page = json.loads(answer.body) if answer.status == 200 and is_fresh(answer.headers) else None
                return page if isinstance(page, dict) else None
            except (HttpError, ValueError):
                return None
        return self._all(ask, sorted(names))

    def look(self):
        """:returns: (:meth:`statuses`, names of those that no client reaches)."""
        statuses = self.statuses()
        silent = [name for name, status in statuses.items() if status is None]
        answering = [name for name, status in statuses.items() if status is not None]
        return statuses, away(silent, self.pages(answering)) if silent and answering else set()


def is_fresh(headers):
    """:returns: whether a page was written just now, by the clock of its own host: a guard that died leaves its last word behind."""
    headers = {name.lower(): value for name, value in headers.items()}
    try:
        age = parsedate_to_datetime(headers["date"]) - parsedate_to_datetime(headers["last-modified"])
    except (KeyError, TypeError, ValueError):
        return False
    return age.total_seconds() <= FRESH


def away(silent, pages):
    """Which balancers no client reaches. What is not known is not away. Pure.

    :param silent: those that did not answer.
    :param pages: name of another one -> what it says of itself and of its peers, or None.
    :returns: names: of those that are silent for one that holds the virtual address, too.
    """
    holders = [page for page in pages.values() if page and page.get("holds_vip") is True]
    return {name for name in silent for page in holders if _silence(page, name) >= SILENCE}


def _silence(page, name):
    peer = (page.get("peers") or {}).get(name)
    seconds = peer.get("silent_seconds") if isinstance(peer, dict) else None
    return seconds if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) else 0


def observed(statuses, gone):
    """:returns: the balancers as an observation of the engine has them. Pure.

    :param gone: names of those that no client reaches.
    """
    return {name: dict({} if status is None else {"generation": status.get("generation", 0), "weights": dict(status.get("weights") or {})},
                       **({"away": True} if name in gone else {})) for name, status in statuses.items()}
