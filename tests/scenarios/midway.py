# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What breaks in the middle of site.yml: a worker without power, a full disk, the mirror gone. Each says so, and a re-run finishes.

One lab life from new hosts: each fault strikes a worker that is still unfinished from the one before. Nothing fills the machine's own disk.
"""
from __future__ import annotations

import shlex
import subprocess
import threading
import time

from . import kill_chain, kill_points
from .common import NotProved, attempt, hosts_of, on, prepared, say
from .kill_points import PACKAGES, SWITCH
from .operate import lab, wait_ready

# Seconds that the health of the cluster is waited for by a run that cannot get there.
HEALTH_WAIT = 15
# Seconds within which a run comes to the task at which a fault strikes.
STRIKE_WITHIN = 300
# Of the folder that holds the components, while the disk is full.
SMALL_DISK = "16m"


class Striker(threading.Thread):
    """Follows the record of a run and strikes once, so many seconds after the start of a task."""

    def __init__(self, followed, point, strike):
        super().__init__(daemon=True)
        self._followed, self._point, self._strike = followed, point, strike
        self._over = threading.Event()
        self.struck = False
        self.error = None

    def run(self):
        limit = time.monotonic() + STRIKE_WITHIN
        while time.monotonic() < limit and not self._over.is_set():
            text = self._followed.read_text() if self._followed.exists() else ""
            started, later, _ended = kill_points.reached(text, self._point)
            if started is not None and (later or time.monotonic() >= started + self._point.delay):
                try:
                    self._strike()
                    self.struck = True
                except (subprocess.SubprocessError, OSError) as error:
                    self.error = error
                return
            time.sleep(kill_chain.LOOK)

    def end(self):
        """Wait for the strike, or give it up."""
        self._over.set()
        self.join(timeout=60)


def struck(inventory, point, strike, record, *words):
    """Run site.yml, and strike when it comes to a point.

    :returns: [(host, task, message)] of what failed.
    :raises NotProved: where the fault did not strike, or the run ended well in spite of it.
    """
    followed = prepared(inventory, "site", words, record)[-1]
    striker = Striker(followed, point, strike)
    striker.start()
    status, seconds, _counts, text, log = attempt(inventory, "site", *words, record=record)
    striker.end()
    if not striker.struck:
        raise NotProved("%s: nothing struck at %r: %s" % (record, point.name, striker.error or "the run did not come there"))
    if not status:
        raise NotProved("%s: the run ended well in spite of it" % record)
    failed = kill_points.failures(text)
    say("  %s: the run ended with status %d after %.0f s" % (record, status, seconds))
    if not failed:
        raise NotProved("%s: the run ended with status %d, and no task says why: see %s" % (record, status, log))
    return failed


def told(what, failed, host, reasons, about):
    """One clear error: it is of the host, or names it, and has the reason; and nobody else's failure hides it.

    :param reasons: words of which the error has at least one.
    :param about: words (the host's name, its address), one of which every other failure has to name.
    :raises NotProved: with all failures.
    """
    clear = [entry for entry in failed if (entry[0] == host or host in entry[2] or any(word in entry[2] for word in about))
             and any(word in entry[2] for word in reasons)]
    others = [entry for entry in failed if entry[0] != host and not any(word in entry[2] for word in about)]
    text = "\n  ".join("%s: %s: %s" % (where, task, message[:600]) for where, task, message in failed)
    if not clear or others:
        raise NotProved("%s: %s:\n  %s" % (what, "no error says where and why" if not clear else "there are errors that do not name it", text))
    say("    %s: %s: %s" % (clear[0][0], clear[0][1], " ".join(clear[0][2].split())[:300]))


def point_of(known, kind, word, part):
    """:returns: the point inside of the first task of a kind whose name has a word.

    :param part: of the task's recorded time.
    :raises NotProved: where there is no such task.
    """
    fresh, again = kill_points.steps(known["fresh"]), kill_points.steps(known["again"])
    found = [step for seen, step in kill_points.working(fresh, again) if seen == kind and word in step.name.lower()]
    if not found:
        raise NotProved("no recorded task of the kind %s has %r in its name" % (kind, word))
    return kill_points.Point(found[0].name, found[0].number, kind, part * found[0].lasted)


def midway(inventory):
    """Power off, a full disk and a lost mirror, each in the middle of a run, and the end state after all three."""
    known = kill_chain.undisturbed(inventory)
    hosts = hosts_of(inventory)
    worker = sorted(name for name, entry in hosts.items() if "workers" in entry["groups"])[-1]
    mirror = next(name for name, entry in sorted(hosts.items()) if "mirror" in entry["groups"])
    kill_chain.new_hosts(inventory, known)
    begun = time.monotonic()
    power_off(inventory, known, worker)
    full_disk(inventory, known, worker)
    mirror_gone(inventory, known, worker, mirror, hosts[mirror]["address"])
    seconds = kill_chain.finish(inventory, known, "midway-end")
    wait_ready(worker, 60)
    say("a worker without power, a full disk, a lost mirror: each told, and the run after them finished in %.0f s with the end state of an "
        "undisturbed build; %.0f s in all" % (seconds, time.monotonic() - begun))


def power_off(inventory, known, worker):
    """The worker loses its power while packages are installed. The others go on, and the health says who is missing."""
    try:
        failed = struck(inventory, point_of(known, PACKAGES, "host's parts", 0.5), lambda: lab(inventory, "kill", worker), "power-off",
                        "-e", "site_health_wait=%d" % HEALTH_WAIT)
    finally:
        lab(inventory, "start", worker)
    told("power off", failed, worker, ["unreachable", "reach", "onnection", "ssh"], [worker])


def full_disk(inventory, known, worker):
    """The disk of the components is full on the worker. It fills while packages are installed: preflight has seen it empty."""
    def fill():
        on(worker, "sudo", "mount", "-t", "tmpfs", "-o", "size=%s" % SMALL_DISK, "lab-full", "/opt")
    try:
        failed = struck(inventory, point_of(known, PACKAGES, "host's parts", 0.0), fill, "full-disk", "-e", "site_health_wait=%d" % HEALTH_WAIT)
    finally:
        on(worker, "sudo", "sh", "-c", shlex.quote("! mountpoint -q /opt || umount /opt"))
    told("full disk", failed, worker, ["No space left on device"], [worker])


def mirror_gone(inventory, known, worker, mirror, address):
    """The mirror loses its power before the worker has its components."""
    try:
        failed = struck(inventory, point_of(known, SWITCH, "containerd", 0.0), lambda: lab(inventory, "kill", mirror), "mirror-gone",
                        "-e", "site_health_wait=%d" % HEALTH_WAIT)
    finally:
        lab(inventory, "start", mirror)
    told("mirror gone", failed, worker, [address], [worker, mirror, address])
