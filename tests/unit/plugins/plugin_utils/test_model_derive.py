# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the model says of good inventories."""
from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ironrack.cluster.plugins.module_utils._components.release import parse
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.addresses import bracket, host_port, split_host_port
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.model import derive
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.types import PARSERS
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.variables import VARIABLES

RELEASES = {"1.36.4": {"version": "1.36.4"}}


def lab(**variables):
    hosts, groups = {}, {}
    for name, last, zone, members in (
            ("ops1", 5, "a", ["mirror"]), ("lb1", 11, "a", ["load_balancers"]), ("lb2", 12, "b", ["load_balancers"]),
            ("cp1", 21, "a", ["etcd", "control_plane"]), ("cp2", 22, "b", ["etcd", "control_plane"]),
            ("cp3", 23, "c", ["etcd", "control_plane"]), ("gpu1", 31, "a", ["gpu_workers"]), ("gpu2", 32, "b", ["gpu_workers"])):
        hosts[name] = {"ansible_host": "10.77.0.%d" % last, "zone": zone}
        for group in members + ["all"]:
            groups.setdefault(group, []).append(name)
    return hosts, groups, dict({"cluster_vip": "10.77.0.10"}, **variables)


def model_of(hosts, groups, variables, **options):
    derived = derive(hosts, groups, variables, RELEASES, **options)
    assert derived.problems == []
    return derived.model


def small(**variables):
    hosts = {"cp1": {"ansible_host": "192.0.2.1"}, "w1": {"ansible_host": "192.0.2.2"}}
    return hosts, {"all": ["cp1", "w1"], "etcd": ["cp1"], "control_plane": ["cp1"], "workers": ["w1"]}, variables


def test_the_lab():
    model = model_of(*lab(), inventory_dir="/inv")
    assert model["endpoint"] == {"host": "10.77.0.10", "port": 6443, "address": "10.77.0.10:6443", "url": "https://10.77.0.10:6443",
                                 "kind": "vip", "vip": "10.77.0.10", "vip_prefix": 24}
    assert model["groups"]["nodes"] == ["cp1", "cp2", "cp3", "gpu1", "gpu2"]
    assert model["groups"]["workers"] == ["gpu1", "gpu2"]
    assert model["etcd"]["initial_cluster"] == "cp1=https://10.77.0.21:2380,cp2=https://10.77.0.22:2380,cp3=https://10.77.0.23:2380"
    assert model["etcd"]["colocated"] and model["etcd"]["apiserver_endpoints"] == ["https://127.0.0.1:2379"]
    assert (model["network"]["dns_ip"], model["network"]["api_ip"]) == ("10.96.0.10", "10.96.0.1")
    assert model["mirror"]["files_url"] == "https://10.77.0.5:8443/files"
    assert model["registry"] == {"url": "https://10.77.0.5:5000", "ca_file": "/etc/ironrack/service-ca.crt", "username": ""}
    assert (model["source"], model["pki"]["host"], model["kubeconfig"]) == ("mirror", "ops1", "~/.ironrack/ironrack/kubeconfig")
    assert model["zones"] == ["a", "b", "c"]
    assert model["hosts"]["cp1"]["labels"] == {"topology.kubernetes.io/zone": "a"}
    assert [taint["key"] for taint in model["hosts"]["cp1"]["taints"]] == ["node-role.kubernetes.io/control-plane"]
    assert model["hosts"]["gpu1"]["is_worker"] and not model["hosts"]["lb1"]["is_node"]
    assert "\n10.77.0.21 cp1\n" in model["hosts_file"] and model["hosts_file"].endswith("\n")
    assert not model["limited"]


