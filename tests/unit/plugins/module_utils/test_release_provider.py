# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person asks for becomes a wish, or is refused with all that is wrong."""
from __future__ import annotations

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._release import provider

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
     ["namespace", "stable", "fallback[1]", "fallback"], "a server is called own"),
    ({"request": "enable", "services": (dict(CHAT, fallback=POOL + POOL[:1]),)}, ["fallback"], "rack is there 2 times"),
))
def test_all_that_is_wrong_is_told_at_once(asked, where, words):
    with pytest.raises(Refused) as error:
        wish(**asked)
    assert [one["where"] for one in error.value.details["problems"]] == where and words in str(error.value)
