# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The half of the secrets scan that runs on a host of the lab: it hands over the host's secrets, plants canaries, searches, and tidies up.

It comes to ``python3 -`` over standard input, behind needles.py and with its request in it, so that nothing of it stands in a command line or in
a file. What it prints is labels, counts and, for ``collect`` alone, secrets, which the controller keeps in memory.
"""
from __future__ import annotations

import base64
import glob
import gzip
import json
import os
import subprocess
import sys
import time

from tests.scenarios.needles import Matcher, key_lines

KEYS = ("/etc/ironrack/pki/*.key", "/etc/ironrack/*.key", "/etc/etcd/pki/*.key", "/etc/kubernetes/pki/*.key", "/etc/kubernetes/pki/etcd/*.key",
        "/var/lib/kubelet/pki/*.pem", "/etc/opensearch/*.key", "/etc/ironrack/object-store/*.key")
PASSWORDS = ("/etc/ironrack/pki/*.password",)
KUBECONFIGS = "/etc/kubernetes/*.conf"
KEYRING = "/etc/ironrack/pki/encryption-keyring.json"
LOGS, TEMPORARY = ("/var/log",), ("/root/.ansible", "/home/*/.ansible", "/tmp", "/var/tmp")
STOP = "/run/ironrack-secrets-stop"
NAME = "ironrack-canary"
INTERVAL = 0.5


def texts(patterns):
    """:returns: {path: text} of the files that there are."""
    found = {}
    for path in sorted({path for pattern in patterns for path in glob.glob(pattern)}):
        with open(path, encoding="utf-8", errors="replace") as stream:
            found[path] = stream.read()
    return found


def collect():
    """:returns: {label: [secrets]} of this host: the lines of its private keys, also of those in kubeconfigs, and the keys of etcd's data."""
    found = {path: key_lines(text) for path, text in texts(KEYS).items()}
    found.update({path: [text.strip()] for path, text in texts(PASSWORDS).items()})
    for path, text in texts([KUBECONFIGS]).items():
        for line in text.splitlines():
            name, _colon, value = line.strip().partition(": ")
            if name == "client-key-data":
                found.setdefault(path, []).extend(key_lines(base64.b64decode(value).decode()))
    for path, text in texts([KEYRING]).items():
        for key in json.loads(text)["keys"]:
            found["%s %s" % (path, key["name"])] = [key["secret"].rstrip("=")]
            found["%s %s, raw" % (path, key["name"])] = [{"hex": base64.b64decode(key["secret"]).hex()}]
    return {path: values for path, values in found.items() if values}


