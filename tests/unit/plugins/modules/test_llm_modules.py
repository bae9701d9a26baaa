# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules of described services, as the role calls them."""
from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._common.http import HttpError
from ansible_collections.ironrack.cluster.plugins.module_utils._common.refusal import Refused
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import WaitTimeout
from ansible_collections.ironrack.cluster.plugins.module_utils._release import traffic
from ansible_collections.ironrack.cluster.plugins.module_utils._service import images
from ansible_collections.ironrack.cluster.plugins.module_utils._service.registry import Registry
from ansible_collections.ironrack.cluster.plugins.modules import llm_image_info
from ansible_collections.ironrack.cluster.plugins.modules import llm_release
from ansible_collections.ironrack.cluster.plugins.modules import llm_release_info
from ansible_collections.ironrack.cluster.plugins.modules import llm_service_check
from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.service_world import Api, described, node

RELEASE = {"release": "v1", "state": "present", "replicas": None, "least": None, "generation": None, "zones": None, "zone_order": [], "peers": None,
           "precondition": {}, "wait": False, "wait_timeout": None}
CHECK = {"service": "", "release": "", "profile": "standard", "zones": [], "taken_ports": [], "reload_timeout": "", "pod_security": "baseline", "found": [],
         "cluster_exists": True, "namespaces": []}


def release(api, check_mode=False, service=None, **args):
    return llm_release.run(dict(RELEASE, service=service or described(), **args), api.request, check_mode)


def check(api, services, **args):
    class Client:
        """As much of a KubeClient as is asked."""

        request = staticmethod(api.request)

    return llm_service_check.run(dict(CHECK, services=services, **args), Client)


def told(api, services, **args):
    with pytest.raises(Refused) as refused:
        check(api, services, **args)
    return refused.value.details["problems"]


# llm_release

def test_the_first_release_and_all_that_releases_share():
    api = Api(namespaces=())
    predicted = release(api, check_mode=True, peers=["192.0.2.1"])
    assert api.writes() == [] and predicted["changed"] is True
    done = release(api, peers=["192.0.2.1"])
    assert done["objects"] == predicted["objects"] and "NetworkPolicy/inference/chat" in done["objects"]
    assert done["releases"]["v1"]["replicas"] == 6 and done["releases"]["v1"]["generation"] == 1
    assert [one["before_header"] for one in done["diff"]][:1] == ["Namespace/inference/inference"] and done["diff"][0]["before"] == ""
    again = release(api, peers=["192.0.2.1"])
    assert (again["changed"], again["objects"], again["diff"]) == (False, [], [])


def test_a_release_keeps_its_generation_where_none_is_given():
    api = Api()
    release(api, generation=9)
    assert release(api)["changed"] is False
    with pytest.raises(IronrackError, match="generation 9"):
        release(api, generation=8)
    assert release(api, replicas=3)["releases"]["v1"] == dict(release(api, replicas=3)["releases"]["v1"], replicas=3, generation=9)


def test_what_is_taken_away():
    api = Api()
    seen = release(api)["releases"]["v1"]
    old = {"uid": seen["uid"], "resource_version": "1"}
    for state in ("scaled_down", "absent"):
        with pytest.raises(IronrackError, match="is another one than was seen"):
            release(api, state=state, precondition=old)
    assert release(api, state="scaled_down")["releases"]["v1"]["replicas"] == 0
    assert release(api, state="scaled_down", precondition=old)["changed"] is False
    assert release(api, state="absent")["releases"] == {} and release(api, state="absent")["changed"] is False
    # One that is described no more can go still.
    release(api)
    service = described(stable="v2")
    del service["releases"]["v1"]
    assert release(api, service=service, state="absent")["changed"] is True


def test_what_cannot_be_deployed_is_refused_with_all_reasons():
    api = Api()
    with pytest.raises(Refused, match="release v7 is unknown"):
        release(api, release="v7")
    with pytest.raises(Refused) as refused:
        release(api, service=described(replicas=0, surge=-1))
    assert len(refused.value.details["problems"]) == 2 and api.writes() == []


