# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health report as one HTML page. Pure.

This is a private plugin_utils package: it may change in any release.
"""
from __future__ import annotations

from html import escape

from .frame import bullets, document

WORDS = {"pass": "holds", "fail": "does not hold", "inconclusive": "could not be judged", "skipped": "not tried"}
HEADLINES = {"pass": "Healthy", "fail": "Not healthy", "inconclusive": "Not proved", "not judged": "Not judged"}


def page(data):
    """:returns: the whole page.

    :param data: see :func:`.data.collect`, and ``made_at``, the time of the report in words.
    """
    headline = HEADLINES[data["verdict"]]
    return document("%s: %s" % (data["cluster"], headline), [
        _header(data, headline), _zones(data), _conditions(data), _promises(data["promises"])])


def _header(data, headline):
    counts = data["counts"]
    told = ", ".join("%d %s" % (counts[word], word) for word in ("pass", "fail", "inconclusive", "skipped") if counts[word]) or "no condition was judged"
    colour = data["verdict"] if data["verdict"] in WORDS else "skipped"
    facts = ["Kubernetes %s" % data["kubernetes_version"], data["endpoint"]] if data["kubernetes_version"] else []
    facts += ["OpenSearch %s" % data["opensearch"]["version"]] if data["opensearch"] else []
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
    words = ", ".join(host["roles"] + [said for mark, said in (("leader", "etcd leader"), ("elected", "elected manager")) if mark in host["marks"]])
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
    return "\n".join(part for part in (
        bullets("What this shape of cluster survives", promises["kept"]), bullets("What it does not promise", promises["not_kept"])) if part)
