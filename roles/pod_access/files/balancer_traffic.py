# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a balancer from serving weights that nobody wants any more.

It compares the generation that NGINX runs of each service with the rollout's record in the API and with the other balancers, decides by
traffic_decision, and closes the ports of services that are held by a table of nftables of its own: so clients go on to another balancer,
while NGINX runs as ever, and whoever brings it the newest generation finds it as always. Each source is asked by a thread of its own: one that is
silent delays nobody. What it knows is served by NGINX as /balancer-traffic.json on the health port.
"""
from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import traffic_decision as decision
import traffic_sources as sources
from daemon_tools import Api, notify, now, read_json, run, write_atomically

LOG = logging.getLogger("balancer-traffic")
TABLE = "ironrack_balancer_traffic"
# What NGINX said of itself counts for so long, in seconds.
OWN_WORD = 3.0


def ruleset(refused, waiting):
    """The nftables script that closes ports, and opens all others, in one transaction.

    Who comes anew is refused at once, so that it goes on to another balancer. Where the balancer was cut off, packets of connections that stood are dropped:
    they are sent again, and the connection lives on when it turns out that nothing has changed.
    """
    lines = ["add table inet %s" % TABLE, "delete table inet %s" % TABLE]
    if refused or waiting:
        lines += ["table inet %s {" % TABLE, "  chain input {", "    type filter hook input priority -10; policy accept;", "    iif lo accept"]
        if refused:
            lines.append("    tcp dport { %s } reject with tcp reset" % ", ".join(map(str, refused)))
        if waiting:
            ports = ", ".join(map(str, waiting))
            lines += ["    tcp dport { %s } tcp flags & (syn | ack) == syn reject with tcp reset" % ports, "    tcp dport { %s } drop" % ports]
        lines += ["  }", "}"]
    return "\n".join(lines) + "\n"


class Gate:
    """The table of nftables that closes ports.

    :param run: called with argv and the script, returns (status, output, errors).
    """

    def __init__(self, nft, run=run):
        self._nft, self._run = nft, run
        self._done, self._tried = None, 0.0
        self.error = ""

    def set(self, refused, waiting):
        """Have just these ports closed. What failed is tried again at the next call."""
        text = ruleset(refused, waiting)
        if text == self._done or self.error and now() - self._tried < 1.0:
            return
        self._tried = now()
        status, dummy, errors = self._run([self._nft, "-f", "-"], text)
        error = "" if status == 0 else "the ports to be closed, %s, are not: %s" % (", ".join(map(str, refused + waiting)) or "none", errors)
        if error and error != self.error:
            LOG.error("%s", error)
        self.error, self._done = error, None if error else text


class Guard:
    """What is remembered of each service, and what follows.

    :param limit: seconds of silence that mean something.
    :param unproved: seconds after which a service is served that nobody speaks against.
    :param state: what an earlier process of this boot has left, or None.
    :param started: when this process began.
    :param first: why all is held at first where there is no state: BOOT, or STOOD_STILL where NGINX already serves.
    """

    def __init__(self, limit, unproved, state, started, first=decision.BOOT):
        self._limit, self._unproved, self._started = limit, unproved, started
        self._first = first if state is None else ""
        self._last = started if state is None else state["clock"]
        self.memories = {name: decision.Memory(*memory) for name, memory in (state or {}).get("memories", {}).items()}

    def step(self, services, heard, moment):
        """Judge every service.

        :param services: name -> Service.
        :param heard: a :class:`Heard`.
        :returns: what the page shows of them.
        """
        stood_still, self._last = moment - self._last > self._limit, moment
        if stood_still:
            LOG.warning("this process stood still: what was heard before does not count")
        reach = heard.reach(moment, self._limit)
        shown, memories = {}, {}
        for name, service in sorted(services.items()):
            memory = self._memory(service, stood_still, moment)
            view = heard.view(service, memory, max(memory.since, self._started), moment, self._limit)
            after = decision.step(memory, view, reach, moment, self._unproved, heard.has_peers())
            words = decision.advice(after, view)
            if after.held != self.memories.get(name, decision.OPEN).held:
                LOG.warning("%s: %s", name, words)
            memories[name] = after
            current = decision.verdict(heard.view(service, decision.OPEN, self._started, moment, self._limit)._replace(patience=True, awaited=False))
            shown[name] = {
                "own": view.own, "record": heard.record(service, moment), "peers": heard.generations(service, moment), "why": after.held, "says": words,
                "current": {decision.CURRENT: True, decision.BEHIND: False}.get(current, "unknown"), "held": bool(after.held), "ports": list(service.ports)}
        self.memories, self._first = memories, ""
        return {"link": reach, "services": shown, "held": sorted(name for name, memory in memories.items() if memory.held)}

    def _memory(self, service, stood_still, moment):
        known = self.memories.get(service.name)
        if self._first:
            return decision.Memory(self._first, self._started, service.disk.generation, False)
        if stood_still:
            why = decision.OLD if known and known.held == decision.OLD else decision.STOOD_STILL
            return decision.Memory(why, moment, service.disk.generation, False)
        return known or decision.OPEN  # somebody has brought it just now

    def state(self, moment):
        """:returns: what a next process of this boot goes on from."""
        return {"clock": moment, "memories": {name: list(memory) for name, memory in self.memories.items()}}


class Heard:
    """What the sources have heard, put together for one service.

    :param own: the Source of this host's NGINX; api, witnesses likewise.
    :param peers: name -> Source.
    """

    def __init__(self, own, api, witnesses, peers):
        self._own, self._api, self._witnesses, self._peers = own, api, witnesses, peers

    def has_peers(self):
        """:returns: whether there are other balancers at all."""
        return bool(self._peers)

    def silence(self, moment):
        """:returns: seconds since the API or any other balancer answered."""
        return moment - max([self._api.answered] + [peer.answered for peer in self._peers.values()])

    def reach(self, moment, limit):
        """:returns: whom this balancer hears."""
        # Others are asked only when the API and the balancers are silent, so that less of their silence is enough.
        return decision.link(self.silence(moment), moment - self._witnesses.answered, limit, limit / 2)

    def record(self, service, moment, after=0.0, fresh=15.0):
        """:returns: what the API said of the record since ``after``, and not too long ago; None where it did not."""
        return self._api.heard(service.name, max(after, moment - fresh))

    def view(self, service, memory, after, moment, limit):
        """:returns: a View. Of a service that is held, or was without a word, only what was heard since counts.

        :param after: since when the sources have had time to answer.
        """
        since = memory.since if memory.held or memory.blind else 0.0
        record = self.record(service, moment, since)
        words = [peer.heard(service.name, max(since, moment - limit)) for peer in self._peers.values()]
        mine = self._mine(service, moment)
        had_time = moment - after >= limit
        return decision.View(
            own=mine.generation if mine else None, settled=bool(mine and mine.settled), record=None if record == sources.UNREADABLE else record,
            patience=had_time or record == sources.UNREADABLE, peers=tuple(word.generation if word else None for word in words if word is not None),
            awaited=not had_time and None in words)

    def _mine(self, service, moment):
        """:returns: the Traffic that NGINX runs, or will where it does not run; None where it runs nothing of it, or does not say."""
        word = self._own.heard(service.name, moment - OWN_WORD)
        if word is None and moment - self._own.refused < OWN_WORD:
            return service.disk
        return word or None

    def generations(self, service, moment):
        """:returns: name of a balancer -> generation that it runs, None where it runs nothing of it or does not say."""
        words = {name: peer.heard(service.name, moment - OWN_WORD) for name, peer in sorted(self._peers.items())}
        return {name: word.generation if word else None for name, word in words.items()}


class Fitness:
    """Whether other balancers could hold the virtual address: their page is new, and says that keepalived runs and nothing is held."""

    def __init__(self, limit):
        self._limit = limit
        self._beats = {}

    def look(self, name, page, moment):
        """:returns: {fit}, of a page as it was heard; None or empty where it was not."""
        beat = (page or {}).get("beat")
        known, when = self._beats.get(name, (None, 0.0))
        if beat is not None and beat != known:
            when = moment
            self._beats[name] = (beat, when)
        # A page that stands still is of a guard that died, or of a host.
        alive = beat is not None and moment - when < self._limit
        return {"fit": alive and page.get("held") == [] and page.get("keepalived") is True}


class Daemon:
    """Sources, guard, gate, and what is published."""

    def __init__(self, config):
        self.config = config
        for path in (config["state_file"], config["memory_file"], config["vip_flag"]):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        first = decision.STOOD_STILL if sources.listens(config["own_address"], config["health_port"], config["timeout"]) else decision.BOOT
        self.guard = Guard(config["silence"], config["unproved"], read_json(config["memory_file"]), now(), first)
        self.gate = Gate(config["nft"])
        self.fitness = Fitness(OWN_WORD)
        self._doubt, self._alone = True, False
        self._beat, self._published = int(time.time()), (0.0, None)
        self._make_sources(config["interval"], config["timeout"])

    def _make_sources(self, interval, timeout):
        config = self.config
        api = Api(config["servers"], (config["ca"], config["cert"], config["key"]), timeout)
        # The record may be large: without a doubt it is read now and then.
        self.api = sources.Source("api", sources.ask_api(api), lambda: interval if self._doubt or not config["peers"] else 5 * interval)
        self.peers = {name: sources.Source(name, sources.ask_balancer(address, config["health_port"], timeout), lambda: interval)
                      for name, address in config["peers"].items()}
        self.own = sources.Source("own", sources.ask_balancer(config["own_address"], config["health_port"], timeout),
                                  lambda: interval / 4 if self._doubt else interval)
        others = [(address, config["witness_port"]) for address in config["witnesses"]]
        self.witnesses = sources.Source("witnesses", sources.ask_witnesses(others, timeout, lambda: self._alone), lambda: interval / 2)
        self.host = sources.Source("host", sources.ask_host(config["vip"], config["ip"], config["keepalived"]), lambda: interval)
        self.sources = [self.api, self.own, self.witnesses, self.host] + list(self.peers.values())
        self.heard = Heard(self.own, self.api, self.witnesses, self.peers)

    def step(self):
        """Judge, close or open, publish. :returns: whether nothing is held."""
        config, moment = self.config, now()
        services = sources.read_services(config["folder"], config["domain"], config["health_port"])
        for source in self.sources:
            source.services = services
        seen = self.guard.step(services, self.heard, moment)
        self.gate.set(*decision.ports_to_close((memory, services[name].ports) for name, memory in self.guard.memories.items()))
        self._alone = self.heard.silence(moment) > 2 * config["interval"]
        self._doubt = bool(seen["held"]) or self._alone
        pages = [self.fitness.look(name, peer.heard("page", moment - OWN_WORD), moment) for name, peer in self.peers.items()]
        away = decision.keeps_address_away(seen["held"], seen["link"], pages)
        self._flag(away)
        self._publish(dict(
            seen, holds_vip=self.host.heard("vip", 0.0), keepalived=self.host.heard("keepalived", 0.0), keeps_vip_away=away, gate_error=self.gate.error,
            peers={name: self._silence(peer, moment) for name, peer in sorted(self.peers.items())}, api=self._silence(self.api, moment)), moment)
        return not seen["held"]

    @staticmethod
    def _silence(source, moment):
        return {"silent_seconds": round(moment - source.answered, 1), "error": source.error}

    def _flag(self, away):
        """keepalived's script looks whether this file is there."""
        there = os.path.exists(self.config["vip_flag"])
        if away and not there:
            write_atomically(self.config["vip_flag"], "")
            LOG.warning("the virtual address is left to another balancer")
        elif there and not away:
            os.unlink(self.config["vip_flag"])
            LOG.warning("this balancer may have the virtual address")

    def _publish(self, page, moment):
        """Once a second, and whenever something changed."""
        told = {name: (one["held"], one["current"], one["own"], one["record"]) for name, one in page["services"].items()}, page["keeps_vip_away"]
        when, before = self._published
        if told == before and moment - when < self.config["interval"]:
            return
        self._published = (moment, told)
        self._beat += 1
        write_atomically(self.config["memory_file"], json.dumps(self.guard.state(moment)), 0o600)
        write_atomically(self.config["state_file"], json.dumps(dict(page, beat=self._beat), indent=1, sort_keys=True) + "\n")

    def serve(self, ended=lambda: False):
        """Run.

        :param ended: whether to end, asked before each round.
        """
        started, ready = now(), False
        # Before NGINX starts, and before anybody was asked, all of what it would serve is closed.
        self.step()
        for source in self.sources:
            source.start()
        try:
            while not ended():
                time.sleep(self.config["tick"])
                if not all(source.is_alive() for source in self.sources):
                    raise SystemExit("a source has died")  # of a bug, with a stale word: let systemd start anew
                settled = self.step()
                if not ready and (settled or now() - started > self.config["first_round"]):
                    ready = True
                    notify("READY=1")
                notify("WATCHDOG=1")
        finally:
            for source in self.sources:
                source.stopped.set()


def main(argv=None):
    """Read the configuration and serve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help="JSON file, written by the role pod_access")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    with open(arguments.config) as stream:
        Daemon(json.load(stream)).serve()


if __name__ == "__main__":
    main()