def test_certificates_of_the_lab_match_what_hosts_get():
    model = model_of(*lab())
    made = {authority["name"] + ".crt" for authority in model["pki"]["authorities"]} | {"sa.key", "sa.pub", "encryption.yaml"}
    made |= {authority["name"] + end for authority in model["pki"]["authorities"] for end in (".key", "-chain.crt")}
    for certificate in model["pki"]["certificates"]:
        made |= {certificate["name"] + ".crt", certificate["name"] + ".key"}
    placed = {entry["source"] for host in model["hosts"].values() for entry in host["pki_files"]}
    assert placed <= made
    certificates = {certificate["name"]: certificate for certificate in model["pki"]["certificates"]}
    assert "IP:10.77.0.10" in certificates["apiserver-cp1"]["sans"] and "DNS:cp1" in certificates["apiserver-cp1"]["sans"]
    assert "DNS:cp2" not in certificates["apiserver-cp1"]["sans"]
    assert certificates["etcd-cp2"]["sans"] == ["DNS:cp2", "IP:10.77.0.22", "DNS:localhost", "IP:127.0.0.1"]
    assert {(entry["mode"], entry["owner"]) for entry in model["hosts"]["cp1"]["pki_files"] if entry["path"].endswith(".key")} == {
        ("0600", "etcd"), ("0600", "root")}
    # No private key of a CA leaves the control planes' hosts.
    for host in model["hosts"].values():
        if not host["is_control_plane"]:
            assert not [entry for entry in host["pki_files"] if entry["source"].endswith("-ca.key")]


def test_who_reaches_pods_has_a_certificate_for_it_and_others_have_none():
    hosts, groups, variables = lab(cluster_pod_access=True)
    groups["monitoring"] = ["ops1"]
    silent, told = model_of(hosts, groups, dict(variables, cluster_pod_access=False)), model_of(hosts, groups, variables)
    assert silent["pod_access"] is False and not any(host["reaches_pods"] for host in silent["hosts"].values())
    assert told["pod_access"] is True
    assert [name for name, host in told["hosts"].items() if host["reaches_pods"]] == ["lb1", "lb2", "ops1"]

    def of(model):
        files = [(name, entry["path"], entry["mode"]) for name, host in model["hosts"].items() for entry in host["pki_files"] if "pod-access" in entry["path"]]
        return [entry["common_name"] for entry in model["pki"]["certificates"] if entry["name"] == "pod-access"], files

    assert of(silent) == ([], [])
    assert of(told) == (["ironrack:pod-access"], [
        (name, "/etc/ironrack/pod-access" + end, mode) for name in ("lb1", "lb2", "ops1") for end, mode in ((".crt", "0644"), (".key", "0600"))])
    assert "/etc/ironrack/kubernetes-ca.crt" in [entry["path"] for entry in told["hosts"]["ops1"]["pki_files"]]
    assert len(told["pki"]["certificates"]) == len(silent["pki"]["certificates"]) + 1


def test_a_small_cluster_says_what_it_does_not_promise():
    model = model_of(*small())
    assert model["endpoint"]["kind"] == "host" and model["endpoint"]["address"] == "192.0.2.1:6443"
    assert (model["source"], model["pki"]["host"]) == ("upstream", "cp1")
    assert "The API is away while cp1 is: it is the only control plane." in model["promises"]["not_kept"]
    assert len(model["promises"]["not_kept"]) == 5
    assert model["hosts"]["cp1"]["labels"] == {}


def test_etcd_apart_is_told_and_all_endpoints_are_used():
    hosts, groups, variables = lab()
    for number in (1, 2, 3):
        hosts["e%d" % number] = {"ansible_host": "10.77.0.4%d" % number, "zone": "a"}
    groups["etcd"] = ["e1", "e2", "e3"]
    model = model_of(hosts, groups, variables)
    assert not model["etcd"]["colocated"] and len(model["etcd"]["apiserver_endpoints"]) == 3
    told = " ".join(model["promises"]["not_kept"])
    assert "etcd does not stand on the control planes" in told and "a holds 3 of 3 members" in told


def test_tainted_workers_are_no_place_for_addons():
    hosts, groups, variables = lab()
    everyone = model_of(hosts, groups, variables)
    assert everyone["groups"]["open_nodes"] == everyone["groups"]["nodes"]
    for name in groups["gpu_workers"] if "gpu_workers" in groups else groups["workers"]:
        hosts[name]["cluster_node_taints"] = ["nvidia.com/gpu=present:NoSchedule"]
    model = model_of(hosts, groups, variables)
    assert model["groups"]["open_nodes"] == groups["control_plane"]
    assert any("All workers are tainted" in sentence for sentence in model["promises"]["not_kept"])


