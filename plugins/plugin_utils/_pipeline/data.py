# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report of a pipeline says, as plain data. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

STAGES = ("validation", "testing", "staging", "production")
PASS, FAIL, INCONCLUSIVE, SKIPPED = "pass", "fail", "inconclusive", "skipped"
VERDICTS = (PASS, FAIL, INCONCLUSIVE, SKIPPED)
NOT_REACHED = "a stage before it did not pass"


def collect(service, release, strategy, reason, stages, before, after, began, failure=""):
    """Bring the stages of a pipeline together.

    :param stages: of those before production that were reached: stage, verdict, why, checks (name, verdict, why), began and ended (seconds since 1970).
    :param before: the record of the service's rollouts before; empty where there was none.
    :param after: the one after; empty where it was not read.
    :param began: whether all stages before production passed, so that it was begun.
    :param failure: why whoever drove it in production was refused or gave up; empty where it came to its end.
    :returns: the data that the page and the JSON report are made of.
    """
    reached = {one.get("stage"): one for one in stages}
    if began:
        reached["production"] = production(before, after, release, failure)
    told = [_stage(name, reached.get(name)) for name in STAGES]
    verdict, was, now = _overall(told), before.get("stable") or "", after.get("stable") or ""
    return {"service": service, "release": release, "strategy": strategy, "reason": reason, "verdict": verdict, "stable_before": was,
            "stable_after": now, "headline": _headline(verdict, service, release, told, was, now), "stages": told}


def production(before, after, release, failure=""):
    """:returns: the stage of production, by what the record says, whoever has driven the rollout.

    :param before: the record before.
    :param after: the record after.
    :param failure: why whoever drove it was refused or gave up.
    """
    last, rollout = after.get("last") or {}, after.get("rollout") or {}
    if (last.get("rollout") or 0) > (before.get("rollouts") or 0) and last.get("candidate") == release:
        promoted = last.get("result") == "promoted"
        return {"stage": "production", "verdict": PASS if promoted else FAIL,
                "why": "%s: %s" % (str(last.get("result")).replace("_", " "), last.get("why") or "no reason is on record")}
    if rollout.get("number"):
        return {"stage": "production", "verdict": INCONCLUSIVE,
                "why": "rollout %d is under way, and goes %s: rollout_status says where it stands%s" % (
                    rollout["number"], rollout.get("phase"), "; this run ended before: %s" % failure if failure else "")}
    if failure:
        return {"stage": "production", "verdict": FAIL, "why": failure}
    return {"stage": "production", "verdict": INCONCLUSIVE, "why": "it was to begin, and the record has no end of it"}


def _stage(name, one):
    if not one:
        return {"stage": name, "verdict": SKIPPED, "why": NOT_REACHED, "checks": [], "seconds": None}
    verdict = one.get("verdict") if one.get("verdict") in VERDICTS else INCONCLUSIVE
    checks = [{"test": str(check.get("test") or ""), "name": str(check.get("name") or ""), "why": str(check.get("why") or ""),
               "verdict": check.get("verdict") if check.get("verdict") in VERDICTS else INCONCLUSIVE} for check in one.get("checks") or []]
    began, ended = one.get("began"), one.get("ended")
    return {"stage": name, "verdict": verdict, "why": str(one.get("why") or ""), "checks": checks,
            "seconds": int(float(ended) - float(began)) if began and ended else None}


def _overall(stages):
    """:returns: a pass only where production was reached and passed, and nothing before it is less."""
    verdicts = [one["verdict"] for one in stages]
    if FAIL in verdicts:
        return FAIL
    skipped_early = [one for one in stages if one["verdict"] == SKIPPED and one["why"] == NOT_REACHED]
    return INCONCLUSIVE if INCONCLUSIVE in verdicts or skipped_early or verdicts[-1] != PASS else PASS


def _headline(verdict, service, release, stages, before, after):
    if verdict == PASS:
        return "%s serves %s" % (service, release)
    stopped = next((one for one in stages if one["verdict"] in (FAIL, INCONCLUSIVE)), None)
    serves = after or before
    return "%s was not released: %s%s" % (release, "%s: %s" % (stopped["stage"], {FAIL: "failed", INCONCLUSIVE: "not proved"}[stopped["verdict"]])
                                          if stopped else "it did not get to production", "; %s serves %s" % (service, serves) if serves else "")
