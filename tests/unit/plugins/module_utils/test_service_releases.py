# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of a service against an API in memory: what comes of each call, made once, twice, too late, and with somebody between."""
from __future__ import annotations

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import KubeError, KubeUnreachable
from ansible_collections.ironrack.cluster.plugins.module_utils._release.observation import Observation
from ansible_collections.ironrack.cluster.plugins.module_utils._service.releases import Releases, Superseded
from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.service_world import Api, complete, node, pod

BASE = "/apis/apps/v1/namespaces/inference/deployments/"
SCALING = {"autoscaling": {"max_replicas": 9, "metrics": [{"type": "External"}]}}


@pytest.fixture
def api():
    return Api()


def releases(api, dry_run=False, zones=("a", "b"), **more):
    return Releases(api.request, complete(**more), zones, dry_run)


def replicas(api):
    return {path[len(BASE):]: one["spec"]["replicas"] for path, one in api.objects.items() if path.startswith(BASE)}


def autoscaler(api, name="chat-v1"):
    return api.objects["/apis/autoscaling/v2/namespaces/inference/horizontalpodautoscalers/" + name]["spec"]


def test_a_release_is_deployed_once(api):
    assert releases(api).deploy("v1", 6, 3) is True
    assert api.names() == ["deployments/chat-v1", "poddisruptionbudgets/chat-v1", "serviceaccounts/chat", "services/chat-v1"]
    assert replicas(api) == {"chat-v1": 6}
    written = len(api.writes())
    again = releases(api)
    assert again.deploy("v1", 6, 3) is False and again.changes == []
    assert {one[0] for one in api.writes()[written:]} == {"PATCH"} and replicas(api) == {"chat-v1": 6}


def test_a_look_is_what_the_engine_takes(api):
    releases(api).deploy("v1", 6, 3)
    api.objects[BASE + "chat-v1"]["status"] = {"readyReplicas": 4}
    seen = releases(api).look()
    there = api.objects[BASE + "chat-v1"]["metadata"]
    assert seen == {"v1": {"replicas": 6, "ready": 4, "generation": 3, "uid": there["uid"], "resource_version": there["resourceVersion"]}}
    assert Observation(releases=seen).precondition("v1") == {"uid": there["uid"], "resource_version": there["resourceVersion"]}
    assert releases(Api()).look() == {}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_api_that_is_not_able_to_answer_says_nothing(status):
    with pytest.raises(KubeUnreachable, match="answered %d: later" % status):
        Releases(lambda *arguments, **more: (status, {"message": "later"}), complete()).look()
    with pytest.raises(KubeError, match="answered 403"):
        Releases(lambda *arguments, **more: (403, {"message": "no"}), complete()).look()
    with pytest.raises(KubeError, match="holds no items"):
        Releases(lambda *arguments, **more: (200, {}), complete()).look()


def test_an_older_generation_is_refused_and_changes_nothing(api):
    releases(api).deploy("v1", 6, 12)
    before = len(api.writes())
    with pytest.raises(Superseded, match="deployed under generation 12, and this is generation 11"):
        releases(api).deploy("v1", 2, 11)
    assert len(api.writes()) == before and replicas(api) == {"chat-v1": 6}


def test_one_that_was_overtaken_between_its_look_and_its_write_is_refused(api):
    releases(api).deploy("v1", 6, 3)

    def overtake():
        releases(api).deploy("v1", 8, 9)

    api.before[("PATCH", BASE + "chat-v1")] = [overtake]
    with pytest.raises(Superseded):
        releases(api).deploy("v1", 2, 4)
    assert replicas(api) == {"chat-v1": 8}
    api.before[("PATCH", BASE + "chat-v1/scale")] = [lambda: releases(api).deploy("v1", 7, 11)]
    with pytest.raises(Superseded):
        releases(api).deploy("v1", 2, 10)
    assert replicas(api) == {"chat-v1": 7}


def test_the_apis_own_writes_of_a_status_hold_up_nobody(api):
    releases(api).deploy("v1", 6, 3)
    api.before[("PATCH", BASE + "chat-v1")] = [lambda: api.bump(BASE + "chat-v1")]
    api.before[("PATCH", BASE + "chat-v1/scale")] = [lambda: api.bump(BASE + "chat-v1")]
    assert releases(api).deploy("v1", 4, 4) is True and replicas(api) == {"chat-v1": 4}


