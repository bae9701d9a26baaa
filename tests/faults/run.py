# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a host of the lab away, counts what that costs an open-loop client at the VIP, and waits for the host's return.

    python3 -m tests.faults.run --kubeconfig inventories/lab/artifacts/ironrack.kubeconfig --inventory inventories/lab \\
        --kind cut --target leader

Exit status: 0 all promises kept (or --measure), 1 one was broken, 2 the run says nothing.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import time

from lab.machine import stand_among_hosts

from . import notes, outcome
from .client import Api, Client, Credentials, OneByOne
from .hosts import ETCDCTL, Heartbeat, Lab, ReadyzWatch, RunnerError

BASELINE = 5        # seconds without a fault, in which nothing may fail
AFTERWARDS = 5      # seconds that the client goes on after the host is back
MOST_NOTES = 60
RETURN = 180        # seconds that a host has to come back by itself


def say(text):
    print("%s  %s" % (time.strftime("%H:%M:%S"), text), file=sys.stderr, flush=True)


def wait_until(condition, what, timeout=RETURN):
    """:returns: the seconds it took. :raises RunnerError: with what was seen last."""
    begun = time.monotonic()
    while True:
        done, seen = condition()
        if done:
            return time.monotonic() - begun
        if time.monotonic() - begun > timeout:
            raise RunnerError("waited %d s for %s; last seen: %s" % (timeout, what, seen))
        time.sleep(0.5)


class Return:
    """The conditions of a host's return, by what the host is."""

    def __init__(self, lab, host, api, watch, started):
        self._lab = lab
        self._host = host
        self._api = api
        self._watch = watch
        self._started = started

    def conditions(self):
        groups = self._lab.hosts[self._host]["groups"]
        if "load_balancers" in groups:
            yield "its NGINX serves", self._nginx_serves
            yield "its keepalived runs", self._keepalived_runs
        if "etcd" in groups:
            yield "its etcd member commits", self._etcd_commits
        if self._watch:
            yield "its API server is ready", lambda: (self._watch.last.ready, self._watch.last.text)
            for balancer in self._lab.group("load_balancers"):
                yield "%s sends to it" % balancer, lambda name=balancer: self._lab.balancer_serves(name, self._host)
        if groups & {"control_plane", "workers"}:
            yield "its node is Ready", self._node_ready

    def _nginx_serves(self):
        for plane in self._lab.group("control_plane"):
            done, seen = self._lab.balancer_serves(self._host, plane)
            if not done:
                return False, seen
        return True, "all"

    def _keepalived_runs(self):
        status, output = self._lab.ssh(self._host, ["systemctl", "is-active", "keepalived.service"])
        return status == 0, output.strip() or "no answer"

    def _etcd_commits(self):
        status, output = self._lab.ssh(self._host, ETCDCTL + ["endpoint", "health"])
        return status == 0, output.strip() or "not healthy"

    def _node_ready(self):
        """Ready, and said so by a kubelet that lives: the old verdict outlasts a short absence."""
        try:
            lease = self._api.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/%s" % self._host)
            node = self._api.get("/api/v1/nodes/%s" % self._host)
        except (OSError, ValueError) as error:
            return False, str(error)
        renewed = lease["spec"].get("renewTime", "")
        ready = [entry["status"] for entry in node["status"].get("conditions", []) if entry["type"] == "Ready"]
        since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self._started))
        return renewed > since and ready == ["True"], "Ready %s, lease renewed %s" % (ready, renewed or "never")


def reached_before_ready(lab, host, port, fault_end, samples):
    """The sessions that a balancer brought to an API server that was certainly not ready. :returns: (list, note)."""
    ready_at = outcome.unready_until(samples)
    if ready_at is None:
        raise RunnerError("%s was not seen to become ready: its return was not observed" % host)
    server = "%s:%d" % (lab.hosts[host]["address"], port)
    early, seen = [], 0
    for balancer in lab.group("load_balancers"):
        status, text = lab.ssh(balancer, ["sudo", "tail", "-n", "50000", "/var/log/nginx/api.log"], timeout=60)
        if status:
            raise RunnerError("the log of %s could not be read" % balancer)
        sessions = outcome.parse_sessions(text)
        seen += sum(1 for session in sessions if session.server == server and session.began >= ready_at)
        early += [(balancer, session) for session in outcome.routed_before_ready(sessions, server, fault_end, ready_at)]
    if not seen:
        raise RunnerError("no session reached %s after its return: nothing was tested" % server)
    return early, "%d sessions reached it once it was ready" % seen


