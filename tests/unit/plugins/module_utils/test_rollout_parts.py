# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a rollout's loop: balancers' pages and pods over real HTTP, commands, gates, what is told without a record, events, the journal."""
from __future__ import annotations

import email.utils
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._release import machine, record as records
from ansible_collections.ironrack.cluster.plugins.module_utils._release.observation import FAIL, INCONCLUSIVE, PASS, Observation
from ansible_collections.ironrack.cluster.plugins.module_utils._release.plan import plan_rollout
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout import balancers, emergency, events, preflight, progress, requests, wishes
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.gatekeeper import Gatekeeper, looks_of
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.journal import Journal, parse
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.probes import Probes
from ansible_collections.ironrack.cluster.plugins.module_utils._service.spec import complete
from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.rollout_sim import DESCRIPTION
from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.release_world import World

STATUS = {"generation": 7, "asked": {"serve": "releases", "stable": "v1", "candidate": "v2", "weight": 5},
          "served": {"serve": "releases", "stable": "v1", "candidate": "v2", "weight": 5}, "weights": {"v1": 95, "v2": 5},
          "releases": [{"name": "v1", "host": "h", "port": 1}, {"name": "v2", "host": "h", "port": 1}]}


class Page:
    """A server that answers each path with (status, body, headers)."""

    def __init__(self, pages):
        page, self.pages, self.asked = self, pages, []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                page.asked.append((self.path, self.headers.get("Host")))
                status, body, headers = page.pages.get(self.path, (404, b"", {}))
                self.send_response_only(status)
                for name, value in dict({"Content-Length": str(len(body)), "Date": email.utils.formatdate(usegmt=True)}, **headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def page():
    pages = []

    def make(answers):
        pages.append(Page({path: (one[0], json.dumps(one[1]).encode(), one[2] if len(one) > 2 else {}) for path, one in answers.items()}))
        return pages[-1]

    yield make
    for one in pages:
        one.close()


# balancers


def test_a_balancer_says_what_its_workers_have_of_the_service(page):
    server = page({"/upstream.json": (200, STATUS)})
    found, gone = balancers.Balancers({"lb1": "127.0.0.1"}, "chat", server.port).look()
    assert found == {"lb1": STATUS} and gone == set()
    assert server.asked == [("/upstream.json", "chat.upstream.ironrack")]
    assert balancers.observed(found, gone) == {"lb1": {"generation": 7, "weights": {"v1": 95, "v2": 5}}}


@pytest.mark.parametrize("answer, status", (((404, {}), {}), ((500, {}), None), ((200, ["no status"]), None), ((200, {"generation": "7"}), None)))
def test_what_is_no_status_is_no_answer(page, answer, status):
    assert balancers.Balancers({"lb1": "127.0.0.1"}, "chat", page({"/upstream.json": answer}).port).statuses() == {"lb1": status}


def test_a_balancer_that_is_not_there_did_not_answer():
    found = balancers.Balancers({"lb1": "127.0.0.1"}, "chat", 1).look()
    assert found == ({"lb1": None}, set()) and balancers.observed(*found) == {"lb1": {}}


@pytest.mark.parametrize("peer, holds, age, gone", (
    ({"lb2": {"silent_seconds": 12.0}}, True, 1, {"lb2"}), ({"lb2": {"silent_seconds": 4.0}}, True, 1, set()), ({}, True, 1, set()),
    ({"lb2": {"silent_seconds": 12.0}}, False, 1, set()), ({"lb2": {"silent_seconds": 12.0}}, True, 60, set())))
def test_a_silent_balancer_is_away_only_where_the_holder_of_the_address_has_not_heard_it_either(page, peer, holds, age, gone):
    written = {"Last-Modified": email.utils.formatdate(time.time() - age, usegmt=True)}
    server = page({"/balancer-traffic.json": (200, {"holds_vip": holds, "peers": peer}, written)})
    asked = balancers.Balancers({"lb1": "127.0.0.1"}, "chat", server.port).pages(["lb1"])
    assert balancers.away(["lb2"], asked) == gone


def test_a_page_that_is_missing_or_broken_says_nothing(page):
    assert balancers.Balancers({"lb1": "127.0.0.1"}, "chat", page({}).port).pages(["lb1"]) == {"lb1": None}
    assert balancers.away(["lb2"], {"lb1": None, "lb3": {"holds_vip": True, "peers": {"lb2": {"silent_seconds": True}}}}) == set()


# pods


def test_every_pod_has_to_answer_every_request(page):
    warm, cold = page({"/v1/models": (200, {})}), page({"/v1/models": (503, {})})
    wish = {"path": "/v1/models", "method": "POST", "body": '{"a": 1}', "requests": 3, "timeout": 2}
    pod = {"name": "v2-0", "address": "127.0.0.1"}
    assert requests.warm_up([pod], warm.port, wish) == (PASS, "1 pods answered 3 requests each") and len(warm.asked) == 3
    assert requests.warm_up([pod], cold.port, wish) == (INCONCLUSIVE, "1 of 1 pods are not warm, such as v2-0 answered 503 to /v1/models")
    assert requests.warm_up([pod], 1, wish)[0] == INCONCLUSIVE and requests.warm_up([], 1, wish) == (INCONCLUSIVE, "there is no ready pod to ask")


def test_one_host_that_reached_all_pods_is_enough():
    assert requests.together([(INCONCLUSIVE, "no route"), (PASS, "2 pods")]) == (PASS, "2 pods")
    assert requests.together([]) == (INCONCLUSIVE, "nobody could ask the pods")


# commands


@pytest.mark.parametrize("status, verdict", ((0, PASS), (1, FAIL), (2, INCONCLUSIVE), (127, INCONCLUSIVE)))
def test_the_exit_status_of_a_command_is_its_verdict(status, verdict):
    probes, done = Probes({"ROLLOUT_SERVICE": "chat"}), None
    while done is None:
        done = probes.look("eval", ["/bin/sh", "-c", "echo first; echo $ROLLOUT_SERVICE $ROLLOUT_RELEASE; exit %d" % status], 10, {"ROLLOUT_RELEASE": "v2"})
    assert done == (verdict, "/bin/sh ended with status %d: chat v2" % status) and not probes.busy()


def test_a_command_that_takes_too_long_or_is_not_there_says_nothing():
    ticks = [0.0]
    probes = Probes({}, lambda: ticks[0])
    assert probes.look("slow", ["/bin/sleep", "60"], 5) is None and probes.busy()
    ticks[0] = 6.0
    assert probes.look("slow", ["/bin/sleep", "60"], 5) == (INCONCLUSIVE, "/bin/sleep took longer than 5 s")
    assert probes.look("none", ["/no/such"], 5)[0] == INCONCLUSIVE
    assert probes.look("slow", ["/bin/sleep", "60"], 5) is None
    probes.stop()
    assert not probes.busy()


# gates


def gate_intent(**more):
    return dict({"kind": "gate", "name": "weight 5", "release": "v2", "stable": "v1", "weight": 5, "generation": 9, "since": 1000, "until": 1060}, **more)


class FakeProbes:
    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def look(self, name, argv, timeout, more=None):
        self.asked.append((name, more))
        return self.answers.pop(0)


def keeper(gates, probes=None, judge=None):
    service = complete(dict(DESCRIPTION, gates=gates))
    clock = type("Prometheus", (), {"clock": lambda self: 5000.0})
    return Gatekeeper(service, probes or FakeProbes(), judge, lambda connection: clock())


PLAN = plan_rollout("chat", "canary", "v1", "v2", {"v1", "v2"}, {"replicas": 6, "steps": [5, 100], "soak": 60})


def test_a_command_passes_only_with_a_run_after_the_end_of_the_step_and_fails_at_once():
    gates = [{"name": "eval", "kind": "probe", "argv": ["x"], "every": 30}]
    probes, memory = FakeProbes((PASS, "good"), (PASS, "good"), None, (PASS, "still good")), {}
    one = keeper(gates, probes)
    assert one.look(gate_intent(), PLAN, memory, 1001)[:2] == (INCONCLUSIVE, "eval: the step is not over: good")
    assert one.look(gate_intent(), PLAN, memory, 1011)[0] == INCONCLUSIVE and len(probes.asked) == 1
    assert one.look(gate_intent(), PLAN, memory, 1035)[0] == INCONCLUSIVE and len(probes.asked) == 2
    assert one.look(gate_intent(), PLAN, memory, 1060)[0] is None
    assert one.look(gate_intent(), PLAN, memory, 1061)[:2] == (PASS, "eval: still good")
    assert probes.asked[0][1] == {"ROLLOUT_RELEASE": "v2", "ROLLOUT_STABLE": "v1", "ROLLOUT_WEIGHT": "5", "ROLLOUT_STEP": "weight 5"}
    assert keeper(gates, FakeProbes((FAIL, "bad"))).look(gate_intent(), PLAN, {}, 1001)[0] == FAIL


def test_an_approval_never_passes_by_itself_and_counts_where_it_is_asked_for():
    gates = [{"name": "ann", "kind": "approval", "at": [50]}, {"name": "eval", "kind": "probe", "argv": ["x"]}]
    assert keeper(gates, FakeProbes((PASS, ""))).look(gate_intent(), PLAN, {}, 1060)[0] == PASS
    verdict, why, _gates = keeper(gates, FakeProbes((PASS, ""))).look(gate_intent(weight=50), PLAN, {}, 1060)
    assert verdict == INCONCLUSIVE and "run rollout_promote" in why
    assert keeper(gates[:1]).look(gate_intent(), PLAN, {}, 1060) == (INCONCLUSIVE, "no gate counts at 5 %", [])


def judged(reason="as ever", verdict=PASS):
    def judge(params):
        judge.asked.append(params)
        return {"time": 5070.0, "gates": [{"name": "errors", "kind": "errors", "verdict": verdict, "reasons": [reason]}]}
    judge.asked = []
    return judge


def test_the_step_begins_by_the_clock_of_prometheus_and_after_a_kill_where_it_began():
    judge = judged()
    one, memory = keeper(DESCRIPTION["gates"], judge=judge), {}
    assert one.look(gate_intent(), PLAN, memory, 1000)[0] == PASS
    one.look(gate_intent(), PLAN, memory, 1040)
    keeper(DESCRIPTION["gates"], judge=judge).look(gate_intent(), PLAN, {}, 1040)
    one.look(gate_intent(generation=11, since=1050, weight=100), PLAN, memory, 1050)
    assert [params["since"] for params in judge.asked] == [5000.0, 5000.0, 4960.0, 5000.0]
    assert [params["baseline"] for params in judge.asked] == ["v1", "v1", "v1", ""]
    assert [params["end_of_step"] for params in judge.asked] == [False] * 4 and judge.asked[0]["looks"] == looks_of(PLAN, 10)


def test_a_counter_that_was_reset_is_counted_anew_from_now():
    judge, memory = judged("the release: the counter was reset since the step began: 1 series", INCONCLUSIVE), {}
    one = keeper(DESCRIPTION["gates"], judge=judge)
    one.look(gate_intent(), PLAN, memory, 1000)
    one.look(gate_intent(), PLAN, memory, 1010)
    assert [params["since"] for params in judge.asked] == [5000.0, 5070.0]


def test_what_cannot_be_judged_any_more_is_inconclusive_and_no_end_of_the_run():
    def judge(params):
        raise OSError("the password's file is gone")
    verdict, why, gates = keeper(DESCRIPTION["gates"], judge=judge).look(gate_intent(), PLAN, {}, 1060)
    assert (verdict, why) == (INCONCLUSIVE, "errors: the password's file is gone") and gates[0]["verdict"] == INCONCLUSIVE


def test_all_looks_of_a_rollout_are_counted_with_those_of_extensions():
    assert looks_of(PLAN, 10) == 2 * 4 * (6 + 2) and looks_of(dict(PLAN, extensions=0), 60) == 2 * 3


# without a record


def status(weight=0, stable="v1", candidate="v2", generation=7, releases=("v1", "v2")):
    routing = {"serve": "releases", "stable": stable, "candidate": candidate, "weight": weight}
    weights = {candidate: weight, stable: 100 - weight}
    return {"generation": generation, "asked": routing, "served": routing, "weights": {name: part for name, part in weights.items() if part},
            "releases": [{"name": name} for name in releases]}


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 5000)), min_size=1, max_size=4), st.booleans())
def test_without_a_record_the_stable_gets_all_of_it_and_a_second_time_changes_nothing(seen, undo):
    statuses = {"lb%d" % number: status(weight, generation=generation) for number, (weight, generation) in enumerate(seen)}
    newest = emergency.newest(statuses)
    stable = emergency.target(newest, undo)
    traffic = emergency.traffic(statuses, stable)
    assert stable == "v1"
    if traffic is None:
        assert all(one["weights"] == {"v1": 100} for one in statuses.values())
        return
    assert traffic["weights"] == {"v1": 100, "v2": 0} and traffic["generation"] >= newest["generation"] + 1000
    told = {name: status(0, traffic["stable"], traffic["candidate"], traffic["generation"]) for name in statuses}
    assert emergency.traffic(told, emergency.target(told["lb0"], undo)) is None
    half = dict(statuses, lb0=told["lb0"])
    again = emergency.traffic(half, stable, traffic["generation"])
    assert again is None or again["generation"] == traffic["generation"]