def test_an_autoscaler_owns_the_pods_and_keeps_at_least_those_of_the_intent(api):
    releases(api, **SCALING).deploy("v1", 2, 3)
    assert (autoscaler(api)["minReplicas"], autoscaler(api)["maxReplicas"], replicas(api)) == (2, 9, {"chat-v1": 2})
    api.objects[BASE + "chat-v1"]["spec"]["replicas"] = 7
    assert releases(api, **SCALING).deploy("v1", 4, 4) is True
    assert (autoscaler(api)["minReplicas"], replicas(api)) == (4, {"chat-v1": 7})
    releases(api, **SCALING).deploy("v1", 8, 5, pinned=3)
    assert (autoscaler(api)["minReplicas"], replicas(api)) == (3, {"chat-v1": 8})
    assert all("replicas" not in body["spec"] for method, path, _query, body in api.asked if method == "PATCH" and path == BASE + "chat-v1")
    # Without one any more, it goes, and the description has the say.
    assert releases(api).deploy("v1", 4, 6) is True
    assert replicas(api) == {"chat-v1": 4} and "horizontalpodautoscalers/chat-v1" not in api.names()


def test_the_least_of_an_autoscaler_is_pinned_and_let_go(api):
    releases(api, **SCALING).deploy("v1", 4, 3)
    assert [releases(api, **SCALING).pin("v1", least) for least in (7, 7, 4)] == [True, False, True]
    assert autoscaler(api)["minReplicas"] == 4
    other = Api()
    releases(other).deploy("v1", 4, 3)
    assert releases(other).pin("v1", 7) is False and releases(Api(), **SCALING).pin("v1", 7) is False


def test_a_vertical_autoscaler_is_made_where_its_api_is():
    with_it, without_it = Api(verticals=True), Api()
    for one in (with_it, without_it):
        releases(one).deploy("v1", 2, 1)
    assert "verticalpodautoscalers/chat-v1" in with_it.names() and "verticalpodautoscalers/chat-v1" not in without_it.names()
    releases(with_it, vertical="none").deploy("v1", 2, 2)
    assert "verticalpodautoscalers/chat-v1" not in with_it.names()


def test_new_pods_find_their_configuration(api):
    releases(api, releases__v1__config={"a": "1"}).deploy("v1", 2, 1)
    api.asked.clear()
    releases(api, releases__v1__config={"a": "2"}).deploy("v1", 2, 2)
    order = [path.split("/")[-2] for method, path, _query, _body in api.asked if method == "PATCH"]
    assert order.index("configmaps") < order.index("deployments")
    releases(api).deploy("v1", 2, 3)
    assert "configmaps/chat-v1" not in api.names()


# By zone

def test_batches_by_zone(api):
    one = releases(api, **SCALING)
    one.deploy("v2", 2, 3, {"a": 2})
    assert replicas(api) == {"chat-v2-a": 2} and one.look()["v2"]["zones"] == {"a": 2}
    one.deploy("v2", 4, 4, {"a": 2, "b": 2})
    assert replicas(api) == {"chat-v2-a": 2, "chat-v2-b": 2}
    seen = one.look()["v2"]
    assert (seen["zones"], seen["generation"], seen["replicas"]) == ({"a": 2, "b": 2}, 4, 4)
    assert autoscaler(api, "chat-v2-b")["minReplicas"] == 2
    # An undo asks for it without zones.
    assert releases(api, **SCALING).deploy("v2", 5, 6) is True
    assert one.look()["v2"]["zones"] == {"a": 3, "b": 2} and "deployments/chat-v2" not in api.names()


def test_a_batch_that_is_not_there_any_more_is_left_without_pods(api):
    releases(api).deploy("v2", 4, 3, {"a": 2, "b": 2})
    releases(api).deploy("v2", 2, 4, {"a": 2})
    assert releases(api).look()["v2"]["zones"] == {"a": 2, "b": 0}


def test_a_release_keeps_its_form_as_long_as_it_has_pods(api):
    releases(api).deploy("v1", 2, 3)
    with pytest.raises(IronrackError, match="runs in one Deployment for all zones"):
        releases(api).deploy("v1", 2, 4, {"a": 2})
    releases(api).scale_down("v1", {})
    assert releases(api).deploy("v1", 2, 5, {"a": 2}) is True
    assert api.names() == ["deployments/chat-v1-a", "poddisruptionbudgets/chat-v1", "serviceaccounts/chat", "services/chat-v1"]


# Taking away

def test_what_is_taken_away_has_to_be_what_was_seen(api):
    for act in ("scale_down", "delete"):
        releases(api).deploy("v1", 6, 4)
        seen = Observation(releases=releases(api).look()).precondition("v1")
        api.bump(BASE + "chat-v1")
        for wrong in (seen, dict(seen, uid="another")):
            assert getattr(releases(api), act)("v1", wrong) is False
        assert replicas(api) == {"chat-v1": 6}
        now = Observation(releases=releases(api).look()).precondition("v1")
        assert getattr(releases(api), act)("v1", now) is True
        assert getattr(releases(api), act)("v1", {}) is False


