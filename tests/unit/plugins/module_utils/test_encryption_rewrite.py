# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every object is written again, whatever happens meanwhile, and nobody's change is lost."""
from __future__ import annotations

import threading
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._encryption.rewrite import LIST, OBJECT, PATCH, count, rewrite


class Api:
    """What the rewrite needs of an API: kinds, pages, versions, and others who write at the same time."""

    def __init__(self, objects=5, page=2):
        self.objects = {("default", "one%d" % number): self._object("default", "one%d" % number, number) for number in range(objects)}
        self.page, self.written, self.conflicts, self.expire, self.refuse = page, [], {}, 0, {}
        self.lock = threading.Lock()

    @staticmethod
    def _object(namespace, name, number):
        return {"namespace": namespace, "name": name, "uid": "u%d" % number, "resourceVersion": "1"}

    def __call__(self, method, path, body=None, accept="", content_type=""):
        with self.lock:
            return self.answer(method, path, body, accept, content_type)

    def answer(self, method, path, body, accept, content_type):
        parts = urlsplit(path)
        if parts.path in ("/api/v1", "/apis/apps/v1"):
            return 200, {"resources": [{"name": "secrets"}, {"name": "deployments"}, {"name": "secrets/status"}]}
        if parts.path == "/apis/apps":
            return 200, {"preferredVersion": {"groupVersion": "apps/v1"}}
        if parts.path in ("/api/v1/secrets", "/apis/apps/v1/deployments"):
            assert accept == LIST
            return self.list(parse_qs(parts.query))
        key = tuple(unquote(part) for part in parts.path.split("/") if part not in ("api", "apis", "v1", "apps", ""))[1::2]
        metadata = self.objects.get(key)
        assert accept == OBJECT
        if metadata is None:
            return 404, {}
        if method == "GET":
            return 200, {"metadata": dict(metadata)}
        assert method == "PATCH" and content_type == PATCH and set(body) == {"metadata"} and set(body["metadata"]) == {"uid", "resourceVersion"}
        if key in self.refuse:
            return self.refuse[key], {"message": "a webhook says no"}
        if self.conflicts.get(key):
            self.conflicts[key] -= 1
            metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        if (body["metadata"]["uid"], body["metadata"]["resourceVersion"]) != (metadata["uid"], metadata["resourceVersion"]):
            return 409, {}
        self.written.append(key)
        return 200, {"metadata": dict(metadata)}

    def list(self, query):
        if "continue" in query and self.expire:
            self.expire -= 1
            return 410, {}
        first = int(query.get("continue", ["0"])[0])
        limit = min(int(query["limit"][0]), self.page)
        names = sorted(self.objects)[first:first + limit]
        rest = len(self.objects) - first - len(names)
        metadata = {"continue": str(first + limit), "remainingItemCount": rest} if rest > 0 else {}
        return 200, {"metadata": metadata, "items": [{"metadata": dict(self.objects[name])} for name in names]}


def test_all_pages_are_written():
    api = Api(objects=7)
    assert rewrite(api, ["secrets", "deployments.apps"]) == {"secrets": 7, "deployments.apps": 7}
    assert sorted(set(api.written)) == sorted(api.objects) and len(api.written) == 14


def test_a_check_run_counts_and_writes_nothing():
    api = Api(objects=7)
    assert count(api, ["secrets"]) == {"secrets": 7} and api.written == []


def test_a_kind_without_objects_is_a_real_answer():
    assert rewrite(Api(objects=0), ["secrets"]) == {"secrets": 0}


def test_a_conflict_is_read_again_and_repeated():
    api = Api()
    api.conflicts = {("default", "one2"): 3}
    assert rewrite(api, ["secrets"]) == {"secrets": 5}


def test_an_object_that_others_change_each_time_is_told():
    api = Api()
    api.conflicts = {("default", "one2"): 100}
    with pytest.raises(IronrackError, match="one2 was changed by others"):
        rewrite(api, ["secrets"])


def test_an_object_that_went_and_one_that_came_in_its_place_are_no_trouble():
    api = Api()
    listed = api.list

    def list_then_change(query):
        answer = listed(query)
        api.objects.pop(("default", "one0"), None)
        api.objects["default", "one1"]["uid"] = "another"
        return answer

    api.list = list_then_change
    rewrite(api, ["secrets"])
    assert ("default", "one0") not in api.written


def test_an_expired_page_begins_the_list_again_but_not_for_ever():
    api = Api()
    api.expire = 2
    assert rewrite(api, ["secrets"]) == {"secrets": 5}
    api.expire = 100
    with pytest.raises(IronrackError, match="could not be read to its end"):
        rewrite(api, ["secrets"])


def test_what_the_api_refuses_is_told_with_its_words():
    api = Api()
    api.refuse = {("default", "one3"): 403}
    with pytest.raises(IronrackError, match="one3 was answered 403: a webhook says no"):
        rewrite(api, ["secrets"])


def test_an_unknown_kind_and_an_answer_without_items_are_refused():
    with pytest.raises(IronrackError, match="no kind secret:"):
        rewrite(Api(), ["secret"])
    api = Api()
    api.list = lambda query: (200, {"metadata": {}})
    with pytest.raises(IronrackError, match="no answer to build on"):
        rewrite(api, ["secrets"])