def test_an_undo_without_a_record_finds_the_release_that_is_still_warm():
    promoted = status(0, "v2", "")
    assert emergency.target(promoted) == "v2" and emergency.target(promoted, undo=True) == "v1"
    traffic = emergency.traffic({"lb1": promoted}, "v1")
    assert (traffic["stable"], traffic["candidate"], traffic["weights"]) == ("v1", "v2", {"v1": 100, "v2": 0})
    with pytest.raises(Refused, match="know no release beside v2"):
        emergency.target(status(0, "v2", "", releases=("v2",)), undo=True)
    with pytest.raises(Refused, match="know v0, v1 beside v2"):
        emergency.target(status(0, "v2", "", releases=("v0", "v1", "v2")), undo=True)
    assert emergency.target(status(0, "v2", "", releases=("v0", "v1", "v2")), True, "v0") == "v0"


def test_what_is_asked_for_and_not_served_yet_is_moved_too_and_who_is_switched_off_is_not():
    pending = dict(status(0), asked={"stable": "v1", "candidate": "v2", "weight": 5, "serve": "releases"})
    assert emergency.traffic({"lb1": pending}, "v1")["generation"] == 1007
    off = dict(status(5), served={"stable": "v1", "candidate": "v2", "weight": 5, "serve": "nobody"})
    assert emergency.traffic({"lb1": off}, "v1") is None and emergency.newest({"lb1": None, "lb2": {}}) is None


