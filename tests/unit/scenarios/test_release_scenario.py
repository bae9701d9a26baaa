# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release scenarios' sizes, their parts without a cluster, and that what the inventory describes is what the collection and the application take."""
from __future__ import annotations

import datetime
import re
from types import SimpleNamespace

import pytest
import yaml
from ansible_collections.ironrack.cluster.lab.llm import settings as application
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx import traffic
from ansible_collections.ironrack.cluster.plugins.module_utils._release import settings as rollouts
from ansible_collections.ironrack.cluster.plugins.module_utils._slo import spec
from ansible_collections.ironrack.cluster.plugins.module_utils._service import probe
from ansible_collections.ironrack.cluster.plugins.modules.nginx_upstream import SPEC
from ansible_collections.ironrack.cluster.plugins.plugin_utils._pipeline import data

from tests.scenarios.common import ROOT, NotProved
from tests.scenarios.releases import budget, canary, killed, load, pipeline, runs, service, serving, size, up
from tests.scenarios.releases.verdicts import Sample

VALUES = yaml.safe_load((ROOT / "inventories" / "lab-releases" / "group_vars" / "all" / "releases.yml").read_text())


def plain(value):
    """A value with the file's own variables in the place of their templates, and some text in the place of the others."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    named = re.fullmatch(r"\{\{ (\w+) \}\}", value) if isinstance(value, str) else None
    return VALUES[named[1]] if named and named[1] in VALUES else "10.77.0.0/24" if value == "{{ lab_subnet }}" else value


CHAT = plain(VALUES["llm_services"][0])


class TestInventory:
    def test_every_release_is_one_that_the_application_starts_with(self, monkeypatch, tmp_path):
        model = tmp_path / "model"
        model.touch()
        for name, release in CHAT["releases"].items():
            read = application.read(dict(CHAT["pod"]["env"], **release["env"], LLM_MODEL=str(model)))
            assert (read.release, read.service) == (name, service.NAME)
            # NGINX closes idle connections first, and a pod goes on until its streams have ended.
            assert read.drain_grace > 2 and read.drain_limit < CHAT["pod"]["stream_seconds"] and read.idle > 5
            assert read.faults.token_seconds == load.TOKEN_SECONDS
        assert load.TOKENS * load.TOKEN_SECONDS < read.drain_limit

    def test_every_spoiled_release_is_spoiled_and_the_good_ones_are_not(self):
        assert set(canary.SPOILED) == set(size.FAULTS)
        spoiled = {one.release for one in canary.SPOILED.values()}
        assert spoiled == {name for name in CHAT["releases"] if name.startswith("bad-")}
        for name, release in CHAT["releases"].items():
            assert (len(release["env"]) > 1) is (name in spoiled)
        assert set(service.GOOD) < set(CHAT["releases"])

    @pytest.mark.parametrize("strategy, own", [("canary", {"steps", "minimum", "soak"}), ("blue_green", {"watch"}), ("rolling", {"soak"})])
    def test_the_engine_takes_the_settings(self, strategy, own):
        known = {"keep", "extensions", "ready_timeout", "effect_timeout"} | own
        wanted = {name: value for name, value in CHAT["rollout"].items() if name in known}
        assert set(CHAT["rollout"]) - {"strategy"} == {"steps", "soak", "watch", "minimum"} | known - own
        assert not rollouts.problems_of(strategy, dict(wanted, replicas=CHAT["replicas"], **({"zones": ["a", "b", "c"]} if strategy == "rolling" else {})))

    def test_the_balancers_take_the_traffic(self):
        params = {name: option.get("default") for name, option in SPEC.items()}
        params.update(CHAT["balancer"], name=CHAT["name"], generation=1, stable="v1", candidate="bad-slow", weight=5, health_url="http://127.0.0.1:8080",
                      releases=[{"name": name, "host": name + ".test", "port": 8080} for name in ("v1", "bad-slow")])
        assert traffic.parse(params).routing.weight == 5

    def test_the_gates_can_be_judged(self):
        gates, problems = spec.parse(CHAT["gates"], service.NAME, "v2", "v1", 20)
        assert not problems and [gate.name for gate in gates] == [gate["name"] for gate in CHAT["gates"]]

    def test_clients_are_patient_enough_to_count_as_kept_waiting(self):
        # monitoring_patience: who leaves an unanswered request sooner says nothing of the service.
        assert load.TIME_OUT > 5


class TestSizes:
    def test_names(self):
        assert size.chosen({}).name == "short" and size.chosen({"IRONRACK_RELEASES": "long"}).requests == 100000
        with pytest.raises(ValueError, match="expected one of long, short"):
            size.chosen({"IRONRACK_RELEASES": "huge"})

    @pytest.mark.parametrize("name", size.SIZES)
    def test_every_size_is_what_is_promised_at_least(self, name):
        one = size.SIZES[name]
        assert one.switches >= 20 and one.streams >= 50 and set(one.faults) <= set(canary.SPOILED) and set(one.kills) <= set(size.INTENTS)
        assert list(one.kills) == sorted(one.kills, key=size.INTENTS.index)

    @pytest.mark.parametrize("requests, rate, seconds", [(20000, 300, 81), (2000, 300, 15), (20000, 10, 240), (10, 1000, 15)])
    def test_a_soak_has_room_for_its_requests(self, requests, rate, seconds):
        assert size.soak_for(requests, rate, 15) == seconds

    def test_nothing_is_planned_without_requests(self):
        with pytest.raises(ValueError, match="no request"):
            size.soak_for(1, 0, 15)


class TestParts:
    @pytest.mark.parametrize("spread, wanted, right", [
        ({"a": 2, "b": 2, "c": 2}, 6, True), ({"a": 3, "b": 2, "c": 1}, 6, False), ({"a": 3, "b": 3}, 6, False), ({}, 6, False),
        ({"a": 2, "b": 2, "c": 1}, 6, False)])
    def test_pods_are_spread(self, spread, wanted, right):
        assert (up.uneven(spread, wanted) == []) is right

    @pytest.mark.parametrize("generations, is_apart", [((4, 4), False), ((4, 5), True), ((4, None), False), ((), False)])
    def test_between_the_balancers(self, generations, is_apart):
        assert killed.apart({number: Sample(0, number, generation, {}) for number, generation in enumerate(generations)}) is is_apart

    def test_a_lock_is_free_after_its_expiry_and_the_clocks_difference(self):
        renewed = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
        held = SimpleNamespace(spec=SimpleNamespace(holder_identity="ann", renew_time=renewed, lease_duration_seconds=60))
        assert killed.expiry(held) == renewed.timestamp() + 60 + killed.SKEW
        held.spec.holder_identity = None
        assert killed.expiry(held) == killed.expiry(None) == 0

    @pytest.mark.parametrize("asked, seconds, right", [(125, 5, True), (124, 5, False), (250, 20, True), (249, 20, False)])
    def test_few_requests_are_no_proof_of_a_detection(self, asked, seconds, right):
        assert (canary.too_few(asked, seconds) == []) is right

    def test_what_is_done_is_the_pending_operation(self):
        plan = {"forward": [{"kind": "deploy"}, {"kind": "gate"}], "back": [{"kind": "roll_back"}]}
        rollout = {"plan": plan, "phase": "forward", "position": 1, "pending": {"generation": 3}}
        assert service.doing({"rollout": rollout}) == "gate" and service.doing({"rollout": dict(rollout, phase="back", position=0)}) == "roll_back"
        assert service.doing({"rollout": dict(rollout, pending=None)}) is None and service.doing({}) is None

    def test_the_words_of_a_playbook(self):
        assert runs.words("v2", {"lab_soak": 15}, "why") == [
            "-e", '{"lab_soak": 15, "rollout_override_reason": "why", "rollout_release": "v2", "rollout_service": "chat"}']
        assert "override" not in runs.words(override=None)[1]

    def test_only_the_services_own_requests_are_counted(self):
        text = "\n".join((
            '# TYPE ironrack_requests_total counter', 'ironrack_requests_total{service="chat",release="v1",status="200",completion="complete"} 40',
            'ironrack_requests_total{service="chat",release="v2",status="502",completion="complete"} 2',
            'ironrack_requests_total{service="chats",release="v1",status="200",completion="complete"} 7',
            'ironrack_upstream_tries_total{service="chat",release="v1",status="200"} 9', ""))
        assert up.count_of(text) == 42 and up.count_of("") == 0

    def test_a_wait_is_bounded_and_names_what_it_saw_last(self):
        with pytest.raises(NotProved, match="the end did not come within 0 s; last seen"):
            service.until("the end", 0.02, lambda: False, 0.01)

        def silent():
            raise service.Unanswered("503")

        with pytest.raises(NotProved, match="503"):
            service.until("the end", 0.02, silent, 0.01)

    def test_the_history_covers_the_window_and_burns_the_budget(self):
        now = 1800000000
        lines = budget.history(now, slos=("availability",)).splitlines()
        assert lines[-1] == "# EOF" and len(lines) > 3 * 0.9 * 31 * 86400 / budget.STEP
        moments = [int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("ironrack:slo_bad")]
        assert moments == sorted(moments) and moments[0] <= now - 30.9 * 86400 and now - moments[-1] < budget.LATELY + 2 * budget.STEP
        # A hundredth of the requests is ten times what 99.9 % allow.
        assert budget.BAD / budget.TOTAL > 1 - 0.999


class TestServing:
    @pytest.mark.parametrize("status, retry_after, right", [(503, "5", True), (503, "", False), (503, "0", False), (200, "5", False), (502, "5", False)])
    def test_off_is_a_clear_answer(self, status, retry_after, right):
        assert serving.is_off(serving.Seen(status, retry_after, "")) is right

    def test_what_is_no_503_is_told(self):
        def answer(error):
            return SimpleNamespace(issued=5, finished=5.1, error=error)

        answers = [answer("HTTP 503"), answer(""), answer("HTTP 502"), answer("no answer: the connection ended")]
        assert serving.unlike_off(answers, [(4, 6)]) == answers[2:] and serving.unlike_off(answers, [(6, 7)]) == []


class TestPipeline:
    def test_the_description_of_the_lab_has_tests_that_can_be_meant(self):
        text = (ROOT / "inventories/lab-releases/group_vars/all/releases.yml").read_text()
        chat = yaml.safe_load(text)["llm_services"][0]
        assert probe.problems(chat["pipeline"]["tests"]) == [] and probe.problems(chat["pipeline"]["staging"]["tests"]) == []

    def test_stages_by_their_verdicts(self):
        told = data.collect("chat", "v2", "canary", "", [{"stage": "validation", "verdict": "pass"}, {"stage": "testing", "verdict": "fail"}], {}, {}, False)
        found = pipeline.verdicts_of(told)
        assert tuple(found) == pipeline.STAGES and found["testing"] == "fail" and found["production"] == "skipped"
