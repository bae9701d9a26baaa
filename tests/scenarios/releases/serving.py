# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service is taken from its clients and given back: nobody answers, another provider does, the releases do again; with an API and without one."""
from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections import namedtuple

from ..common import OUTPUT, NotProved, hosts_of, on, playbook, say, send
from ..operate import lab
from . import service, verdicts
from .load import Load

REASON, SPARE, SPARE_PORT = "it answers in the wrong language", "spare", 8090
SPARE_CONFIG = """daemon off;
pid /run/spare/pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path /run/spare/body;
    proxy_temp_path /run/spare/proxy;
    fastcgi_temp_path /run/spare/fastcgi;
    uwsgi_temp_path /run/spare/uwsgi;
    scgi_temp_path /run/spare/scgi;
    server {
        listen %d;
        location / { return 200 "spare\\n"; }
    }
}
"""
#: Requests a second, and the least number of them that says anything.
RATE, LEAST = 50, 1000
WITHIN, AFTER = 60, 3
OFF = "HTTP 503"
#: What one request at a balancer's own address got.
Seen = namedtuple("Seen", "status retry_after release")


def seen(address, port):
    """:returns: :class:`Seen` of one request. :raises OSError: where no whole answer came."""
    connection = http.client.HTTPConnection(address, port, timeout=10)
    try:
        connection.request("GET", "/v1/models", headers={"Host": service.NAME, "X-Client-Key": "serving", "Connection": "close"})
        answer = connection.getresponse()
        answer.read()
        return Seen(answer.status, answer.getheader("Retry-After", ""), answer.getheader("X-Release", ""))
    except http.client.HTTPException as error:
        raise OSError("no answer: %s" % error) from error
    finally:
        connection.close()


def is_off(answer):
    """:returns: whether an answer says clearly that nobody answers, and when to come again."""
    return answer.status == 503 and answer.retry_after.isdigit() and int(answer.retry_after) > 0


def unlike_off(answers, times):
    """:returns: the requests that failed in some times by something else than a clear 503."""
    return [answer for answer in answers if answer.error and verdicts.within(answer, times) and answer.error != OFF]


class Spare:
    """Another provider, for as long as a block lasts: an NGINX on the mirror's host, which has nothing to do with the service."""

    def __init__(self, host, address):
        self._host, self._address, self._unit = host, address, "spare-provider"

    def __enter__(self):
        text = OUTPUT / "spare.conf"
        text.write_text(SPARE_CONFIG % SPARE_PORT)
        send(self._host, text, "spare.conf")
        folder = on(self._host, "pwd").strip()
        on(self._host, "sudo", "systemd-run", "--collect", "--unit", self._unit, "--property=RuntimeDirectory=spare", "/usr/local/sbin/nginx",
           "-e", "stderr", "-c", folder + "/spare.conf")
        service.until("an answer of the spare provider", 10, lambda: seen(self._address, SPARE_PORT).status == 200)
        return self

    def __exit__(self, kind, error, trace):
        try:
            on(self._host, "sudo", "systemctl", "stop", self._unit)
        except subprocess.CalledProcessError:
            # It has ended before: what went wrong in the block says more, where something did.
            if kind is None:
                raise
        on(self._host, "rm", "spare.conf")


def release_serving(inventory):
    """Off, on, to another provider and back, each twice; and off while no API answers, which is recorded later."""
    entries = hosts_of(inventory)
    mirror = next(name for name, entry in sorted(entries.items()) if "mirror" in entry["groups"])
    planes = sorted(name for name, entry in entries.items() if "control_plane" in entry["groups"])
    pool = [{"name": SPARE, "host": entries[mirror]["address"], "port": SPARE_PORT}]
    port, addresses, stable = service.described(inventory)["balancer"]["port"], service.balancers(inventory), service.stable()
    took, off, known = {}, [], len(service.entries(REASON))

    def run(name, record, **values):
        words = json.dumps(dict(values, rollout_service=service.NAME, rollout_reason=REASON), sort_keys=True)
        return playbook(inventory, name, "-e", words, record="release-serving-" + record)[1]

    def becomes(name, record, right, **values):
        """Run it, wait until each balancer answers so, and run it again."""
        begun = time.monotonic()
        run(name, record, **values)
        service.until("what %s promises, on each balancer" % record, WITHIN, lambda: all(right(seen(address, port)) for address in addresses.values()))
        took[record] = time.monotonic() - begun
        changed = run(name, record + "-again", **values)["changed"]
        if changed:
            raise NotProved("%s, run again, changed %s" % (record, changed))

    def is_stable(answer):
        return (answer.status, answer.release) == (200, stable)

    with Spare(mirror, entries[mirror]["address"]), Load(inventory, port, RATE) as load:
        load.warm()
        begun = time.time()
        becomes("llm_disable", "off", is_off, rollout_serve="nobody")
        noted = service.record()["serve"]
        becomes("llm_enable", "on", is_stable)
        off.append((begun, time.time()))
        becomes("llm_switch_provider", "to-" + SPARE, lambda answer: answer.status == 200 and answer.release != stable,
                rollout_provider=SPARE, lab_fallback=pool)
        becomes("llm_switch_provider", "to-own", is_stable, rollout_provider="own", lab_fallback=pool)
        begun = time.time()
        for plane in planes:
            lab(inventory, "kill", plane)
        try:
            silent = time.monotonic()
            run("llm_disable", "off-without-api", rollout_serve="nobody")
            service.until("503 on each balancer", WITHIN, lambda: all(is_off(seen(address, port)) for address in addresses.values()))
            took["off without an API"] = time.monotonic() - silent
            told = "NOT RECORDED YET" in (OUTPUT / "release-serving-off-without-api.log").read_text()
        finally:
            for plane in planes:
                lab(inventory, "start", plane)
        service.until("an answer of the API", 180, service.record)
        run("llm_disable", "off-recorded", rollout_serve="nobody")
        late = service.record()["serve"]
        recorded = "NOT RECORDED YET" not in (OUTPUT / "release-serving-off-recorded.log").read_text()
        becomes("llm_enable", "on-at-the-end", is_stable)
        off.append((begun, time.time()))
        time.sleep(AFTER)
    strange = unlike_off(load.answers, off)
    refused = sum(1 for answer in load.answers if answer.error == OFF)
    history = service.entries(REASON)[known:]
    service.keep("serving", {"requests": load.summary(), "seconds": took, "off": off, "noted": [noted, late]})
    service.proved([
        ["while it was off a request failed by something else than a 503: %s" % (strange[0],)] if strange else [],
        [] if refused else ["no client was told 503: nothing was off"],
        [] if told else ["the run without an API does not say that it is not recorded"],
        [] if recorded else ["with an API again the run says that it is not recorded"],
        ["the record says %s, expected nobody and the reason" % one for one in (noted, late) if one["mode"] != "nobody" or REASON not in one["why"]],
        [] if len(history) >= 6 else ["the history has %d entries with the reason, expected six" % len(history)],
        verdicts.failures(load.answers, LEAST, off), verdicts.clean(service.state(inventory), stable=stable)], "who answers")
    say("release-serving: %s; each changed=0 again; off is 503 with Retry-After at both balancers; off without an API was recorded when it was back; "
        "%d requests, %d of them 503 while it was off, else 0 failed" % (
            ", ".join("%s %.1f s" % pair for pair in took.items()), len(load.answers), refused))
