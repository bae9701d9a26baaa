# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All things of one kind that a cluster has, each in the form in which the module that makes one compares it.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from . import aliases, repository, security
from .asking import get
from .documents import INDEX_MANAGEMENT, index_template, ism_policy, sm_policy

#: How many policies are asked for at once; index management gives 20 where nobody says.
PAGE = 500


def _index_templates(client):
    answer = get(client, "/_index_template", "the question for its index templates") or {}
    return {one["name"]: index_template(one["index_template"]) for one in answer.get("index_templates", [])}


def _aliases(client):
    answer = get(client, "/_alias", "the question for its aliases", {"expand_wildcards": "all"}) or {}
    return {name: aliases.current(answer, name) for name in {name for found in answer.values() for name in found.get("aliases", {})}}


def _repositories(client):
    answer = get(client, "/_snapshot", "the question for its snapshot repositories") or {}
    return {name: repository.wanted(found["type"], found.get("settings") or {}) for name, found in answer.items()}


def _secured(kind):
    def read(client):
        # The administrator's certificate sees the hidden ones too; a password, or its hash, is no field of any kind.
        answer = get(client, kind.path, "the question for its %ss" % kind.word) or {}
        return {name: security.present(kind, answer, name) for name in answer}

    return read


def _policies(path, key, what, compared, suffix=""):
    """:param suffix: what index management puts behind a policy's name, and takes away where it is asked for one."""
    def read(client):
        found = {}
        while True:
            answer = get(client, path, "the question for its " + what, {"from": len(found), "size": PAGE}, plugin=INDEX_MANAGEMENT) or {}
            page = {one["_id"][:-len(suffix)] if suffix and one["_id"].endswith(suffix) else one["_id"]: compared(one[key])
                    for one in answer.get("policies", [])}
            if not set(page) - set(found):
                return found
            found.update(page)
            if len(found) >= answer.get("total_policies", 0):
                return found

    return read


#: Kind -> a callable that takes a client and returns name -> document.
KINDS = {
    "index_templates": _index_templates,
    "aliases": _aliases,
    "repositories": _repositories,
    "users": _secured(security.USER),
    "roles": _secured(security.ROLE),
    "role_mappings": _secured(security.MAPPING),
    "ism_policies": _policies("/_plugins/_ism/policies", "policy", "ISM policies", ism_policy),
    "sm_policies": _policies("/_plugins/_sm/policies", "sm_policy", "snapshot policies", sm_policy, "-sm-policy"),
}


def read(client, kind):
    """:returns: name -> document of all that there is of one of :data:`KINDS`, in the order of their names.

    :raises IronrackError: where the engine refuses, or has no plugin that knows such things.
    """
    return dict(sorted(KINDS[kind](client).items()))
