# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves what the playbooks promise, one step after the other, on the running lab. Molecule's scenarios call the steps.

    python3 -m tests.scenarios.prove --inventory inventories/lab check-fresh converge again check-built validate faults

Each step prints a line for each thing that it proved, with its figure; the first that does not hold ends with status 1.
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from . import changes, encryption, hardening, host_faults, kill_chain, llm_image, midway, operate, own_parts, secrets
from .common import OUTPUT, NotProved, compare, playbook, say
from .files import everything, nothing_changed
from .opensearch import backup, bench as opensearch_bench, expiry, faults as opensearch_faults, ingest, modules as opensearch_modules, proved
from .opensearch import replace, restart, rotate, schedule, sick
from .opensearch import up as opensearch_up, upgrade as opensearch_upgrade, users as opensearch_users
from .releases import alerts, budget, canary, killed, outages, pipeline, pipeline_hindered, serving, swap, switches, up

MOST_ON_A_HOST = 20
MOST_WITH_THE_CONTROLLER = 40


def check_fresh(inventory):
    """A check run on fresh hosts reaches its end and changes nothing."""
    before = everything(inventory)
    seconds, counts = playbook(inventory, "site", "--check", record="check-fresh")
    nothing_changed("the check run", before, everything(inventory))
    say("check run on fresh hosts: %.0f s, predicts %d changes, and none of %d files on %d hosts changed" % (
        seconds, len(counts["changed"]), sum(len(files) for files in before.values()), len(before)))


def plan(inventory):
    """A plan on fresh hosts changes nothing, and says every pair that it predicts; ``converge`` compares them with what it changes."""
    before = everything(inventory)
    words = ["-e", "plan_report_dir=%s" % OUTPUT]
    seconds, counts = playbook(inventory, "plan", *words, record="plan")
    told = json.loads(next(OUTPUT.glob("*-plan.json")).read_text())
    if not told["changed"] or told["changed"] != counts["changed"]:
        raise NotProved("the plan says %d changes, and the run predicted %d" % (len(told["changed"]), len(counts["changed"])))
    if told["verdict"] != "changes":
        raise NotProved("the plan is %s" % told["verdict"])
    refuse_to_be_switched_off(inventory, words)
    nothing_changed("the plan", before, everything(inventory))
    say("plan on fresh hosts: %.0f s, says %d changes, and none of %d files on %d hosts changed, not even with cluster_plan=false" % (
        seconds, len(told["changed"]), sum(len(files) for files in before.values()), len(before)))


def refuse_to_be_switched_off(inventory, words):
    """With -e cluster_plan=false a plan is refused; and where the refusal itself is passed by, every task of the site is skipped."""
    for record, options in (("plan-refused", []), ("plan-passed-by", ["--skip-tags", "always"])):
        try:
            playbook(inventory, "plan", *words, "-e", "cluster_plan=false", *options, record=record)
        except NotProved:
            # A task that is delegated to a host of the model fails where the model was skipped: no harm, and no success either.
            if not options and "Nothing was touched" not in (OUTPUT / "plan-refused.log").read_text():
                raise
        else:
            if not options:
                raise NotProved("plan.yml ran although it was switched off")
        if json.loads((OUTPUT / (record + ".json")).read_text())["changed"]:
            raise NotProved("plan.yml with cluster_plan=false %s changed something" % " ".join(options))


def converge(inventory):
    """The real run ends with a healthy cluster, and changes what the check run and the plan said."""
    seconds, counts = playbook(inventory, "site", record="converge")
    say("converge: %.0f s" % seconds)
    for name, what in (("check-fresh", "the check run"), ("plan", "the plan")):
        predicted = OUTPUT / (name + ".json")
        if predicted.exists():
            compare(what, json.loads(predicted.read_text())["changed"], counts["changed"])


def again(inventory):
    """A second run changes nothing and stays within its budget of tasks."""
    seconds, counts = playbook(inventory, "site", record="again")
    if counts["changed"]:
        raise NotProved("the second run changed: %s" % counts["changed"])
    most = counts["most"]
    if not 0 < most["connection"] <= MOST_ON_A_HOST or most["total"] > MOST_WITH_THE_CONTROLLER:
        raise NotProved("%(connection)d tasks over a connection and %(total)d with the controller's were executed" % most)
    say("second run: %.0f s, changed=0, at most %d tasks over the connection of a host and %d with the controller's" % (
        seconds, most["connection"], most["total"]))


def check_built(inventory):
    """A check run on the built cluster predicts nothing."""
    seconds, counts = playbook(inventory, "site", "--check", record="check-built")
    if counts["changed"]:
        raise NotProved("a check run on the built cluster predicts: %s" % counts["changed"])
    if not counts["tasks"]:
        raise NotProved("no task was counted")
    say("check run on the built cluster: %.0f s, changed=0" % seconds)


def validate(inventory, words=()):
    """Every condition is green from outside."""
    seconds, _counts = playbook(inventory, "validate", "-e", "validate_wait=120", *words)
    report = json.loads(next(OUTPUT.glob("*-health.json")).read_text())
    verdicts = list(conditions(report))
    if not verdicts or any(condition["verdict"] != "pass" for condition in verdicts):
        raise NotProved("not every condition is green: %s" % [(condition["name"], condition["verdict"]) for condition in verdicts])
    say("validate: %.0f s, %d conditions green: %s" % (seconds, len(verdicts), ", ".join(condition["name"] for condition in verdicts)))