def test_a_wait_says_what_was_seen_last():
    with pytest.raises(WaitTimeout, match="all pods of release v1 of chat to be ready.*of 6 pods of chat-v1 0 are there"):
        release(Api(), wait=True, wait_timeout=0)
    assert release(Api(), check_mode=True, wait=True, wait_timeout=0)["changed"] is True


def test_the_autoscalers_own_least_holds_while_no_rollout_says_otherwise():
    api, service = Api(), described(autoscaling={"min_replicas": 3, "max_replicas": 9, "metrics": [{}]})
    path = "/apis/autoscaling/v2/namespaces/inference/horizontalpodautoscalers/chat-v1"
    for args, least in (({}, 3), ({"replicas": 6}, 6), ({"replicas": 6, "least": 4}, 4)):
        release(api, service=service, **args)
        assert api.objects[path]["spec"]["minReplicas"] == least


# llm_release_info

def test_what_there_is_and_what_balancers_serve():
    api = Api()
    release(api)
    params = {"service": described(), "traffic": {}, "domain": "cluster.local", "pods": ["v1"]}
    found = llm_release_info.run(params, api.request)
    assert (found["changed"], found["pods"], found["releases"]["v1"]["replicas"]) == (False, {"v1": []}, 6)
    assert (found["upstream"]["generation"], found["upstream"]["stable"]) == (1, "v1")
    later = llm_release_info.run(dict(params, traffic=traffic.only("v2", 14)), api.request)
    assert (later["upstream"]["generation"], later["upstream"]["stable"]) == (14, "v2")
    with pytest.raises(Refused):
        llm_release_info.run(dict(params, service={}), api.request)


# llm_service_check

def nodes(*some):
    api = Api()
    for one in some:
        api.put("/api/v1/nodes/" + one["metadata"]["name"], one)
    return api


def test_a_namespace_that_something_needs_has_to_be_there():
    api, wanted = nodes(node("n1")), [{"name": name, "where": "chat.pipeline.staging.namespace"} for name in ("inference", "staging")]
    assert [(one["where"], one["what"]) for one in told(api, [described()], namespaces=wanted)] == [
        ("chat.pipeline.staging.namespace", "there is no namespace staging")]
    assert check(api, [described()], namespaces=wanted[:1])["changed"] is False
    assert check(api, [described()], namespaces=wanted, cluster_exists=False)["changed"] is False


def test_good_services_come_back_complete():
    api = nodes(node("n1"))
    found = check(api, [described(), described(name="talk", balancer={"port": 444})], service="talk")
    assert [(one["name"], one["replicas"]) for one in found["services"]] == [("talk", 6)]


def test_all_that_is_wrong_is_told_at_once():
    found = told(nodes(node("n1", gpus=3)), [described(pod__gpus=1), described(name="talk", replica=1)], taken_ports=[{"port": 443, "taken_by": "us"}],
                 found=[{"where": "image", "what": "w", "expected": "e", "mend": "m"}])
    words = [" ".join(one.values()) for one in found]
    for part in ("5 GPUs short", "Did you mean replicas?", "taken by us", "chat has port 443 too", "image w e m"):
        assert any(part in one for one in words), part


def test_streams_end_before_a_balancer_cuts_them():
    api = nodes(node("n1"))
    check(api, [described(pod__stream_seconds=600)], reload_timeout="10m")
    only = told(api, [described(pod__stream_seconds=601), described(name="talk", balancer={"port": 444})], reload_timeout="10m")
    assert [(one["where"], one["expected"]) for one in only] == [
        ("llm_services.chat.pod.stream_seconds", "at most load_balancer_worker_shutdown_timeout (10m)")]


def test_unknown_services_and_releases_are_told():
    assert told(nodes(), [described()], service="chta")[0]["what"] == "service chta is unknown"
    assert "release v9 is unknown" in told(nodes(node("n1")), [described()], release="v9")[0]["what"]
    assert told(nodes(), [])[0]["what"] == "it is empty" and told(nodes(), "chat")[0]["what"] == "it is 'chat'"


