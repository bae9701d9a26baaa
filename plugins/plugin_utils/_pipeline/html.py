# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a pipeline as one HTML page. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

from html import escape

from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.frame import document

WORDS = {"pass": "passed", "fail": "failed", "inconclusive": "not proved", "skipped": "not done"}


def page(data):
    """:returns: the whole page.

    :param data: see :func:`.data.collect`, and ``made_at``, the time of the report in words.
    """
    return document("%s %s: %s" % (data["service"], data["release"], WORDS[data["verdict"]]),
                    [_header(data), _overview(data["stages"])] + [_stage(one) for one in data["stages"] if one["checks"]])


def _header(data):
    facts = ["release %s of %s" % (data["release"], data["service"]), "strategy %s" % data["strategy"]]
    if data["stable_before"]:
        facts.append("before: %s" % data["stable_before"])
    if data["stable_after"]:
        facts.append("now: %s" % data["stable_after"])
    reason = '<p class="facts">%s</p>\n' % escape(data["reason"]) if data["reason"] else ""
    return ('<header><div class="verdict %s"><h1>%s</h1></div>\n<p class="facts">%s</p>\n%s<p class="facts">%s</p></header>' % (
        data["verdict"], escape(data["headline"]), " &middot; ".join(escape(one) for one in facts), reason, escape(data["made_at"])))


def _overview(stages):
    rows = ['<tr><td class="name">%s</td><td class="word %s">%s</td><td>%s</td><td>%s</td></tr>' % (
        escape(one["stage"]), one["verdict"], WORDS[one["verdict"]], escape(one["why"]), _lasted(one["seconds"])) for one in stages]
    return _table("Stages", ("Stage", "Verdict", "Why", "Took"), rows)


def _lasted(seconds):
    if seconds is None:
        return ""
    return "%d s" % seconds if seconds < 120 else "%d min %d s" % divmod(seconds, 60)


def _stage(stage):
    # What is wrong is read first.
    order = {"fail": 0, "inconclusive": 1, "pass": 2, "skipped": 3}
    rows = ['<tr><td class="name">%s</td><td class="word %s">%s</td><td>%s</td></tr>' % (
        escape(" ".join(part for part in (one["test"], one["name"]) if part)), one["verdict"], WORDS[one["verdict"]], escape(one["why"]))
        for one in sorted(stage["checks"], key=lambda check: order[check["verdict"]])]
    return _table(stage["stage"].capitalize(), ("Check", "Verdict", "Why"), rows)


def _table(title, heads, rows):
    return '<section><h2>%s</h2><div class="scroll"><table><thead><tr>%s</tr></thead><tbody>\n%s\n</tbody></table></div></section>' % (
        escape(title), "".join("<th>%s</th>" % escape(head) for head in heads), "\n".join(rows))
