# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen of the world before a decision. Pure.

What could not be read is None and never a zero: without an answer of the API nothing is known of pods, and a balancer that did not answer
has no generation.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations
from .._common.refusal import Refused, problem


PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
VERDICTS = (PASS, FAIL, INCONCLUSIVE)


class Observation:
    """What was seen.

    :param releases: name -> {replicas, ready, generation, zones, uid, resource_version}: pods that are wanted and that are ready, the generation that the
        objects carry, zone -> pods wanted where they are kept apart by zone. A release that is not there is left out. None: the API did not answer.
    :param balancers: name -> {generation, weights, addresses, away}: the generation that it serves, release -> percent that it serves, release ->
        number of addresses that its upstream has (left out by one that itself awaits addresses before it serves weights). ``away`` says that
        clients do not reach it: it gave its address away and asks for the newest generation before it takes it again. An empty one did not answer.
    :param outcome: {generation, verdict, why}: what came of the intent of that generation, where only whoever carried it out can know.
    :raises Refused: with all that is no observation.
    """

    def __init__(self, releases=None, balancers=None, outcome=None):
        found = _problems(releases, balancers, outcome)
        if found:
            raise Refused(found)
        self._releases = releases
        self.balancers = balancers or {}
        self._outcome = outcome or {}

    def _number(self, release, name):
        if self._releases is None:
            return None
        return self._releases.get(release, {}).get(name, 0)

    def there(self, release):
        """:returns: whether the release has a Deployment; None where that is not known."""
        return None if self._releases is None else release in self._releases

    def ready(self, release):
        """:returns: the number of its pods that are ready; None where that is not known."""
        return self._number(release, "ready")

    def replicas(self, release):
        """:returns: the number of pods that it is meant to have; None where that is not known."""
        return self._number(release, "replicas")

    def generation(self, release):
        """:returns: the generation that its objects carry; None where that is not known."""
        return self._number(release, "generation")

    def zones(self, release):
        """:returns: zone -> pods that it is meant to have there."""
        return (self._releases or {}).get(release, {}).get("zones") or {}

    def precondition(self, release):
        """:returns: what the release's Deployment has to be when it is taken away: the uid and version that were seen."""
        seen = (self._releases or {}).get(release, {})
        return {name: seen[name] for name in ("uid", "resource_version") if name in seen}

    def verdict(self, generation):
        """:returns: (verdict, why) of the intent of a generation; (None, "") where there is none yet."""
        if self._outcome.get("generation") != generation:
            return None, ""
        return self._outcome["verdict"], self._outcome.get("why", "")

    def newest(self):
        """:returns: the highest generation that any balancer serves, 0 where none said."""
        return max([seen.get("generation") or 0 for seen in self.balancers.values()] or [0])

    def served(self):
        """:returns: the balancers that clients reach, as far as is known: name -> what was seen."""
        return {name: seen for name, seen in self.balancers.items() if not seen.get("away")}


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _problems(releases, balancers, outcome):
    found = []
    for kind, entries in (("releases", releases or {}), ("balancers", balancers or {})):
        for name, seen in sorted(entries.items()):
            where = "observation.%s.%s" % (kind, name)
            if not isinstance(seen, dict):
                found.append(problem(where, "%r" % (seen,), "a dictionary", "Leave out what is not there; an empty one is a balancer that did not answer."))
            else:
                found += _release_problems(where, seen) if kind == "releases" else _balancer_problems(where, seen)
    if outcome and (not _is_count(outcome.get("generation")) or outcome.get("verdict") not in VERDICTS):
        found.append(problem("observation.outcome", "%r" % (outcome,), "a generation and one of %s" % ", ".join(VERDICTS), "Give what came of the intent."))
    return found


def _release_problems(where, seen):
    return [problem("%s.%s" % (where, part), "%r" % (seen.get(part),), "a whole number", "Give what the API says.")
            for part in ("replicas", "ready") if not _is_count(seen.get(part))]


def _balancer_problems(where, seen):
    found, weights, addresses = [], seen.get("weights"), seen.get("addresses")
    if seen.get("generation") is not None and not _is_count(seen["generation"]):
        found.append(problem(where + ".generation", "%r" % (seen["generation"],), "a whole number", "Give what the balancer says."))
    if weights is not None and (not _are_counts(weights) or weights and sum(weights.values()) != 100):
        found.append(problem(where + ".weights", "%r" % (weights,), "percents by release that make 100, or none", "Give what the balancer says."))
    if addresses is not None and not _are_counts(addresses):
        found.append(problem(where + ".addresses", "%r" % (addresses,), "numbers by release", "Give what the balancer says."))
    return found


def _are_counts(values):
    return isinstance(values, dict) and all(_is_count(value) for value in values.values())
