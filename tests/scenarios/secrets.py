# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret of the cluster stands where somebody may read it: logs, diffs, fact caches, reports, journals, command lines, environments.

Every secret that the lab's cluster holds is looked for, by its value and in base64, while a run is active and after it. A scan that finds
nothing proves nothing by itself: so a fresh random canary is put into each kind of place on each host first, and each has to be found there.
Counts are printed, never a secret.
"""
from __future__ import annotations

import base64
import json
import os
import secrets as random_source
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kubernetes import client, config

from . import secrets_host
from .common import OUTPUT, ROOT, NotProved, hosts_of, playbook, say
from .needles import Matcher, key_lines
from .opensearch import api, backup

KUBECONFIG = OUTPUT / "kubeconfig"
#: What the administrator is given, to hold a secret.
HELD = (KUBECONFIG.name, "opensearch-admin.key", "opensearch-admin-password")
ACCOUNTS = "opensearch-account-*.json"
SEARCH_LIMIT, WATCH_LIMIT = 600, 1500
CACHE = OUTPUT / "secrets-facts"
# Searched by itself; and the folder in which inventories/lab-own keeps the password of its registry.
KEEPERS = {CACHE, OUTPUT / "site"}
CONTROLLER = "controller"
HOST_KINDS = ("log files", "temporary files", "journal", "command lines", "environments")
CONTROLLER_KINDS = ("run logs and diffs", "reports", "fact caches", "temporary files", "command lines", "environments")
REPORTS = (".html", ".json")
#: Of a group: what has to be collected. Those of every inventory have no group.
PARTS = {
    "": ("service-ca.key",),
    "control_plane": ("kubernetes-ca.key", "front-proxy-ca.key", "/sa.key", "admin.key", "encryption-keyring.json key1", "/etc/kubernetes/pki/ca.key",
                      "admin kubeconfig"),
    "etcd": ("etcd-ca.key", "/etc/etcd/pki/member.key"),
    "opensearch_data": ("opensearch-ca.key", "opensearch-admin.key", "/etc/opensearch/node.key", "opensearch-admin.password", "opensearch-backup.key",
                        "opensearch-metrics.key", "opensearch-ca.next.key", "opensearch-admin.next.password", "opensearch-account-"),
    "object_store": ("object-store-account.password", "/etc/ironrack/object-store/server.key"),
}


def program(request):
    """:returns: the source that answers one request, with the request in it."""
    folder = Path(__file__).parent
    source = (folder / "needles.py").read_text() + "\n" + (folder / "secrets_host.py").read_text().replace(
        "from __future__ import annotations\n", "").replace("from tests.scenarios.needles import Matcher, key_lines\n", "")
    packed_request = base64.b64encode(json.dumps(request).encode()).decode()
    return source + "\nprint(json.dumps(answer(json.loads(base64.b64decode(%r)))))\n" % packed_request


def ask(host, request, timeout=SEARCH_LIMIT):
    """Run the half of the hosts as root on one of them. :returns: its answer."""
    done = subprocess.run(["ssh", "-F", str(OUTPUT.parent / "ssh_config"), host, "sudo", "python3", "-"], input=program(request), capture_output=True,
                          text=True, timeout=timeout, check=False)
    if done.returncode:
        # What python says of a failure may quote the program, and the request is in it: only its last line is told.
        raise NotProved("the scan on %s ended with status %d: %s" % (host, done.returncode, (done.stderr.strip().splitlines() or ["?"])[-1][:200]))
    return json.loads(done.stdout)


def registry_password(inventory):
    """:returns: the password of the site's own registry, or "" where there is none. It is a template, so a host's variables are evaluated."""
    asked = subprocess.run(["ansible", next(iter(hosts_of(inventory))), "-i", str(inventory), "-m", "ansible.builtin.debug", "-a", "var=cluster_registry"],
                           cwd=ROOT, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=dict(os.environ, ANSIBLE_NOCOLOR="1"))
    told = json.loads(asked.stdout[asked.stdout.index("{"):])["cluster_registry"]
    return told.get("password", "") if isinstance(told, dict) else ""


def parts(hosts):
    """:returns: of which secrets one has to be collected at least, by the groups that an inventory has."""
    groups = {group for entry in hosts.values() for group in entry["groups"]}
    return [part for group, names in PARTS.items() if group in groups or not group for part in names]


def of_the_cluster(inventory):
    """:returns: {label: [secrets]} that no host's files tell: passwords of accounts, the bootstrap tokens, the registry's password, the administrator's key."""
    found = {path.name: [json.loads(path.read_text())["password"]] for path in OUTPUT.glob(ACCOUNTS)}
    if not any("control_plane" in entry["groups"] for entry in hosts_of(inventory).values()):
        return found
    found["admin kubeconfig"] = key_lines(base64.b64decode(next(
        line.split(": ", 1)[1] for line in KUBECONFIG.read_text().splitlines() if line.strip().startswith("client-key-data: "))).decode())
    core = client.CoreV1Api(config.new_client_from_config(str(KUBECONFIG)))
    for secret in core.list_namespaced_secret("kube-system", field_selector="type=bootstrap.kubernetes.io/token", _request_timeout=20).items:
        found["bootstrap token %s" % secret.metadata.name] = [base64.b64decode(secret.data["token-secret"]).decode()]
    password = registry_password(inventory)
    if password:
        found["registry password"] = [password]
    return found


