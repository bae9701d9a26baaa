# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout modules against an API over real HTTP, which refuses whoever did not read the newest version."""
from __future__ import annotations

import copy
import itertools
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import KubeClient
from ansible_collections.ironrack.cluster.plugins.module_utils._release import driver, lease as leases, record as records
from ansible_collections.ironrack.cluster.plugins.module_utils._release.store import Conflict, Store, settled
from ansible_collections.ironrack.cluster.plugins.modules import rollout_flag
from ansible_collections.ironrack.cluster.plugins.modules import rollout_intent
from ansible_collections.ironrack.cluster.plugins.modules import rollout_record_info

MAPS, LEASES = "/api/v1/namespaces/inference/configmaps", "/apis/coordination.k8s.io/v1/namespaces/inference/leases"
MAP, LEASE = MAPS + "/rollout-chat", LEASES + "/rollout-chat"


class Api:
    """As much of an API server as holds ConfigMaps and Leases: versions that rise with each write, conflicts, merge patches."""

    def __init__(self):
        self.objects, self.version, self.asked, self.before, self.lock = {}, 0, [], {}, threading.RLock()

    def answer(self, method, path, body, content_type):
        """:returns: (status, document)."""
        with self.lock:
            self.asked.append((method, path))
            for interfere in self.before.pop((method, path), []):
                interfere()
            if method == "GET":
                return (200, self.objects[path]) if path in self.objects else (404, {"message": "not found"})
            if method == "POST":
                path = "%s/%s" % (path, body["metadata"]["name"])
                return (409, {"message": "already exists"}) if path in self.objects else (201, self.put(path, body))
            there = self.objects.get(path)
            if there is None:
                return 404, {"message": "not found"}
            wanted = body["metadata"].get("resourceVersion")
            if wanted is None and method == "PUT":
                return 422, {"message": "metadata.resourceVersion: must be specified for an update"}
            if wanted is not None and wanted != there["metadata"]["resourceVersion"]:
                return 409, {"message": "the object has been modified"}
            if method == "PATCH":
                assert content_type == "application/merge-patch+json"
                body = merged(there, body)
            return 200, self.put(path, body)

    def put(self, path, document):
        self.version += 1
        self.objects[path] = copy.deepcopy(document)
        self.objects[path]["metadata"]["resourceVersion"] = str(self.version)
        return self.objects[path]

    def bump(self, path):
        """Somebody else writes."""
        self.put(path, self.objects[path])


