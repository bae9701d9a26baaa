# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame of every page: no script, nothing loaded from elsewhere, readable in the dark and on paper. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

from html import escape

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


def document(title, sections):
    """:returns: a whole page.

    :param title: plain text.
    :param sections: the parts of its body, as HTML.
    """
    return "\n".join([
        "<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<title>%s</title>" % escape(title), "<style>%s</style>" % STYLE, "</head>", "<body>",
        *sections, "</body>", "</html>", ""])


def bullets(title, sentences):
    """:returns: a section with a list of sentences; nothing where there is none."""
    if not sentences:
        return ""
    return "<section><h2>%s</h2><ul>%s</ul></section>" % (escape(title), "".join("<li>%s</li>" % escape(one) for one in sentences))
