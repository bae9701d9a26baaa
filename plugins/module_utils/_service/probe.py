# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of a release by requests: what can be asked for, and whether what came back is good enough. Pure.

functional   requests with the status, the texts and the JSON values that they have to get
performance  requests one after the other, with limits of the median and the 95th percentile
load         requests side by side, with limits of the errors' share and the 95th percentile

A test has a verdict: fail, pass, or inconclusive where it had too few answers to say. No request is never a pass.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import math
import re
from collections import namedtuple

from .._common.refusal import problem

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
FUNCTIONAL, PERFORMANCE, LOAD = "functional", "performance", "load"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_REQUEST = {"path": "/", "method": "GET", "headers": {}, "body": None, "timeout": 30}
_TIMED = dict(_REQUEST, status=200, seconds=300)
#: test -> its settings with their defaults; None is no limit.
DEFAULTS = {
    FUNCTIONAL: dict(_REQUEST, name="", status=200, matches="", json=[]),
    PERFORMANCE: dict(_TIMED, requests=20, p50=None, p95=None, error_share=0.0),
    LOAD: dict(_TIMED, requests=200, concurrency=8, p95=None, error_share=0.01),
}
#: Whole numbers: setting -> (least, most, unit).
NUMBERS = {"requests": (1, 100000, "requests"), "concurrency": (1, 200, "requests at a time"), "status": (100, 599, "a status of HTTP"),
           "timeout": (1, 3600, "seconds for one request"), "seconds": (1, 7200, "seconds for all of them")}
LIMITS = {"p50": "seconds", "p95": "seconds"}
MOST_FUNCTIONAL = 500

#: What came of one request. status: None where no answer came; seconds: how long it took; body: text; error: why there is no answer.
Answer = namedtuple("Answer", ("status", "seconds", "body", "error"))
#: One test's result. measured: numbers, for a report.
Check = namedtuple("Check", ("test", "name", "verdict", "why", "measured"))


# What is asked for

def complete(tests):
    """:returns: tests with their defaults, those that are not asked for left out."""
    found = {}
    if tests.get(FUNCTIONAL) is not None:
        found[FUNCTIONAL] = [dict(DEFAULTS[FUNCTIONAL], **one) for one in tests[FUNCTIONAL]]
    for kind in (PERFORMANCE, LOAD):
        if tests.get(kind) is not None:
            found[kind] = dict(DEFAULTS[kind], **tests[kind])
    return found


def problems(tests, where="tests"):
    """:returns: everything that is wrong with tests as they were written."""
    if not isinstance(tests, dict):
        return [problem(where, "%r" % (tests,), "a dictionary with any of %s" % ", ".join(sorted(DEFAULTS)), "Describe the tests.")]
    found = [problem("%s.%s" % (where, name), "there is no such test", "one of %s" % ", ".join(sorted(DEFAULTS)), "Correct its name.")
             for name in sorted(set(tests) - set(DEFAULTS))]
    functional = tests.get(FUNCTIONAL)
    if functional is not None and not isinstance(functional, list):
        found.append(problem("%s.%s" % (where, FUNCTIONAL), "%r" % (functional,), "a list of requests", "Write one entry for each request."))
    elif functional is not None and len(functional) > MOST_FUNCTIONAL:
        found.append(problem("%s.%s" % (where, FUNCTIONAL), "%d requests" % len(functional), "at most %d" % MOST_FUNCTIONAL, "Leave some to load."))
    else:
        for number, one in enumerate(functional or []):
            found += _of_one(FUNCTIONAL, one, "%s.%s[%d]" % (where, FUNCTIONAL, number))
    for kind in (PERFORMANCE, LOAD):
        if tests.get(kind) is not None:
            found += _of_one(kind, tests[kind], "%s.%s" % (where, kind))
    return found


