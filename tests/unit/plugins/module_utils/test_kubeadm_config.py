# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that kubeadm reads, from a model that was really derived."""
from __future__ import annotations

import json
import pathlib

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.filter.kubeadm_config import kubeadm_config
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.command import config_text, explain, kubeadm_argv, reset_argv
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.config import documents, extra_args, label_problems, merged, without_authority
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.record import Record
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.model import derive

ROOT = pathlib.Path(__file__).resolve().parents[4]
GROUPS = {"etcd": ["cp1", "cp2", "cp3"], "control_plane": ["cp1", "cp2", "cp3"], "workers": ["gpu1"], "load_balancers": ["lb1"], "mirror": []}


def model(groups=None, host_variables=None, **variables):
    groups = groups or GROUPS
    names = sorted({name for members in groups.values() for name in members})
    hosts = {name: dict({"ansible_host": "10.77.0.%d" % (20 + place), "zone": "abc"[place % 3]}, **(host_variables or {}).get(name, {}))
             for place, name in enumerate(names)}
    release = yaml.safe_load((ROOT / "playbooks/vars/releases/1.36.4.yml").read_text())
    derived = derive(hosts, groups, dict({"cluster_vip": "10.77.0.10"}, **variables), {"1.36.4": release})
    assert not derived.problems, derived.problems
    return derived.model


def documents_of(cluster, name, **options):
    return documents(cluster, cluster["hosts"][name], **options)


def by_kind(made):
    return {document["kind"]: document for document in made}


def arguments(section):
    return {entry["name"]: entry["value"] for entry in section["extraArgs"]}


