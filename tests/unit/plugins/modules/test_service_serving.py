# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers for a service, decided against an API over real HTTP, against none, and against one that fails."""
from __future__ import annotations

import copy
import json
import threading
from http.server import ThreadingHTTPServer

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import KubeClient
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.traffic import parse
from ansible_collections.ironrack.cluster.plugins.module_utils._release import record as records
from ansible_collections.ironrack.cluster.plugins.module_utils._release.store import Store
from ansible_collections.ironrack.cluster.plugins.modules import nginx_upstream, service_serving
from ansible_collections.ironrack.cluster.tests.unit.plugins.modules.test_rollout_modules import MAP, Api, Handler

CHAT = {"name": "chat", "namespace": "inference", "stable": "v1", "pod": {"port": 8080}, "balancer": {"port": 8443},
        "fallback": [{"name": "rack", "host": "192.0.2.9", "port": 8000}, {"name": "cloud", "host": "192.0.2.10", "port": 8000}]}


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


class Balancers:
    """Two load balancers as far as nginx_upstream_info tells of them."""

    def __init__(self):
        self.there = {name: dict(generation=3, serve="releases", stable="v1", candidate="", weight=0, releases={"v1": ""}, weights={"v1": 100})
                      for name in ("lb1", "lb2")}
        self.notes = {"lb1": {}, "lb2": {}}

    def told(self, upstream, names=("lb1", "lb2")):
        """They do what they are told, as the module of theirs would."""
        parse(dict({name: one.get("default") for name, one in nginx_upstream.SPEC.items()}, **upstream))
        for name in names:
            assert upstream["generation"] >= self.there[name]["generation"]
            releases = {upstream["candidate"]: upstream["weight"], upstream["stable"]: 100 - upstream["weight"]}
            weights = {"fallback": {"fallback": 100}, "nobody": {}, "releases": {one: part for one, part in releases.items() if part}}
            self.there[name] = dict(generation=upstream["generation"], serve=upstream["serve"], stable=upstream["stable"],
                                    candidate=upstream["candidate"] or "",
                                    weight=upstream["weight"], releases={one["name"]: "" for one in upstream["releases"]},
                                    weights=weights[upstream["serve"]])
            self.notes[name] = upstream["note"]

    def seen(self):
        """:returns: what the info module says."""
        return {name: {"chat": {"running": dict(one), "disk": copy.deepcopy(one), "note": self.notes[name]}} for name, one in self.there.items()}


def call(capsys, kubeconfig, balancers, request, **more):
    args = dict({"kubeconfig": kubeconfig, "services": [CHAT], "service": "chat", "request": request, "balancers": balancers.seen(), "who": "ann",
                 "reason": "a page"}, **more)
    with patch_module_args(args), pytest.raises(SystemExit):
        service_serving.main()
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def balancers():
    return Balancers()


def store_of(api):
    return Store(KubeClient(api.kubeconfig).request, "inference", "chat")


def test_off_and_on_is_recorded_and_a_second_time_changes_nothing(api, balancers, capsys):
    first = call(capsys, api.kubeconfig, balancers, "disable")
    assert first["changed"] and first["recorded"] and (first["upstream"]["serve"], first["upstream"]["generation"]) == ("fallback", 4)
    assert [one["host"] for one in first["upstream"]["fallback"]] == ["192.0.2.9", "192.0.2.10"]
    assert "the fallback pool answers (rack, then cloud), by ann since" in first["where"] and '"mode": "fallback"' in first["diff"]["after"]
    balancers.told(first["upstream"])
    again = call(capsys, api.kubeconfig, balancers, "disable", reason="once more")
    assert not again["changed"] and again["upstream"] == first["upstream"]
    other = call(capsys, api.kubeconfig, balancers, "switch", provider="cloud")
    assert other["changed"] and [one["host"] for one in other["upstream"]["fallback"]] == ["192.0.2.10", "192.0.2.9"]
    balancers.told(other["upstream"])
    assert not call(capsys, api.kubeconfig, balancers, "disable")["changed"]
    back = call(capsys, api.kubeconfig, balancers, "switch", provider="own")
    assert back["changed"] and (back["upstream"]["serve"], back["upstream"]["note"]) == ("releases", {})
    balancers.told(back["upstream"])
    assert not call(capsys, api.kubeconfig, balancers, "enable")["changed"]
    assert [entry["what"] for entry in store_of(api).read().record["history"]] == [
        "serve: the fallback pool answers (rack, then cloud)", "serve: the fallback pool answers (cloud, then rack)", "serve: its releases answer"]