def test_ipv6_wears_brackets_in_urls_only():
    hosts, groups, variables = small(cluster_address_family="ipv6")
    hosts["cp1"]["ansible_host"], hosts["w1"]["ansible_host"] = "2001:db8::21", "2001:db8::31"
    model = model_of(hosts, groups, variables)
    assert model["endpoint"]["url"] == "https://[2001:db8::21]:6443"
    assert model["etcd"]["members"][0]["peer_url"] == "https://[2001:db8::21]:2380"
    assert model["etcd"]["apiserver_endpoints"] == ["https://[::1]:2379"]
    assert model["hosts"]["cp1"]["address"] == "2001:db8::21"
    assert model["network"]["pod_cidr"] == "fd00:10:244::/56"


@pytest.mark.parametrize("limit, needed", [
    (["cp1", "gpu1", "ops1"], {"etcd": ["cp2", "cp3"]}), (["gpu1", "ops1"], {"etcd": ["cp1", "cp2", "cp3"], "api": ["cp1", "cp2", "cp3"]}),
    (["cp1", "cp2", "cp3"], {"mirror": ["ops1"]}), (["cp1", "cp2", "cp3", "ops1"], {}), (None, {})])
def test_what_a_limit_leaves_out_is_told(limit, needed):
    found = model_of(*lab(), limit=limit)["left_out"]
    assert {need["name"]: need["hosts"] for need in found} == needed
    servers = {"etcd": "10.77.0.21:2379", "api": "10.77.0.10:6443", "mirror": "10.77.0.5:8443"}
    assert all(need["servers"][0] == servers[need["name"]] and need["parts"] for need in found)


def test_a_limit_is_told_and_changes_nothing_else():
    full, limited = model_of(*lab()), model_of(*lab(), limit=["gpu2"])
    assert limited.pop("limited") is True and full.pop("limited") is False
    assert [need["name"] for need in limited.pop("left_out")] == ["etcd", "api", "mirror"] and full.pop("left_out") == []
    assert full == limited


def test_security_has_a_word_of_its_own_and_takes_the_sites():
    silent = model_of(*lab())["security"]
    assert (silent["tls_min_version"], silent["pod_security"], silent["pod_security_warn"]) == ("VersionTLS12", "baseline", "restricted")
    assert silent["pod_security_exempt_namespaces"] == ["kube-system", "kube-flannel"] and silent["default_deny_namespaces"] == []
    assert all("_GCM_" in suite for suite in silent["tls_cipher_suites"]) and silent["audit_rules"] == []
    told = model_of(*lab(cluster_default_deny_namespaces="shop,bank", cluster_pod_security_exempt_namespaces=["storage"]))["security"]
    assert told["default_deny_namespaces"] == ["shop", "bank"] and told["pod_security_exempt_namespaces"][-1] == "storage"


def test_the_mode_of_what_only_root_has_to_read():
    files = {entry["path"]: entry["mode"] for host in model_of(*lab())["hosts"].values() for entry in host["pki_files"]}
    assert {mode for path, mode in files.items() if path.startswith("/etc/kubernetes/pki/")} == {"0600"}
    assert files["/etc/etcd/pki/ca.crt"] == "0644" and files["/etc/etcd/pki/member.key"] == "0600"


def test_secrets_and_logins_stay_out():
    model = model_of(*lab(cluster_registry={"url": "registry.example.com/", "username": "me", "ca_file": "/ca.crt"}))
    assert model["registry"] == {"url": "https://registry.example.com", "ca_file": "/ca.crt", "username": "me"}


def test_names_for_the_vip_need_no_dns():
    model = model_of(*lab(cluster_endpoint="api.example.com:8443"))
    assert (model["endpoint"]["kind"], model["endpoint"]["address"]) == ("vip", "api.example.com:8443")
    assert model["hosts_file"].endswith("\n10.77.0.10 api.example.com\n")
    assert "api.example.com" in model["apiserver_sans"]


