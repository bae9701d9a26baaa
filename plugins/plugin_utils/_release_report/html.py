# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a rollout as one HTML page, in the frame of the health report: the verdict on top, a picture of weights and verdicts below. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

from html import escape

from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.progress import spoken

from .._report.frame import document
from .text import COLOURS, HEADLINES, clock, headline, holder

#: The picture, in its own units.
WIDTH, HEIGHT, LEFT, TOP, BAND = 960, 220, 44, 12, 22
STYLE = """<style>
.picture { width: 100%; height: auto; display: block; background: var(--card); border: 1px solid var(--line); }
.picture text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.picture .grid { stroke: var(--line); stroke-width: 1; }
.picture .asked { fill: var(--soft); fill-opacity: .18; stroke: var(--ink); stroke-width: 2; stroke-linejoin: round; }
.picture .measured { fill: none; stroke: var(--inconclusive); stroke-width: 2; stroke-dasharray: 4 3; }
.picture .band { fill: currentColor; } .picture .band-text { fill: var(--card); font-weight: 600; }
.picture .back { stroke: var(--fail); stroke-width: 2; stroke-dasharray: 2 3; }
</style>"""


def page(data):
    """:returns: the whole page.

    :param data: see :func:`.data.collect`, and ``made_at``, the time of the report in words.
    """
    title = "%s, rollout %d: %s" % (data["service"], data["number"], HEADLINES[data["result"]])
    return document(title, [part for part in (STYLE, _header(data), _picture(data), _steps(data["steps"]), _decisions(data), _timeline(data)) if part])


def _header(data):
    why = '<p>%s</p>' % escape(data["why"]) if data["why"] else ""
    times = "%s UTC, %s" % (clock(data["began"]), spoken(max(0, data["until"] - data["began"])))
    facts = ["<b>%s</b> &middot; %s to %s by %s" % tuple(escape(data[name]) for name in ("service", "stable", "candidate", "strategy")), escape(times)]
    facts += [escape("asked for by %s%s" % (data["who"], ": " + data["reason"] if data["reason"] else ""))] if data["who"] else []
    facts += [escape("%s; at least %s left" % (holder(data["lock"]), spoken(data["left"])))] if data["left"] is not None else []
    return '<header><div class="verdict %s"><h1>%s</h1>%s%s</div>%s<p class="facts">made at %s</p></header>' % (
        COLOURS.get(data["result"], "inconclusive"), HEADLINES[data["result"]], escape(headline(data)), why,
        "".join('<p class="facts">%s</p>' % one for one in facts), escape(data["made_at"]))


class Scale:
    """Places of times and percents in the picture."""

    def __init__(self, began, until):
        self._began, self._span = began, max(1.0, until - began)

    def x(self, at):
        """:returns: the place of a moment."""
        return round(LEFT + (WIDTH - LEFT - 8) * min(1.0, max(0.0, (at - self._began) / self._span)), 1)

    @staticmethod
    def y(percent):
        """:returns: the place of a percentage."""
        return round(TOP + (HEIGHT - TOP) * (100.0 - percent) / 100.0, 1)


def _picture(data):
    scale = Scale(data["began"], data["until"])
    parts = ['<line class="grid" x1="%d" y1="%s" x2="%d" y2="%s"/><text x="4" y="%s">%d %%</text>' % (
        LEFT, scale.y(percent), WIDTH - 8, scale.y(percent), scale.y(percent) + 4, percent) for percent in (0, 25, 50, 75, 100)]
    parts.append(_asked(data, scale))
    if data["measured"]:
        points = " ".join("%s,%s" % (scale.x(at), scale.y(min(100.0, percent))) for at, percent in data["measured"])
        parts.append('<polyline class="measured" points="%s"/>' % points)
    parts += [_band(step, scale) for step in data["steps"]]
    turned = [one["at"] for one in data["decisions"] if one["what"] == "roll back"]
    parts += ['<line class="back" x1="{0}" y1="{1}" x2="{0}" y2="{2}"/>'.format(scale.x(at), TOP, HEIGHT + BAND + 6) for at in turned]
    bottom = HEIGHT + BAND + 26
    parts.append('<text x="%d" y="%d">%s</text><text x="%d" y="%d" text-anchor="end">%s UTC</text>' % (
        LEFT, bottom, clock(data["began"]), WIDTH - 8, bottom, clock(data["until"])))
    words = "Percent of the traffic that %s was to get (area)%s; below, what each gate came to." % (
        data["candidate"], " and that balancers counted (dashes)" if data["measured"] else "")
    picture = '<svg class="picture" viewBox="0 0 %d %d" role="img" aria-label="%s">%s</svg>' % (WIDTH, bottom + 8, escape(words, quote=True), "".join(parts))
    return '<section><h2>Traffic and verdicts</h2>%s<p class="facts">%s</p></section>' % (picture, escape(words))


