# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rollout_advance and rollout_warm_up as Ansible calls them: against an API over real HTTP, without one, and what they refuse; flags of a promote."""
from __future__ import annotations

import copy
import json
import os
import subprocess
import sys

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ironrack.cluster.plugins.module_utils._release import flags, record as records
from ansible_collections.ironrack.cluster.plugins.module_utils._rollout.world import Seen, World, is_silent, seen_by_engine, size_of
from ansible_collections.ironrack.cluster.plugins.module_utils._kube.client import KubeUnreachable
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._service.spec import complete
from ansible_collections.ironrack.cluster.plugins.modules import rollout_advance, rollout_warm_up
from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.rollout_sim import DESCRIPTION
from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.release_world import World as EngineWorld


def call(module, capsys, **arguments):
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


def advance(capsys, tmp_path, **more):
    given = {"kubeconfig": str(tmp_path / "none"), "service": DESCRIPTION, "balancers": {"lb1": "127.0.0.1"}, "who": "ann"}
    return call(rollout_advance, capsys, **dict(given, report_dir=str(tmp_path / "r"), **more))


def test_without_an_api_nothing_begins_and_an_abort_says_what_it_lacks(capsys, tmp_path):
    assert "site.yml delivers it" in advance(capsys, tmp_path, request="begin", release="v2")["msg"]
    failed = advance(capsys, tmp_path, request="abort")
    assert failed["failed"] and failed["problems"][0]["where"] == "balancers"
    assert advance(capsys, tmp_path, request="continue", stint=1, state={"silent_since": 1.0})["failed"] and not (tmp_path / "r").exists()


def test_a_run_that_never_had_the_lock_has_none_to_give_back(capsys, tmp_path):
    assert advance(capsys, tmp_path, request="give_back")["need"] == "nothing"


def test_pods_are_asked_and_in_check_mode_not(capsys):
    asked = {"pods": [{"name": "v2-0", "address": "127.0.0.1"}], "port": 1, "timeout": 1}
    assert call(rollout_warm_up, capsys, **asked)["verdict"] == "inconclusive"
    assert "check mode" in call(rollout_warm_up, capsys, _ansible_check_mode=True, **asked)["why"]


def test_who_has_nobody_left_to_read_what_it_prints_ends():
    code = """import sys
from ansible_collections.ironrack.cluster.plugins.modules.rollout_advance import lives
print(lives(), end="", file=sys.stderr, flush=True)
sys.stdin.read()
print(lives(), end="", file=sys.stderr, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)))
    assert process.stderr.read(4) == b"True"
    process.stdout.close()
    process.stdin.close()
    assert process.stderr.read() == b"False"
    process.stderr.close()
    process.wait()


# the world


def world(**changes):
    def request(*arguments, **options):
        raise KubeUnreachable("no API")
    return World(complete(dict(DESCRIPTION, **changes)), request, {"lb1": "127.0.0.1"}, ["a"], "cluster.local")


def test_a_silent_api_is_no_observation_and_balancers_are_looked_at_all_the_same():
    seen = world().look()
    assert seen.releases is None and set(seen.statuses) == {"lb1"} and seen.away == set()
    assert seen_by_engine(Seen(None, {"lb1": None}, {"lb1"})) == {"releases": None, "balancers": {"lb1": {"away": True}}, "outcome": {}}


def test_the_balancers_get_all_that_the_description_says_and_the_pool_in_the_order_of_the_traffic():
    pool = [{"name": "near", "host": "near.example.org", "port": 80}, {"name": "far", "host": "far.example.org", "port": 80}]
    one = world(balancer={"port": 8000}, fallback=pool)
    traffic = {"generation": 9, "stable": "v1", "candidate": "v2", "weight": 5, "weights": {"v1": 95, "v2": 5}}
    upstream = one.upstream(dict(traffic, chain=["far", "near"]))
    assert [server["host"] for server in upstream["fallback"]] == ["far.example.org", "near.example.org"]
    assert (upstream["port"], upstream["weight"], upstream["generation"]) == (8000, 5, 9)
    assert upstream["releases"][1] == {"name": "v2", "host": "chat-v2.inference.svc.cluster.local", "port": 8080}


def test_what_is_silence_and_what_is_a_refusal():
    assert is_silent(KubeUnreachable("x")) and is_silent(IronrackError("x", status=503)) and is_silent(IronrackError("x", status=429))
    assert not is_silent(IronrackError("x", status=403)) and not is_silent(IronrackError("x"))


def test_the_size_of_the_stable_is_what_its_autoscaler_has_made_of_it():
    plain, scaled = complete(DESCRIPTION), complete(dict(DESCRIPTION, autoscaling={"min_replicas": 4, "max_replicas": 20}))
    assert size_of(plain, {"v1": {"replicas": 9}}, "v1") == 6
    assert size_of(scaled, {"v1": {"replicas": 9}}, "v1") == 9 and size_of(scaled, None, "v1") == 4


# flags


def test_a_promote_is_for_the_gate_of_now_and_none_that_comes_later():
    engine = EngineWorld("canary")
    with pytest.raises(Refused, match="stands at a gate"):
        flags.change(engine.record, {}, "promote", "ann", "", 0)
    for name in engine.steps(1):
        if name == "record of gate":
            break
    record = engine.record
    name, value = flags.change(record, {}, "promote", "ann", "good", 0)
    assert (name, value["full"], value["generation"]) == ("promote", False, record["rollout"]["pending"]["generation"])
    assert flags.change(record, {name: value}, "promote", "bob", "", 0) is None and flags.promoted(record, {name: value}) == "promote"
    later = copy.deepcopy(record)
    later["rollout"]["pending"]["generation"] += 1
    assert flags.promoted(later, {name: value}) == "" and flags.promoted(record, {}) is None
    full = flags.change(record, {name: value}, "promote_full", "ann", "", 0)[1]
    assert full["full"] and flags.promoted(later, {"promote": full}) == "promote_full"
    assert flags.promoted(dict(record, rollout=None), {"promote": full}) == "" and flags.change(record, {"promote": full}, "promote", "x", "", 0) is None
    with pytest.raises(Refused, match="There is nothing to do"):
        flags.change(records.new("chat", "v1"), {}, "promote_full", "ann", "", 0)
