# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account of an application: two users that take turns, and a file with the one that is to be used.

    settled: one user, or none yet -> turning: both may log in, and the file names the new one -> settled: the one before is gone

The file is written before the user is made, under a name of its own, and gets its name when that user can log in: cut off anywhere, the password is not lost.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import os

from .._common.errors import IronrackError
from .._common.fs import atomic_write, read_or_none
from .._common.waiting import wait_for
from .._monitoring.login import new_password
from . import security
from .asking import delete, get, path_of
from .securing import AUTHINFO, PLUGIN

ENDINGS = ("-1", "-2")
#: Seconds for a new user to be known to every node.
KNOWN = 60


class Account:
    """One account.

    :param client: an OpenSearchClient that shows the administrator's certificate.
    :param name: of the account; its users are called NAME-1 and NAME-2.
    :param path: of its file, on the host where this runs.
    """

    def __init__(self, client, name, path):
        self._client, self._name, self._path = client, name, path
        self._users = [name + ending for ending in ENDINGS]
        #: Of each of its users: by this it knows them again.
        self.description = "Account %s: two users take turns" % name

    def look(self):
        """:returns: user -> what there is of each of the two, without those that there are not."""
        found = {user: get(self._client, path_of(security.USER.path, user), "the user %s" % user, plugin=PLUGIN) for user in self._users}
        return {user: security.present(security.USER, answer, user) for user, answer in found.items() if answer is not None}

    def file(self, ending=""):
        """:returns: username and password of a file, or None where there is none. :raises IronrackError: where it is none of this account."""
        raw = read_or_none(self._path + ending)
        if raw is None:
            return None
        try:
            found = json.loads(raw)
            user, word = found["username"], found["password"]
        except (ValueError, KeyError, TypeError):
            user = word = None
        if user not in self._users or not word:
            raise IronrackError("%s is no file of the account %s: it names %s, not one of %s. Put it away, or back from a backup" % (
                self._path + ending, self._name, user, " and ".join(self._users)))
        return {"username": user, "password": word}

    def problems(self, there, file, under_way):
        """:returns: why nobody can tell whose the users are, or which of two is in use, in words; empty where it is clear."""
        strangers = [user for user, found in there.items() if found.get("description") != self.description]
        if strangers:
            return "%s is there and was not made for the account %s (its description is not %r): call the account otherwise, or delete that user" % (
                " and ".join(strangers), self._name, self.description)
        if len(there) == 2 and file is None and under_way is None:
            return "the account %s has two users, and %s is gone, which says which one is in use: put it back, or delete the user that nobody uses" % (
                self._name, self._path)
        if len(there) == 2 and under_way is None and not self._logs_in(self._client, file):
            return "%s of the account %s cannot log in with the password in %s: another one was set, or it was taken from an older cluster" % (
                file["username"], self._name, self._path)
        return ""

    def turn(self, wanted):
        """Have the other user, and the file name it.

        :param wanted: callable: what there is of a user, or None -> what it has to be (see :func:`.security.wanted`).
        """
        there, file, under_way = self.look(), self.file(), self.file(".next")
        if under_way is None:
            user = self.other(there, file)
            under_way = {"username": user, "password": new_password()}
            atomic_write(self._path + ".next", (json.dumps(under_way) + "\n").encode("utf-8"), mode=0o600)
        user = under_way["username"]
        body = dict(security.body(security.USER, wanted(there.get(user))), password=under_way["password"])
        status, answer = self._client.request("PUT", path_of(security.USER.path, user), body=body)
        if status not in (200, 201):
            raise self._client.refusal(status, answer, "making the user %s" % user)
        for url in self._client.urls:
            wait_for(lambda: (self._logs_in(self._client.only(url), under_way), "it is refused"), "%s to be able to log in at %s" % (user, url), KNOWN)
        os.rename(self._path + ".next", self._path)

    def other(self, there, file):
        """:returns: the user that is made next: the one that is not there, and of none the one that no file names."""
        free = [user for user in self._users if user not in there]
        in_use = file["username"] if file else None
        return next((user for user in free if user != in_use), free[0] if free else None)

    def retire(self, there, file):
        """Take the user away that the file does not name."""
        for user in there:
            if user != file["username"]:
                delete(self._client, path_of(security.USER.path, user), "the user %s" % user)

    def _logs_in(self, client, login):
        status, answer = client.as_user(login["username"], login["password"]).request("GET", AUTHINFO)
        if status in (200, 401):
            return status == 200
        raise client.refusal(status, answer, "the login of %s" % login["username"])
