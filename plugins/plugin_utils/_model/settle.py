# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From raw variables to values: defaults, types, one value per cluster-wide variable, and every complaint on the way."""
from __future__ import annotations

import difflib
from copy import deepcopy

from .problems import Problem, did_you_mean
from .types import PARSERS
from .variables import (
    BY_NAME, GROUP_ALIASES, GROUPS, KUBERNETES_GROUPS, OWN_USE_GROUPS, PREFIX, ROLE_PREFIXES, VARIABLE_ALIASES, VARIABLES)

#: An empty answer to a survey's question is no answer.
UNSET = (None, "")


class Host:
    """One host of the cluster: its name, its groups (those we know) and its host variables in their normal form."""

    def __init__(self, name, groups, values, address):
        self.name = name
        self.groups = groups
        self.values = values
        self.address = address

    def is_in(self, *groups):
        return any(group in self.groups for group in groups)


class Settled:
    """An inventory with every value in its normal form.

    ``values``: cluster-wide variable -> value. ``bad``: names of variables that were wrong and stand at their default, so that a
    check which needs one of them is left out instead of adding a misleading second problem. ``limit``: names of the hosts that this run
    may touch, None for all. ``sources``: path -> text of the inventory's files.
    """

    limit = None
    sources = {}

    def __init__(self, hosts, groups, values, bad, ignored, near_groups):
        self.hosts = hosts
        self.groups = groups
        self.values = values
        self.bad = bad
        self.ignored = ignored
        self.near_groups = near_groups

    def group(self, name):
        return [self.hosts[host] for host in self.groups.get(name, ())]

    @property
    def kubernetes(self):
        """Whether Kubernetes is asked for: by one of its groups, or because nothing else is."""
        return any(self.groups[name] for name in KUBERNETES_GROUPS) or not any(self.groups[name] for name in OWN_USE_GROUPS)


def _shown(variable, value):
    """:returns: the value for a message; those that could hold a secret are named by their type only."""
    if variable.secret or variable.type in ("dict", "dict of str"):
        return "a value of type %s" % type(value).__name__
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _correct(variable):
    """:returns: how to mend a wrong value; defaults that are empty are no advice."""
    return "correct it, or leave it out" + (" (%s is the default)" % variable.default if variable.default else "")


def parse(variable, value, where):
    """:returns: (value in its normal form or the default, list of problems)."""
    try:
        parsed = PARSERS[variable.type](value)
    except ValueError as error:
        return deepcopy(variable.default), [
            Problem("types", where, "the value is %s" % _shown(variable, value), str(error), _correct(variable))]
    if variable.choices and parsed not in variable.choices:
        mend = did_you_mean(str(parsed), variable.choices) or _correct(variable)
        return deepcopy(variable.default), [
            Problem("types", where, "the value is %s" % _shown(variable, parsed), "one of " + ", ".join(variable.choices), mend)]
    unknown = [key for key in parsed if key not in variable.keys] if variable.keys else []
    problems = [
        Problem("types", where, "it has a key %s" % key, "the keys " + ", ".join(variable.keys), did_you_mean(key, variable.keys) or "remove it")
        for key in unknown]
    return parsed, problems


def _unknown_variables(raw_hosts, play):
    """Names that are close to ours but are not ours: a typo would otherwise be a default that nobody asked for."""
    seen = {}
    for host, variables in raw_hosts.items():
        for name in variables:
            seen.setdefault(name, []).append(host)
    for name in play:
        seen.setdefault(name, [])
    for name, hosts in sorted(seen.items()):
        guess = _meant(name)
        if guess:
            where = "%s (%s)" % (name, some(hosts)) if hosts else name
            yield Problem("unknown_variable", where, "no such variable", "a variable of this collection", "did you mean %s?" % guess)


def _meant(name):
    """:returns: the variable of ours that ``name`` was meant to be, or an empty string. A site's own cluster_ variables are its own."""
    if not name.startswith(PREFIX) or name in BY_NAME or name.startswith(ROLE_PREFIXES):
        return ""
    # The prefix they share makes short names look alike (cluster_state, cluster_name), hence two measures.
    close = difflib.get_close_matches(name[len(PREFIX):], [known[len(PREFIX):] for known in BY_NAME if known.startswith(PREFIX)], 1, 0.75)
    return VARIABLE_ALIASES.get(name) or "".join(PREFIX + word for word in close) or "".join(difflib.get_close_matches(name, BY_NAME, 1, 0.9))


