# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One service on the balancer of this host: see what there is, and change it so that a kill at any point leaves what a re-run finishes.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.cli import CommandError
from .._common.errors import IronrackError
from .._common.http import HttpError
from .._common.waiting import WaitTimeout, wait_for
from .generation import interim, plan, refuse_older, report, status_of, words
from .render import render

# Below it a pod has answered, whatever it said; NGINX itself answers 502 or 504 where it knows no address or reaches none.
SERVER_ERROR = 500


class NotConfirmed(IronrackError):
    """A reload was asked for, and the new workers did not come. Its details say what is on disk and what runs."""


class Balancer:
    """One service on one balancer.

    :param nginx: a client of this host's NGINX.
    :param wait: seconds that new workers may take.
    :param address_wait: seconds that a new release may take to answer its probe.
    """

    def __init__(self, nginx, wait, address_wait):
        self._nginx = nginx
        self._wait = wait
        self._address_wait = address_wait

    def converge(self, traffic, check=False):
        """Have the service's traffic be what is described.

        :param traffic: a Traffic.
        :param check: only predict.
        :returns: the module's result, with the texts ``former`` and ``wanted``.
        :raises IronrackError: where the traffic must not change, or did not in time.
        """
        service = traffic.service
        former, alive, running = self._observe(service)
        refuse_older(service, traffic.generation, traffic.routing, status_of(former), running)
        certificate = self._certificate(traffic.settings, check)
        wanted = render(traffic, certificate=certificate)
        reasons = self._reasons(former, wanted, running, alive)
        steps = plan(traffic, running)
        result = dict(changed=bool(reasons), action="reload" if reasons else "none", reasons=reasons, before=report(running), added=[],
                      former=former or "", wanted=wanted)
        if reasons and not check:
            if alive:
                self._reach(traffic, steps, running, certificate)
                result["added"] = [release.name for release in steps.add]
            self._apply(service, wanted)
        if not alive and not check:
            raise NotConfirmed("%s: NGINX does not run on this host. The file of generation %d is in place, so that it starts with it: "
                               "start it, and run this again" % (service, traffic.generation))
        if not check:
            self._nginx.drop_aside(service)
        return dict(result, after=report(status_of(wanted)))

    def remove(self, service, generation, check=False):
        """Have the balancer know nothing of a service.

        :returns: like :meth:`converge`.
        """
        former, alive, running = self._observe(service)
        refuse_older(service, generation, None, status_of(former), running)
        reasons = self._reasons(former, None, running, alive)
        if reasons and not check:
            self._apply(service, None)
        if not check:
            self._nginx.drop_aside(service)
        return dict(changed=bool(reasons), action="remove" if reasons else "none", reasons=reasons, before=report(running), after=report(None), added=[],
                    former=former or "", wanted="")

    # what there is -----------------------------------------------------------------------------------------------------------------

    def _observe(self, service):
        former, alive = self._nginx.read(service), self._nginx.is_running()
        try:
            running = self._nginx.running(service) if alive else None
        except HttpError as error:
            raise IronrackError("NGINX runs and its health port does not say what of %s: nothing was changed. %s" % (service, error))
        return former, alive, running

    def _certificate(self, settings, check):
        try:
            return self._nginx.digest([path for path in (settings["certificate"], settings["certificate_key"]) if path])
        except IronrackError:
            if not check:
                raise
            return "not there yet"  # an earlier task of this check run would have made them

    @staticmethod
    def _reasons(former, wanted, running, alive):
        reasons = []
        if former != wanted:
            reasons.append("the configuration on disk differs")
        if alive and digest_of(status_of(wanted)) != digest_of(running):
            reasons.append("the workers run %s" % ("generation %d: %s" % (running.generation, words(running.served)) if running else "nothing of it"))
        return reasons

    # what is done ------------------------------------------------------------------------------------------------------------------

    def _reach(self, traffic, steps, running, certificate):
        """Before a release gets traffic NGINX knows its addresses, and a pod has answered."""
        if steps.add:
            served, releases = interim(traffic, running)
            self._apply(traffic.service, render(traffic, served, releases, certificate))
        for release in steps.reach:
            self._await_answer(traffic, release)

    def _await_answer(self, traffic, release):
        def condition():
            try:
                status, addresses = self._nginx.probe(traffic.service, release.name)
            except HttpError as error:
                return False, str(error)
            return status < SERVER_ERROR, "%d from %s" % (status, addresses or "no address")

        try:
            wait_for(condition, "a pod of release %s (%s:%d) to answer %s through its upstream" % (
                release.name, release.host, release.port, traffic.settings["probe_path"]), self._address_wait, interval=0.2)
        except WaitTimeout as error:
            raise NotConfirmed(
                "%s: %s. It has got no traffic, and the others have theirs as before. Are its pods ready, does the balancer resolve the name, "
                "do its routes and the NetworkPolicies let it in?" % (traffic.service, error), release=release.name, **error.details)

    def _apply(self, service, wanted):
        """Put a configuration in place, have it run, and see that it does."""
        nginx = self._nginx
        former, alive, running = self._observe(service)
        digest = digest_of(status_of(wanted))
        if former != wanted:
            nginx.test(service, wanted)
            # What a killed run has set aside was the last that is known to run; what it put in place may never have been read.
            if former is not None and (nginx.former(service) is None or running and status_of(former) == running):
                nginx.set_aside(service, former)
            nginx.write(service, wanted)
        if alive and digest != digest_of(running):
            self._reload(service, digest)
            nginx.drop_aside(service)

    def _reload(self, service, digest):
        nginx, old = self._nginx, self._nginx.accepting()

        def condition():
            try:
                running = nginx.running(service)
            except HttpError as error:
                return False, str(error)
            present = nginx.accepting()
            seen = "generation %s, %d new workers, and %d former ones that still take connections" % (
                running.generation if running else "none", len(present - old), len(present & old))
            return digest == digest_of(running) and bool(present - old) and not present & old, seen

        try:
            nginx.reload()
            wait_for(condition, "new workers that run the configuration of %s" % service, self._wait, interval=0.05)
        except (CommandError, WaitTimeout) as error:
            raise NotConfirmed("%s: the reload was not confirmed: %s. %s" % (service, error, self._undo(service, digest)), **error.details)

    def _undo(self, service, digest):
        """Where the former configuration still runs, have it on disk again: what NGINX has refused must not be there at its next start."""
        try:
            running = self._nginx.running(service)
        except HttpError:
            return "NGINX does not say what it runs: the new file stays, the former one is beside it"
        if digest_of(running) == digest:
            return "By now the new configuration answers: run this again"
        former = self._nginx.former(service)
        if status_of(former) != running:
            return "The new file stays, because what runs was never set aside"
        self._nginx.write(service, former)
        self._nginx.drop_aside(service)
        if former is None:
            return "The file was taken away again. NGINX's error log says why"
        return "The former file is back in place; NGINX goes on with generation %d. Its error log says why" % running.generation


def digest_of(status):
    """:returns: the digest of a status, or None where there is none."""
    return status.digest if status else None
