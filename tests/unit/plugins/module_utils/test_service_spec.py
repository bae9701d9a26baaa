# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptions of services: their defaults, and everything that is wrong with one, told at once."""
from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml
from ansible_collections.ironrack.cluster.plugins.module_utils._service import balancing, images, spec
from ansible_collections.ironrack.cluster.plugins.modules import nginx_upstream
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.tests.unit.plugins.module_utils.service_world import DIGEST, complete, described, put

CASES = yaml.safe_load((Path(__file__).resolve().parents[2] / "cases" / "llm_services.yml").read_text())
SPECS = yaml.safe_load((Path(__file__).resolve().parents[4] / "roles" / "llm_service" / "meta" / "argument_specs.yml").read_text())
OPTIONS = SPECS["argument_specs"]["main"]["options"]["llm_services"]["options"]


def changed(changes):
    service = described()
    for path, value in copy.deepcopy(changes).items():
        put(service, path.split("."), value)
    return service


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_is_wrong_is_told(case):
    found = spec.problems(changed(case["set"]), case.get("profile", "standard"))
    assert all(one[part] for one in found for part in ("where", "what", "expected", "mend"))
    texts = [" ".join(one.values()) for one in found if one["where"] == case["where"]]
    assert any(all(str(words) in text for words in case["says"]) for text in texts), found


def test_a_good_one_is_good_with_what_it_has_to_say_alone():
    assert spec.problems(described(), "standard") == []
    service = complete()
    assert (service["replicas"], service["surge"], service["unavailable"], service["spread"]) == (6, 2, 1, {"zone": "required", "host": "preferred"})
    assert spec.complete(service) == service and spec.problems(service, "standard") == []


def test_all_is_told_at_once():
    service = changed({"replicas": 0, "pod.prot": 1, "stable": "v9", "balancer.weight": 1, "disruption.max_unavailable": 0, "releases.v1.image": "chat"})
    found = {one["where"] for one in spec.problems(service, "production")}
    assert found >= {"llm_services.chat." + part for part in (
        "replicas", "pod.prot", "stable", "balancer.weight", "releases.v1.image", "releases.v2.image")}


def test_defaults_are_nobodys_to_change():
    complete()["pod"]["env"]["A"] = "b"
    complete()["tenants"].append("x")
    assert (complete()["pod"]["env"], complete()["tenants"]) == ({}, [])


ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
                   lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9) | st.integers(), inner, max_size=3), max_leaves=8)


@given(st.data())
def test_whatever_stands_in_a_description_is_judged_and_never_a_crash(data):
    service = described()
    for _number in range(data.draw(st.integers(1, 3))):
        key = data.draw(st.sampled_from(sorted(spec.SERVICE)))
        service[key] = data.draw(ANY)
        inner = {"pod": spec.POD, "releases": None}.get(key)
        if inner:
            service[key] = {data.draw(st.sampled_from(sorted(inner))): data.draw(ANY)}
        if key == "releases":
            service[key] = {data.draw(st.text(max_size=5)): {data.draw(st.sampled_from(sorted(spec.RELEASE))): data.draw(ANY)}}
    assert isinstance(spec.problems_of_all([service, data.draw(ANY)], "production", zones=["a"]), list)


@given(ANY)
def test_what_is_no_list_of_descriptions_is_refused(value):
    assert spec.problems_of_all(value, "standard") or value == []


def of_all(*services, **more):
    return [(one["where"], one["what"]) for one in spec.problems_of_all(list(services), "standard", **more)]


def test_services_that_clash_are_told():
    other = described(name="talk")
    assert of_all(described(), other) == [("llm_services.talk.balancer.port", "chat has port 443 too, and neither has a server name")]
    named = [described(name=name, balancer={"server_names": names}) for name, names in (("a", ["x.example"]), ("b", ["y.example"]))]
    assert of_all(*named) == []
    named[1]["balancer"]["server_names"].append("x.example")
    assert of_all(*named) == [("llm_services.b.balancer.port", "a has port 443 too, with server name x.example")]
    secure = described(name="b", balancer={"server_names": ["y.example"], "certificate": "/a.crt", "certificate_key": "/a.key"})
    assert of_all(named[0], secure) == [("llm_services.b.balancer.port", "a has port 443 too, and one speaks TLS and the other does not")]
    assert of_all(described(), taken=[(443, "the site's own page")]) == [
        ("llm_services.chat.balancer.port", "port 443 of the balancers is taken by the site's own page")]
    assert ("llm_services.chat", "2 services have this name") in of_all(described(), described())


def test_releases_whose_objects_would_have_one_name_are_told():
    image = {"image": "r.example/a"}
    one = described(releases={"v1-a": image}, stable="v1-a")
    other = described(name="chat-v1", releases={"a": image}, stable="a", balancer={"port": 444})
    assert of_all(one, other) == [("llm_services.chat-v1.releases.a", "an object of it is called chat-v1-a, as one of release v1-a of chat is")]
    both = described(releases={"v1": image, "v1-b": image})
    assert of_all(both) == []
    assert of_all(both, zones=["a", "b"]) == [("llm_services.chat.releases.v1-b", "an object of it is called chat-v1-b, as one of release v1 of chat is")]


