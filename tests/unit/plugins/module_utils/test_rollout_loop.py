# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop drives rollouts through a simulated world, as the role does: to the end, killed, paused, aborted, beside another run, without an API."""
from __future__ import annotations

import json

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._release.lease import Held, Lost
from ansible_collections.ironrack.cluster.plugins.module_utils._release.observation import INCONCLUSIVE, PASS
from ansible_collections.ironrack.cluster.plugins.module_utils._release.store import Store
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout import preflight
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.doing import Doer
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.journal import parse
from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.rollout_sim import DESCRIPTION, Sim

GO = {"policy": "go", "reasons": ["1.0 % of the error budget of 30 days is consumed: releases go on"]}


@pytest.fixture(autouse=True)
def reachable(monkeypatch):
    """Prometheus is there and the budget is whole; the tests of the preflight say otherwise."""
    monkeypatch.setattr(preflight, "connection_problems", lambda service, connection: [])
    monkeypatch.setattr(preflight, "budget_of", lambda service, connection: GO)


@pytest.fixture
def sim(tmp_path):
    return Sim(tmp_path)


def journal(sim, number=1):
    return parse((sim.tmp_path / ("chat-%d.jsonl" % number)).read_text())


@pytest.mark.parametrize("strategy", ("canary", "blue_green", "rolling"))
def test_a_good_release_reaches_all_of_the_traffic_by_itself(tmp_path, strategy):
    sim = Sim(tmp_path, rollout=dict(DESCRIPTION["rollout"], strategy=strategy))
    result = sim.drive("begin")
    assert (result["result"], result["need"]) == ("promoted", "nothing")
    assert {tuple(one["weights"].items()) for one in sim.balancers.values()} == {(("v2", 100),)}
    assert sim.releases["v2"]["replicas"] == 6 and sim.releases.get("v1", {"replicas": 0})["replicas"] == 0
    assert sim.pins[-1] == ("v2", "own") and ("v1", 6) in sim.pins
    again = sim.drive("begin")
    assert again["result"] == "promoted" and not again["changed"]


def test_the_steps_are_told_with_time_left_and_measured_against_their_baseline(sim):
    sim.drive("begin")
    assert sim.weights() == [0, 5, 50, 100, 0, 0]
    assert any("at gate weight 5 for" in line and "inconclusive so far: errors: as scripted; at least" in line for line in sim.lines)
    by_weight = {params["baseline"] for params in sim.judged}
    assert by_weight == {"v1", ""} and all(params["looks"] == sim.judged[0]["looks"] for params in sim.judged)
    first = sim.judged[0]
    assert first["since"] == pytest.approx(sim.told[1][0] + 5000, abs=3) and first["url"] == "http://127.0.0.1:1"
    lines = journal(sim)
    assert [line["event"] for line in lines if line["kind"] == "event"] == ["start", "step", "step", "step", "promoted", "end"]
    looks = [line for line in lines if line.get("gate") == "weight 5"]
    assert looks[-1]["verdict"] == PASS and looks[0]["measured"] == {"v1": 95.0, "v2": 5.0} and looks[0]["weights"] == {"v1": 95, "v2": 5}
    assert len(looks) == 7  # one every ten seconds of a minute


def test_a_gate_that_fails_in_the_middle_gives_the_traffic_back_at_once(tmp_path):
    sim = Sim(tmp_path, {5: {"fail_after": 25}})
    result = sim.drive("begin")
    assert result["result"] == "rolled_back" and "gate weight 5 failed: errors: as scripted" in result["why"]
    given, back = [at for at, _g, _c, weight in sim.told if weight == 5][0], [at for at, _g, _c, weight in sim.told[2:]][0]
    assert back - given <= 25 + 10 + 2
    assert "v2" not in sim.releases and sim.releases["v1"]["replicas"] == 6


def test_inconclusive_is_extended_three_times_and_then_goes_back(tmp_path):
    sim = Sim(tmp_path, {5: INCONCLUSIVE})
    assert sim.drive("begin")["result"] == "rolled_back"
    assert "stayed inconclusive after 3 extensions" in sim.record["last"]["why"]
    looks = [line for line in journal(sim) if line.get("gate") == "weight 5"]
    assert looks[-1]["at"] - looks[0]["at"] == pytest.approx(240, abs=15)


def test_a_release_that_never_gets_ready_gets_no_traffic(sim):
    sim.unready = True
    assert sim.drive("begin")["result"] == "rolled_back" and set(sim.weights()) <= {0}


