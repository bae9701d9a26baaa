# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the balancers cost between clients and pods, and how long switches and a detection take, on the running lab of inventories/lab-releases.

Clients run on the monitoring host, which has routes to the pods: the same program asks the pods by their addresses, then the balancers by theirs, in turns,
so that a busy minute of the machine meets both.
"""
from __future__ import annotations

import io
import json
import shlex
import subprocess
import tarfile
from pathlib import Path
from statistics import median

from .measure import ROOT, NotMeasured

#: What the counting client needs on a host. It is plain Python.
PARTS = ("lab/__init__.py", "lab/llm/__init__.py", "lab/llm/wire.py", "tests/faults/outcome.py", "tests/traffic/__main__.py", "tests/traffic/client.py",
         "tests/traffic/tally.py")
ROUNDS, SECONDS, SWITCHES = 3, 15, 10
#: (workers, pause in seconds) of the load at which latencies are compared, and of the one that is as fast as it goes.
CALM, FULL = (8, 0.08), (16, 0.0)
FOLDER = "release-bench"


def figures(counted):
    """:param counted: what :func:`tests.traffic.tally.summarise` gave of one round.

    :returns: p50 and p99 in seconds, requests per_second. :raises NotMeasured: where nothing was asked, or a request failed.
    """
    if not counted["sent"] or counted["failed"]:
        raise NotMeasured("%d of %d requests failed: %s" % (counted["failed"], counted["sent"], counted.get("errors")))
    if len(counted["seconds"]) != 1:
        raise NotMeasured("%s answered, and one release is to be measured" % (", ".join(sorted(counted["seconds"])) or "nobody"))
    took = next(iter(counted["seconds"].values()))
    return {"p50": took["p50"], "p99": took["p99"], "per_second": round(counted["sent"] / (counted["end"] - counted["start"]), 1)}


def middle(rounds):
    """:returns: the median of each figure."""
    return {name: median(one[name] for one in rounds) for name in rounds[0]}


class Client:
    """The counting client on a host of the lab.

    :param host: its name.
    :param ssh_config: of the lab.
    """

    def __init__(self, host, ssh_config):
        self._ssh = ["ssh", "-F", str(ssh_config), host]
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for part in PARTS:
                archive.add(Path(ROOT) / part, part)
        self._run("mkdir -p %s && tar -x -C %s -f -" % (FOLDER, FOLDER), packed.getvalue())

    def _run(self, command, data=None, limit=120):
        done = subprocess.run([*self._ssh, command], input=data, stdin=None if data is not None else subprocess.DEVNULL, capture_output=True, timeout=limit,
                              check=False)
        if done.returncode:
            raise NotMeasured("%s: %s" % (command[:200], (done.stdout + done.stderr).decode("utf-8", "replace")[-2000:]))
        return done.stdout.decode()

    def ask(self, urls, name, load):
        """:returns: :func:`figures` of one round.

        :param load: (workers, pause).
        """
        workers, pause = load
        words = ["python3", "-m", "tests.traffic", "--host", name, "--workers", str(workers), "--keys", "2000", "--pause", str(pause),
                 "--seconds", str(SECONDS), "--json", "out.json"]
        for url in urls:
            words += ["--url", url]
        reading = "import json; found = json.load(open('out.json'))['requests']; found.pop('failures'); print(json.dumps(found))"
        self._run("cd %s && %s" % (FOLDER, shlex.join(words)))
        return figures(json.loads(self._run("cd %s && %s" % (FOLDER, shlex.join(["python3", "-c", reading])))))

    def tidy(self):
        """Leave nothing on the host."""
        self._run("rm -r %s" % FOLDER)


def front(client, service, description, addresses):
    """:returns: ({"direct", "front"}): each p50, p99 and per_second, and ``asked``, at how many requests a second the latencies were measured."""
    pods = ["http://%s:%d" % (pod.status.pod_ip, description["pod"]["port"]) for pod in service.pods(service.stable()) if service.is_ready(pod)]
    if not pods:
        raise NotMeasured("no pod is ready")
    ways = {"direct": pods, "front": ["http://%s:%d" % (address, description["balancer"]["port"]) for address in addresses]}
    calm, full = ({way: [] for way in ways} for _load in (CALM, FULL))
    for _round in range(ROUNDS):
        for way, urls in ways.items():
            calm[way].append(client.ask(urls, service.NAME, CALM))
            full[way].append(client.ask(urls, service.NAME, FULL))
    found = {}
    for way in ways:
        slow = middle(calm[way])
        found[way] = {"p50": slow["p50"], "p99": slow["p99"], "asked": slow["per_second"], "per_second": middle(full[way])["per_second"]}
    return found


def measure_all(inventory):
    """:returns: what :func:`.report.verdicts` reads under C(releases). :raises NotMeasured: where the service does not stand."""
    # The scenarios' needs (a kubeconfig, a lab) are not those of the other parts.
    from ansible_collections.ironrack.cluster.tests.scenarios import common
    from ansible_collections.ironrack.cluster.tests.scenarios.releases import canary, load, service, size, switches, verdicts

    hosts = common.hosts_of(inventory)
    description = service.described(inventory)
    addresses = service.balancers(inventory)
    monitor = next(name for name, entry in sorted(hosts.items()) if "monitoring" in entry["groups"])
    client = Client(monitor, common.OUTPUT.parent / "ssh_config")
    try:
        found = front(client, service, description, addresses.values())
    finally:
        client.tidy()
    try:
        both = switches.Both(inventory, description)
        both.deploy()
        both.split(0)
        took, nothing = [], []
        with load.Load(inventory, description["balancer"]["port"], 50) as running:
            running.warm()
            for number in range(SWITCHES):
                took.append(both.split(0 if number % 2 else 100))
                nothing.append(both.again())
        both.away()
        seen = verdicts.switches(running.samples, list(addresses))
        if len(seen) < SWITCHES:
            raise NotMeasured("%d of %d switches were seen on both balancers" % (len(seen), SWITCHES))
        canary.turned_back(inventory, size.chosen({}), "errors")
    except common.NotProved as error:
        raise NotMeasured(str(error)) from error
    told = json.loads((common.OUTPUT / "release-canary-bad-errors.json").read_text())
    return dict(found, switch=median(took), nothing=median(nothing), between=median(one.ended - one.begun for one in seen),
                detection=told["over"] - told["begun"], interval=canary.INTERVAL)
