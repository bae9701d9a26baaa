# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels and taints of a Node, as the inventory wants them. Pure.

A kubelet sets them when it makes its Node, and not again but for the zone, which it sets whenever it starts. Whoever else put a label or a taint
there (an operator, a GPU plugin, a cordon) keeps it: only what is known to have come from the inventory goes when the inventory no longer has
it. What came from it is kept in an annotation of the Node.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json

ANNOTATION = "ironrack.cluster/from-inventory"


def _same(one, other):
    return (one.get("key"), one.get("effect")) == (other.get("key"), other.get("effect"))


def _shown(taint):
    return "%s%s:%s" % (taint.get("key"), "=%s" % taint["value"] if taint.get("value") else "", taint.get("effect"))


def _recorded(node):
    try:
        kept = json.loads((node["metadata"].get("annotations") or {}).get(ANNOTATION, "{}"))
        return list(kept.get("labels", [])), [dict(zip(("key", "effect"), pair)) for pair in kept.get("taints", [])]
    except (ValueError, AttributeError, TypeError):
        return [], []


def node_change(node, labels, taints):
    """What a Node lacks.

    :param node: the object as the API has it.
    :param labels: key -> value that it has to have.
    :param taints: those that it has to have, as dictionaries of key, value and effect.
    :returns: (merge patch, sentences); two empty ones where it lacks nothing.
    """
    has_labels, has_taints = node["metadata"].get("labels") or {}, node.get("spec", {}).get("taints") or []
    our_labels, our_taints = _recorded(node)
    patch, told = {}, []
    for key, value in sorted(labels.items()):
        if has_labels.get(key) != value:
            patch[key] = value
            told.append("label %s=%s%s" % (key, value, ", was %s" % has_labels[key] if key in has_labels else ""))
    for key in our_labels:
        if key not in labels and key in has_labels:
            patch[key] = None
            told.append("no label %s" % key)
    body = {"metadata": {"labels": patch}} if patch else {}
    wanted, words = _taints(has_taints, our_taints, taints)
    if words:
        told += words
        # A list is replaced as a whole: the version makes the API refuse what was read before somebody else's change.
        body.setdefault("metadata", {})["resourceVersion"] = node["metadata"].get("resourceVersion")
        body["spec"] = {"taints": wanted}
    kept = json.dumps({"labels": sorted(labels), "taints": sorted([taint["key"], taint["effect"]] for taint in taints)})
    if (node["metadata"].get("annotations") or {}).get(ANNOTATION) != kept:
        body.setdefault("metadata", {})["annotations"] = {ANNOTATION: kept}
        told = told or ["what of it comes from the inventory is noted"]
    return body, told


def _taints(has, ours, wanted):
    told, result = [], []
    for taint in has:
        asked = [one for one in wanted if _same(one, taint)]
        if not asked and any(_same(one, taint) for one in ours):
            told.append("no taint %s" % _shown(taint))
        elif asked and (asked[0].get("value") or "") != (taint.get("value") or ""):
            told.append("taint %s, was %s" % (_shown(asked[0]), _shown(taint)))
            result.append(_clean(asked[0]))
        else:
            result.append(taint)
    for one in wanted:
        if not any(_same(one, taint) for taint in has):
            told.append("taint %s" % _shown(one))
            result.append(_clean(one))
    return result, told


def _clean(taint):
    return {name: taint[name] for name in ("key", "value", "effect") if taint.get(name)}


def strangers(nodes, known):
    """:returns: names of Nodes that the inventory does not have."""
    return sorted({node["metadata"]["name"] for node in nodes} - set(known))