def test_a_sites_own_balancer():
    hosts, groups, variables = lab(cluster_vip="", cluster_endpoint="api.example.com")
    groups["load_balancers"] = []
    assert model_of(hosts, groups, variables)["endpoint"]["kind"] == "external"


def test_short_names_only_where_they_are_unique():
    hosts = {"a.one": {"ansible_host": "192.0.2.1"}, "a.two": {"ansible_host": "192.0.2.2"}, "b.two": {"ansible_host": "192.0.2.3"}}
    groups = {"all": list(hosts), "etcd": ["a.one"], "control_plane": ["a.one"], "workers": ["a.two", "b.two"]}
    assert [line.split()[1:] for line in model_of(hosts, groups, {})["hosts_file"].splitlines()] == [["a.one"], ["a.two"], ["b.two", "b"]]


def test_a_control_plane_that_is_a_worker_takes_pods():
    hosts, groups, variables = small()
    groups["workers"].append("cp1")
    assert model_of(hosts, groups, variables)["hosts"]["cp1"]["taints"] == []


def test_proxy_leaves_out_the_clusters_own():
    model = model_of(*lab(cluster_proxy={"http": "http://proxy:3128", "no_proxy": "example.com"}))
    assert model["proxy"]["no_proxy"][0] == "example.com"
    assert {"10.77.0.10", "10.77.0.5", "10.96.0.0/16", ".cluster.local", "10.77.0.21"} <= set(model["proxy"]["no_proxy"])


def test_the_sites_own_registry_is_no_matter_for_the_proxy():
    model = model_of(*lab(cluster_proxy={"http": "http://proxy:3128"}, cluster_registry={"url": "https://registry.site.test:5443"}))
    assert "registry.site.test" in model["proxy"]["no_proxy"]


def test_only_what_comes_from_a_vendor_is_downloaded_through_the_proxy():
    proxy = {"https": "http://proxy:3128"}
    assert model_of(*lab(cluster_proxy=proxy))["proxy"]["downloads"] == ""
    assert model_of(*lab(cluster_proxy=proxy, cluster_source="upstream"))["proxy"]["downloads"] == "http://proxy:3128"


def test_the_model_is_json_and_its_cost_is_linear():
    hosts, groups, variables = lab(cluster_pod_cidr="10.128.0.0/12")
    for number in range(2000):
        name = "w%d" % number
        hosts[name] = {"ansible_host": "10.78.%d.%d" % divmod(number + 256, 250), "zone": "a", "cluster_mtu": 1400}
        groups["gpu_workers"].append(name)
    started = time.monotonic()
    model = model_of(hosts, groups, variables)
    assert time.monotonic() - started < 5
    assert len(json.loads(json.dumps(model))["hosts"]) == 2008


def test_defaults_have_their_own_type():
    for variable in VARIABLES:
        if variable.default not in (None, ""):
            assert PARSERS[variable.type](variable.default) == variable.default
        assert not variable.choices or variable.default is None or variable.default in variable.choices


@pytest.mark.parametrize("text, found", [
    ("api.example.com", ("api.example.com", 6443)), ("192.0.2.1:443", ("192.0.2.1", 443)), ("2001:db8::1", ("2001:db8::1", 6443)),
    ("[2001:db8::1]:443", ("2001:db8::1", 443)), ("[2001:db8::1]", ("2001:db8::1", 6443))])
def test_endpoints_are_read(text, found):
    assert split_host_port(text, 6443) == found


@pytest.mark.parametrize("text", ["", ":443", "host:", "host:x", "host:0", "a:b:c", "[host]:1", "[::1]x"])
def test_no_endpoints_are_refused(text):
    with pytest.raises(ValueError):
        split_host_port(text, 6443)


@given(st.ip_addresses(), st.integers(1, 65535))
def test_brackets_go_there_and_back(address, port):
    assert split_host_port(host_port(str(address), port), 1) == (str(address), port)
    assert bracket(str(address)).startswith("[") == (address.version == 6)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["10.0.0.1", "10.0.0.0/8", "a", "::1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3), max_leaves=5)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([variable.name for variable in VARIABLES]), ANY, max_size=4), st.booleans())
def test_no_value_is_more_than_a_problem(values, on_host):
    """Whatever a person writes, the answer is a model or problems, never a traceback."""
    hosts, groups, variables = lab()
    if on_host:
        hosts["cp2"].update(values)
    else:
        variables.update(values)
    derived = derive(hosts, groups, variables, RELEASES)
    assert (derived.model is None) == bool(derived.problems)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["etcd", "control_plane", "workers", "load_balancers", "mirror", "gpu_workers",
                                           "opensearch_managers", "opensearch_data", "opensearch_dashboards", "object_store", "monitoring"]),
                          st.integers(1, 9)), max_size=20))
