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


def hosts_of(inventory):
    """:returns: the names of all hosts of an inventory."""
    listed = subprocess.run(["ansible-inventory", "-i", str(inventory), "--list"], cwd=ROOT, check=True, capture_output=True, text=True)
    return sorted(json.loads(listed.stdout)["_meta"]["hostvars"])


def playbook(inventory, name, *words, record=None, variables=None):
    """Run a playbook and read what the counting callback wrote.

    :param variables: environment variables beside those of this process.
    :returns: (seconds, counts).
    :raises NotProved: where the playbook fails.
    """
    OUTPUT.mkdir(parents=True, exist_ok=True)
    counts = OUTPUT / ("%s.json" % (record or name))
    log = OUTPUT / ("%s.log" % (record or name))
    environment = dict(os.environ, ANSIBLE_CALLBACK_PLUGINS=str(ROOT / "tests" / "callbacks"), ANSIBLE_CALLBACKS_ENABLED="executed_tasks",
                       EXECUTED_TASKS_FILE=str(counts), ANSIBLE_NOCOLOR="1", **(variables or {}))
    counts.unlink(missing_ok=True)
    started = time.monotonic()
    with log.open("w") as output:
        done = subprocess.run(["ansible-playbook", "-i", str(inventory), "playbooks/%s.yml" % name, *words], cwd=ROOT, env=environment,
                              stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=RUN_LIMIT, check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        print("\n".join(line[:2000] for line in log.read_text().splitlines()[-60:]))
        raise NotProved("%s ended with status %d after %.0f s; its whole output is in %s" % (name, done.returncode, seconds, log))
    return seconds, json.loads(counts.read_text())