def test_one_that_was_overtaken_takes_nothing_away(api):
    for act, path in (("scale_down", ("PATCH", BASE + "chat-v1/scale")), ("delete", ("DELETE", BASE + "chat-v1"))):
        releases(api).deploy("v1", 6, 3)
        seen = Observation(releases=releases(api).look()).precondition("v1")
        api.before[path] = [lambda: releases(api).deploy("v1", 6, 5)]
        assert getattr(releases(api), act)("v1", seen) is False and replicas(api) == {"chat-v1": 6}
        api.objects.clear()
        api.put("/api/v1/namespaces/inference", {"metadata": {"name": "inference"}})


@pytest.mark.parametrize("zones", [None, {"a": 2, "b": 2}])
def test_all_of_a_release_goes_with_it_and_nothing_else(api, zones):
    one = releases(api, releases__v2__config={"a": "b"}, **SCALING)
    one.prepare(["192.0.2.1"])
    one.deploy("v1", 2, 3)
    kept = api.names()
    one.deploy("v2", 4, 4, zones)
    assert one.delete("v2", Observation(releases=one.look()).precondition("v2")) is True
    assert api.names() == kept and "networkpolicies/chat" in kept


def test_a_release_without_pods_is_brought_back(api):
    for generation, more in ((3, {}), (5, SCALING)):
        releases(api, **more).deploy("v1", 6, generation)
        assert releases(api).scale_down("v1", {}) is True and replicas(api) == {"chat-v1": 0}
        assert releases(api, **more).deploy("v1", 6, generation + 1) is True and replicas(api) == {"chat-v1": 6}


def test_what_is_somebody_elses_is_left_alone(api):
    api.put("/api/v1/namespaces/inference/services/chat-v1", {"metadata": {"name": "chat-v1", "labels": {"app": "shop"}}})
    with pytest.raises(IronrackError, match="Service chat-v1 is there and is not ours"):
        releases(api).deploy("v1", 2, 1)


# Shared objects, dry runs, pods

def test_the_namespace_is_made_once_and_then_its_owners():
    api = Api(namespaces=())
    assert releases(api).prepare(["192.0.2.1"]) is True
    there = api.objects["/api/v1/namespaces/inference"]
    assert there["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}
    there["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "baseline"}
    assert releases(api).prepare(["192.0.2.1"]) is False and releases(api).prepare(["192.0.2.2"]) is True


def test_a_dry_run_says_the_same_and_writes_nothing():
    for namespaces in ((), ("inference",)):
        dry, real = Api(namespaces), Api(namespaces)
        told = []
        for api, dry_run in ((dry, True), (real, False)):
            one = releases(api, dry_run, releases__v1__config={"a": "b"}, **SCALING)
            assert one.prepare(["192.0.2.1"]) is True and one.deploy("v1", 6, 1) is True
            told.append({name for name, _before, _after in one.changes})
        assert told[0] == told[1] and dry.writes() == [] and dry.names() == []
    again = releases(real, True, releases__v1__config={"a": "b"}, **SCALING)
    assert again.deploy("v1", 6, 1) is False and again.changes == []
    assert again.delete("v1", {}) is True and again.scale_down("v1", {}) is True and replicas(real) == {"chat-v1": 6}


def test_pods_that_can_be_asked(api):
    for number, one in enumerate([pod("p1", "n1", release="v1"), pod("p2", "n2", release="v1"), pod("p3", "n1", release="v2"),
                                  pod("p4", "n1", release="v1", deletionTimestamp="t")]):
        one["status"].update(podIP="192.0.2.%d" % number, conditions=[{"type": "Ready", "status": "True" if number else "False"}])
        api.put("/api/v1/namespaces/inference/pods/" + one["metadata"]["name"], one)
    for one in (node("n1", "a"), node("n2", "b")):
        api.put("/api/v1/nodes/" + one["metadata"]["name"], one)
    assert releases(api).pods("v1") == [
        {"name": "p1", "address": "192.0.2.0", "node": "n1", "zone": "a", "ready": False},
        {"name": "p2", "address": "192.0.2.1", "node": "n2", "zone": "b", "ready": True}]


def test_progress_is_made_by_pods_of_what_is_described(api):
    one = releases(api)
    assert one.progress("v1") == (False, "no Deployment")
    one.deploy("v1", 2, 1)
    there = api.objects[BASE + "chat-v1"]
    there["metadata"]["generation"] = 2
    full = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
    there["status"] = full
    assert one.progress("v1") == (True, "all ready")
    for part, words in (("observedGeneration", "not looked at yet"), ("replicas", "1 are there"), ("updatedReplicas", "1 as described"),
                        ("readyReplicas", "1 ready")):
        there["status"] = dict(full, **{part: 1})
        done, seen = one.progress("v1")
        assert not done and words in seen
