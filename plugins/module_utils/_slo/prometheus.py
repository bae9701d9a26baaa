# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin client of Prometheus's HTTP API: it asks at a moment and gives back what was answered, and decides nothing.

An answer with warnings is a partial one, and no answer.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import base64
import json
import os
import re
from urllib.parse import urlencode, urlsplit

from .._common.errors import IronrackError
from .._common.http import HttpClient, HttpError
from .spec import Problem

ARGUMENT_SPEC = {
    "url": {"type": "str", "required": True},
    "ca_file": {"type": "path"},
    "token_file": {"type": "path", "no_log": False},
    "username": {"type": "str"},
    "password_file": {"type": "path", "no_log": False},
    "timeout": {"type": "int", "default": 5},
    "max_age": {"type": "int", "default": 30},
}


class NoAnswer(IronrackError):
    """Prometheus gave no answer, or one that is not to be trusted: down, refused, too slow, partial, broken."""


class BadQuery(IronrackError):
    """Prometheus does not understand the query: whatever is measured, there will be no answer."""


def problems_of(params):
    """:returns: a problem for each parameter of :data:`ARGUMENT_SPEC` that cannot be used."""
    problems = []
    try:
        parts = urlsplit(params["url"])
        named = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        named = False
    if not named or parts.query or parts.fragment:
        problems.append(Problem("url", "it is no address of Prometheus", "http:// or https://, a host, and at most a port and a path", "correct it"))
    elif parts.username is not None or parts.password is not None:
        problems.append(Problem("url", "it holds a user name or a password", "none: addresses are logged", "use username and password_file"))
    elif parts.scheme == "http" and (params["token_file"] or params["password_file"]):
        problems.append(Problem("url", "a secret would travel in clear text", "https://", "give Prometheus a certificate, or ask it without a secret"))
    if params["token_file"] and params["password_file"]:
        problems.append(Problem("token_file", "there is a password_file as well", "one of them", "choose how to log in"))
    if bool(params["username"]) != bool(params["password_file"]):
        problems.append(Problem("username", "a user name and a password_file go together", "both or none", "add the other one"))
    for name in ("ca_file", "token_file", "password_file"):
        if params[name] and not _readable(params[name]):
            problems.append(Problem(name, "%s is empty or cannot be read" % params[name], "a file that holds it",
                                    "put it there, for the user that this runs as"))
    for name in ("timeout", "max_age"):
        if params[name] < 1:
            problems.append(Problem(name, "it is %d" % params[name], "seconds, from 1", "correct it"))
    return problems


def _readable(path):
    return os.path.isfile(path) and os.access(path, os.R_OK) and os.path.getsize(path) > 0


def _secret(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read().strip()


class Prometheus:
    """Questions to one Prometheus.

    :param params: what :data:`ARGUMENT_SPEC` describes, without problems.
    :raises OSError: where a file of a secret cannot be read.
    """

    def __init__(self, params):
        self._url = params["url"].rstrip("/") + "/api/v1/query"
        self._timeout = params["timeout"]
        self._http = HttpClient(ca_file=params["ca_file"], timeout=params["timeout"])
        self._headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if params["token_file"]:
            self._headers["Authorization"] = "Bearer %s" % _secret(params["token_file"])
        elif params["password_file"]:
            pair = "%s:%s" % (params["username"], _secret(params["password_file"]))
            self._headers["Authorization"] = "Basic %s" % base64.b64encode(pair.encode()).decode()

    def query(self, promql, at=None):
        """Ask one instant query.

        :param at: seconds of Unix time; Prometheus's own time where None.
        :returns: (type, result): ``scalar`` with a number, ``vector`` with (labels, number) each, ``matrix`` with (labels, [(time, number)]) each.
        :raises BadQuery: where it is no PromQL, or gives text.
        :raises NoAnswer: where no answer came, or one that is not whole.
        """
        form = {"query": promql, "timeout": "%ds" % self._timeout}
        if at is not None:
            form["time"] = "%.3f" % at
        try:
            answer = self._http.request("POST", self._url, urlencode(form).encode(), self._headers)
        except HttpError as error:
            raise NoAnswer(str(error))
        try:
            content = json.loads(answer.body)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise NoAnswer("%s answered %d with what is no answer of Prometheus" % (self._url, answer.status))
        if content.get("status") != "success" or answer.status != 200:
            words = "%s answered %d to `%s`: %s" % (self._url, answer.status, promql, content.get("error") or "no reason is given")
            raise BadQuery(words) if content.get("errorType") == "bad_data" else NoAnswer(words)
        if content.get("warnings"):
            raise NoAnswer("%s warned, so its answer to `%s` may not be whole: %s" % (self._url, promql, content["warnings"]))
        try:
            return _parsed(content["data"]["resultType"], content["data"]["result"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise NoAnswer("%s answered `%s` with what is no answer of Prometheus: %s" % (self._url, promql, str(content)[:200]))

    def clock(self):
        """:returns: seconds of Unix time, as Prometheus has it. :raises NoAnswer: where it does not say."""
        kind, number = self.query("time()")
        if kind != "scalar" or not 0 < number < float("inf"):
            raise NoAnswer("%s does not know the time" % self._url)
        return number

    def last_samples(self, selector, at, age):
        """:returns: [(labels, time, number)] of the last sample of each series that is at most ``age`` seconds old at ``at``.

        :raises BadQuery: where ``selector`` is anything but a selector, beside :meth:`query`'s errors.
        """
        kind, result = self.query("%s[%ds]" % (selector, age), at=at)
        if kind != "matrix":
            raise BadQuery("`%s` selects no series" % selector)
        return [(labels,) + max(samples, key=lambda sample: sample[0]) for labels, samples in result if samples]


def _parsed(kind, result):
    if kind == "string":
        raise BadQuery("the query gives a text and no number")
    if kind == "scalar":
        return kind, _sample(result)[1]
    if kind == "vector":
        return kind, [(_labels(one), _sample(one["value"])[1]) for one in result]
    if kind == "matrix":
        return kind, [(_labels(one), [_sample(sample) for sample in one["values"]]) for one in result]
    raise ValueError(kind)


def _labels(one):
    return {str(name): str(value) for name, value in one["metric"].items()}


def _sample(pair):
    time, number = pair
    return float(time), float(number)


def quoted(value):
    """:returns: a label's value as PromQL writes it."""
    return json.dumps(value, ensure_ascii=False)


def one_of(values):
    """:returns: an expression that matches each of ``values`` and nothing else."""
    return "|".join(map(re.escape, values))


def selector(metric, labels, matching=None, excluded=None):
    """:returns: a selector of a metric.

    :param labels: name -> value.
    :param matching: name -> expression that the whole value has to match.
    :param excluded: name -> expression that it must not match.
    """
    parts = ["%s=%s" % (name, quoted(value)) for name, value in labels.items()]
    parts += ["%s=~%s" % (name, quoted(expression)) for name, expression in (matching or {}).items()]
    parts += ["%s!~%s" % (name, quoted(expression)) for name, expression in (excluded or {}).items()]
    return "%s{%s}" % (metric, ",".join(parts))
