# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service's description says of its rollouts: settings, gates, smoke test, hooks, error budget; and what is wrong with them. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.refusal import problem
from .._release.settings import BLUE_GREEN, DEFAULTS, ROLLING, STRATEGIES, UNDO
from .._slo import spec

METRIC, PROBE, APPROVAL = ("errors", "latency", "query"), "probe", "approval"
#: Seconds that a command may take, and between two beginnings of the same one.
PROBE_TIMEOUT, PROBE_EVERY = 60, 60
HOOKS = ("on_start", "on_step", "on_promoted", "on_turned_back", "on_rolled_back", "on_end", "on_paused")
#: What stands in `rollout` beside settings of strategies.
BESIDE = ("strategy", "error_budget")
#: What is asked where the description names no budget: the SLO that the role monitoring records.
BUDGET = {"slo": "availability"}
BUDGET_OPTIONS = {"slo": None, "metric": None, "objective": None, "window": None, "bad_status": spec.DEFAULT_BAD, "ignored_status": spec.DEFAULT_IGNORED,
                  "burn_window": "1h"}
CONNECTION = {"url": None, "ca_file": None, "token_file": None, "username": None, "password_file": None, "timeout": 5, "max_age": 30}


def of_kind(gates, *kinds):
    """:returns: the gates of some kinds."""
    return [gate for gate in gates if isinstance(gate, dict) and gate.get("kind") in kinds]


def metric_gates(gates):
    """:returns: the gates that Prometheus is asked for; what is of no known kind is left to the check of those."""
    return [gate for gate in gates if not isinstance(gate, dict) or gate.get("kind") not in (PROBE, APPROVAL)]


def settings_of(service, strategy, size, zones):
    """:returns: the settings of a strategy.

    :param service: a complete description.
    :param strategy: one of STRATEGIES, or UNDO.
    :param size: pods of the stable release.
    :param zones: the cluster's, in their order, for a rolling rollout that names none itself.
    """
    given = {name: value for name, value in service["rollout"].items() if name in DEFAULTS[strategy]}
    if strategy == UNDO:
        given.pop("keep", None)  # that of a release; who goes back keeps nothing warm
    found = dict(given, replicas=size)
    if strategy == ROLLING and zones:
        found.setdefault("zones", list(zones))
    return found


def slower(settings, strategy):
    """:returns: settings with twice the time at each step, for a service whose error budget is half used up."""
    defaults = DEFAULTS[strategy]
    return dict(settings, **{name: 2 * settings.get(name, defaults[name]) for name in ("soak", "watch") if name in defaults})


def connection(service):
    """:returns: the options of the connection to Prometheus; None where the description has none."""
    given = service["prometheus"]
    return dict(CONNECTION, **given) if given.get("url") else None


def budget_options(service):
    """:returns: what the error budget is asked with, the connection apart."""
    return dict(BUDGET_OPTIONS, **(service["rollout"].get("error_budget") or BUDGET))


def _texts(value):
    return isinstance(value, list) and bool(value) and all(isinstance(word, str) for word in value) and bool(value[0])


def _seconds(value):
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 3600


def problems(service, strategy, release, baseline, looks):
    """:returns: everything that is wrong with what a description says of its rollouts.

    :param service: a complete description.
    :param release: the candidate.
    :param baseline: the stable release.
    :param looks: that the rollout plans.
    """
    where = "llm_services.%s" % service["name"]
    return (_rollout(where, service["rollout"]) + _gates(where, service, release, baseline, looks) + _smoke(where, service["smoke"])
            + _hooks(where, service["hooks"]) + _connection(where, service)
            + ([] if strategy in STRATEGIES else [problem("strategy", "%r" % (strategy,), "one of %s" % ", ".join(STRATEGIES), "Choose one.")]))


def _rollout(where, rollout):
    known = set(BESIDE).union(*DEFAULTS.values()) - {"replicas"}
    found = [problem("%s.rollout.%s" % (where, name), "there is no such setting", "one of %s" % ", ".join(sorted(known)), "Correct its name or leave it out.")
             for name in sorted(set(rollout) - known)]
    budget = rollout.get("error_budget") or BUDGET
    if not isinstance(budget, dict) or set(budget) - set(BUDGET_OPTIONS):
        found.append(problem(where + ".rollout.error_budget", "it is %r" % (budget,), "a dictionary with some of %s" % ", ".join(BUDGET_OPTIONS),
                             "Give the options of error_budget_info."))
    return found