def test_no_shape_is_more_than_a_problem(memberships):
    groups = {"all": []}
    for group, number in memberships:
        name = "h%d" % number
        if name not in groups.setdefault(group, []):
            groups[group].append(name)
    hosts = {"h%d" % number: {"ansible_host": "192.0.2.%d" % number} for number in range(1, 10)}
    derived = derive(hosts, groups, {"cluster_vip": "192.0.2.100", "cluster_opensearch_dashboards_archive": ARCHIVE}, OPENSEARCH_RELEASE)
    assert (derived.model is None) == bool(derived.problems)
    if derived.model:
        assert len(derived.model["etcd"]["members"]) % 2 == derived.model["kubernetes"]
    if derived.model and (derived.model["opensearch"]["enabled"] or derived.model["kubernetes"]):
        assert derived.model["promises"]["not_kept"] or derived.model["promises"]["kept"]


def test_with_ipv6_policies_are_no_promise():
    assert model_of(*lab())["network"]["policy_engine"] == "kube-system/kube-router"
    hosts, groups, variables = lab(cluster_address_family="ipv6", cluster_vip="fd00:77::10")
    hosts = {name: dict(own, cluster_node_address="fd00:77::%s" % own["ansible_host"].split(".")[-1]) for name, own in hosts.items()}
    model = model_of(hosts, groups, variables)
    assert model["network"]["policy_engine"] == ""
    assert any("NetworkPolicies have no effect" in sentence for sentence in model["promises"]["not_kept"])
    assert model["endpoint"]["url"] == "https://[fd00:77::10]:6443"


OPENSEARCH_RELEASE = {"1.36.4": {"version": "1.36.4", "components": {
    "opensearch-3.4.0": {"version": "3.4.0", "files": [{"file": "opensearch-3.4.0-linux-x64.tar.gz", "unpack": True}]},
    "versitygw": {"version": "1.8.0", "files": []}}}}


ARCHIVE = {"url": "https://10.77.0.5:8443/files/opensearch-dashboards-3.4.2-linux-x64.tar.gz", "sha256": "AB" * 32}


def engines(**variables):
    hosts = {"ops1": {"ansible_host": "10.244.0.5", "zone": "a"}}
    hosts.update({"os%d" % number: {"ansible_host": "10.244.0.5%d" % number, "zone": zone} for number, zone in enumerate("abc", 1)})
    nodes = ["os1", "os2", "os3"]
    return hosts, {"all": list(hosts), "mirror": ["ops1"], "monitoring": ["ops1"], "object_store": ["ops1"], "opensearch_managers": nodes,
                   "opensearch_data": nodes}, variables


def test_opensearch_needs_no_kubernetes():
    derived = derive(*engines(), OPENSEARCH_RELEASE)
    assert (derived.problems, derived.warnings) == ([], [])
    model = derived.model
    assert model["kubernetes"] is False and model["endpoint"]["url"] == "" and model["api_servers"] == [] and model["kubelet_servers"] == []
    assert [one["name"] for one in model["pki"]["authorities"]] == ["service-ca", "opensearch-ca"] and model["pki"]["keypairs"] == []
    assert {one["name"] for one in model["pki"]["certificates"]} == {
        "mirror-ops1", "prometheus-ops1", "object-store-ops1", "opensearch-os1", "opensearch-os2", "opensearch-os3", "opensearch-admin",
        "opensearch-backup", "opensearch-metrics"}
    assert model["pki"]["passwords"] == ["opensearch-admin", "object-store-account"]
    assert not model["encryption"]["enabled"] and model["pki"]["host"] == "ops1"
    assert not any("Kubernetes" in sentence or "etcd" in sentence for sentences in model["promises"].values() for sentence in sentences)
    assert json.loads(json.dumps(model))["opensearch"] == model["opensearch"]


