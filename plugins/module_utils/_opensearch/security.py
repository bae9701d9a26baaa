# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, roles and mappings of the security plugin, as they are compared and sent. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
from collections import namedtuple

from .._common.errors import IronrackError

BASE = "/_plugins/_security/api"
#: ``word`` in sentences, ``path`` in the API, ``fields`` name -> name in the API, in which lists are sets.
Kind = namedtuple("Kind", ("word", "path", "fields"))
USER = Kind("user", BASE + "/internalusers", {
    "backend_roles": "backend_roles", "security_roles": "opendistro_security_roles", "user_attributes": "attributes", "description": "description"})
ROLE = Kind("role", BASE + "/roles", {
    "cluster_permissions": "cluster_permissions", "index_permissions": "index_permissions", "tenant_permissions": "tenant_permissions",
    "description": "description"})
MAPPING = Kind("mapping of role", BASE + "/rolesmapping", {
    "users": "users", "backend_roles": "backend_roles", "all_backend_roles": "and_backend_roles", "hosts": "hosts", "description": "description"})


def in_order(value):
    """:returns: a document whose lists are in one order, and without what is empty, however deep."""
    if isinstance(value, dict):
        pairs = {name: in_order(one) for name, one in value.items()}
        return {name: one for name, one in pairs.items() if one not in (None, "", [], {})}
    if isinstance(value, list):
        return sorted((in_order(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    return value


def present(kind, answer, name):
    """:returns: what there is of a name, by the fields of the API, or None.

    :param answer: that of the API, or None where it has none.
    """
    found = (answer or {}).get(name)
    return None if found is None else in_order({field: found.get(field) for field in kind.fields.values()})


def wanted(kind, params, before):
    """:returns: what is wanted, by the fields of the API. A parameter that is None leaves what there is.

    :param params: those of a module, by the fields' own names. :param before: of :func:`present`.
    """
    return in_order({field: (before or {}).get(field) if params[name] is None else params[name] for name, field in kind.fields.items()})


def body(kind, document):
    """:returns: what is sent for a document of :func:`wanted`: a name that is missing would be refused, or taken for "as it was"."""
    empty = {"attributes": {}, "description": None}
    found = {field: document.get(field, empty.get(field, [])) for field in kind.fields.values()}
    return {field: value for field, value in found.items() if value is not None}


def refuse_fixed(kind, answer, name, as_admin):
    """:raises IronrackError: where what there is of a name may not be changed by whoever asks.

    :param as_admin: whether a client certificate is shown, which may be the administrator's.
    """
    found = (answer or {}).get(name) or {}
    if found.get("static") or found.get("hidden"):
        raise IronrackError("the %s %s is built into the security plugin and cannot be changed: use another name" % (kind.word, name))
    if found.get("reserved") and not as_admin:
        raise IronrackError("the %s %s is reserved: only the admin certificate may change it. Give its cert_file and key_file, or use another name" % (
            kind.word, name))


def refuse_conflict(kind, status, name):
    """:raises IronrackError: where the API said that a name is reserved for others than whoever asks."""
    if status == 403:
        raise IronrackError("the %s %s may not be changed: it is reserved and the certificate shown is not an administrator's, or whoever asks has no "
                            "right to the security API. Show the admin certificate, or use another name" % (kind.word, name), status=status)