# events, journal, progress


@pytest.mark.parametrize("kind", ("canary", "blue_green", "rolling"))
def test_each_event_of_a_rollout_is_told_once_and_in_order(kind):
    world, found = World(kind), []
    before = world.record
    found += events.between(None, before)
    for _name in world.steps(1):
        found += events.between(before, world.record)
        before = world.record
    names = [event["event"] for event in found]
    weights = [event["weight"] for event in found if event["event"] == "step"]
    assert names[0] == "start" and names[-2:] == ["promoted", "end"] and names.count("promoted") == 1 and set(names[1:-2]) == {"step"}
    assert weights == {"canary": [5, 25, 50, 100], "blue_green": [100], "rolling": [33, 66, 100]}[kind]


def test_a_way_back_is_told_with_its_reason():
    world, found = World("canary", {"weight 25": [FAIL]}), []
    before = world.record
    for _name in world.steps(1):
        found += events.between(before, world.record)
        before = world.record
    assert [event["event"] for event in found] == ["step", "step", "turned_back", "rolled_back"]
    assert "gate weight 25 failed" in found[-2]["why"] and found[-2]["stable"] == "v1"


def test_a_webhook_that_fails_stops_nothing_and_is_not_named_by_its_address(tmp_path):
    secret = tmp_path / "hook"
    secret.write_text("http://hooks.example.org/T0/secret\n")
    told = []

    def post(url, ca_file, body):
        told.append((url, json.loads(body)["event"]))
        if "T0" in url:
            raise OSError("http://hooks.example.org/T0/secret refused")
        return 204 if "good" in url else 500

    problems = events.notify([{"url_file": str(secret)}, {"url": "http://good.example.org/"}, {"url": "http://bad.example.org/x"}, {"url_file": "/none"}],
                             {"event": "step"}, post)
    assert told == [("http://hooks.example.org/T0/secret", "step"), ("http://good.example.org/", "step"), ("http://bad.example.org/x", "step")]
    assert len(problems) == 3 and "secret" not in str(problems) and "hooks.example.org could not be told" in problems[0]


