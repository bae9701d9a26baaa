# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline where something stands in its way: a check run, a rollout that others began while it tested, a balancer without power."""
from __future__ import annotations

import time

from ..common import NotProved, say
from ..operate import lab
from . import outages, pipeline, runs, service, verdicts
from .load import Load
from .size import chosen

#: Never ready, so that its rollout is under way for as long as it may wait, and no client meets it.
OTHER = "bad-unready"
PATIENT = {"lab_ready_timeout": 400}
AFTER = 5


def alive(run):
    """:raises NotProved: where a run has ended before it was to."""
    if not run.alive():
        raise NotProved("the pipeline ended before it tested: %s" % run.tail())
    return True


def release_pipeline_check(inventory):
    """It says what it would do, and neither a pod, nor the record, nor a balancer is another one after it."""
    stable, candidate = service.next_release()
    before, predicted = service.state(inventory), "of %s, %s to %s" % (service.NAME, stable, candidate)
    ended = runs.to_end(inventory, "release_pipeline", "release-pipeline-check", ["--check", *pipeline.words(candidate)])
    service.proved([
        ["it ended with status %d: %s" % (ended.status, ended.text[-3000:])] if ended.status else [],
        ["the %s are other ones: %s, before %s" % (what, now, before[what]) for what, now in service.state(inventory).items() if now != before[what]],
        ["it left %s" % ", ".join(pipeline.trials())] if pipeline.trials() else [],
        [] if predicted in " ".join(ended.text.split()) else ["it does not say '%s': %s" % (predicted, ended.text[-3000:])]], "a check run of the pipeline")
    say("release-pipeline-check: %s to %s looked at in %.0f s, and neither record, pods nor balancers are other ones" % (stable, candidate, ended.seconds))


def release_pipeline_refused(inventory):
    """Others begin a rollout while it tests: its own is refused, its report says so, and theirs goes on."""
    stable, candidate = service.next_release()
    port = service.described(inventory)["balancer"]["port"]
    pipeline.have_namespace(service.described(inventory)["pipeline"]["staging"]["namespace"])
    with Load(inventory, port, chosen().rate / 2) as load:
        load.warm()
        with runs.Run(inventory, "release_pipeline", "release-pipeline-refused", pipeline.words(candidate)) as run:
            service.until("a throw-away release", runs.LIMIT, lambda: alive(run) and pipeline.trials())
            with runs.Run(inventory, "rollout_canary", "release-pipeline-other", runs.words(OTHER, PATIENT)) as other:
                service.until("the other rollout", 180, lambda: service.record().get("rollout"))
                number = service.record()["rollout"]["number"]
                ended = run.wait()
                undisturbed = other.alive() and (service.record().get("rollout") or {}).get("number") == number
                runs.well(inventory, "rollout_abort", "release-pipeline-other-abort", runs.words())
                other.wait()
        time.sleep(AFTER)
    report, page = pipeline.report_of(candidate)
    production = report["stages"][-1]
    service.keep("pipeline-refused", {"requests": load.summary(), "report": report, "status": ended.status, "seconds": ended.seconds})
    service.proved([
        [] if ended.status else ["it ended well although it was refused"],
        [] if undisturbed else ["the other rollout did not go on"],
        ["the stages before production are %s" % report["stages"][:-1]] if any(stage["verdict"] != "pass" for stage in report["stages"][:-1]) else [],
        [] if production["verdict"] in ("fail", "inconclusive") and "rollout %d is under way" % number in production["why"]
        else ["production is told as %s" % production],
        [] if report["headline"] in page and candidate in report["headline"] else ["the page does not say what the report says: %s" % report["headline"]],
        ["of the throw-away releases %s are left" % ", ".join(pipeline.trials())] if pipeline.trials() else [],
        ["%s has pods" % candidate] if candidate in service.deployments() else [],
        verdicts.failures(load.answers, chosen().rate * 10), verdicts.clean(service.state(inventory), ("rolled_back",), stable)], "a refused pipeline")
    say("release-pipeline-refused: others began rollout %d while it tested %s; it ended after %.0f s (production %s, %s), theirs went on until it was aborted; "
        "%d requests, 0 failed" % (number, candidate, ended.seconds, production["verdict"], production["why"][:200], len(load.answers)))


def release_pipeline_balancer_away(inventory):
    """It brings a release to production while a balancer has no power, and the one that comes back serves what the record says."""
    size = chosen()
    stable, candidate = service.next_release()
    port = service.described(inventory)["balancer"]["port"]
    pipeline.have_namespace(service.described(inventory)["pipeline"]["staging"]["namespace"])
    # The first is the one that asks the throw-away releases, where it answers.
    away, here = sorted(service.balancers(inventory))[:2]
    with Load(inventory, port, size.rate / 2, only=(here,)) as steady:
        steady.warm()
        off = True
        lab(inventory, "kill", away)
        try:
            ended = runs.to_end(inventory, "release_pipeline", "release-pipeline-balancer-away", pipeline.words(candidate), 2 * runs.LIMIT)
            with Load(inventory, port, 50, only=(away,)) as late:
                off, started = False, time.time()
                lab(inventory, "start", away)
                brought = outages.back(inventory, away, late, ())
                time.sleep(AFTER)
        finally:
            if off:
                lab(inventory, "start", away)
    report, _page = pipeline.report_of(candidate)
    served = [answer for answer in late.answers if answer.release]
    if not served:
        raise NotProved("%s never answered after its start" % away)
    service.keep("pipeline-balancer-away", {"steady": steady.summary(), "late": late.summary(), "report": report, "status": ended.status})
    service.proved([
        ["the report is %s: %s" % (report["verdict"], report["headline"])] if report["verdict"] != "pass" else [],
        verdicts.only(late.answers, candidate, started, outages.LEAST), verdicts.failures(steady.answers, size.rate * 10),
        verdicts.clean(service.state(inventory), ("promoted",), candidate)], "a pipeline with a balancer away")
    say("release-pipeline-balancer-away: with %s off, %s to %s in %.0f s (status %d, report: %s); back with power it answered after %.0f s, brought there by "
        "%s, and all of its %d answers were %s's; at %s %d requests, 0 failed" % (
            away, stable, candidate, ended.seconds, ended.status, report["headline"], min(answer.finished for answer in served) - started, brought,
            len(served), candidate, here, len(steady.answers)))