def _of_one(kind, one, where):
    if not isinstance(one, dict):
        return [problem(where, "%r" % (one,), "a dictionary", "Write its settings.")]
    known = DEFAULTS[kind]
    found = [problem("%s.%s" % (where, name), "there is no such setting", "one of %s" % ", ".join(sorted(known)), "Correct its name or leave it out.")
             for name in sorted(set(one) - set(known))]
    values = dict(known, **{name: value for name, value in one.items() if name in known})
    for name, (least, most, unit) in sorted(NUMBERS.items()):
        if name in known and not _is_within(values[name], least, most, (int,)):
            found.append(problem("%s.%s" % (where, name), "%r" % (values[name],), "a whole number from %d to %d: %s" % (least, most, unit), "Set it."))
    for name, unit in sorted(LIMITS.items()):
        if values.get(name) is not None and not _is_within(values[name], 0.0001, 3600, (int, float)):
            found.append(problem("%s.%s" % (where, name), "%r" % (values[name],), "a number above 0: %s" % unit, "Set it, or leave it out."))
    if "error_share" in known and not _is_within(values["error_share"], 0, 1, (int, float)):
        found.append(problem(where + ".error_share", "%r" % (values["error_share"],), "a share from 0 to 1", "Set it."))
    if all(values.get(name) is not None for name in LIMITS) and "p50" in known and _is_number(values["p50"]) and _is_number(values["p95"]) \
            and values["p50"] > values["p95"]:
        found.append(problem(where, "p50 is %g s and p95 %g s" % (values["p50"], values["p95"]), "the median's limit not above the other", "Swap them."))
    return found + _of_request(values, where) + (_of_functional(values, where) if kind == FUNCTIONAL else [])


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_within(value, least, most, types):
    return isinstance(value, types) and not isinstance(value, bool) and least <= value <= most


def _of_request(values, where):
    found = []
    if not isinstance(values["path"], str) or not re.fullmatch(r"/[!-~]*", values["path"]):
        found.append(problem(where + ".path", "%r" % (values["path"],), "a path that begins with / and has no space", "Correct it."))
    if values["method"] not in METHODS:
        found.append(problem(where + ".method", "%r" % (values["method"],), "one of %s" % ", ".join(METHODS), "Correct it."))
    headers = values["headers"]
    if not isinstance(headers, dict) or not all(isinstance(one, str) and "\n" not in one and "\r" not in one for pair in headers.items() for one in pair):
        found.append(problem(where + ".headers", "it is no dictionary of texts without a line break", "header -> value", "Correct them."))
    return found


def _of_functional(values, where):
    found = _of_regex(values["matches"], where + ".matches")
    if not isinstance(values["json"], list):
        return found + [problem(where + ".json", "%r" % (values["json"],), "a list of values to look at", "Write one entry for each.")]
    for number, one in enumerate(values["json"]):
        here = "%s.json[%d]" % (where, number)
        if not isinstance(one, dict) or not isinstance(one.get("path"), str) or set(one) - {"path", "equals", "matches"}:
            found.append(problem(here, "%r" % (one,), "path, as in choices.0.text, and equals or matches", "Correct it."))
        else:
            found += _of_regex(one.get("matches", ""), here + ".matches")
    return found


def _of_regex(text, where):
    try:
        re.compile(text)
    except (re.error, TypeError) as error:
        return [problem(where, "%r: %s" % (text, error), "a regular expression of Python", "Correct it.")]
    return []


# What came back

def judge_functional(tests, answers):
    """:returns: a :class:`Check` for each request, in their order; an inconclusive one where there is none.

    :param answers: an :class:`Answer` for each test; None for one that was not asked because the time was up.
    """
    if not tests:
        return [Check(FUNCTIONAL, "requests", INCONCLUSIVE, "no request was asked for", {})]
    found = []
    for test, answer in zip(tests, answers):
        name = test["name"] or "%s %s" % (test["method"], test["path"])
        if answer is None:
            found.append(Check(FUNCTIONAL, name, INCONCLUSIVE, "it was not asked: the time was up", {}))
            continue
        why = _wrong(test, answer)
        measured = {"seconds": round(answer.seconds, 3), "status": answer.status}
        found.append(Check(FUNCTIONAL, name, FAIL if why else PASS, why, measured))
    return found


