# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A balancer killed at each of its steps, and a reload that does not come: what a re-run makes of it. The real one: tests/real/test_nginx.py."""
from __future__ import annotations

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.balancer import Balancer, NotConfirmed
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.generation import status_of
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.traffic import parse, shares
from ansible_collections.ironrack.cluster.plugins.modules.nginx_upstream import SPEC

NAMES = ("blue", "green", "red")
GOOD = dict(((name, option.get("default")) for name, option in SPEC.items()), name="web",
            releases=[{"name": name, "host": name + ".test", "port": 80} for name in NAMES[:2]], stable="blue")
RED = [{"name": name, "host": name + ".test", "port": 80} for name in NAMES]


class Killed(BaseException):
    """SIGKILL: nothing handles it."""


class Machine:
    """A balancer as its client shows it. Each call is a place to be killed at, before its effect or after it."""

    def __init__(self):
        self.disk = self.aside = self.runs = None
        self.workers = 0
        self.tested = {None}
        self.reached = set()
        self.alive = self.takes_reloads = True
        self.calls = 0
        self.deadly = None

    def __getattr__(self, name):
        effect = getattr(type(self), "do_" + name)

        def call(*args):
            self.calls += 1
            if self.deadly == (self.calls, "before"):
                raise Killed
            result = effect(self, *args)
            if self.deadly == (self.calls, "after"):
                raise Killed
            return result

        return call

    def do_is_running(self):
        return self.alive

    def do_digest(self, paths):
        return ""

    def do_read(self, service):
        return self.disk

    def do_former(self, service):
        return self.aside

    def do_running(self, service):
        return status_of(self.runs)

    def do_accepting(self):
        return {self.workers}

    def do_test(self, service, text):
        self.tested.add(text)

    def do_set_aside(self, service, text):
        self.aside = text

    def do_drop_aside(self, service):
        self.aside = None

    def do_write(self, service, text):
        assert text in self.tested
        self.disk = text

    def do_reload(self):
        if not self.takes_reloads:
            return
        self.runs = self.disk
        self.workers += 1
        served = status_of(self.runs)
        # The promise of it all: no release gets traffic whose pods have not answered through an upstream that NGINX had before.
        assert not served or {name for name, dummy in shares(served.served)} - {"fallback"} <= self.reached

    def do_probe(self, service, release):
        assert release in [entry.name for entry in status_of(self.runs).releases]
        self.reached.add(release)
        return 200, "192.0.2.1:80"


# One life of a service: each step is what a controller wants next.
LIFE = [
    dict(), dict(candidate="green", weight=0), dict(candidate="green", weight=5), dict(candidate="green", weight=100), dict(stable="green"),
    dict(releases=RED, stable="green", candidate="red", weight=10), dict(releases=RED, stable="green", serve="nobody"), dict(releases=RED[1:], stable="green"),
    None,
]


def step(machine, number):
    balancer = Balancer(machine, 0, 0)
    if LIFE[number] is None:
        return balancer.remove("web", number + 1)
    return balancer.converge(parse(dict(GOOD, generation=number + 1, **LIFE[number])))


def live(number):
    """:returns: a machine that has come to the step before ``number``."""
    machine = Machine()
    for earlier in range(number):
        step(machine, earlier)
    machine.calls = 0
    return machine


@pytest.mark.parametrize("number", range(len(LIFE)))
def test_killed_anywhere_a_second_run_comes_to_the_same_end(number):
    undisturbed = live(number)
    assert step(undisturbed, number)["changed"] and undisturbed.calls > 5
    for call in range(1, undisturbed.calls + 1):
        for when in ("before", "after"):
            machine = live(number)
            machine.deadly = (call, when)
            with pytest.raises(Killed):
                step(machine, number)
            machine.deadly = None
            step(machine, number)
            assert (machine.disk, machine.runs, machine.aside) == (undisturbed.disk, undisturbed.runs, None)
            assert not step(machine, number)["changed"]


@pytest.mark.parametrize("number", range(len(LIFE)))
def test_killed_anywhere_an_abort_comes_through(number):
    """The controller gives up after the kill, and wants what was before, by the next generation."""
    before = dict(LIFE[number - 1] if number else dict(), generation=number + 2)
    for call in range(1, 40):
        machine = live(number)
        machine.deadly = (call, "after")
        try:
            step(machine, number)
        except Killed:
            pass
        machine.deadly = None
        wanted = Balancer(machine, 0, 0).converge(parse(dict(GOOD, **before)))
        assert machine.runs == machine.disk and machine.aside is None and wanted["after"]["generation"] == number + 2


@pytest.mark.parametrize("number", range(len(LIFE)))
def test_what_nginx_does_not_take_is_not_left_for_its_next_start(number):
    machine = live(number)
    runs = machine.runs
    machine.takes_reloads = False
    with pytest.raises(NotConfirmed, match="the reload was not confirmed: waited 0 s"):
        step(machine, number)
    assert machine.disk == machine.runs == runs and machine.aside is None
    machine.takes_reloads = True
    assert step(machine, number)["changed"] and machine.disk == machine.runs


def test_what_was_never_read_is_not_what_is_gone_back_to():
    """Killed after the file, then a reload that fails: the way back is to what runs, not to what the killed run left."""
    machine = live(3)
    runs, machine.deadly = machine.runs, None
    call = 0
    while machine.disk == runs:
        call += 1
        machine = live(3)
        machine.deadly = (call, "after")
        with pytest.raises(Killed):
            step(machine, 3)
    machine.deadly, machine.takes_reloads = None, False
    with pytest.raises(NotConfirmed, match="goes on with generation 3"):
        step(machine, 4)
    assert machine.disk == machine.runs == runs


def test_a_release_that_does_not_answer_gets_nothing():
    class Silent(Machine):
        def do_probe(self, service, release):
            return 502, "web.green"

    silent = Silent()
    silent.__dict__.update(live(2).__dict__)
    runs = silent.runs
    with pytest.raises(NotConfirmed, match=r"release green \(green.test:80\).* last seen: 502 from web.green.*no traffic"):
        step(silent, 2)
    assert silent.runs == silent.disk == runs


def test_a_balancer_that_is_down_gets_its_file_and_no_pass():
    machine = live(2)
    machine.alive, runs = False, machine.runs
    for dummy in range(2):
        with pytest.raises(NotConfirmed, match="NGINX does not run on this host. The file of generation 3 is in place"):
            step(machine, 2)
    assert status_of(machine.disk).generation == 3 and machine.runs == runs
    # a removal needs no NGINX
    assert Balancer(machine, 0, 0).remove("web", 9)["changed"] and machine.disk is None


def test_a_missing_certificate_is_named_and_only_predicted_without_it():
    class Without(Machine):
        def do_digest(self, paths):
            raise IronrackError("%s: not there" % paths[0])

    traffic = parse(dict(GOOD, generation=1, certificate="/etc/a.crt", certificate_key="/etc/a.key"))
    with pytest.raises(IronrackError, match="/etc/a.crt: not there"):
        Balancer(Without(), 0, 0).converge(traffic)
    assert Balancer(Without(), 0, 0).converge(traffic, check=True)["changed"]
