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


def collect(service, release, strategy, reason, stages, before, after):
    """Bring the stages of a pipeline together.

    :param stages: of those that were reached: stage, verdict, why, checks (name, verdict, why), began and ended (seconds since 1970).
    :param before: the stable release before; empty where that is not known.
    :param after: the one after.
    :returns: the data that the page and the JSON report are made of.
    """
    reached = {one.get("stage"): one for one in stages}
    told = [_stage(name, reached.get(name)) for name in STAGES]
    verdict = _overall(told)
    return {"service": service, "release": release, "strategy": strategy, "reason": reason, "verdict": verdict, "stable_before": before,
            "stable_after": after, "headline": _headline(verdict, service, release, told, before, after), "stages": told}


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