def test_what_others_read_of_opensearch():
    found = derive(*engines(cluster_opensearch_name="logs", cluster_kubeconfig="/k/kubeconfig"), OPENSEARCH_RELEASE).model["opensearch"]
    assert (found["enabled"], found["name"], found["version"], found["http_port"], found["transport_port"]) == (True, "logs", "3.4.0", 9200, 9300)
    assert found["nodes"][1] == {"name": "os2", "address": "10.244.0.52", "zone": "b", "roles": ["cluster_manager", "data", "ingest"]}
    assert found["managers"] == found["data"] == ["os1", "os2", "os3"] and found["zones"] == ["a", "b", "c"]
    assert found["urls"] == ["https://10.244.0.51:9200", "https://10.244.0.52:9200", "https://10.244.0.53:9200"]
    assert found["replicas_survive_zone"] and found["folder"] == "/etc/ironrack/opensearch" and found["ca_file"] == "/k/opensearch-ca.crt"
    assert found["components"]["opensearch"]["files"][0]["strip"] is True
    assert OPENSEARCH_RELEASE["1.36.4"]["components"]["opensearch-3.4.0"]["files"][0].get("strip") is None
    assert found["expiry"] == []
    ruled = derive(*engines(opensearch_index_expiry=[{"pattern": "logs-*", "max_age": 86400}]), OPENSEARCH_RELEASE).model["opensearch"]
    assert ruled["expiry"] == [{"pattern": "logs-*", "max_age": 86400, "min_count": 1, "without_snapshot": False}]
    store = derive(*engines(), OPENSEARCH_RELEASE).model["object_store"]
    assert (store["host"], store["url"], store["region"]) == ("ops1", "https://10.244.0.5:7070", "us-east-1")


@pytest.mark.parametrize("zones, replicas, survives", [("abc", 1, True), ("abc", 0, False), ("aab", 1, False), ("aaa", 1, False), ("ab", 1, False)])
def test_whether_a_zone_can_be_lost(zones, replicas, survives):
    hosts, groups, variables = engines(opensearch_index_replicas=replicas)
    groups["opensearch_managers"] = groups["opensearch_data"] = ["os%d" % number for number in range(1, len(zones) + 1)]
    for number, zone in enumerate(zones, 1):
        hosts["os%d" % number]["zone"] = zone
    assert derive(hosts, groups, variables, OPENSEARCH_RELEASE).model["opensearch"]["replicas_survive_zone"] is survives


def test_opensearch_stands_beside_kubernetes():
    hosts, groups, variables = lab()
    hosts.update(engines()[0], ops1=hosts["ops1"])
    for number in (1, 2, 3):
        hosts["os%d" % number]["ansible_host"] = "10.77.0.5%d" % number
    groups.update({name: members for name, members in engines()[1].items() if name.startswith("opensearch")})
    derived = derive(hosts, groups, variables, OPENSEARCH_RELEASE)
    assert derived.problems == [] and derived.model["kubernetes"] is True
    assert [name for name, host in derived.model["hosts"].items() if host["is_opensearch"]] == ["os1", "os2", "os3"]
    assert "OpenSearch goes on without any one zone, with all documents." in derived.model["promises"]["kept"]


def watched(*instances, **variables):
    """:returns: OpenSearch with Dashboards, beside Kubernetes and its balancers."""
    hosts, groups, values = lab(cluster_opensearch_dashboards_archive=ARCHIVE, **variables)
    for number, name in enumerate(("os1", "os2", "os3", *instances), 1):
        hosts[name] = {"ansible_host": "10.77.0.5%d" % number, "zone": "abc"[number % 3]}
    groups.update(opensearch_managers=["os1", "os2", "os3"], opensearch_data=["os1", "os2", "os3"], opensearch_dashboards=list(instances))
    derived = derive(hosts, groups, values, OPENSEARCH_RELEASE)
    assert derived.problems == []
    return derived.model