def test_a_webhook_is_posted_over_http(page):
    server = page({"/hook": (200, {})})
    assert events.notify([{"url": "http://127.0.0.1:%d/hook" % server.port}], {"event": "start"}) == [] and server.asked[0][0] == "/hook"


def test_the_journal_is_added_to_and_a_line_that_was_cut_short_is_left_out(tmp_path):
    journal = Journal(str(tmp_path / "new"), "chat")
    assert journal.write(4, 1.23, "look", weights={"v1": 100}) == "" and Journal(str(tmp_path / "new"), "chat").write(4, 2, "event", event="start") == ""
    path = tmp_path / "new" / "chat-4.jsonl"
    assert journal.path(4) == str(path) and oct(path.stat().st_mode & 0o777) == "0o640"
    path.write_text(path.read_text() + '{"at": 3, "kind')
    assert parse(path.read_text()) == [{"at": 1.2, "kind": "look", "weights": {"v1": 100}}, {"at": 2, "kind": "event", "event": "start"}]
    os.rename(tmp_path / "new", tmp_path / "file")
    (tmp_path / "new").write_text("")
    assert "cannot be written" in journal.write(4, 5, "look")


def test_the_time_that_is_left_counts_gates_and_the_keeping():
    world = World("canary")
    assert progress.left(world.record, world.now) == 4 * 30 + 60
    for name in world.steps(1):
        if name == "record of gate":
            break
    assert progress.left(world.record, world.now + 10) == 3 * 30 + 60 + 20
    line = progress.line(world.record, world.now, None, INCONCLUSIVE, "errors: 0 of 10")
    assert "5 % with v2, step 1 of 4; at gate weight 5 for 0 s of 30 s; inconclusive so far: errors: 0 of 10; at least 3 min left" in line
    world.flags = {"abort": {"rollout": 1, "who": "ann", "why": "a page"}}
    world.run()
    assert progress.left(world.record, 0) is None and "rolled back (aborted by ann: a page)" in progress.line(world.record, 0)
    assert progress.line(records.new("chat", "v1"), 0) == "v1 has all of the traffic of chat" and progress.spoken(9000) == "2.5 h"
    assert machine.where(world.record).startswith("no rollout")