def test_a_control_plane_has_all_documents_and_a_worker_its_join():
    cluster = model()
    assert list(by_kind(documents_of(cluster, "cp1"))) == [
        "InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration", "JoinConfiguration"]
    worker = documents_of(cluster, "gpu1")
    assert list(by_kind(worker)) == ["InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "JoinConfiguration"]
    assert "controlPlane" not in worker[-1]
    assert worker[-1]["nodeRegistration"]["ignorePreflightErrors"] == ["FileAvailable--etc-kubernetes-pki-ca.crt"]


def test_any_control_plane_could_create_the_same_cluster():
    cluster = model()
    first, second = by_kind(documents_of(cluster, "cp1")), by_kind(documents_of(cluster, "cp2"))
    for kind in ("ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"):
        assert first[kind] == second[kind]
    assert first["InitConfiguration"]["localAPIEndpoint"] != second["InitConfiguration"]["localAPIEndpoint"]


def test_an_api_server_uses_the_member_of_its_own_host():
    etcd = by_kind(documents_of(model(), "cp1"))["ClusterConfiguration"]["etcd"]["external"]
    assert etcd["endpoints"] == ["https://127.0.0.1:2379"]


def test_settings_of_the_site_reach_their_component():
    cluster = model(cluster_apiserver_extra_args={"audit-log-path": "/var/log/audit.log", "profiling": "true"},
                    cluster_scheduler_extra_args={"v": 4}, cluster_controller_manager_extra_args={"leader-elect": True},
                    cluster_kubelet_extra_config={"failCgroupV1": False, "authentication": {"webhook": {"cacheTTL": "1m0s"}}},
                    cluster_feature_gates={"MemoryQoS": True})
    made = by_kind(documents_of(cluster, "cp1", kube_proxy_config={"conntrack": {"maxPerCore": 0}}))
    parts = made["ClusterConfiguration"]
    apiserver = arguments(parts["apiServer"])
    assert (apiserver["audit-log-path"], apiserver["profiling"], apiserver["feature-gates"]) == ("/var/log/audit.log", "true", "MemoryQoS=true")
    scheduler = arguments(parts["scheduler"])
    assert (scheduler["v"], scheduler["profiling"], scheduler["feature-gates"]) == ("4", "false", "MemoryQoS=true")
    assert arguments(parts["controllerManager"])["leader-elect"] == "true"
    assert made["KubeletConfiguration"]["failCgroupV1"] is False
    assert made["KubeletConfiguration"]["authentication"] == {"anonymous": {"enabled": False}, "webhook": {"enabled": True, "cacheTTL": "1m0s"}}
    assert made["KubeletConfiguration"]["featureGates"] == {"MemoryQoS": True}
    assert made["KubeProxyConfiguration"]["conntrack"] == {"maxPerCore": 0} and made["KubeProxyConfiguration"]["mode"] == "nftables"


def test_a_cluster_is_secure_without_a_word_of_the_site():
    made = by_kind(documents_of(model(), "cp1"))
    parts = made["ClusterConfiguration"]
    apiserver = arguments(parts["apiServer"])
    assert {name: apiserver[name] for name in ("profiling", "kubelet-certificate-authority", "audit-log-maxage", "audit-log-maxbackup",
                                               "audit-log-maxsize", "service-account-extend-token-expiration", "tls-min-version")} == {
        "profiling": "false", "kubelet-certificate-authority": "/etc/kubernetes/pki/ca.crt", "audit-log-maxage": "30", "audit-log-maxbackup": "10",
        "audit-log-maxsize": "100", "service-account-extend-token-expiration": "false", "tls-min-version": "VersionTLS12"}
    assert {"NodeRestriction", "EventRateLimit"} <= set(apiserver["enable-admission-plugins"].split(","))
    for section in ("controllerManager", "scheduler"):
        assert arguments(parts[section])["profiling"] == "false" and "TLS_ECDHE" in arguments(parts[section])["tls-cipher-suites"]
    assert arguments(parts["controllerManager"])["terminated-pod-gc-threshold"] == "1000"
    kubelet = made["KubeletConfiguration"]
    assert (kubelet["readOnlyPort"], kubelet["tlsMinVersion"], kubelet["authentication"]["anonymous"]) == (0, "VersionTLS12", {"enabled": False})
    assert kubelet["tlsCipherSuites"] == apiserver["tls-cipher-suites"].split(",") and kubelet["podPidsLimit"] > 1000


def test_every_path_that_the_api_server_is_given_lies_in_one_of_its_mounts():
    server = by_kind(documents_of(model(), "cp1"))["ClusterConfiguration"]["apiServer"]
    mounts = {volume["mountPath"]: volume["readOnly"] for volume in server["extraVolumes"]}
    assert mounts == {"/etc/kubernetes/ironrack": True, "/var/log/kubernetes/audit": False}
    paths = [value for value in arguments(server).values() if value.startswith("/")]
    assert len(paths) == 6 and all(path.rpartition("/")[0] in list(mounts) + ["/etc/kubernetes/pki"] for path in paths)


def test_tls_1_3_names_no_suites():
    made = by_kind(documents_of(model(cluster_tls_min_version="VersionTLS13"), "cp1"))
    for section in ("apiServer", "controllerManager", "scheduler"):
        flags = arguments(made["ClusterConfiguration"][section])
        assert flags["tls-min-version"] == "VersionTLS13" and "tls-cipher-suites" not in flags
    assert made["KubeletConfiguration"]["tlsMinVersion"] == "VersionTLS13" and "tlsCipherSuites" not in made["KubeletConfiguration"]


@pytest.mark.parametrize("own, ours", [
    ({}, True), ({"v": "4"}, True), ({"anonymous-auth": "false"}, False), ({"oidc-issuer-url": "https://id.example.org"}, False)])
def test_the_site_may_say_itself_who_is_anonymous(own, ours):
    flags = arguments(by_kind(documents_of(model(cluster_apiserver_extra_args=own), "cp1"))["ClusterConfiguration"]["apiServer"])
    assert ("authentication-config" in flags) is ours and own.items() <= flags.items()


def test_a_worker_is_rendered_without_an_authority_and_still_trusts_the_clusters():
    made = by_kind(without_authority(documents_of(model(), "gpu1"), "/run/ironrack/x/pki"))
    assert made["ClusterConfiguration"]["certificatesDir"] == "/run/ironrack/x/pki"
    assert made["KubeletConfiguration"]["authentication"] == dict(
        by_kind(documents_of(model(), "gpu1"))["KubeletConfiguration"]["authentication"], x509={"clientCAFile": "/etc/kubernetes/pki/ca.crt"})


def test_encryption_comes_with_its_file_and_goes_with_its_switch():
    cluster = model()
    server = by_kind(documents_of(cluster, "cp1"))["ClusterConfiguration"]["apiServer"]
    assert arguments(server)["encryption-provider-config"] == cluster["encryption"]["path"]
    files = {entry["path"]: entry for entry in cluster["hosts"]["cp2"]["pki_files"]}
    assert files[cluster["encryption"]["path"]] == {
        "path": "/etc/kubernetes/ironrack/encryption.yaml", "source": "encryption.yaml", "mode": "0600", "owner": "root", "group": "root"}
    assert cluster["encryption"]["path"] not in {entry["path"] for entry in cluster["hosts"]["gpu1"]["pki_files"]}
    without = model(cluster_encryption_at_rest=False)
    assert not [name for name in arguments(by_kind(documents_of(without, "cp1"))["ClusterConfiguration"]["apiServer"]) if "encryption" in name]
    assert without["encryption"]["path"] not in {entry["path"] for entry in without["hosts"]["cp2"]["pki_files"]}


def test_labels_and_taints():
    cluster = model(host_variables={"gpu1": {"cluster_node_labels": {"rack": "r7"}, "cluster_node_taints": [
        {"key": "nvidia.com/gpu", "value": "", "effect": "NoSchedule"}]}})
    zone = cluster["hosts"]["gpu1"]["zone"]
    registration = documents_of(cluster, "gpu1")[0]["nodeRegistration"]
    assert arguments({"extraArgs": registration["kubeletExtraArgs"]})["node-labels"] == "rack=r7,topology.kubernetes.io/zone=%s" % zone
    assert [taint["key"] for taint in registration["taints"]] == ["nvidia.com/gpu"]
    control_plane = by_kind(documents_of(cluster, "cp1"))
    for kind in ("InitConfiguration", "JoinConfiguration"):
        assert [taint["key"] for taint in control_plane[kind]["nodeRegistration"]["taints"]] == ["node-role.kubernetes.io/control-plane"]


def test_a_control_plane_that_is_a_worker_too_takes_pods():
    cluster = model(groups={"etcd": ["one"], "control_plane": ["one"], "workers": ["one"], "load_balancers": [], "mirror": []}, cluster_vip="")
    assert by_kind(documents_of(cluster, "one"))["InitConfiguration"]["nodeRegistration"]["taints"] == []


def test_a_label_that_no_kubelet_may_set_is_refused_by_the_filter():
    from ansible.errors import AnsibleFilterError
    cluster = model()
    cluster["hosts"]["gpu1"]["labels"]["node-role.kubernetes.io/gpu"] = ""
    with pytest.raises(AnsibleFilterError, match="gpu1: a kubelet may not set the label node-role.kubernetes.io/gpu"):
        kubeadm_config(cluster, cluster["hosts"]["gpu1"])


@pytest.mark.parametrize("label, fine", [
    ("rack", True), ("example.org/rack", True), ("topology.kubernetes.io/zone", True), ("node.kubernetes.io/pool", True),
    ("sub.node.kubernetes.io/pool", True), ("node-role.kubernetes.io/worker", False), ("foo.k8s.io/x", False), ("notkubernetes.io/x", True)])
def test_label_problems(label, fine):
    assert (label_problems({label: ""}) == []) is fine


def test_dns_servers_of_the_site_decide_the_resolv_conf():
    assert "resolvConf" not in by_kind(documents_of(model(), "cp1"))["KubeletConfiguration"]
    named = model(cluster_dns_servers=["10.77.0.5"])
    assert by_kind(documents_of(named, "cp1"))["KubeletConfiguration"]["resolvConf"] == "/etc/kubernetes/resolv.conf"
    assert by_kind(documents_of(named, "cp1", resolv_conf="/run/x"))["KubeletConfiguration"]["resolvConf"] == "/run/x"


def test_an_argument_may_repeat_and_a_later_group_wins():
    assert extra_args({"a": 1, "--b": ["x", "y"]}, {"a": False}) == [
        {"name": "a", "value": "false"}, {"name": "b", "value": "x"}, {"name": "b", "value": "y"}]


def test_merged_leaves_its_input_alone():
    base = {"a": {"b": 1}}
    assert merged(base, {"a": {"c": 2}}) == {"a": {"b": 1, "c": 2}} and base == {"a": {"b": 1}}


def test_the_text_for_a_join_holds_the_token_and_only_the_join():
    text = config_text("join", documents_of(model(), "cp1"), endpoint="10.77.0.10:6443", token="abcdef.0123456789abcdef", ca_hash="sha256:00")
    read = list(yaml.safe_load_all(text))
    assert [document["kind"] for document in read] == ["JoinConfiguration"]
    assert read[0]["discovery"]["bootstrapToken"] == {
        "apiServerEndpoint": "10.77.0.10:6443", "token": "abcdef.0123456789abcdef", "caCertHashes": ["sha256:00"]}


def test_the_text_for_an_init_holds_no_join_and_none_is_made_of_nothing():
    assert "JoinConfiguration" not in config_text("init", documents_of(model(), "cp1"))
    with pytest.raises(ValueError):
        config_text("init", [{"kind": "JoinConfiguration"}])


def test_a_worker_is_rendered_with_what_a_join_gives_it():
    taints = [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}, {"key": "bare", "effect": "NoExecute"}]
    cluster = model(host_variables={"gpu1": {"cluster_node_taints": taints}}, cluster_kubelet_extra_config={"maxPods": 40})
    made = by_kind(documents_of(cluster, "gpu1", resolv_conf="/etc/r"))
    flags = {entry["name"]: entry["value"] for entry in made["InitConfiguration"]["nodeRegistration"]["kubeletExtraArgs"]}
    assert flags["register-with-taints"] == "gpu=yes:NoSchedule,bare:NoExecute"
    # kubeadm join makes that flag itself.
    assert "register-with-taints" not in str(made["JoinConfiguration"])
    assert made["KubeletConfiguration"] == by_kind(documents_of(cluster, "cp1", resolv_conf="/etc/r"))["KubeletConfiguration"]