def test_dashboards_is_what_the_site_serves():
    found = watched("d1", "d2")["opensearch"]["dashboards"]
    # The version is that of the archive: a patch more than OpenSearch has is none too many.
    assert (found["enabled"], found["version"], found["port"], found["user"], found["role"]) == (True, "3.4.2", 5601, "kibanaserver", "kibana_server")
    assert found["nodes"] == [{"name": "d1", "address": "10.77.0.54"}, {"name": "d2", "address": "10.77.0.55"}]
    component, = found["components"]["opensearch-dashboards"]["files"]
    assert component == {"file": "opensearch-dashboards-3.4.2-linux-x64.tar.gz", "upstream": ARCHIVE["url"], "sha256": "ab" * 32, "unpack": True,
                         "strip": True, "links": {}}
    parsed, = parse(found["components"], "upstream")
    assert (parsed.name, parsed.version) == ("opensearch-dashboards", "3.4.2")
    # The mirror's authority signs for the mirror alone.
    assert found["ca_file"] == "/etc/ironrack/service-ca.crt"
    elsewhere = dict(ARCHIVE, url="https://files.example.org/dashboards.tar.gz")
    hosts, groups, _variables = engines()
    hosts["d1"] = {"ansible_host": "10.244.0.61"}
    found = derive(hosts, dict(groups, opensearch_dashboards=["d1"]), {"cluster_opensearch_dashboards_archive": elsewhere}, OPENSEARCH_RELEASE).model
    assert (found["opensearch"]["dashboards"]["ca_file"], found["opensearch"]["dashboards"]["version"]) == ("", "3.4.0")
    assert found["opensearch"]["dashboards"]["urls"] == ["https://10.244.0.61:5601"]
    assert "OpenSearch Dashboards is away while d1 is: it is the only instance." in found["promises"]["not_kept"]


def test_without_its_group_there_is_no_dashboards():
    model = watched()
    assert model["opensearch"]["dashboards"] == {
        "enabled": False, "version": "", "port": 5601, "user": "kibanaserver", "role": "kibana_server", "nodes": [], "urls": [], "ca_file": "",
        "components": {}}
    assert not any("dashboards" in name for name in model["pki"]["passwords"] + [one["name"] for one in model["pki"]["certificates"]])
    assert model["firewall"]["dashboards"] == [] and not any("Dashboards" in sentence for kept in model["promises"].values() for sentence in kept)


def test_any_instance_is_valid_under_the_balancers_names():
    model = watched("d1", "d2", cluster_opensearch_dashboards_names=["search.example.org"], cluster_endpoint="api.example.org")
    made = {one["name"]: one for one in model["pki"]["certificates"] if one["name"].startswith("dashboards-")}
    assert set(made) == {"dashboards-d1", "dashboards-d2"}
    assert {(one["authority"], tuple(one["usages"])) for one in made.values()} == {("service-ca", ("server",))}
    shared = {"IP:%s" % model["endpoint"]["vip"], "DNS:api.example.org", "DNS:search.example.org"} | {
        "%s:%s" % pair for host in model["groups"]["load_balancers"] for pair in (("DNS", host), ("IP", model["hosts"][host]["address"]))}
    assert shared | {"DNS:d1", "IP:10.77.0.54"} <= set(made["dashboards-d1"]["sans"]) and shared <= set(made["dashboards-d2"]["sans"])
    assert model["opensearch"]["dashboards"]["urls"] == ["https://%s:5601" % model["endpoint"]["vip"]]
    assert model["pki"]["passwords"][-2:] == ["dashboards-account", "dashboards-cookie"]
    assert [name for name, host in model["hosts"].items() if host["is_opensearch_dashboards"]] == ["d1", "d2"]
    assert "OpenSearch Dashboards is there while any one of d1, d2 is away." in model["promises"]["kept"]


def test_a_lone_mirror_asks_for_kubernetes():
    derived = derive({"ops1": {"ansible_host": "192.0.2.5"}}, {"all": ["ops1"], "mirror": ["ops1"]}, {}, OPENSEARCH_RELEASE)
    assert {problem.check for problem in derived.problems} == {"control_plane_present", "etcd_odd"}