def _asked(data, scale):
    points, last = ["%s,%s" % (scale.x(data["began"]), scale.y(0))], 0
    for at, percent in data["asked"]:
        points += ["%s,%s" % (scale.x(at), scale.y(last)), "%s,%s" % (scale.x(at), scale.y(percent))]
        last = percent
    end = scale.x(data["until"])
    points += ["%s,%s" % (end, scale.y(last)), "%s,%s" % (end, scale.y(0))]
    return '<polygon class="asked" points="%s"/>' % " ".join(points)


def _band(step, scale):
    left, right = scale.x(step["began"]), scale.x(step["ended"])
    width = max(3.0, right - left)
    label = "%s: %s, %d looks" % (step["gate"], step["verdict"], step["looks"])
    text = '<text class="band-text" x="%s" y="%d">%s</text>' % (left + 4, HEIGHT + BAND - 1, escape(step["gate"])) if width > 7 * len(step["gate"]) else ""
    return '<g class="%s"><title>%s</title><rect class="band" x="%s" y="%d" width="%s" height="%d" rx="3"/>%s</g>' % (
        step["verdict"], escape(label), left, HEIGHT + 6, round(width, 1), BAND - 2, text)


def _steps(steps):
    rows = []
    for step in steps:
        rows.append('<tr><td class="name">%s</td><td class="word %s">%s</td><td>%s</td></tr>' % (
            escape(step["gate"]), step["verdict"], step["verdict"], escape("%d looks in %s" % (step["looks"], spoken(step["ended"] - step["began"])))))
        rows += ['<tr><td></td><td class="word %s">%s</td><td>%s<span class="mend">%s</span></td></tr>' % (
            gate["verdict"], escape(gate["name"]), escape("; ".join(gate["reasons"])), escape(numbers(gate))) for gate in step["gates"]]
    return _table("Gates, by their last look", ("Step", "Verdict", "What was measured, against what"), rows)


def numbers(gate):
    """:returns: the numbers of a judged gate in words; empty where it has none."""
    def share(count):
        return "%s of %s bad" % (count["bad"], count["total"]) if count and count.get("total") is not None else "not known"

    if "candidate" in gate:
        words = "candidate %s" % share(gate["candidate"])
        words += ", baseline %s" % share(gate["baseline"]) if gate.get("baseline") else ""
        words += ", at most %.3g %% at 95 %%" % (100 * gate["upper_bound"]) if gate.get("upper_bound") is not None else ""
        return words + "; limit %.3g %%%s" % (100 * gate["limit"], ", over %g s" % gate["bound"] if gate.get("bound") else "")
    if "value" in gate:
        limits = ["%s %g" % (name.replace("_", " "), gate[name]) for name in ("at_most", "fail_over", "at_least", "fail_under") if name in gate]
        return "value %g; %s" % (gate["value"], ", ".join(limits))
    return ""


def _decisions(data):
    rows = ['<tr><td class="name">%s</td><td>%s<span class="mend">%s</span></td><td>%s</td></tr>' % (
        clock(one["at"]), escape(one["what"]), escape(one["why"]), escape(one["who"])) for one in data["decisions"]]
    return _table("Decisions, and why", ("UTC", "Decision", "Who"), rows)


def _timeline(data):
    rows = ['<tr><td class="name">%s</td><td>%s<span class="mend">%s</span></td><td>%s</td></tr>' % (
        clock(one["at"]), escape(one["what"]), escape(one["why"]), escape(one["who"])) for one in data["timeline"]]
    table = _table("", ("UTC", "What", "Who"), rows)
    return "<section><details><summary>All that was done, %d entries</summary>%s</details></section>" % (len(rows), table) if rows else ""


def _table(title, heads, rows):
    if not rows:
        return ""
    return '<section>%s<div class="scroll"><table><thead><tr>%s</tr></thead><tbody>%s</tbody></table></div></section>' % (
        "<h2>%s</h2>" % escape(title) if title else "", "".join("<th>%s</th>" % escape(head) for head in heads), "".join(rows))
