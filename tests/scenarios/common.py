# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every step of a scenario needs: to run a playbook and count, and to say what was proved."""
from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

from ..faults import hosts
from . import share

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = Path(os.environ.get("IRONRACK_LAB_STATE", "/var/lib/ironrack-lab")) / "artifacts"
RUN_LIMIT = 1500


class NotProved(Exception):
    """Something that was promised does not hold."""


def say(text):
    """Print one proved thing."""
    print(text, flush=True)


def on(host, *argv):
    """:returns: what a command on a host of the lab printed. :raises subprocess.CalledProcessError: where it failed."""
    return subprocess.run(["ssh", "-F", str(OUTPUT.parent / "ssh_config"), host, *argv], check=True, capture_output=True, text=True, timeout=60).stdout


def send(host, source, target):
    """Have a file on a host of the lab, below the login's folder. :raises subprocess.CalledProcessError: where it does not arrive."""
    with open(source, "rb") as stream:
        subprocess.run(["ssh", "-F", str(OUTPUT.parent / "ssh_config"), host, "cat > %s" % target], check=True, stdin=stream, capture_output=True, timeout=120)


def hosts_of(inventory):
    """:returns: {name: {address, groups}} of an inventory, in its order."""
    listed = subprocess.run(["ansible-inventory", "-i", str(inventory), "--list"], cwd=ROOT, check=True, capture_output=True, text=True)
    return hosts.hosts_of(json.loads(listed.stdout))


def prepared(inventory, name, words, record, variables=None):
    """What a run of a playbook needs: its command, its environment, and the files that it will have written.

    :param variables: environment variables beside those of this process.
    :returns: (argv, environment, log, counts of executed_tasks, record of recorded_run).
    """
    OUTPUT.mkdir(parents=True, exist_ok=True)
    log, counts, followed = (OUTPUT / ((record or name) + end) for end in (".log", ".json", ".jsonl"))
    environment = dict(os.environ, ANSIBLE_CALLBACK_PLUGINS=str(ROOT / "tests" / "callbacks"), ANSIBLE_CALLBACKS_ENABLED="executed_tasks,recorded_run",
                       EXECUTED_TASKS_FILE=str(counts), RECORDED_RUN_FILE=str(followed), ANSIBLE_NOCOLOR="1",
                       # Beside the lab's state, which goes with the hosts: new hosts must not be reached through a connection to their forerunners.
                       ANSIBLE_SSH_CONTROL_PATH_DIR=str(OUTPUT.parent / "connections"))
    environment.update(variables or {})
    for path in (counts, followed):
        path.unlink(missing_ok=True)
    return ["ansible-playbook", "-i", str(inventory), "playbooks/%s.yml" % name, *words], environment, log, counts, followed


def attempt(inventory, name, *words, record=None, variables=None):
    """Run a playbook to its end, whatever that is.

    :param variables: as of :func:`prepared`.
    :returns: (exit status, seconds, counts of executed_tasks, text of recorded_run, path of the whole output).
    """
    argv, environment, log, counts, followed = prepared(inventory, name, words, record, variables)
    started = time.monotonic()
    with log.open("w") as output:
        with subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT) as process:
            share.outside(process.pid)
            try:
                status = process.wait(RUN_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    seconds = time.monotonic() - started
    return (status, seconds, json.loads(counts.read_text()) if counts.exists() else None,
            followed.read_text() if followed.exists() else "", log)


def playbook(inventory, name, *words, record=None, variables=None):
    """Run a playbook and read what the counting callback wrote.

    :param variables: environment variables beside those of this process.
    :returns: (seconds, counts).
    :raises NotProved: where the playbook fails.
    """
    status, seconds, counts, _followed, log = attempt(inventory, name, *words, record=record, variables=variables)
    if status:
        print("\n".join(line[:2000] for line in log.read_text().splitlines()[-60:]))
        raise NotProved("%s ended with status %d after %.0f s; its whole output is in %s" % (name, status, seconds, log))
    if counts is None:
        raise NotProved("nothing was counted of %s: see %s" % (name, log))
    return seconds, counts


def compare(what, predicted, changed, explained=None):
    """:param explained: task -> why a check run cannot know what the real run does there.

    :raises NotProved: where the pairs that were predicted are not those that changed."""
    explained = explained or {}
    said, did = {tuple(pair) for pair in predicted}, {tuple(pair) for pair in changed}
    if not did:
        raise NotProved("the real run changed nothing: the comparison would say nothing")
    open_ends = [(word, host, task) for word, pairs in (("only predicted", said - did), ("not predicted", did - said)) for host, task in sorted(pairs)]
    for word, host, task in open_ends:
        say("  %s: %s on %s%s" % (word, task, host, " (%s)" % explained[task] if task in explained else ""))
    unexplained = ["%s on %s (%s)" % (task, host, word) for word, host, task in open_ends if task not in explained]
    if unexplained:
        raise NotProved("%d (host, task) pairs differ between %s and the real run: %s" % (len(unexplained), what, "; ".join(unexplained)))
    say("%s predicted all %d changes of the real run%s" % (what, len(did), ", but %d that are explained" % len(open_ends) if open_ends else ""))