def measure(options):
    """One fault from the baseline to the return. :returns: (report, requests)."""
    lab = Lab(options.inventory)
    credentials = Credentials(options.kubeconfig)
    api = Api(credentials, connect_timeout=options.connect_timeout, timeout=options.timeout)
    host, role = lab.choose(options.target, credentials.url.hostname)
    is_plane = "control_plane" in lab.hosts[host]["groups"]
    report = {"host": host, "role": role or "other", "kind": options.kind, "limits": None}
    say("%s of %s (%s)" % (options.kind, host, report["role"]))

    client = Client(api, options.read_interval, options.write_interval)
    client.prepare()
    others = [name for name in lab.group("control_plane") if name != host]
    control = Client(Api(credentials, host=lab.hosts[others[0]]["address"], port=options.api_port, timeout=options.timeout),
                     read_interval=outcome.CONTROL_INTERVAL, write_interval=None) if others else None
    singles = {kind: OneByOne(api, kind) for kind in ("read", "write")}
    client.start()
    for single in singles.values():
        single.start()
    if control:
        control.start()
    watch = None
    try:
        time.sleep(BASELINE)
        failed = [request for request in list(client.requests) if request.error]
        if failed:
            raise RunnerError("requests fail before the fault (%s): mend the cluster first" % failed[0].error)
        heartbeat = Heartbeat(lab.hosts[host]["address"])
        heartbeat.start()
        time.sleep(0.3)
        commanded = time.time()
        lab.command(options.kind, host)
        time.sleep(0.5)
        fault = heartbeat.stop()
        if options.kind == "kill":
            # The processes die some 50 ms before the network of the host does, which the heartbeat watches.
            fault = (commanded, fault[1])
        say("gone; watching for %g s" % options.seconds)
        time.sleep(max(0.0, fault[1] + options.seconds - time.time()))
        if options.kind == "cut":
            lab.command("kill", host)
        if is_plane:
            watch = ReadyzWatch(Api(credentials, host=lab.hosts[host]["address"], port=options.api_port, timeout=1.0))
            watch.start()
            time.sleep(1)
        started = time.time()
        lab.command("start", host, "--no-wait")
        say("started; waiting for it to come back by itself")
        report["return"] = {}
        for what, condition in Return(lab, host, api, watch, started).conditions():
            wait_until(condition, "%s: %s" % (host, what), max(1.0, RETURN - (time.time() - started)))
            report["return"][what] = round(time.time() - started, 1)
            say("%s (%.1f s after its start)" % (what, time.time() - started))
        time.sleep(AFTERWARDS)
    finally:
        client.stop()
        for single in singles.values():
            single.stop()
        if control:
            control.stop()
        samples = watch.stop() if watch else []

    client.tidy()
    report.update(outcome.summarise(client.requests, fault))
    report["one_by_one"] = outcome.one_by_one({kind: single.requests for kind, single in singles.items()}, fault)
    report["latest_send"] = round(client.latest, 3)
    report["stalled"] = outcome.stall(control.requests if control else [], fault)
    report["notes"] = [(round(note.moment - fault[1], 2), note.host, note.text) for note in notes.gather(lab, fault[0] - BASELINE, {host})]
    report["broken"] = []
    if role:
        report["limits"] = outcome.LIMITS[role]._asdict()
        report["broken"] += outcome.judge(report, outcome.LIMITS[role], report["stalled"])
    if is_plane:
        early, note = reached_before_ready(lab, host, options.api_port, fault[1], samples)
        report["before_ready"] = {"sessions": len(early), "note": note}
        report["broken"] += ["%s brought a session of %s to it before it was ready" % (balancer, session.client) for balancer, session in early[:10]]
    return report, client.requests


def show(report):
    rows = [("fault", "%s of %s (%s)" % (report["kind"], report["host"], report["role"]))]
    for kind in ("read", "write"):
        part = report[kind]
        rows.append((kind + "s", "%d sent, %d failed, %d in flight failed, longest gap %.3f s at the fault and %.3f s in all, slowest %.3f s" % (
            part["sent"], part["failed"], part["failed_in_flight"], part["gap_at_fault"], part["longest_gap"], part["slowest"])))
    rows += [("one by one", "%d %ss sent, %d failed, %d in flight failed" % (part["sent"], kind, part["failed"], part["failed_in_flight"]))
             for kind, part in report["one_by_one"].items()]
    rows += [("back after", "%.1f s: %s" % (seconds, what)) for what, seconds in report["return"].items()]
    if "before_ready" in report:
        rows.append(("before ready", "%(sessions)d sessions; %(note)s" % report["before_ready"]))
    rows.append(("sent late by", "at most %.3f s (the client's own fault)" % report["latest_send"]))
    rows.append(("stood still", "%.3f s at the fault, by reads of an API server that it did not touch" % report["stalled"]))
    for name, text in rows:
        print("%-14s%s" % (name, text))
    print(outcome.paragraph(report))
    if report["broken"]:
        for offset, host, text in report["notes"][:MOST_NOTES]:
            print("noted         %+.2f s %s: %s" % (offset, host, text))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--inventory", default="inventories/lab")
    parser.add_argument("--kind", choices=["kill", "cut"], default="kill", help="SIGKILL of the host, or all packets dropped and then SIGKILL")
    parser.add_argument("--target", default="follower", metavar="follower|leader|balancer|HOST")
    parser.add_argument("--seconds", type=float, default=30, help="how long the host stays away")
    parser.add_argument("--read-interval", type=float, default=0.1)
    parser.add_argument("--write-interval", type=float, default=0.25)
    parser.add_argument("--connect-timeout", type=float, default=0.5)
    parser.add_argument("--timeout", type=float, default=3.0)
    parser.add_argument("--api-port", type=int, default=6443, help="port of the API servers themselves")
    parser.add_argument("--measure", action="store_true", help="report without judging")
    parser.add_argument("--json", metavar="OUT")
    options = parser.parse_args(argv)
    # The lab's hosts weigh more than one process: a client that they starve would measure itself.
    stand_among_hosts(os.getpid())
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    try:
        report, requests = measure(options)
    except (RunnerError, OSError, ValueError) as error:
        print("inconclusive: %s" % error, file=sys.stderr)
        return 2
    if options.json:
        with open(options.json, "w") as stream:
            json.dump(dict(report, requests=[request._asdict() for request in requests]), stream, indent=1)
    show(report)
    for sentence in report["broken"]:
        print("%s: %s" % ("measured" if options.measure else "BROKEN", sentence))
    return 1 if report["broken"] and not options.measure else 0


if __name__ == "__main__":
    sys.exit(main())