def collected(inventory, hosts):
    """:returns: {label: [secrets]} of the cluster. :raises NotProved: where a kind of them is missing, since then not all were looked for."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        answers = dict(zip(hosts, pool.map(lambda host: ask(host, {"what": "collect"}), hosts)))
    found = {"%s:%s" % (host, label): values for host, answer in answers.items()
             for label, values in secrets_host.unpacked(answer).items()}
    found.update(of_the_cluster(inventory))
    for part in parts(hosts):
        if not any(part in label for label in found):
            raise NotProved("no %s was collected: a scan that does not know it says nothing about it" % part)
    return found


def canary():
    """:returns: a random text of the form of a key's line."""
    return base64.b64encode(random_source.token_bytes(48)).decode()


class Canaries:
    """A canary for each kind of place on each host, planted at the beginning and gone at the end."""

    def __init__(self, hosts):
        self._hosts = hosts
        self.planted = {(host, kind): canary() for host in hosts for kind in HOST_KINDS}
        self.planted.update({(CONTROLLER, kind): canary() for kind in CONTROLLER_KINDS})
        self._pids, self._here = {}, []
        self._folder = Path.home() / ".ansible" / "tmp" / secrets_host.NAME

    def labels(self):
        """:returns: {label: [canary]}."""
        return {label(place): [value] for place, value in self.planted.items()}

    def files(self):
        """:returns: path -> text of the canaries on this machine, some of them as base64 of a longer text."""
        mine = {kind: value for (host, kind), value in self.planted.items() if host == CONTROLLER}
        encoded = base64.b64encode(("client-key: %s\n" % mine["reports"]).encode()).decode()
        return {
            OUTPUT / "secrets-canary.log": "-old line\n+%s\n" % mine["run logs and diffs"],
            OUTPUT / "secrets-canary.json": json.dumps({"report": encoded}),
            CACHE / "canary": json.dumps({"ansible_canary": mine["fact caches"]}),
            self._folder / "AnsiballZ_canary.py": "payload = %r\n" % mine["temporary files"],
        }

    def __enter__(self):
        for path, content in self.files().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        wait = [sys.executable, "-c", "import time; time.sleep(1800)"]
        self._here = [subprocess.Popen(wait + [self.planted[CONTROLLER, "command lines"]]),
                      subprocess.Popen(wait, env=dict(os.environ, CANARY=self.planted[CONTROLLER, "environments"]))]
        for host in self._hosts:
            mine = {kind: value for (name, kind), value in self.planted.items() if name == host}
            self._pids[host] = ask(host, {"what": "plant", "canaries": mine})
        return self

    def __exit__(self, *_failure):
        for process in self._here:
            process.terminate()
            process.wait()
        for path in self.files():
            path.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        for host, pids in self._pids.items():
            ask(host, {"what": "tidy", "pids": pids})


def label(place):
    """:returns: a canary's label."""
    return "canary of %s on %s" % (place[1], place[0])


def packed(found):
    """:returns: secrets as they travel in JSON."""
    return {name: [{"hex": value.hex()} if isinstance(value, bytes) else value for value in values] for name, values in found.items()}


def here(matcher):
    """:returns: kind -> what was found on this machine, but in what is there to hold a secret."""
    logs, reports = {"labels": {}, "bytes": 0, "looked_at": 0}, {"labels": {}, "bytes": 0, "looked_at": 0}
    for path in sorted(OUTPUT.rglob("*")):
        if not path.is_file() or (path.parent == OUTPUT and (path.name in HELD or path.match(ACCOUNTS))) or KEEPERS & set(path.parents):
            continue
        with path.open("rb") as stream:
            found, size = matcher.find_in(stream)
        part = reports if path.suffix in REPORTS else logs
        secrets_host.merge({"": part}, {"": {"labels": {name: [path.name] for name in found}, "bytes": size, "looked_at": 1}})
    return {"run logs and diffs": logs, "reports": reports, "fact caches": secrets_host.search_files(matcher, [str(CACHE)]),
            "temporary files": secrets_host.search_files(matcher, [str(Path.home() / ".ansible")])}


