# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one HTML page: no script, nothing loaded from elsewhere, readable in the dark and on paper. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

from html import escape

WORDS = {"pass": "holds", "fail": "does not hold", "inconclusive": "could not be judged", "skipped": "not tried"}
HEADLINES = {"pass": "Healthy", "fail": "Not healthy", "inconclusive": "Not proved", "not judged": "Not judged"}

STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf7; --ink: #1d2126; --soft: #646c76; --line: #dcd8cf; --card: #fff;
  --pass: #1b7f4b; --fail: #b3261e; --inconclusive: #9a6700; --skipped: #646c76; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181b; --ink: #e8e6e1; --soft: #9aa2ad; --line: #33373d; --card: #1e2125;
  --pass: #5fcf97; --fail: #ff8a80; --inconclusive: #e5b94e; --skipped: #9aa2ad; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
.facts { color: var(--soft); margin: 0; overflow-wrap: anywhere; }
.verdict { border-left: .4rem solid; padding: .1rem 0 .1rem 1rem; margin-bottom: 1rem; }
.pass { color: var(--pass); } .fail { color: var(--fail); } .inconclusive { color: var(--inconclusive); } .skipped { color: var(--skipped); }
.zones { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
.zone { border: 1px solid var(--line); border-radius: .6rem; background: var(--card); padding: .75rem 1rem 1rem; }
.zone h3 { font-size: .8rem; letter-spacing: .06em; text-transform: uppercase; color: var(--soft); margin: 0 0 .5rem; }
.host { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 .75rem; padding: .35rem 0; border-top: 1px solid var(--line); }
.host:first-of-type { border-top: 0; }
.host b { font-weight: 600; } .host span { color: var(--soft); font-size: .875rem; } .host .down { color: var(--fail); font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; background: var(--card); border: 1px solid var(--line); font-size: .9375rem; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
thead th { color: var(--soft); font-size: .8rem; font-weight: 600; }
td.name { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .875rem; white-space: nowrap; }
td.word { white-space: nowrap; font-weight: 600; }
.mend { display: block; color: var(--soft); margin-top: .25rem; }
ul { padding-left: 1.2rem; } li { margin: .25rem 0; }
@media print { body { max-width: none; padding: 0; } tr, .zone { break-inside: avoid; } }
"""


def page(data):
    """:returns: the whole page.

    :param data: see :func:`.data.collect`, and ``made_at``, the time of the report in words.
    """
    headline = HEADLINES[data["verdict"]]
    return "\n".join([
        "<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<title>%s: %s</title>" % (escape(data["cluster"]), headline), "<style>%s</style>" % STYLE, "</head>", "<body>",
        _header(data, headline), _zones(data), _conditions(data), _promises(data["promises"]), "</body>", "</html>", ""])


def _header(data, headline):
    counts = data["counts"]
    told = ", ".join("%d %s" % (counts[word], word) for word in ("pass", "fail", "inconclusive", "skipped") if counts[word]) or "no condition was judged"
    colour = data["verdict"] if data["verdict"] in WORDS else "skipped"
    facts = ["Kubernetes %s" % data["kubernetes_version"], data["endpoint"]]
    if data["etcd_leader"]:
        facts.append("etcd is led by %s" % ", ".join(data["etcd_leader"]))
    return ('<header><div class="verdict %s"><h1>%s</h1>%s</div>\n<p class="facts"><b>%s</b> &middot; %s</p>\n<p class="facts">%s</p></header>' % (
        colour, headline, escape(told), escape(data["cluster"]), " &middot; ".join(escape(one) for one in facts), escape(data["made_at"])))


def _zones(data):
    boxes = []
    for zone in data["zones"]:
        hosts = "".join(_host(one) for one in zone["hosts"])
        boxes.append('<div class="zone"><h3>%s</h3>%s</div>' % (escape("Zone " + zone["zone"] if zone["zone"] else "No zone"), hosts))
    return '<section><h2>What stands where</h2><div class="zones">%s</div></section>' % "\n".join(boxes)


def _host(host):
    words = ", ".join(host["roles"] + (["etcd leader"] if "leader" in host["marks"] else []))
    state = '<span class="down">not ready</span>' if host["ready"] is False else ""
    holds = "<span>holds the address</span>" if "VIP" in host["marks"] else ""
    return '<div class="host"><b>%s</b><span>%s</span><span>%s</span>%s%s</div>' % (
        escape(host["name"]), escape(host["address"]), escape(words), holds, state)


def _conditions(data):
    rows = []
    # What is wrong is read first; within one verdict the order of the conditions says what to mend first.
    order = {"fail": 0, "inconclusive": 1, "pass": 2, "skipped": 3}
    for one in sorted(data["conditions"], key=lambda condition: order[condition["verdict"]]):
        mend = '<span class="mend">%s</span>' % escape(one["how_to_mend"]) if one["how_to_mend"] else ""
        rows.append('<tr><td class="name">%s</td><td class="word %s">%s</td><td>%s%s</td><td>%s</td></tr>' % (
            escape(one["name"]), one["verdict"], WORDS[one["verdict"]], escape(one["seen"]), mend, escape(one["expected"])))
    if not rows:
        return "<section><h2>Conditions</h2><p>No condition was judged.</p></section>"
    return ('<section><h2>Conditions</h2><div class="scroll"><table><thead><tr><th>Condition</th><th>Verdict</th><th>Seen</th><th>Expected</th></tr>'
            "</thead><tbody>\n%s\n</tbody></table></div></section>" % "\n".join(rows))


def _promises(promises):
    parts = []
    for title, sentences in (("What this shape of cluster survives", promises["kept"]), ("What it does not promise", promises["not_kept"])):
        if sentences:
            parts.append("<section><h2>%s</h2><ul>%s</ul></section>" % (title, "".join("<li>%s</li>" % escape(one) for one in sentences)))
    return "\n".join(parts)