def test_reset_leaves_certificates_and_etcd_alone():
    argv = reset_argv(300)
    assert argv[argv.index("--cert-dir") + 1] == "/nonexistent"
    assert argv[argv.index("--skip-phases") + 1] == "remove-etcd-member"
    assert argv[:4] == ["timeout", "--signal=TERM", "--kill-after=30", "300"]


def test_kubeadm_is_called_with_an_end_and_without_a_secret():
    assert kubeadm_argv("join", "/run/ironrack/kubeadm-run.yaml", 1500) == [
        "timeout", "--signal=TERM", "--kill-after=30", "1500", "/usr/local/bin/kubeadm", "join", "--config", "/run/ironrack/kubeadm-run.yaml"]


def test_an_error_has_the_last_lines_a_hint_and_no_token():
    output = "\n".join(["line %d" % number for number in range(60)] + ["[ERROR ImagePull]: failed", "kubeadm join --token abcdef.0123456789abcdef"])
    told = explain("join", 1, output, "gpu1", 1500)
    assert "status 1 on gpu1" in told and "could not be pulled" in told and "abcdef" not in told
    assert "line 22" in told and "line 21\n" not in told
    assert "within 1500 s" in explain("init", 124, "", "cp1", 1500)


@pytest.mark.parametrize("content, state", [("", "running"), ("{", "running"), ("[]", "running"), ("{}", "running"),
                                            ('{"state": "done"}', "done"), ('{"state": "other"}', "running")])
def test_a_record_that_cannot_be_read_is_a_run_that_was_cut_off(tmp_path, content, state):
    (tmp_path / "kubeadm.json").write_text(content)
    assert Record(str(tmp_path / "kubeadm.json")).read()["state"] == state


def test_the_record_of_a_run(tmp_path):
    record = Record(str(tmp_path / "new" / "kubeadm.json"))
    assert record.read() == {}
    started = record.begin("join", "1.36.4")
    assert record.read() == started and started["state"] == "running"
    record.finish(started)
    assert json.loads((tmp_path / "new" / "kubeadm.json").read_text())["state"] == "done"
