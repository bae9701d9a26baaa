# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as one HTML page, in the frame of the health report. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

from html import escape

from .._report.frame import bullets, document
from .text import change_words, groups, headline, scope, title, unknown_words

HEADLINES = {"nothing": "Nothing would change", "changes": "What would change", "incomplete": "Not the whole plan"}
COLOURS = {"nothing": "pass", "changes": "inconclusive", "incomplete": "fail"}


def page(data):
    """:returns: the whole page.

    :param data: see :func:`.collect.collect`, and ``made_at``, the time of the plan in words.
    """
    alike, still = groups(data["hosts"])
    return document("%s: %s" % (data["cluster"], HEADLINES[data["verdict"]]), [part for part in (
        _header(data), bullets("Quorum", data["quorum"]), bullets("Traffic", data["traffic"]),
        _section("Host by host", "".join(_hosts(*group) for group in alike)),
        _section("The cluster as a whole", "".join(_change(one, " (on %s)" % one["where"]) for one in data["shared"])),
        bullets("Nothing would change on", still), bullets("Said on the way", data["warnings"])) if part])


def _header(data):
    part = '<p class="facts">%s</p>' % escape(scope(data)) if scope(data) else ""
    return ('<header><div class="verdict %s"><h1>%s</h1>%s</div>\n<p class="facts"><b>%s</b> &middot; Kubernetes %s</p>%s\n<p class="facts">%s</p></header>' % (
        COLOURS[data["verdict"]], HEADLINES[data["verdict"]], escape(headline(data)), escape(data["cluster"]), escape(data["kubernetes_version"]), part,
        escape(data["made_at"])))


def _section(heading, inner):
    return "<section><h2>%s</h2>%s</section>" % (escape(heading), inner) if inner else ""


def _hosts(members, first):
    parts = [_change(one) for one in first["changes"]]
    parts += ['<p class="fail">%s</p>' % escape(unknown_words(one)) for one in first["unknown"]]
    means = "".join("<li>%s</li>" % escape(one) for one in first["means"])
    return '<div class="zone"><h3>%s</h3>%s%s</div>' % (
        escape(title(members, first)), "".join(parts), "<p><b>What that means</b></p><ul>%s</ul>" % means if means else "")


def _change(change, where=""):
    words = escape(change_words(change) + where)
    if not change["items"]:
        return "<p>%s</p>" % words
    items = "".join("<li>%s</li>" % escape(one) for one in change["items"])
    return "<details><summary>%s</summary><ul>%s</ul></details>" % (words, items)
