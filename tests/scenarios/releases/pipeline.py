# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline stops a bad release at a throw-away one, without a word to the balancers, and brings a good one to the end; each with one report."""
from __future__ import annotations

import json
import time

from kubernetes import client, config

from ..common import say
from ..operate import KUBECONFIG
from . import runs, service, verdicts
from .load import Load
from .size import chosen

STAGES = ("validation", "testing", "staging", "production")
BAD, REASON = "bad-errors", "the new model"
AFTER = 5


def report_of(release):
    """:returns: (the report of the pipeline's last run for a release, its page)."""
    path = KUBECONFIG.parent / "rollouts" / ("pipeline-%s-%s" % (service.NAME, release))
    return json.loads(path.with_suffix(".json").read_text()), path.with_suffix(".html").read_text()


def verdicts_of(report):
    """:returns: {stage: its verdict} of a report."""
    return {stage["stage"]: stage["verdict"] for stage in report["stages"]}


def trials():
    """:returns: the Deployments of throw-away releases that are there, of any namespace."""
    listed = client.AppsV1Api(config.new_client_from_config(str(KUBECONFIG))).list_deployment_for_all_namespaces(
        label_selector=service.SELECTOR, _request_timeout=10)
    return ["%s/%s" % (one.metadata.namespace, one.metadata.name) for one in listed.items if "trial-" in one.metadata.name]


def have_namespace(name):
    """Have a namespace, as a site has that stages releases."""
    try:
        service.core().create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)), _request_timeout=10)
    except client.ApiException as error:
        if error.status != 409:
            raise


def words(release):
    """:returns: the words of a run for a release."""
    return runs.words(release, {"rollout_reason": REASON, "lab_soak": chosen().soak})


def release_pipeline(inventory):
    """One that fails its tests never reaches a client; a good one is promoted, and one page says all of it."""
    size = chosen()
    stable, candidate = service.next_release()
    description, before = service.described(inventory), service.record().get("rollouts", 0)
    port, staging = description["balancer"]["port"], description["pipeline"]["staging"]["namespace"]
    have_namespace(staging)
    with Load(inventory, port, size.rate) as load:
        load.warm()
        bad = runs.to_end(inventory, "release_pipeline", "release-pipeline-bad", words(BAD))
        left, begun = trials(), service.record().get("rollouts", 0)
        good = runs.well(inventory, "release_pipeline", "release-pipeline-good", words(candidate), limit=2 * runs.LIMIT)
        time.sleep(AFTER)
    stopped, page = report_of(BAD)
    passed, whole = report_of(candidate)
    left += trials()
    service.keep("pipeline", {"requests": load.summary(), "bad": stopped, "good": passed, "seconds": [bad.seconds, good.seconds]})
    expected = dict(zip(STAGES, ("pass", "fail")))
    found = {stage: verdict for stage, verdict in verdicts_of(stopped).items() if stage in expected}
    service.proved([
        ["the pipeline of %s ended well" % BAD] if not bad.status else [],
        ["the stages of %s are %s, expected %s" % (BAD, verdicts_of(stopped), expected)] if found != expected else [],
        ["a rollout of %s began" % BAD] if begun != before else [],
        ["%s got %d requests" % (BAD, number) for number in [sum(1 for answer in load.answers if answer.release == BAD)] if number],
        ["of the throw-away releases %s are left" % ", ".join(left)] if left else [],
        ["the stages of %s are %s, expected pass at each" % (candidate, verdicts_of(passed))] if verdicts_of(passed) != dict.fromkeys(STAGES, "pass") else [],
        ["the page of %s does not name it" % name for name, text in ((BAD, page), (candidate, whole)) if name not in text],
        verdicts.failures(load.answers, size.rate * 10), verdicts.clean(service.state(inventory), ("promoted",), candidate)], "the pipeline")
    say("release-pipeline: %s was stopped in %.0f s at its throw-away release (%s), no client saw it; %s to %s in %.0f s through %s; no throw-away release "
        "is left; %d requests, 0 failed" % (
            BAD, bad.seconds, next(stage.get("why", "") for stage in stopped["stages"] if stage["stage"] == "testing")[:160], stable, candidate,
            good.seconds, ", ".join(STAGES), len(load.answers)))