def _wrong(test, answer):
    """:returns: what is wrong with an answer; empty where nothing is."""
    if answer.status is None:
        return "no answer: %s" % answer.error
    if answer.status != test["status"]:
        return "status %d, expected %d: %s" % (answer.status, test["status"], _short(answer.body))
    if answer.error:
        return "a broken answer: %s" % answer.error
    if test["matches"] and not re.search(test["matches"], answer.body):
        return "nothing in it matches %s: %s" % (test["matches"], _short(answer.body))
    return _wrong_json(test["json"], answer.body) if test["json"] else ""


def _wrong_json(wanted, body):
    try:
        document = json.loads(body)
    except ValueError:
        return "it is no JSON: %s" % _short(body)
    for one in wanted:
        there, value = at(document, one["path"])
        if not there:
            return "it has no %s" % one["path"]
        if "equals" in one and value != one["equals"]:
            return "%s is %s, expected %s" % (one["path"], _short(json.dumps(value)), _short(json.dumps(one["equals"])))
        text = value if isinstance(value, str) else json.dumps(value)
        if one.get("matches") and not re.search(one["matches"], text):
            return "%s does not match %s: %s" % (one["path"], one["matches"], _short(text))
    return ""


def at(document, path):
    """:returns: (whether it is there, the value) of a path such as C(choices.0.text) in a JSON document."""
    for part in path.split("."):
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            return False, None
    return True, document


def _short(text):
    return text if len(text) <= 200 else text[:200] + " ..."


def judge_timed(kind, test, answers):
    """Judge requests by their errors and times.

    A request without a good answer took longer than any limit. Where not all that were planned were asked, it fails if the rest could not mend it.

    :param kind: performance or load.
    :param answers: :class:`Answer` of those that were asked.
    :returns: a :class:`Check` for each limit.
    """
    planned = test["requests"]
    errors = [answer for answer in answers if answer.status != test["status"] or answer.error]
    times = sorted(math.inf if answer.status != test["status"] or answer.error else answer.seconds for answer in answers)
    missing = "" if len(answers) == planned else "%d of %d requests were asked in %d s" % (len(answers), planned, test["seconds"])
    measured = {"requests": len(answers), "planned": planned, "errors": len(errors)}
    allowed = math.floor(test["error_share"] * planned + 1e-9)
    why = "%d of %d are errors, at most %d may be%s" % (len(errors), planned, allowed, "; the first: " + _first(errors[0]) if errors else "")
    found = [_check(kind, "errors", len(errors) > allowed, missing, why, dict(measured, limit=test["error_share"]))]
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        limit = test.get(name)
        if limit is None:
            continue
        rank = math.ceil(share * planned - 1e-9)
        over = sum(1 for one in times if one > limit)
        value = times[math.ceil(share * len(times) - 1e-9) - 1] if times else None
        shown = "no good answer" if value in (None, math.inf) else "%.3f s" % value
        found.append(_check(kind, name, over > planned - rank, missing, "%s, and the limit is %g s" % (shown, limit),
                            dict(measured, limit=limit, seconds=None if value in (None, math.inf) else round(value, 3))))
    return found


def _check(kind, name, is_bad, missing, why, measured):
    if is_bad:
        return Check(kind, name, FAIL, why, measured)
    return Check(kind, name, INCONCLUSIVE if missing or not measured["requests"] else PASS, missing or why, measured)


def _first(answer):
    return answer.error or "status %s: %s" % (answer.status, _short(answer.body))


def overall(checks):
    """:returns: the verdict of all checks: one that failed decides, and none at all is no pass."""
    verdicts = {check.verdict for check in checks}
    if FAIL in verdicts:
        return FAIL
    return PASS if verdicts == {PASS} else INCONCLUSIVE