def test_killed_after_each_answer_the_same_command_ends_it(tmp_path):
    whole = Sim(tmp_path / "whole")
    whole.drive("begin")
    stops = whole.calls
    assert stops > 15
    for stop in range(stops - 1):
        sim = Sim(tmp_path / str(stop))
        sim.drive("begin", stop=lambda result, sim=sim, stop=stop: sim.calls > stop)
        sim.drive("begin", lock_wait=90)
        assert sim.record["last"]["result"] == "promoted" and sim.balancers["lb1"]["weights"] == {"v2": 100}, stop


def test_a_second_run_is_told_who_has_the_lock(sim):
    sim.drive("begin", stop=lambda result: result["need"] == "balancers")
    with pytest.raises(Held, match="ann@ops1, run 1 has held the lock"):
        sim.drive("begin", lock_wait=20)


def test_a_run_that_stood_still_past_its_lease_is_refused(sim):
    stood = sim.drive("begin", stop=lambda result: result["need"] == "balancers" and result["upstream"]["weight"] == 5)
    sim.now += 70
    sim.drive("begin")
    with pytest.raises(Lost, match="has it no more"):
        sim.call(stood["state"], "begin")


def test_a_pause_ends_the_run_with_its_lock_and_a_resume_goes_on(sim):
    sim.drive("begin", stop=lambda result: result["need"] == "balancers")
    sim.now += 70
    assert sim.drive("pause")["result"] == "paused"
    held = sim.drive("begin")
    assert (held["result"], sim.weights()[-1]) == ("paused", 0) and "resume" in held["why"]
    assert [line["event"] for line in journal(sim) if line["kind"] == "event"][-1] == "paused"
    assert sim.drive("resume")["result"] == "promoted"


def test_an_abort_beside_whoever_drives_is_followed_by_him(sim):
    driver = sim.drive("begin", stop=lambda result: sim.weights()[-1:] == [5])

    def look_of_the_other():
        if not Store(sim.request, "inference", "chat").read().flags or not driver["state"]:
            return
        sim.before_look = []  # its own look must not call it again
        for _call in range(3):
            result = sim.call(driver["state"], "continue", stint=0)
            driver["state"] = result["state"]
            if result["need"] == "balancers":
                sim.tell(result["upstream"])

    sim.before_look = [look_of_the_other]
    result = sim.drive("abort")
    assert result["result"] == "followed" and "run 1" in result["progress"] and sim.balancers["lb1"]["weights"] == {"v1": 100}
    assert max(generation for _at, generation, _candidate, _weight in sim.told) < 1000


def test_an_abort_drives_back_where_nobody_drives(sim):
    sim.drive("begin", stop=lambda result: sim.weights()[-1:] == [50])
    sim.now += 70
    result = sim.drive("abort")
    assert result["result"] == "rolled_back" and "aborted by ann: new" in result["why"] and "v2" not in sim.releases
    assert sim.drive("abort")["result"] == "rolled_back"


def test_an_abort_does_not_wait_for_the_lock_of_a_run_that_is_dead(sim):
    sim.drive("begin", stop=lambda result: sim.weights()[-1:] == [50])
    at = sim.now
    result = sim.drive("abort")
    moved = [told for told in sim.told if told[0] > at + 5][0]
    assert moved[0] - at <= 2 * 10 + 10 + 4 and moved[3] == 0 and moved[1] > 1000
    assert result["result"] == "rolled_back" and sim.balancers["lb2"]["weights"] == {"v1": 100}


def test_an_abort_without_an_api_moves_the_traffic_and_the_record_follows(sim):
    sim.drive("begin", stop=lambda result: sim.weights()[-1:] == [5])
    sim.silent = True
    highest = max(one["generation"] for one in sim.balancers.values())
    result = sim.drive("abort")
    assert result["result"] == "moved" and "record follows" in result["progress"]
    assert {tuple(one["weights"].items()) for one in sim.balancers.values()} == {(("v1", 100),)}
    assert {one["generation"] for one in sim.balancers.values()} == {highest + 1000}
    assert sim.drive("abort")["result"] == "moved" and {one["generation"] for one in sim.balancers.values()} == {highest + 1000}
    sim.silent = False
    sim.now += 70
    assert sim.drive("continue")["result"] == "rolled_back" and "v2" not in sim.releases


