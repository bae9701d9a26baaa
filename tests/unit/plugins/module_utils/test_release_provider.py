# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person asks for becomes a wish, or is refused with all that is wrong; and what the balancers are told is what the description says."""
from __future__ import annotations

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.traffic import parse
from ansible_collections.ironrack.cluster.plugins.module_utils._release import provider
from ansible_collections.ironrack.cluster.plugins.module_utils._release.settings import RolloutRefused
from ansible_collections.ironrack.cluster.plugins.modules.nginx_upstream import SPEC

POOL = [{"name": "rack", "host": "192.0.2.9", "port": 8000}, {"name": "cloud", "host": "llm.example.org", "port": 443}]
CHAT = {"name": "chat", "namespace": "inference", "stable": "v1", "pod": {"port": 8080}, "fallback": POOL, "balancer": {"port": 8443, "tries": 2}}
BARE = {"name": "bare", "namespace": "inference", "stable": "v1", "pod": {"port": 8080}}


def wish(request, name="chat", serve=None, chosen="", why="w", services=(CHAT, BARE)):
    return provider.wish_of(request, list(services), name, serve, chosen, "ann", why)[0]


@pytest.mark.parametrize("asked, mode, chain", (
    ({"request": "disable"}, "fallback", []),
    ({"request": "disable", "serve": "nobody"}, "nobody", []),
    ({"request": "disable", "name": "bare"}, "nobody", []),
    ({"request": "enable"}, "releases", []),
    ({"request": "switch", "chosen": "cloud"}, "fallback", ["cloud", "rack"]),
    ({"request": "switch", "chosen": "own"}, "releases", []),
    ({"request": "switch", "chosen": "own", "name": "bare"}, "releases", []),
))
def test_a_request_becomes_a_wish(asked, mode, chain):
    found = wish(**asked)
    assert (found.mode, found.chain) == (mode, chain)


@pytest.mark.parametrize("asked, where, words", (
    ({"request": "disable", "name": "chta"}, ["rollout_service"], "service 'chta' is unknown; did you mean chat?"),
    ({"request": "disable", "name": ""}, ["rollout_service"], "no service was named"),
    ({"request": "disable", "services": (), "why": " "}, ["rollout_service", "rollout_reason"], "a service that llm_services describes, and none is"),
    ({"request": "enable", "why": ""}, ["rollout_reason"], "no reason was given"),
    ({"request": "disable", "name": "bare", "serve": "fallback"}, ["fallback"], "service bare has no fallback pool"),
    ({"request": "switch", "chosen": "clod", "why": ""}, ["rollout_reason", "rollout_provider"], "did you mean cloud?"),
    ({"request": "switch"}, ["rollout_provider"], "no provider was named; expected one of rack, cloud, own"),
    ({"request": "switch", "chosen": "cloud", "name": "bare"}, ["rollout_provider"], "has no fallback pool, so that 'cloud' is unknown"),
    ({"request": "enable", "services": ({"name": "chat", "namespace": "X", "fallback": [{"name": "own", "host": "a", "port": 1}, {"name": "b"}]},)},
     ["namespace", "stable", "pod.port", "fallback[1]", "fallback"], "a server is called own"),
    ({"request": "enable", "services": (dict(CHAT, fallback=POOL + POOL[:1]),)}, ["fallback"], "rack is there 2 times"),
))
def test_all_that_is_wrong_is_told_at_once(asked, where, words):
    with pytest.raises(RolloutRefused) as error:
        wish(**asked)
    assert [one["where"] for one in error.value.details["problems"]] == where and words in str(error.value)


TRAFFIC = {"generation": 7, "stable": "v1", "candidate": "v2", "weights": {"v2": 5, "v1": 95}, "serve": "fallback", "chain": ["cloud"]}


def test_the_options_are_those_of_the_description_and_of_who_answers():
    options = provider.options(CHAT, TRAFFIC, "cluster.local", {"who": "ann"})
    assert options == {
        "name": "chat", "state": "present", "generation": 7, "stable": "v1", "candidate": "v2", "weight": 5, "serve": "fallback", "port": 8443, "tries": 2,
        "releases": [{"name": "v1", "host": "chat-v1.inference.svc.cluster.local", "port": 8080},
                     {"name": "v2", "host": "chat-v2.inference.svc.cluster.local", "port": 8080}],
        "fallback": [{"host": "llm.example.org", "port": 443}, {"host": "192.0.2.9", "port": 8000}], "note": {"who": "ann"}}
    assert set(options) <= set(SPEC)
    traffic = parse(dict({name: one.get("default") for name, one in SPEC.items()}, **options))
    assert traffic.routing.serve == "fallback" and traffic.settings["fallback"][0]["host"] == "llm.example.org"
    bare = provider.options(BARE, dict(TRAFFIC, candidate=None, weights={"v1": 100}, serve="releases", chain=[]), "example.net")
    assert (bare["candidate"], bare["weight"], bare["fallback"], bare["releases"][0]["host"]) == ("", 0, [], "bare-v1.inference.svc.example.net")