def test_a_check_run_records_nothing_and_predicts(api, balancers, capsys):
    result = call(capsys, api.kubeconfig, balancers, "disable", serve="nobody", _ansible_check_mode=True)
    assert result["changed"] and result["upstream"]["serve"] == "nobody" and api.objects == {}


def test_what_is_wrong_is_told_at_once_before_anything_is_asked(api, balancers, capsys):
    result = call(capsys, api.kubeconfig, balancers, "switch", provider="clud", reason="")
    assert result["failed"] and [one["where"] for one in result["problems"]] == ["rollout_reason", "rollout_provider"] and api.asked == []


def test_without_an_api_the_balancers_are_changed_and_the_record_gets_it_later(api, balancers, capsys, tmp_path):
    store = store_of(api)
    store.write(dict(records.new("chat", "v1"), generation=30), None)
    gone = str(tmp_path / "gone")
    first = call(capsys, gone, balancers, "switch", provider="cloud", who="bob", reason="the API is down too")
    assert first["changed"] and not first["recorded"] and first["upstream"]["generation"] == 1003 and "no kubeconfig" in first["unrecorded_because"]
    balancers.told(first["upstream"])
    again = call(capsys, gone, balancers, "switch", provider="cloud")
    assert not again["changed"] and again["upstream"] == first["upstream"] and "by bob since" in again["where"]
    later = call(capsys, api.kubeconfig, balancers, "disable")
    assert later["changed"] and later["recorded"] and later["upstream"]["generation"] == 1004
    record = store.read().record
    assert record["serve"]["who"] == "bob" and record["serve"]["why"] == "the API is down too" and record["serve"]["chain"] == ["cloud", "rack"]
    balancers.told(later["upstream"])
    assert not call(capsys, api.kubeconfig, balancers, "disable")["changed"]


def test_a_balancer_that_missed_it_is_brought_along(api, balancers, capsys):
    first = call(capsys, api.kubeconfig, balancers, "disable")
    balancers.told(first["upstream"], ["lb1"])
    again = call(capsys, api.kubeconfig, balancers, "disable")
    assert not again["changed"] and again["upstream"] == first["upstream"]
    balancers.told(again["upstream"])


@pytest.mark.parametrize("status, recorded", ((500, False), (503, False), (403, None)))
def test_an_api_that_fails_is_none_and_one_that_forbids_it_is_told(api, balancers, capsys, monkeypatch, status, recorded):
    monkeypatch.setattr(Api, "answer", lambda self, *arguments: (status, {"message": "etcdserver: request timed out"}))
    result = call(capsys, api.kubeconfig, balancers, "disable")
    assert result.get("failed", False) == (recorded is None) and result.get("recorded") == recorded


def test_a_record_that_nobody_can_read_stops_no_stop(api, balancers, capsys):
    store_of(api).write(records.new("chat", "v1"), None)
    api.objects[MAP]["data"]["record"] = "{]"
    result = call(capsys, api.kubeconfig, balancers, "disable", serve="nobody")
    assert result["changed"] and not result["recorded"] and "holds no record" in result["unrecorded_because"]


def test_without_an_api_and_without_a_balancer_nothing_is_guessed(balancers, capsys, tmp_path):
    balancers.there = {}
    result = call(capsys, str(tmp_path / "gone"), balancers, "disable")
    assert result["failed"] and "no balancer says what it serves" in result["msg"]


def test_somebody_who_writes_in_between_is_read(api, balancers, capsys):
    store = store_of(api)
    store.write(records.new("chat", "v1"), None)
    api.before[("PATCH", MAP)] = [lambda: api.bump(MAP)]
    assert call(capsys, api.kubeconfig, balancers, "disable")["changed"] and store.read().record["serve"]["mode"] == "fallback"