def test_an_abort_waits_for_a_silent_api_once_before_it_moves_the_traffic(sim):
    state = sim.drive("begin", stop=lambda result: sim.weights()[-1:] == [5])["state"]
    assert state
    sim.silent, sim.unanswered = True, 0
    result = sim.call({}, "abort")
    assert (result["need"], result["upstream"]["weight"], sim.unanswered) == ("balancers", 0, 1)


def test_an_undo_without_an_api_goes_back_to_the_warm_release_and_does_not_undo_itself(sim):
    sim.drive("begin", stop=lambda result: result["intent"]["kind"] == "keep")
    assert sim.balancers["lb1"]["weights"] == {"v2": 100}
    sim.silent = True
    for _time in range(2):
        assert sim.drive("undo")["result"] == "moved" and sim.balancers["lb2"]["weights"] == {"v1": 100}
    sim.silent = False
    sim.now += 70
    assert sim.drive("continue")["result"] == "rolled_back" and sim.record["stable"] == "v1"


def test_an_undo_while_the_old_release_is_warm_is_instant_and_later_deploys_it(sim):
    sim.drive("begin", stop=lambda result: result["intent"]["kind"] == "keep")
    sim.now += 70
    assert sim.drive("undo")["result"] == "rolled_back" and sim.record["stable"] == "v1"
    sim.drive("begin")
    assert sim.record["stable"] == "v2"
    assert sim.drive("undo")["result"] == "promoted" and sim.record["stable"] == "v1" and sim.balancers["lb1"]["weights"] == {"v1": 100}


@pytest.mark.parametrize("asked", ("abort", "undo"))
def test_what_an_api_did_not_hear_at_first_is_asked_for_again(sim, asked):
    sim.drive("begin", stop=lambda result: sim.weights()[-1:] == [5])
    sim.now += 70
    sim.silent = True
    sim.before_look = [lambda: setattr(sim, "silent", False)]
    assert sim.drive(asked)["result"] == "rolled_back" and sim.record["stable"] == "v1" and sim.balancers["lb1"]["weights"] == {"v1": 100}


def test_whoever_waits_for_a_lock_is_not_refused_for_it_at_the_beginning():
    def held():
        raise Held("ann has held the lock")

    def broken():
        raise IronrackError("the record is broken")

    assert preflight.engine_problems(held) == []
    assert [one["what"] for one in preflight.engine_problems(broken)] == ["the record is broken"]


def test_balancers_keep_what_is_known_of_who_took_the_service_away(sim):
    notes = {"mode": "nobody", "who": "ann", "why": "broken weights", "when": "2026-01-01T00:00:00Z", "chain": []}
    loop = type("Loop", (), {"world": sim, "memory": {}, "record": {"serve": notes}})
    assert [Doer(loop)._note({"serve": serve}) for serve in ("nobody", "releases")] == [notes, {}]


def test_an_abort_says_so_where_no_balancer_answers_either(sim):
    sim.drive("begin", stop=lambda result: sim.weights()[-1:] == [5])
    sim.silent, sim.down = True, {"lb1", "lb2"}
    with pytest.raises(Refused, match="none says what it serves"):
        sim.drive("abort")


def test_a_gate_that_fails_while_no_api_answers_takes_the_traffic_back(tmp_path):
    sim = Sim(tmp_path, {5: {"fail_after": 45}})
    result = sim.drive("begin", stop=lambda result: result["intent"]["kind"] == "gate")
    sim.silent, begun = True, sim.now
    while result["need"] == "time":
        result = sim.call(result["state"], "begin")
    assert (result["need"], result["result"], result["upstream"]["weight"]) == ("balancers", "moved", 0)
    assert sim.now - begun <= 30 and result["upstream"]["generation"] > 1000 and result["upstream"]["stable"] == "v1"
    sim.tell(result["upstream"])
    sim.silent = False
    result = sim.call(result["state"], "begin")
    assert sim.record["rollout"]["phase"] == "back" and result["upstream"]["generation"] > sim.told[-1][1]


def test_a_silent_api_is_waited_for_and_not_for_ever(sim):
    sim.drive("begin", stop=lambda result: sim.weights()[-1:] == [5])
    sim.now += 70
    sim.silent = True
    with pytest.raises(IronrackError, match="did not answer"):
        sim.drive("continue", patience=100)


def test_a_promote_ends_a_gate_and_in_full_all_of_them(sim):
    sim.drive("begin", stop=lambda result: result["intent"]["kind"] == "gate")
    sim.now += 70
    begun = sim.now
    assert sim.drive("promote_full")["result"] == "promoted" and sim.now - begun < 60
    assert "promote in full" in [entry["what"] for entry in sim.record["history"]]