def test_what_a_release_says_wins():
    service = complete(pod__env={"A": "1", "B": "2"}, pod__gpus=2, pod__resources={"requests": {"cpu": 1, "memory": "8Gi"}},
                       releases__v2__env={"B": "3"}, releases__v2__gpus=0, releases__v2__resources={"requests": {"cpu": 2}})
    pod = spec.pod_of(service, "v2")
    assert (pod["env"], pod["gpus"], pod["resources"]) == ({"A": "1", "B": "3"}, 0, {"requests": {"cpu": 2, "memory": "8Gi"}, "limits": {}})
    assert spec.pod_of(service, "v1")["gpus"] == 2


def keys(fields):
    return {name: keys(field.fields) if field.fields else None for name, field in fields.items()}


def documented(options):
    return {name: documented(option["options"]) if option.get("options") and option["type"] == "dict" else None for name, option in options.items()}


def test_the_roles_table_documents_every_key_with_its_default():
    wanted = keys(spec.SERVICE)
    wanted["pod"]["resources"] = None
    assert documented(OPTIONS) == wanted
    stated = {name: option.get("default") for name, option in OPTIONS["pod"]["options"].items()}
    assert stated == {name: {} if name == "resources" else spec.POD[name].default for name in spec.POD}
    assert {name: OPTIONS[name].get("default") for name in ("replicas", "surge", "unavailable", "vertical", "tenants", "look_interval")} == {
        name: complete()[name] for name in ("replicas", "surge", "unavailable", "vertical", "tenants", "look_interval")}


# The balancers

def test_every_option_of_the_balancers_is_known_with_its_default():
    module = {name: option.get("default") for name, option in nginx_upstream.SPEC.items() if name not in balancing.GIVEN}
    assert balancing.DEFAULTS == module
    assert set(balancing.GIVEN) <= set(nginx_upstream.SPEC)


def test_the_options_of_a_traffic():
    service = complete(balancer={"port": 8443}, pod__port=9000, fallback=[{"name": name, "host": name + ".example", "port": 1} for name in "abc"])
    traffic = {"generation": 12, "stable": "v1", "candidate": "v2", "weights": {"v2": 5, "v1": 95}}
    found = balancing.options(service, traffic, "cluster.local")
    assert set(found) == set(nginx_upstream.SPEC) - {"state", "note"}
    assert (found["port"], found["generation"], found["stable"], found["candidate"], found["weight"], found["serve"]) == (8443, 12, "v1", "v2", 5, "releases")
    assert found["releases"] == [{"name": name, "host": "chat-%s.inference.svc.cluster.local" % name, "port": 9000} for name in ("v1", "v2")]
    assert [one["host"] for one in found["fallback"]] == ["a.example", "b.example", "c.example"]
    moved = balancing.options(service, dict(traffic, serve="fallback", chain=["c", "gone"]), "cluster.local")
    assert moved["serve"] == "fallback" and [one["host"] for one in moved["fallback"]] == ["c.example", "a.example", "b.example"]


def test_a_service_without_a_record_has_its_first_release_alone():
    found = balancing.options(complete(), balancing.first(complete()), "cluster.local")
    assert (found["generation"], found["stable"], found["candidate"], found["weight"], len(found["releases"])) == (1, "v1", None, 0, 1)
    # A record that was written before its first change of traffic holds generation 0, which balancers refuse.
    assert balancing.options(complete(), {"generation": 0, "stable": "v1", "candidate": None, "weights": {"v1": 100}}, "c")["generation"] == 1


# Images

@pytest.mark.parametrize(("text", "wanted"), [
    ("r.example/a/b@" + DIGEST, ("r.example", "a/b", "", DIGEST)), ("r.example:5000/b:1.2-x", ("r.example:5000", "b", "1.2-x", "")),
    ("[fd00::1]:5000/b", ("[fd00::1]:5000", "b", "", "")), ("localhost/b:1@" + DIGEST, ("localhost", "b", "1", DIGEST)),
    ("b:1", None), ("library/b", None), ("r.example/B", None), ("", None), ("r.example/b:", None),
])
def test_the_parts_of_an_image(text, wanted):
    image = images.parse(text)
    assert wanted is None and image is None or image[:4] == wanted
    if image:
        assert images.manifest_path(image).endswith("/manifests/" + (image.digest or image.tag or "latest"))


def test_what_a_registry_says():
    assert images.verdict("i", 200) is None
    assert "has no i" in images.verdict("i", 404)[0] and "may pull" in images.verdict("i", 401)[1] and "500" in images.verdict("i", 500)[0]
    assert images.challenge('Bearer realm="https://a/t",service="s"') == {"realm": "https://a/t", "service": "s"}
    assert images.challenge('Basic realm="a"') is None and images.challenge(None) is None