def some(names, limit=4):
    return ", ".join(names[:limit]) + (" and %d more" % (len(names) - limit) if len(names) > limit else "")


def _cluster_value(variable, raw_hosts, play):
    """:returns: (raw value or None where nobody sets it, problems). What the play sees counts; hosts must not differ."""
    name, groups = variable.name, []
    for host, variables in raw_hosts.items():
        if name in variables:
            for value, hosts in groups:
                if value == variables[name]:
                    hosts.append(host)
                    break
            else:
                groups.append((variables[name], [host]))
    if len(groups) > 1:
        seen = "; ".join("%s on %s" % (_shown(variable, value), some(hosts)) for value, hosts in groups[:4])
        return None, [Problem(
            "one_value", name, "hosts have different values: %s" % seen, "one value for the whole cluster", "set it once, in group_vars/all")]
    if name in play:
        return play[name], []
    return (groups[0][0] if groups else None), []


def settle(raw_hosts, raw_groups, play):
    """Read an inventory.

    :param raw_hosts: host name -> {variable: value}, for the hosts of the known groups.
    :param raw_groups: group name -> [host names], as Ansible's ``groups``.
    :param play: cluster-wide variables as the task sees them (extra variables and a play's own included).
    :returns: (:class:`Settled`, problems).
    """
    groups = {name: list(raw_groups.get(name, ())) for name in GROUPS}
    # A group without the parent that the sample gives it: a GPU worker is a worker all the same.
    groups["workers"] += [name for name in groups["gpu_workers"] if name not in set(groups["workers"])]
    names = list(dict.fromkeys(host for members in groups.values() for host in members))
    member_of = {name: [] for name in names}
    for group, members in groups.items():
        for host in members:
            member_of[host].append(group)
    raw_hosts = {name: raw_hosts.get(name, {}) for name in names}
    problems, bad, values = list(_unknown_variables(raw_hosts, play)), set(), {}
    for variable in VARIABLES:
        if variable.scope != "cluster":
            continue
        raw, found = _cluster_value(variable, raw_hosts, play)
        values[variable.name] = deepcopy(variable.default)
        if raw not in UNSET:
            values[variable.name], more = parse(variable, raw, variable.name)
            found = found + more
        if found:
            bad.add(variable.name)
        problems += found
    hosts = {}
    for name in names:
        hosts[name], found = _host(name, member_of[name], raw_hosts[name])
        if any(problem.where.endswith(", zone") for problem in found):
            bad.add("zone")
        problems += found
    known = set(names)
    others = [name for name in raw_groups.get("all", ()) if name not in known and name != "localhost"]
    return Settled(hosts, groups, values, bad, others, _near_groups(raw_groups, set(others))), problems


def _host(name, groups, raw):
    values, problems = {}, []
    for variable in VARIABLES:
        if variable.scope == "host":
            values[variable.name] = deepcopy(variable.default)
            if raw.get(variable.name) not in UNSET:
                where = "host %s, %s" % (name, variable.name)
                values[variable.name], found = parse(variable, raw[variable.name], where)
                problems += found
    address = values["cluster_node_address"]
    asked = raw.get("cluster_node_address") not in UNSET
    if not address and not asked:
        for candidate in (raw.get("ansible_host"), name):
            try:
                address = PARSERS["address"](candidate)
                break
            except ValueError:
                address = ""
        if not address:
            problems.append(Problem(
                "host_address", "host %s" % name, "neither cluster_node_address nor ansible_host is an address (ansible_host is %r)" % (
                    raw.get("ansible_host")), "the host's IP address in the cluster's network", "set cluster_node_address for it"))
    return Host(name, groups, values, address or ""), problems


def _near_groups(raw_groups, others):
    """:returns: [(group, ours, hosts)] of groups that look like a mistyped one of ours and hold hosts that would be left out."""
    found = []
    for group, members in raw_groups.items():
        lost = [host for host in members if host in others]
        if group in GROUPS or group in ("all", "ungrouped") or not lost:
            continue
        guess = GROUP_ALIASES.get(group.lower()) or did_you_mean(group.lower().replace("-", "_"), GROUPS)[13:-1]
        if guess:
            found.append((group, guess, lost))
    return found