def plant(canaries, logs=LOGS, temporary=TEMPORARY, journal=True):
    """Put a canary into each kind of place. The processes live for as long as ``seconds`` says, at most.

    :param canaries: kind -> text.
    """
    if os.path.exists(STOP):
        os.unlink(STOP)
    with open(os.path.join(logs[0], NAME + ".log"), "w", encoding="utf-8") as stream:
        stream.write("a line before\n%s\n" % canaries["log files"])
    folder = os.path.join(sorted(glob.glob(temporary[0]) or glob.glob(temporary[-1]))[0], NAME)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "AnsiballZ_canary.py"), "w", encoding="utf-8") as stream:
        stream.write("payload = %r\n" % canaries["temporary files"])
    if journal:
        subprocess.run(["systemd-cat", "-t", NAME], input=canaries["journal"].encode(), check=True)
        subprocess.run(["journalctl", "--sync"], check=True)
    wait = [sys.executable, "-c", "import time; time.sleep(600)"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    return [subprocess.Popen(wait + [canaries["command lines"]], **quiet).pid,
            subprocess.Popen(wait, env={"PATH": os.environ.get("PATH", ""), "CANARY": canaries["environments"]}, **quiet).pid]


def search_files(matcher, patterns, skip=()):
    """:returns: {labels: {label: places}, bytes, files} of all files below some folders."""
    labels, total, files = {}, 0, 0
    for root in sorted({path for pattern in patterns for path in glob.glob(pattern)}):
        for folder, _folders, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.islink(path) or not os.path.isfile(path) or any(path.startswith(one) for one in skip):
                    continue
                try:
                    with (gzip.open if name.endswith(".gz") else open)(path, "rb") as stream:
                        found, size = matcher.find_in(stream)
                except FileNotFoundError:
                    continue  # a file that came and went
                total, files = total + size, files + 1
                for label in found:
                    labels.setdefault(label, []).append(path)
    return {"labels": labels, "bytes": total, "looked_at": files}


def search_journal(matcher):
    """:returns: as :func:`search_files`, of everything the journal holds, the command lines of its writers included."""
    with subprocess.Popen(["journalctl", "--no-pager", "--output=export"], stdout=subprocess.PIPE) as process:
        found, size = matcher.find_in(process.stdout)
    return {"labels": {label: ["journal"] for label in found}, "bytes": size, "looked_at": 1}


def search_processes(matcher, kinds=(("command lines", "cmdline"), ("environments", "environ"))):
    """:returns: {kind: as search_files} of all processes of now."""
    seen = {}
    for kind, name in kinds:
        labels, total, looked = {}, 0, 0
        for pid in [entry for entry in os.listdir("/proc") if entry.isdigit()]:
            try:
                with open("/proc/%s/%s" % (pid, name), "rb") as stream:
                    data = stream.read()
                with open("/proc/%s/comm" % pid, encoding="utf-8", errors="replace") as stream:
                    who = stream.read().strip()
            except OSError:
                continue  # it has ended
            total, looked = total + len(data), looked + 1
            for label in matcher.find(data):
                labels.setdefault(label, []).append(who)
        seen[kind] = {"labels": labels, "bytes": total, "looked_at": looked}
    return seen


def merge(into, seen):
    """Add what was seen of each kind to a sum; a place counts once."""
    for kind, part in seen.items():
        known = into.setdefault(kind, {"labels": {}, "bytes": 0, "looked_at": 0})
        known["bytes"] += part["bytes"]
        known["looked_at"] += part["looked_at"]
        for label, places in part["labels"].items():
            known["labels"][label] = sorted(set(known["labels"].get(label, []) + places))[:20]
    return into


def watch(matcher, seconds, stop=STOP):
    """:returns: what was ever seen of the processes until the stop file is there."""
    seen, end = {}, time.monotonic() + seconds
    while True:
        merge(seen, search_processes(matcher))
        if os.path.exists(stop) or time.monotonic() > end:
            return seen
        time.sleep(INTERVAL)


def tidy(pids, logs=LOGS, temporary=TEMPORARY):
    """Take the canaries away, but that of the journal, which only grows old."""
    for pid in pids:
        try:
            os.kill(pid, 15)
        except ProcessLookupError:
            continue
    paths = [os.path.join(logs[0], NAME + ".log"), STOP]
    folders = [os.path.join(path, NAME) for pattern in temporary for path in glob.glob(pattern)]
    for path in paths + [os.path.join(folder, "AnsiballZ_canary.py") for folder in folders]:
        if os.path.exists(path):
            os.unlink(path)
    for folder in folders:
        if os.path.isdir(folder):
            os.rmdir(folder)


def unpacked(secrets):
    """:returns: secrets as they travelled, with raw bytes again."""
    return {label: [bytes.fromhex(value["hex"]) if isinstance(value, dict) else value for value in values] for label, values in secrets.items()}


def answer(request):
    """:returns: the answer to one request of the controller."""
    what = request["what"]
    if what == "collect":
        return collect()
    if what == "plant":
        return plant(request["canaries"])
    if what == "stop":
        with open(STOP, "w", encoding="utf-8"):
            return True
    if what == "tidy":
        return tidy(request["pids"])
    matcher = Matcher(unpacked(request["secrets"]))
    if what == "watch":
        return watch(matcher, request["seconds"])
    return {"log files": search_files(matcher, LOGS, skip=("/var/log/journal/",)), "temporary files": search_files(matcher, TEMPORARY),
            "journal": search_journal(matcher)}
