# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates and policies without what the engine adds to them, so that what is there can be compared with what is wanted. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import copy

from . import aliases
from .settings import as_text, index_settings

#: The engine's plugin that ISM and SM policies belong to.
INDEX_MANAGEMENT = "opensearch-index-management"
#: What index management adds to each action of an ISM policy that says nothing about it.
RETRY = {"count": 3, "backoff": "exponential", "delay": "1m"}


def without_nothing(document, keep=()):
    """:returns: a document without names whose value is None, or empty unless they are in ``keep``, however deep."""
    if isinstance(document, dict):
        pairs = {name: without_nothing(value, keep) for name, value in document.items()}
        return {name: value for name, value in pairs.items() if value is not None and (name in keep or value not in ({}, []))}
    if isinstance(document, list):
        return [without_nothing(one, keep) for one in document]
    return document


def texts(document):
    """:returns: a document with each of its values as text: what was sent as a number may come back as one or the other."""
    if isinstance(document, dict):
        return {name: texts(value) for name, value in document.items()}
    if isinstance(document, list):
        return [texts(one) for one in document]
    return as_text(document)


def index_template(document):
    """:returns: an index template as it is compared.

    :param document: that of the engine, or that of an operator.
    """
    found = copy.deepcopy(document)
    template = found.get("template") or {}
    if template.get("settings"):
        template["settings"] = index_settings(template["settings"])
    if template.get("aliases"):
        # an alias without options is one all the same
        template["aliases"] = {name: aliases.normal(entry or {}) for name, entry in template["aliases"].items()}
    if found.get("data_stream") is not None:
        found["data_stream"] = dict({"timestamp_field": {"name": "@timestamp"}}, **found["data_stream"])
    if not found.get("priority"):
        found["priority"] = None
    kept = texts(without_nothing(found))
    if template.get("aliases"):
        kept.setdefault("template", {})["aliases"] = texts(template["aliases"])
    return kept


def ism_policy(document):
    """:returns: an ISM policy as it is compared. :param document: that of the engine, or that of an operator."""
    found = copy.deepcopy(document)
    for name in ("policy_id", "last_updated_time", "schema_version", "user"):
        found.pop(name, None)
    templates = found.get("ism_template") or []
    templates = [templates] if isinstance(templates, dict) else templates
    found["ism_template"] = [{"index_patterns": one.get("index_patterns"), "priority": one.get("priority") or 0} for one in templates]
    for state in found.get("states") or []:
        for action in state.get("actions") or []:
            if action.get("retry") == RETRY:
                del action["retry"]
            if (action.get("rollover") or {}).get("copy_alias") is False:
                del action["rollover"]["copy_alias"]
    # An action without options, such as delete, is an empty dictionary, and its name is what counts.
    return texts(_with_actions(found))


def _with_actions(policy):
    names = [name for state in policy.get("states") or [] for action in state.get("actions") or [] for name in action]
    return without_nothing(policy, keep=frozenset(names))


def sm_policy(document):
    """:returns: a snapshot policy as it is compared. :param document: that of the engine, or that of an operator."""
    found = copy.deepcopy(document)
    for name in ("name", "schema_version", "schedule", "last_updated_time", "enabled_time", "user"):
        found.pop(name, None)
    found["enabled"] = found.get("enabled") is not False
    found["description"] = found.get("description") or ""
    deletion = found.get("deletion")
    if deletion:
        # Without one of its own, deletion follows the schedule of creation.
        if not deletion.get("schedule"):
            deletion["schedule"] = (found.get("creation") or {}).get("schedule")
        deletion["condition"] = dict({"min_count": 1}, **without_nothing(deletion.get("condition") or {}))
    return texts(without_nothing(found))


def counts_failures(policy):
    """:returns: whether a snapshot policy deletes by a count, of which failed snapshots are a part."""
    return bool(((policy.get("deletion") or {}).get("condition") or {}).get("max_count"))
