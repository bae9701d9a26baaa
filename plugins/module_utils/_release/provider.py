# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a person asks for, and a service's description, to a wish of who answers. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import difflib

from .._common.refusal import Refused, problem
from .serving import Wish
from .settings import LABEL
from .traffic import NOBODY, POOL, RELEASES

DISABLE, ENABLE, SWITCH = "disable", "enable", "switch"
REQUESTS = (DISABLE, ENABLE, SWITCH)
#: The provider that is the service's own releases.
OWN = "own"


def picked(services, name):
    """:returns: (the description of a service, what is wrong with the choice)."""
    known = [one for one in services or [] if isinstance(one, dict)]
    for one in known:
        if one.get("name") == name:
            return one, []
    names = [str(one.get("name")) for one in known]
    return {}, [problem("rollout_service", "no service was named" if not name else "service %r is unknown%s" % (name, _near(name, names)),
                        "one of %s" % ", ".join(names) if names else "a service that llm_services describes, and none is",
                        "Name it: -e rollout_service=NAME.")]


def _near(name, names):
    near = difflib.get_close_matches(str(name), names, 1)
    return "; did you mean %s?" % near[0] if near else ""


def pool_of(service):
    """:returns: the names of a service's fallback pool, in its order."""
    return [str(one.get("name")) for one in service.get("fallback") or [] if isinstance(one, dict)]


def wish_of(request, services, name, serve, provider, who, why):
    """:returns: (:class:`.serving.Wish`, the service's description).

    :param request: one of :data:`REQUESTS`.
    :param services: descriptions, as llm_services has them.
    :param name: the one that is meant.
    :param serve: for a disable: fallback, nobody, or None for the pool where there is one.
    :param provider: for a switch: the pool's server that is to be asked first, or :data:`OWN`.
    :raises Refused: with all that is wrong.
    """
    service, found = picked(services, name)
    pool, mode, chain = pool_of(service), RELEASES, []
    if service:
        found += _description(service)
    if not (why or "").strip():
        found.append(problem("rollout_reason", "no reason was given", "one, for the history and for whoever finds the service like this",
                             "Say why: -e rollout_reason='...'."))
    if request == DISABLE:
        mode = serve or (POOL if pool else NOBODY)
    if request == SWITCH:
        found += _provider(provider, pool) if service else []
        if provider != OWN:
            mode, chain = POOL, [provider] + [one for one in pool if one != provider]
    if service and mode == POOL and not pool and request == DISABLE:
        found.append(problem("fallback", "service %s has no fallback pool" % name, "servers that can answer in its place",
                             "Describe them in its fallback, or serve nobody: -e rollout_serve=nobody."))
    if found:
        raise Refused(found)
    return Wish(mode, chain, pool, who, why), service


def _provider(provider, pool):
    known = pool + [OWN]
    if provider in known:
        return []
    if not pool:
        return [problem("rollout_provider", "the service has no fallback pool, so that %r is unknown" % (provider,), "servers beside its releases",
                        "Describe them in its fallback: name, host and port.")]
    return [problem("rollout_provider", "no provider was named" if not provider else "%r is unknown%s" % (provider, _near(provider, known)),
                    "one of %s; %s is the service's own releases" % (", ".join(known), OWN), "Name it: -e rollout_provider=NAME.")]


def _description(service):
    """As much of it as is needed here; all of it is checked before a release."""
    pool, mend = pool_of(service), "Describe the service in full."
    found = [problem(part, "%r" % (service.get(part),), "a DNS label: at most 63 lower-case letters, digits and dashes", mend)
             for part in ("name", "namespace", "stable") if not isinstance(service.get(part), str) or not LABEL.fullmatch(service[part])]
    for number, one in enumerate(service.get("fallback") or []):
        if not isinstance(one, dict) or not {"name", "host", "port"} <= set(one):
            found.append(problem("fallback[%d]" % number, "%r" % (one,), "name, host and port", "Complete it."))
    for name in sorted({name for name in pool if name == OWN or pool.count(name) > 1}):
        found.append(problem("fallback", "a server is called %s" % name if name == OWN else "%s is there %d times" % (name, pool.count(name)),
                             "a name for each, and none that is %s, which means the service's own releases" % OWN, "Rename it."))
    return found