def test_a_promote_beside_whoever_drives_is_for_the_gate_of_now(sim):
    driver = sim.drive("begin", stop=lambda result: result["intent"]["kind"] == "gate")
    with pytest.raises(Held):
        sim.drive("promote", lock_wait=0)
    result = sim.call(driver["state"], "continue", stint=25)
    while result["need"] == "time":
        result = sim.call(result["state"], "continue", stint=25)
    assert "promote: gate weight 5 is ended" in [entry["what"] for entry in sim.record["history"]]
    assert [entry["why"] for entry in sim.record["history"] if entry["what"].startswith("promote")] == ["ann: new"]


def test_a_balancer_that_is_down_holds_up_the_way_forward_until_its_time_is_over(sim):
    sim.drive("begin", stop=lambda result: sim.weights()[-1:] == [0] and sim.told)
    sim.now += 70
    sim.down = {"lb2"}
    result = sim.drive("begin", patience=100, stop=lambda result: sim.record["rollout"]["phase"] == "back")
    assert "lb2 did not answer" in sim.record["rollout"]["why"] and result["intent"]["kind"] == "roll_back"
    sim.down = set()
    sim.now += 70
    assert sim.drive("continue")["result"] == "rolled_back"


def test_hooks_are_handed_over_after_the_balancers_and_each_event_once(sim):
    seen = []
    sim.drive("begin", handled=["on_start", "on_step", "on_promoted", "on_end"], stop=lambda result: seen.extend(
        (event["event"], event["weight"]) for event in result["events"]) and False)
    assert seen == [("start", 0), ("step", 5), ("step", 50), ("step", 100), ("promoted", 100), ("end", 100)]


def test_a_bad_beginning_is_refused_with_all_reasons_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "budget_of", lambda service, connection: {"policy": "frozen", "reasons": ["130.0 % of the budget is consumed"]})
    sim = Sim(tmp_path, rollout={"steps": [50, 20], "sole": 3}, gates=[
        dict(DESCRIPTION["gates"][0], metric=None), {"name": "eval", "kind": "probe", "argv": "run"}, {"name": "eval", "kind": "approval"}],
        hooks={"on_monday": "x.yml"}, smoke={"arg": ["x"]})
    sim.down = {"lb2"}
    with pytest.raises(Refused) as refused:
        sim.drive("begin", strategy="canary")
    where = [one["where"] for one in refused.value.details["problems"]]
    assert where == [
        "balancer lb2", "settings.steps", "settings.steps", "llm_services.chat.rollout.sole", "gate errors, metric", "gate eval, argv", "gate eval, name",
        "llm_services.chat.smoke, arg", "llm_services.chat.smoke, argv", "llm_services.chat.hooks.on_monday", "error budget"]
    assert "130.0 %" in str(refused.value) and sim.api.objects == {}


def test_an_override_of_the_budget_is_in_the_history_and_half_a_budget_doubles_the_times(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "budget_of", lambda service, connection: {"policy": "frozen", "reasons": ["130.0 % is consumed"]})
    sim = Sim(tmp_path / "frozen")
    sim.drive("begin", override="a fix of the outage", stop=lambda result: True)
    assert sim.record["history"][0]["why"] == "new; error budget frozen: 130.0 % is consumed; OVERRIDDEN: a fix of the outage"
    monkeypatch.setattr(preflight, "budget_of", lambda service, connection: {"policy": "slow", "reasons": ["60 %"]})
    sim = Sim(tmp_path / "slow")
    sim.drive("begin", stop=lambda result: True)
    assert [op["soak"] for op in sim.record["rollout"]["plan"]["forward"] if op["kind"] == "gate"] == [120] * 3


def test_check_mode_judges_a_beginning_and_writes_nothing(sim):
    result = sim.call({}, "begin", check_mode=True)
    assert result["changed"] and result["intent"]["kind"] == "deploy" and sim.api.objects == {} and list(sim.releases) == ["v1"]
    assert result["result"] == "predicted"
    sim.drive("begin", stop=lambda result: result["need"] == "balancers")
    before = dict(sim.api.objects)
    assert sim.call({}, "pause", check_mode=True)["result"] == "predicted" and sim.api.objects == before


def test_what_travels_between_two_calls_is_json(sim):
    sim.drive("begin", stop=lambda result: bool(json.dumps(result)) and False)