def _gates(where, service, release, baseline, looks):
    gates, found = service["gates"], []
    if not gates:
        return [problem(where + ".gates", "there is none", "at least one", "Describe what a release is judged by: without a gate everything would pass.")]
    metrics = metric_gates(gates)
    if metrics:
        found += [dict(one._asdict()) for one in spec.parse(metrics, service["name"], release, baseline, looks)[1]]
    names = [gate.get("name") for gate in metrics if isinstance(gate, dict)]
    for number, gate in enumerate(of_kind(gates, PROBE, APPROVAL), 1):
        name = gate.get("name")
        place = "gate %s" % (name if isinstance(name, str) and name else "number %d of kind %s" % (number, gate["kind"]))
        if not isinstance(name, str) or not name:
            found.append(problem(place + ", name", "it is %r" % (name,), "a text", "Give the gate a name: reports need one."))
        elif name in names:
            found.append(problem(place + ", name", "it is there twice", "a name for each gate", "Rename one of them."))
        names.append(name)
        found += _command(place, gate, ("name", "kind", "at", "argv", "timeout", "every") if gate["kind"] == PROBE else ("name", "kind", "at"))
        weights = gate.get("at", [])
        if not isinstance(weights, list) or any(isinstance(one, bool) or not isinstance(one, int) or not 1 <= one <= 100 for one in weights):
            found.append(problem(place + ", at", "it is %r" % (weights,), "a list of weights in percent, or none for all", "Say at which weights it counts."))
    return found


def _command(place, given, known):
    found = [problem("%s, %s" % (place, name), "there is no such option", "one of %s" % ", ".join(known), "Correct its name or leave it out.")
             for name in sorted(set(given) - set(known))]
    if "argv" in known and not _texts(given.get("argv")):
        found.append(problem(place + ", argv", "it is %r" % (given.get("argv"),), "a command as a list of texts", "Give it; no shell reads it."))
    return found + [problem("%s, %s" % (place, name), "it is %r" % (given[name],), "seconds, from 1 to 3600", "Correct it.")
                    for name in ("timeout", "every") if name in given and name in known and not _seconds(given[name])]


def _smoke(where, smoke):
    return _command(where + ".smoke", smoke, ("argv", "timeout")) if smoke else []


def _hooks(where, hooks):
    known = HOOKS + ("notify",)
    found = [problem("%s.hooks.%s" % (where, name), "there is no such hook", "one of %s" % ", ".join(known), "Correct its name.")
             for name in sorted(set(hooks) - set(known))]
    found += [problem("%s.hooks.%s" % (where, name), "it is %r" % (hooks[name],), "the path of a task file", "Correct it.")
              for name in HOOKS if name in hooks and (not isinstance(hooks[name], str) or not hooks[name])]
    notify = hooks.get("notify") or []
    for number, one in enumerate(notify if isinstance(notify, list) else [notify]):
        if not isinstance(one, dict) or set(one) - {"url", "url_file", "ca_file"} or len({"url", "url_file"} & set(one)) != 1:
            found.append(problem("%s.hooks.notify[%d]" % (where, number), "it is no webhook", "a dictionary with url or url_file, and ca_file at most",
                                 "An address that is a secret itself goes into a file."))
    return found


def _connection(where, service):
    given = service["prometheus"]
    found = [problem("%s.prometheus.%s" % (where, name), "there is no such option", "one of %s" % ", ".join(CONNECTION), "Correct its name.")
             for name in sorted(set(given) - set(CONNECTION))]
    if metric_gates(service["gates"]) and not given.get("url"):
        found.append(problem(where + ".prometheus.url", "it is missing", "the address of the Prometheus that the gates ask", "Set it."))
    return found


def without_smoke(service, strategy):
    """:returns: whether the smoke test is the warm-up requests once more, because the description has no command for it."""
    return strategy == BLUE_GREEN and not service["smoke"]