def rebuild(inventory):
    """After a reset the same command builds the cluster again."""
    seconds, counts = playbook(inventory, "site", record="rebuild")
    if not counts["changed"]:
        raise NotProved("the run after a reset changed nothing")
    say("built again after the reset: %.0f s" % seconds)
    validate(inventory)


def conditions(part):
    """:returns: the conditions anywhere in a report."""
    if isinstance(part, dict):
        found = [part] if {"name", "verdict", "seen"} <= part.keys() else []
        return found + [condition for value in part.values() for condition in conditions(value)]
    return [condition for value in part for condition in conditions(value)] if isinstance(part, list) else []


STEPS = {
    "check-fresh": check_fresh, "plan": plan, "converge": converge, "again": again, "check-built": check_built, "validate": validate, "rebuild": rebuild,
    "faults": operate.faults, "faults-measured": operate.faults_measured, "join-without-cp1": operate.join_without_cp1,
    "cis": hardening.cis, "services-read-back": operate.services_read_back, "through-jump-host": operate.through_jump_host,
    "reset-refused": operate.reset_refused, "reset": operate.reset,
    "kill-chain": kill_chain.kill_chain, "kill-fresh": kill_chain.kill_fresh, "kill-everywhere": kill_chain.kill_everywhere,
    "kill-join": kill_chain.kill_join, "midway": midway.midway,
    "host-faults": host_faults.host_faults, "host-faults-built": host_faults.host_faults_built,
    "secrets": secrets.secrets, "encrypted": encryption.encrypted, "key-rotated": encryption.key_rotated,
    "encryption-goals": encryption.encryption_goals, "encryption-late": encryption.encryption_late,
    "changes": changes.changes,
    "site-services": own_parts.site_services, "own-parts": own_parts.own_parts,
    "llm-image": llm_image.llm_image, "llm-image-pushed": llm_image.llm_image_pushed,
    "release-up": up.release_up, "release-switches": switches.release_switches, "release-canary-good": canary.release_canary_good,
    "release-canary-bad": canary.release_canary_bad, "release-blue-green": swap.release_blue_green, "release-rolling": swap.release_rolling,
    "release-killed": killed.release_killed, "release-stopped": killed.release_stopped, "release-balancer-away": outages.release_balancer_away,
    "release-api-down": outages.release_api_down, "release-host-killed": outages.release_host_killed, "release-budget": budget.release_budget,
    "release-serving": serving.release_serving, "release-pipeline": pipeline.release_pipeline, "release-alert": alerts.release_alert,
    "release-pipeline-check": pipeline_hindered.release_pipeline_check, "release-pipeline-refused": pipeline_hindered.release_pipeline_refused,
    "release-pipeline-balancer-away": pipeline_hindered.release_pipeline_balancer_away,
    "opensearch-up": opensearch_up.opensearch_up, "opensearch-sick": sick.opensearch_sick, "opensearch-restart": restart.opensearch_restart,
    "opensearch-restart-killed": restart.opensearch_restart_killed, "opensearch-restart-hindered": restart.opensearch_restart_hindered,
    "opensearch-restart-everywhere": restart.opensearch_restart_everywhere,
    "opensearch-old": opensearch_upgrade.opensearch_old, "opensearch-upgrade": opensearch_upgrade.opensearch_upgrade,
    "opensearch-upgrade-hindered": opensearch_upgrade.opensearch_upgrade_hindered,
    "opensearch-upgrade-everywhere": opensearch_upgrade.opensearch_upgrade_everywhere,
    "opensearch-bench": opensearch_bench.opensearch_bench,
    "opensearch-node-replace": replace.opensearch_node_replace,
    "opensearch-ingest": ingest.opensearch_ingest,
    "opensearch-backup": backup.opensearch_backup, "opensearch-damaged": backup.opensearch_damaged,
    "opensearch-retention": backup.opensearch_retention, "opensearch-schedule": schedule.opensearch_schedule,
    "opensearch-upgrade-proof": proved.opensearch_upgrade_proof,
    "opensearch-expiry": expiry.opensearch_expiry,
    "opensearch-modules": opensearch_modules.opensearch_modules,
    "opensearch-users": opensearch_users.opensearch_users,
    "opensearch-rotate": rotate.opensearch_rotate, "opensearch-rotate-killed": rotate.opensearch_rotate_killed,
    "opensearch-faults": opensearch_faults.opensearch_faults,
}


def main(argv=None):
    """:returns: the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inventory", required=True, type=Path)
    parser.add_argument("steps", nargs="+", choices=sorted(STEPS))
    options = parser.parse_args(argv)
    try:
        for step in options.steps:
            STEPS[step](options.inventory)
    except (NotProved, subprocess.SubprocessError, OSError) as error:
        reason = "NOT PROVED: %s: %s" % (step, error)
        print(reason)
        # Molecule says much after this; the gate repeats it where somebody looks first.
        if os.environ.get("IRONRACK_REASONS"):
            with open(os.environ["IRONRACK_REASONS"], "a") as stream:
                stream.write(reason + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