# preflight


def test_what_the_balancers_lack_is_told():
    found = preflight.balancer_problems({"lb1": STATUS, "lb2": None, "lb3": {}, "lb4": None}, {"lb4"})
    assert [(one["where"], one["what"][:12]) for one in found] == [("balancer lb2", "its page htt"), ("balancer lb3", "it knows not")]
    assert preflight.balancer_problems({}, set())[0]["where"] == "load_balancers"
    assert Observation(balancers=balancers.observed({"lb3": {}}, set())).newest() == 0


@pytest.mark.parametrize("policy, override, refused", (
    ("go", "", False), ("slow", "", False), ("fixes", "", True), ("frozen", "", True), ("unknown", "", True), ("frozen", "an outage", False)))
def test_the_error_budget_stands_before_a_release(policy, override, refused):
    found = {"policy": policy, "reasons": ["87.0 % is consumed"]}
    assert bool(preflight.budget_problems(found, override)) == refused
    if not refused:
        assert "87.0 %" in preflight.budget_words(found, override)


def test_a_budget_that_cannot_be_asked_is_unknown():
    service = complete(DESCRIPTION)
    assert preflight.budget_of(service, None)["policy"] == "unknown"
    asked = preflight.budget_of(service, wishes.connection(service))
    assert asked["policy"] == "unknown" and "no answer from http://127.0.0.1:1" in asked["reasons"][0]
    assert preflight.connection_problems(service, wishes.connection(service))[0]["where"] == "prometheus"


