# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a user, a role or a mapping of the security plugin gets to what is wanted.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.errors import IronrackError
from . import security
from .asking import ask, bring, delete, get, path_of

PLUGIN = "opensearch-security"
AUTHINFO = "/_plugins/_security/authinfo"


def converge(module, kind, password_for=None):
    """Bring one thing of ``kind`` to what the module's parameters say.

    :param password_for: of users: a callable that is told whether there is one of this name, and returns the password to compare or set, or None.
    :returns: ``changed``, ``diff`` and what there is afterwards as ``found``, without any secret.
    :raises IronrackError: where it is reserved for others.
    """
    params, name = module.params, module.params["name"]
    path, what = path_of(kind.path, name), "the %s %s" % (kind.word, name)
    client, answer = ask(module, lambda one: get(one, path, what, plugin=PLUGIN))
    before = security.present(kind, answer, name)
    after = security.wanted(kind, params, before) if params["state"] == "present" else None
    password = password_for(before is not None) if password_for and after is not None else None
    secret = {"password": password} if password is not None and not _logs_in(client, name, password, before) else {}
    # The diff has to say that it changes, and nothing of it.
    shown = dict(after, password="(another one)") if secret else after
    if before != shown:
        security.refuse_fixed(kind, answer, name, bool(params.get("cert_file")))

    def write():
        if after is None:
            delete(client, path, what)
            return
        status, told = client.request("PUT", path, body=dict(security.body(kind, after), **secret))
        security.refuse_conflict(kind, status, name)
        if status not in (200, 201):
            raise client.refusal(status, told, what)

    return dict(bring(module, before, shown, write, what), found=after)


def _logs_in(client, name, password, before):
    """:returns: whether a user has this password already. The API gives no hash away, so it is tried."""
    if before is None:
        return False
    status, answer = client.as_user(name, password).request("GET", AUTHINFO)
    if status == 200:
        return True
    if status == 401:
        return False
    raise client.refusal(status, answer, "the login of %s, by which its password is compared" % name)


def needed_password(params, exists):
    """:returns: the password to compare or set, or None. :raises IronrackError: where a new user would have none."""
    if not exists and not params["user_password"]:
        raise IronrackError("there is no user %s yet: give a user_password to make one" % params["name"])
    return params["user_password"] if not exists or params["update_password"] == "always" else None
