# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a fault to whoever is on call: the role's Prometheus notices, its Alertmanager tells a webhook on this machine."""
from __future__ import annotations

import time
import urllib.parse

from ...traffic.receiver import Receiver
from ..common import NotProved, hosts_of, say
from ..operate import lab, wait_ready
from . import service

#: Seconds: the rule waits for one minute; scrapes, evaluations and the group's wait come on top.
TOLD_WITHIN, OVER_WITHIN = 150, 240


def release_alert(inventory):
    """A worker's host loses its power: a message says so, none speaks of what stands on it, and another one says that it is over."""
    hosts = hosts_of(inventory)
    watching = next(name for name, one in hosts.items() if "monitoring" in one["groups"])
    worker = sorted(name for name, one in hosts.items() if "workers" in one["groups"])[-1]
    at = urllib.parse.urlsplit(service.variable(inventory, watching, "monitoring_channels")["webhook"]["url"])
    with Receiver(at.hostname, at.port) as receiver:
        def of(status):
            return next((one for one in receiver.told if (one.name, one.status, one.labels.get("host")) == ("HostDown", status, worker)), None)

        killed = time.time()
        lab(inventory, "kill", worker)
        try:
            told = service.until("a message about %s" % worker, TOLD_WITHIN, lambda: of("firing"))
        finally:
            lab(inventory, "start", worker)
        started = time.time()
        wait_ready(worker, 180)
        over = service.until("a message that %s is back" % worker, OVER_WITHIN, lambda: of("resolved"))
    # What began before is another story, and so is what a host tells of itself while it starts.
    others = [one for one in receiver.told if one.labels.get("host") == worker and one.name != "HostDown" and killed < one.began < started]
    service.keep("alert", {"told": [one._asdict() for one in receiver.told]})
    if others:
        raise NotProved("%s was told beside its host's end: %s" % (others[0].name, others))
    say("release-alert: %s lost its power, and %.0f s later the receiver %s was told by a webhook, of nothing else on that host; %.0f s after its start it was "
        "told that it is over" % (worker, told.at - killed, told.receiver, over.at - started))