class FakePrometheus:
    def __init__(self, connection):
        pass

    def clock(self):
        return 100.0

    def last_samples(self, series, at, age):
        found = {'b_bucket{service="chat"}': [{"le": "1"}, {"le": "+Inf"}], "memory_bytes": [{}]}.get(series, [])
        return [(labels, at, 1.0) for labels in found]

    def query(self, promql, at=None):
        return "vector", []


def test_a_gate_whose_metric_or_bucket_nobody_has_is_refused(monkeypatch):
    monkeypatch.setattr(preflight, "Prometheus", FakePrometheus)
    gates = [{"name": "e", "kind": "errors", "metric": "tries_total", "limit": 0.1},
             {"name": "slow", "kind": "latency", "metric": "b_bucket", "bound": 2, "limit": 0.1},
             {"name": "fine", "kind": "latency", "metric": "b_bucket", "bound": 1, "limit": 0.1},
             {"name": "memory", "kind": "query", "metric": 'memory_bytes{release="v2"}', "query": "max(memory_bytes)", "at_most": 1}]
    service = complete(dict(DESCRIPTION, gates=gates))
    found = preflight.connection_problems(service, wishes.connection(service))
    assert [one["where"] for one in found] == ["gate e, metric", "gate slow, bound"] and "one of 1" in found[1]["expected"]


# wishes


def test_settings_of_all_strategies_may_stand_together_and_each_takes_its_own():
    service = complete(dict(DESCRIPTION, rollout={"steps": [50, 100], "soak": 5, "watch": 7, "keep": 9, "error_budget": {"slo": "x"}}))
    assert wishes.settings_of(service, "canary", 6, ["a"]) == {"steps": [50, 100], "soak": 5, "keep": 9, "replicas": 6}
    assert wishes.settings_of(service, "rolling", 6, ["a", "b"]) == {"soak": 5, "keep": 9, "replicas": 6, "zones": ["a", "b"]}
    assert wishes.settings_of(service, "undo", 6, []) == {"replicas": 6}
    assert wishes.slower({"watch": 7}, "blue_green") == {"watch": 14} and wishes.slower({}, "canary") == {"soak": 600}
    assert wishes.problems(service, "canary", "v2", "v1", 10) == [] and wishes.budget_options(service)["slo"] == "x"


def test_bad_wishes_are_told_all_at_once():
    service = complete(dict(DESCRIPTION, gates=[], hooks={"notify": [{"url": "a", "url_file": "b"}, "x"]}, prometheus={"uri": "x"},
                            rollout={"error_budget": {"slo": "a", "sla": 1}}))
    assert [one["where"].replace("llm_services.chat.", "") for one in wishes.problems(service, "green", "v2", "v1", 1)] == [
        "rollout.error_budget", "gates", "hooks.notify[0]", "hooks.notify[1]", "prometheus.uri", "strategy"]
    service = complete(dict(DESCRIPTION, prometheus={}, gates=[{"name": "p", "kind": "probe", "argv": ["x"], "timeout": 0, "at": [0], "more": 1}]
                            + DESCRIPTION["gates"], smoke={"argv": ["x"], "timeout": 5}))
    assert [one["where"] for one in wishes.problems(service, "canary", "v2", "v2", 1)] == [
        "baseline", "gate p, more", "gate p, timeout", "gate p, at", "llm_services.chat.prometheus.url"]