def judge(seen, planted):
    """Judge what was found. Pure.

    :param seen: host -> kind -> {labels: {label: places}, bytes, looked_at}.
    :param planted: (host, kind) of every canary.
    :returns: (problems, [(kind, hosts, looked at, bytes)]).
    """
    problems, totals = [], {}
    for host, kind in sorted(planted):
        part = seen.get(host, {}).get(kind)
        if not part or not part["bytes"]:
            problems.append("%s of %s: nothing was read there" % (kind, host))
        elif label((host, kind)) not in part["labels"]:
            problems.append("%s of %s: the scan did not find the canary that was planted there, so it would find no secret either" % (kind, host))
    for host, kinds in sorted(seen.items()):
        for kind, part in sorted(kinds.items()):
            total = totals.setdefault(kind, [0, 0, 0])
            total[0], total[1], total[2] = total[0] + 1, total[1] + part["looked_at"], total[2] + part["bytes"]
            for name, places in sorted(part["labels"].items()):
                if not name.startswith("canary of "):
                    problems.append("%s of %s: %s is in %s" % (kind, host, name, ", ".join(places[:3])))
    return problems, [(kind, *numbers) for kind, numbers in sorted(totals.items())]


def runs(inventory, hosts):
    """What is done while everything is watched. Of OpenSearch, whose playbooks make secrets, those are made before, so that they are looked for.

    :returns: (playbook, words) of each run.
    """
    if not any("opensearch_data" in entry["groups"] for entry in hosts.values()):
        return [("site", ["--check"])]
    store = json.dumps({"opensearch_backup_repository": "lab-secrets", "opensearch_backup_base_path": "lab-secrets"})
    words = {stage: ["-e", json.dumps({"opensearch_rotation_stage": stage, "opensearch_rotation_accounts": [{"name": "lab-secrets"}]})]
             for stage in ("begin", "switch", "finish")}
    told(inventory, "opensearch_security_rotate", words["begin"])
    backup.fill(next(iter(api.nodes(inventory).values())))
    return [("site", ["--check"]), ("opensearch_backup", ["-e", store]), *(("opensearch_security_rotate", words[stage]) for stage in ("switch", "finish"))]


def told(inventory, name, words):
    """Run a playbook that says all it can."""
    cache = {"ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(CACHE)}
    playbook(inventory, name, *words, "--diff", "-vvv", record="secrets-" + name, variables=cache)


def secrets(inventory):
    """Search everything, with runs that say all they can (-vvv --diff) in between: a check run of the site, and what makes and turns secrets."""
    hosts = hosts_of(inventory)
    shutil.rmtree(CACHE, ignore_errors=True)
    ahead = runs(inventory, hosts)
    with Canaries(hosts) as canaries:
        wanted = dict(collected(inventory, hosts), **canaries.labels())
        matcher, sent = Matcher(wanted), packed(wanted)
        with ThreadPoolExecutor(max_workers=len(hosts) + 1) as pool:
            watching = {host: pool.submit(ask, host, {"what": "watch", "secrets": sent, "seconds": WATCH_LIMIT}, WATCH_LIMIT + 60) for host in hosts}
            stop = OUTPUT / "secrets-stop"
            stop.unlink(missing_ok=True)
            watching[CONTROLLER] = pool.submit(secrets_host.watch, matcher, WATCH_LIMIT, str(stop))
            try:
                for name, words in ahead:
                    told(inventory, name, words)
            finally:
                stop.touch()
                for host in hosts:
                    ask(host, {"what": "stop"})
            seen = {host: waiting.result() for host, waiting in watching.items()}
            stop.unlink()
            for host, found in zip(hosts, pool.map(lambda host: ask(host, {"what": "search", "secrets": sent}), hosts)):
                seen[host].update(found)
            seen[CONTROLLER].update(here(matcher))
        problems, totals = judge(seen, canaries.planted)
    if problems:
        raise NotProved("%d findings of the secrets scan:\n  %s" % (len(problems), "\n  ".join(problems[:60])))
    for kind, places, looked, size in totals:
        say("  %s: 0 secrets in %d looks, %.1f MiB, on %d machines" % (kind, looked, size / 2 ** 20, places))
    say("secrets scan: %d secrets looked for, 0 found; all %d canaries found; runs at -vvv: %s" % (
        len(wanted) - len(canaries.planted), len(canaries.planted), ", ".join(" ".join([name] + words) for name, words in ahead)))