def merged(there, patch):
    """:returns: a document after a merge patch, as RFC 7386 has it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(there) if isinstance(there, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for the Api of its server."""

    def answer(self):
        """Answer one request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, document = self.server.api.answer(self.command, self.path, json.loads(body or b"null"), self.headers.get("Content-Type"))
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = answer

    def log_message(self, *arguments):
        """Nobody reads it."""


@pytest.fixture
def api(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.api = Api()
    server.api.kubeconfig = str(tmp_path / "kubeconfig")
    (tmp_path / "kubeconfig").write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:%d" % server.server_port}}], "users": [{"name": "a", "user": {}}]}))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.api
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(api):
    return Store(KubeClient(api.kubeconfig, 5).request, "inference", "chat")


def call(api, capsys, module, **args):
    with patch_module_args(dict({"kubeconfig": api.kubeconfig, "namespace": "inference", "service": "chat"}, **args)), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


def seen(releases=None, generation=3, weights=None, outcome=None):
    weights = weights or {"v1": 100}
    balancer = {"generation": generation, "weights": weights, "addresses": {name: 2 for name in weights}}
    return {"releases": releases or {"v1": pods(), "v2": pods(generation=4)}, "balancers": {"lb1": balancer, "lb2": dict(balancer)}, "outcome": outcome}


def pods(replicas=2, ready=2, generation=0):
    return {"replicas": replicas, "ready": ready, "generation": generation, "uid": "u", "resource_version": "1"}


def begin(api, capsys, **more):
    args = {"request": "begin", "holder": "ann run 1", "stable": "v1", "candidate": "v2", "releases": {"v1": {}, "v2": {}},
            "settings": {"replicas": 2, "steps": [50, 100]}, "observation": seen({"v1": pods()}), "reason": "a new model"}
    return call(api, capsys, rollout_intent, **dict(args, **more))


# The store

def test_the_first_record_is_written_once(api, store):
    assert store.read() == (None, {}, None)
    record = records.new("chat", "v1")
    store.write(record, None)
    assert store.read() == (record, {}, "1") and api.objects[MAP]["metadata"]["labels"]["ironrack.cluster/service"] == "chat"
    with pytest.raises(Conflict, match="already exists"):
        store.write(record, None)


def test_nobody_writes_over_what_he_did_not_read(api, store):
    store.write(records.new("chat", "v1"), None)
    mine, theirs = store.read(), store.read()
    store.write(dict(theirs.record, generation=7), theirs.version)
    with pytest.raises(Conflict, match="has been modified"):
        store.write(dict(mine.record, generation=8), mine.version)
    with pytest.raises(Conflict):
        store.flag("pause", None, mine.version)
    assert store.read().record["generation"] == 7


def test_a_flag_and_the_record_leave_each_other_alone(api, store):
    store.write(records.new("chat", "v1"), None)
    flag = {"rollout": 1, "who": "ann", "why": "w", "when": "t"}
    store.flag("abort", flag, store.read().version)
    store.write(dict(store.read().record, generation=5), store.read().version)
    assert (store.read().flags, store.read().record["generation"]) == ({"abort": flag}, 5)
    store.flag("abort", None, store.read().version)
    assert store.read().flags == {} and store.read().record["generation"] == 5


def test_of_two_that_take_the_lock_one_gets_it(api, store):
    store.write_lease(None, {"holderIdentity": "a"})
    with pytest.raises(Conflict):
        store.write_lease(None, {"holderIdentity": "b"})
    read = store.lease()
    store.write_lease(read, {"holderIdentity": "b"})
    with pytest.raises(Conflict):
        store.write_lease(read, {"holderIdentity": "c"})
    assert store.lease()["spec"] == {"holderIdentity": "b"}


def test_what_vanished_meanwhile_is_a_conflict_and_what_is_forbidden_is_told(api, store):
    store.write(records.new("chat", "v1"), None)
    read = store.read()
    del api.objects[MAP]
    with pytest.raises(Conflict):
        store.write(read.record, read.version)

    def forbidden(*arguments, **options):
        return 403, {"message": "configmaps is forbidden"}

    with pytest.raises(IronrackError, match="answered 403: configmaps is forbidden"):
        Store(forbidden, "inference", "chat").read()


@pytest.mark.parametrize("key, words", (("record", "holds no record of a rollout"), ("pause", "its key 'pause' is no flag")))
def test_what_is_no_record_and_no_flag_is_named(api, store, key, words):
    store.write(records.new("chat", "v1"), None)
    api.objects[MAP]["data"][key] = "{]"
    with pytest.raises(IronrackError, match=words):
        store.read()


def test_a_decision_is_made_anew_and_not_for_ever():
    tries = []

    def decide():
        tries.append(1)
        if len(tries) < 3:
            raise Conflict("somebody was faster")
        return len(tries)

    assert settled(decide) == 3

    def never():
        raise Conflict("always")

    with pytest.raises(Conflict):
        settled(never, 2)


# rollout_intent

def test_the_intent_is_on_record_before_it_is_returned(api, capsys, store):
    result = begin(api, capsys)
    assert result["changed"] and (result["intent"]["kind"], result["intent"]["replicas"], result["fence"]) == ("deploy", 2, 1)
    stored = store.read().record
    assert stored["rollout"]["pending"]["generation"] == result["intent"]["generation"] == 4 and stored["releases"] == {"v1": {}, "v2": {}}
    assert api.objects[LEASE]["spec"]["holderIdentity"] == "ann run 1"
    assert [entry["what"].split(":")[0] for entry in stored["history"]] == ["begin rollout 1", "the lock is taken, tenure 1", "deploy of v2 with 2 pods"]
    assert result["diff"]["after"].splitlines()[-1] == "deploy of v2 with 2 pods"


def test_the_same_call_once_more_gives_the_same_intent_and_changes_nothing(api, capsys):
    first = begin(api, capsys)
    again = begin(api, capsys, fence=first["fence"])
    assert not again["changed"] and again["intent"] == dict(first["intent"], awaits=again["intent"]["awaits"])
    other = begin(api, capsys, fence=1, candidate="v3", releases={"v3": {}})
    assert other["failed"] and "goes forward and is at: deploy of v2" in other["msg"]


def test_a_check_run_writes_nothing(api, capsys):
    result = begin(api, capsys, _ansible_check_mode=True)
    assert result["changed"] and result["intent"]["kind"] == "deploy" and result["fence"] is None
    assert api.objects == {} and {method for method, _path in api.asked} == {"GET"}


def test_what_is_wrong_is_told_at_once_and_before_the_lock(api, capsys):
    result = begin(api, capsys, candidate="v9", settings={"replicas": 0, "steps": [50, 20]})
    assert [one["where"] for one in result["problems"]] == ["candidate", "settings.replicas", "settings.steps", "settings.steps"] and api.objects == {}
    assert begin(api, capsys, lease_duration=0)["problems"][0]["where"] == "lease_duration" and api.objects == {}
    result = begin(api, capsys, stable=None)
    assert "chat has no record of a rollout" in result["msg"]
    result = begin(api, capsys, observation={"releases": {"v1": {"replicas": "two", "ready": -1}}})
    assert [one["where"] for one in result["problems"]] == ["observation.releases.v1.replicas", "observation.releases.v1.ready"] and api.objects == {}


def test_a_second_controller_is_refused_and_told_who_holds_it(api, capsys):
    begin(api, capsys)
    before = copy.deepcopy(api.objects)
    result = begin(api, capsys, holder="bob run 2", candidate="v3", releases={"v3": {}})
    assert result["failed"] and result["holder"] == "ann run 1" and "ann run 1 has held the lock since 20" in result["msg"]
    assert api.objects == before


def test_a_run_after_a_kill_waits_for_the_lock_and_resumes_under_a_new_generation(api, capsys):
    first = begin(api, capsys, lease_duration=1)
    api.objects[LEASE]["spec"]["renewTime"] = "2026-01-01T00:00:00.000000Z"
    second = call(api, capsys, rollout_intent, holder="bob run 2", observation=seen({"v1": pods()}), lock_wait=4)
    assert (second["intent"]["kind"], second["fence"]) == ("deploy", 2) and second["intent"]["generation"] > first["intent"]["generation"]
    late = begin(api, capsys, fence=1)
    assert late["failed"] and "ann run 1 had the lock as tenure 1 and has it no more: bob run 2 has held it since" in late["msg"]


def test_a_lock_that_never_gets_free_is_waited_for_as_long_as_was_asked(api, capsys, monkeypatch, store):
    monkeypatch.setattr(driver, "INTERVAL", 0.01)
    begin(api, capsys, lease_duration=600)
    api.asked.clear()
    ticks = itertools.count(time.time(), 10)
    params = {"service": "chat", "request": "continue", "holder": "bob", "fence": None, "lease_duration": 60, "lock_wait": 60, "give_back": False,
              "strategy": "canary", "stable": None, "candidate": None, "settings": {}, "releases": {}, "observation": seen(), "reason": ""}
    with pytest.raises(leases.Held, match="ann run 1 has held the lock since"):
        driver.Driver(params, store, False, lambda: next(ticks)).run()
    assert api.asked.count(("GET", LEASE)) >= 3 and not [one for one in api.asked if one[0] != "GET"]


def test_an_abort_that_comes_between_read_and_write_is_followed_in_the_same_call(api, capsys, store):
    first = begin(api, capsys)
    flag = {"rollout": 1, "who": "bob", "why": "a page", "when": "t"}
    api.before[("PATCH", MAP)] = [lambda: api.put(MAP, merged(api.objects[MAP], {"data": {"abort": json.dumps(flag)}}))]
    result = call(api, capsys, rollout_intent, holder="ann run 1", fence=first["fence"], observation=seen())
    assert result["intent"]["phase"] == "back" and store.read().record["rollout"]["why"] == "aborted by bob: a page"


def test_who_lost_the_lock_between_reading_and_writing_writes_nothing(api, capsys, store):
    first = begin(api, capsys)

    def taken():
        spec = dict(api.objects[LEASE]["spec"], holderIdentity="bob run 2", leaseTransitions=2)
        api.put(LEASE, dict(api.objects[LEASE], spec=spec))

    api.before[("PUT", LEASE)] = [taken]
    before = store.read()
    result = begin(api, capsys, fence=first["fence"])
    assert result["failed"] and result["holder"] == "bob run 2" and store.read() == before


def test_one_call_after_the_other_leads_to_the_end_and_gives_the_lock_back(api, capsys, store):
    """Both sides are as real as they get without a cluster: what the world is told is what it says at the next look."""
    fence, world, generation, weights, outcome, kinds = None, {"v1": pods()}, 3, {"v1": 100}, None, []
    for _look in range(60):
        result = begin(api, capsys, fence=fence, settings={"replicas": 2, "steps": [50, 100], "soak": 1, "keep": 0},
                       observation=seen(world, generation, weights, outcome))
        intent, fence, outcome = result["intent"], result["fence"], None
        kinds.append(intent["kind"])
        if intent["kind"] == "done":
            break
        if intent["kind"] == "deploy":
            world[intent["release"]] = pods(intent["replicas"], intent["replicas"], intent["generation"])
        if intent["kind"] in ("warm_up", "gate"):
            outcome = {"generation": intent["generation"], "verdict": "pass"}
        if "traffic" in intent:
            generation, weights = intent["traffic"]["generation"], intent["traffic"]["weights"]
        if intent["kind"] in ("delete", "scale_down"):
            assert intent["precondition"] == {"uid": "u", "resource_version": "1"}
            world.pop(intent["release"])
        # The clock is the module's own: what is to last is over at once.
        record = store.read()
        if record.record["rollout"]["pending"]:
            record.record["rollout"]["pending"]["until"] -= 10 if intent["kind"] == "gate" else 0
            store.write(record.record, record.version)
    assert (intent["kind"], intent["result"], weights) == ("done", "promoted", {"v2": 100})
    assert sorted(set(kinds)) == ["add_upstream", "deploy", "done", "gate", "promote", "remove_upstream", "scale_down", "set_weight", "warm_up"]
    assert api.objects[LEASE]["spec"]["holderIdentity"] is None and store.read().record["stable"] == "v2"
    again = begin(api, capsys, holder="ann run 2", observation=seen(world, generation, weights))
    assert not again["changed"] and again["intent"]["result"] == "promoted"
    refused = begin(api, capsys, holder="ann run 3", request="promote")
    assert refused["failed"] and "v2 has all of the traffic" in refused["msg"]


def test_an_undo_beside_a_rollout_turns_it_back(api, capsys):
    first = begin(api, capsys)
    result = begin(api, capsys, request="undo", candidate=None, fence=first["fence"], settings={"replicas": 2}, observation=seen())
    assert result["intent"]["phase"] == "back" and "aborted by ann run 1" in result["intent"]["why"]


def test_there_may_be_nothing_to_undo(api, capsys, store):
    store.write(records.new("chat", "v1"), None)
    result = begin(api, capsys, request="undo", candidate=None, settings={"replicas": 2})
    assert result["failed"] and "there is nothing to undo" in result["msg"]


# rollout_flag and rollout_record_info

def test_flags_are_set_beside_the_lock_and_only_for_what_is_under_way(api, capsys, store):
    args = {"who": "bob", "reason": "a page"}
    assert "has had no rollout" in call(api, capsys, rollout_flag, request="abort", **args)["msg"]
    begin(api, capsys)
    check = call(api, capsys, rollout_flag, request="pause", _ansible_check_mode=True, **args)
    assert check["changed"] and store.read().flags == {}
    first, second = (call(api, capsys, rollout_flag, request="pause", **args) for _time in range(2))
    assert (first["changed"], second["changed"]) == (True, False) and store.read().flags["pause"]["who"] == "bob"
    assert '"why": "a page"' in first["diff"]["after"] and first["diff"]["before"] == "{}\n"
    paused = begin(api, capsys, fence=1, observation=seen())
    assert paused["intent"]["kind"] == "pause" and paused["flags"]["pause"]["rollout"] == 1
    assert call(api, capsys, rollout_flag, request="resume", **args)["changed"] and store.read().flags == {}
    assert not call(api, capsys, rollout_flag, request="resume", **args)["changed"]
    assert call(api, capsys, rollout_flag, request="abort", **args)["changed"]
    assert begin(api, capsys, fence=1, observation=seen())["intent"]["phase"] == "back"
    assert "A way back is not held" in call(api, capsys, rollout_flag, request="pause", **args)["msg"]
    assert not call(api, capsys, rollout_flag, request="abort", **args)["changed"]


def test_a_flag_is_decided_anew_when_the_record_moved(api, capsys, store):
    begin(api, capsys)
    api.before[("PATCH", MAP)] = [lambda: api.bump(MAP)]
    assert call(api, capsys, rollout_flag, request="abort", who="bob")["changed"] and store.read().flags["abort"]["rollout"] == 1


def test_an_abort_that_comes_too_late_says_what_to_do(api, capsys, store):
    begin(api, capsys)
    stored = store.read()
    stored.record["rollout"]["released"] = True
    store.write(stored.record, stored.version)
    assert "then undo" in call(api, capsys, rollout_flag, request="abort", who="bob")["msg"]


def test_the_status_says_all_and_writes_nothing(api, capsys):
    empty = call(api, capsys, rollout_record_info)
    assert (empty["exists"], empty["lock"], empty["changed"]) == (False, None, False)
    begin(api, capsys)
    before = copy.deepcopy(api.objects)
    result = call(api, capsys, rollout_record_info)
    assert result["where"] == "rollout 1 of chat to v2 goes forward and is at: deploy of v2 with 2 pods"
    assert result["lock"]["held"] and result["lock"]["holder"] == "ann run 1" and len(result["history"]) == 3
    assert "history" not in result["record"] and api.objects == before
    begin(api, capsys, fence=1, give_back=True)
    assert call(api, capsys, rollout_record_info)["lock"]["held"] is False


def test_no_api_is_a_failure_of_every_module(tmp_path, capsys):
    for module, args in ((rollout_record_info, {}), (rollout_flag, {"request": "abort", "who": "bob"}), (rollout_intent, {"holder": "ann"})):
        with patch_module_args(dict(args, kubeconfig=str(tmp_path / "none"), namespace="inference", service="chat")), pytest.raises(SystemExit):
            module.main()
        assert "site.yml delivers it" in json.loads(capsys.readouterr().out)["msg"]


def test_an_api_that_is_silent_for_a_moment_is_asked_again_and_a_refusal_is_an_answer():
    said, waited, now = [], [], [0.0]

    def ask():
        said.append(now[0])
        if len(said) < 3:
            raise IronrackError("no answer", status=503)
        return "read"

    def sleep(seconds):
        waited.append(seconds)
        now[0] += 20

    assert rollout_record_info.patient(ask, 60, lambda: now[0], sleep) == "read" and len(waited) == 2
    said.clear()
    with pytest.raises(IronrackError, match="no answer"):
        rollout_record_info.patient(ask, 0, lambda: now[0], sleep)
    with pytest.raises(IronrackError, match="forbidden"):
        rollout_record_info.patient(refused, 60, lambda: now[0], sleep)
    assert len(waited) == 2


def refused():
    raise IronrackError("forbidden", status=403)