def test_what_the_cluster_says_is_told():
    api = nodes(node("n1"))
    release(api)
    assert told(api, [described(releases__v2__image="r.example/a@sha256:" + "1" * 64)], profile="production")[0]["where"] == "llm_services.chat.namespace"
    assert "is no quantity" in told(api, [described(pod__resources={"requests": {"cpu": "many"}})])[0]["what"]
    assert check(Api(namespaces=()), [described()], cluster_exists=False)["services"]


# llm_image_info

class Statuses:
    """A registry that answers as it is told."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def status(self, image):
        """Answer."""
        self.asked.append(image.name)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def image_info(registry, services, service="", releases=()):
    return llm_image_info.run({"services": services, "service": service, "releases": list(releases)}, registry)


def test_images_that_are_not_there_are_told_and_no_failure():
    found = image_info(Statuses(200, 404), [described()], releases=["v1", "v2"])
    assert [one["where"] for one in found["problems"]] == ["llm_services.chat.releases.v2.image"] and found["changed"] is False
    assert image_info(Statuses(200), [described()])["problems"] == []
    dead = image_info(Statuses(HttpError("no answer from x", url="x")), [described()])
    assert list(dead["images"].values()) == [0] and "no answer" in dead["problems"][0]["what"]


def test_one_image_is_asked_for_once_and_what_is_none_is_another_ones_to_tell():
    registry = Statuses(200)
    image_info(registry, [described(), described(name="talk"), 5, {"releases": {"v1": 3}, "stable": "v1"}, described(releases__v1__image="chat")])
    assert registry.asked == ["registry.example.org/chat"]
    assert image_info(Statuses(), "nothing")["images"] == {}


class Handler(BaseHTTPRequestHandler):
    """A registry that wants a token, and its realm."""

    def do_HEAD(self):
        """Answer for a manifest."""
        self.server.asked.append((self.path, self.headers.get("Authorization"), self.headers.get("Accept")))
        good = self.headers.get("Authorization") == self.server.wanted
        self.send_response(200 if good else 401)
        if not good:
            self.send_header("WWW-Authenticate", self.server.challenge)
        self.end_headers()

    def log_message(self, *arguments):
        """Nobody reads it."""


@pytest.fixture
def registry():
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.challenge, server.wanted = [], 'Basic realm="r"', None
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    server.url = "http://127.0.0.1:%d" % server.server_port
    yield server
    server.shutdown()
    server.server_close()


def test_the_one_registry_is_asked_for_every_image_with_its_account(registry):
    registry.wanted = "Basic YW5uOnB3"
    image = images.parse("other.example/a/b:1")
    assert Registry(registry.url + "/", None, "ann", "pw").status(image) == 200
    assert registry.asked[0][0] == "/v2/a/b/manifests/1" and "manifest.v2" in registry.asked[0][2]
    assert Registry(registry.url).status(image) == 401


def test_an_accounts_password_goes_to_no_realm_in_the_clear(registry):
    registry.wanted, registry.challenge = "Bearer t", 'Bearer realm="%s/token",service="s"' % registry.url
    assert Registry(registry.url, None, "ann", "pw").status(images.parse("other.example/b")) == 401
    assert [path for path, _authorization, _accept in registry.asked] == ["/v2/b/manifests/latest"]


# As Ansible calls them

@pytest.mark.parametrize(("module", "args", "words"), [
    (llm_release, {"service": {}, "release": "v1", "kubeconfig": "/nowhere"}, "there is no kubeconfig"),
    (llm_release_info, {"service": {}, "kubeconfig": "/nowhere"}, "there is no kubeconfig"),
    (llm_service_check, {"services": [{}], "kubeconfig": "/nowhere"}, "nothing was changed:\n- llm_services.(without a name).name: it is missing"),
])
def test_a_failure_is_a_sentence(module, args, words, capsys):
    with patch_module_args(args), pytest.raises(SystemExit):
        module.main()
    assert words in json.loads(capsys.readouterr().out)["msg"]


def test_a_description_is_taken_whatever_it_is(capsys):
    with patch_module_args({"services": "chat"}), pytest.raises(SystemExit):
        llm_image_info.main()
    assert json.loads(capsys.readouterr().out)["problems"] == []
