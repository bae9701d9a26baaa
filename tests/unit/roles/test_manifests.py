# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles hand to the API and write on nodes: it parses, it says what the model says, and every image is of the release."""
from __future__ import annotations

import json
import pathlib

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.model import derive

ROOT = pathlib.Path(__file__).resolve().parents[3]
RELEASE = yaml.safe_load((ROOT / "playbooks/vars/releases/1.36.4.yml").read_text())


@pytest.fixture
def rendered(expression):
    """Template a file of a role."""
    return lambda role, cluster, name, **variables: expression(
        role, cluster, (ROOT / "roles" / role / "templates" / name).read_text(), **variables)


@pytest.fixture
def manifests(expression):
    """The list that a role's task applies, by the expression in the task itself."""
    def applied(role, cluster, **variables):
        task = yaml.safe_load((ROOT / "roles" / role / "tasks/main.yml").read_text())[0]
        return expression(role, cluster, task["ironrack.cluster.kube_apply"]["manifests"], **variables)

    return applied


def model(workers=("gpu1", "gpu2"), control_planes=("cp1", "cp2", "cp3"), taints=(), **variables):
    names = list(control_planes) + ["lb1"] + list(workers)
    hosts = {name: {"ansible_host": "10.77.0.%d" % (20 + place), "zone": "abc"[place % 3]} for place, name in enumerate(names)}
    for name in workers:
        hosts[name]["cluster_node_taints"] = list(taints)
    groups = {"etcd": list(control_planes), "control_plane": list(control_planes), "workers": list(workers), "load_balancers": ["lb1"], "mirror": []}
    derived = derive(hosts, groups, dict({"cluster_vip": "10.77.0.10"}, **variables), {"1.36.4": RELEASE})
    assert not derived.problems, derived.problems
    return derived.model


def find(objects, kind, name):
    return next(entry for entry in objects if entry["kind"] == kind and entry["metadata"]["name"] == name)


def images_of(value):
    if isinstance(value, dict):
        for key, entry in value.items():
            if key == "image":
                yield entry
            else:
                yield from images_of(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from images_of(entry)


@pytest.mark.parametrize("role", ["pod_network", "cluster_addons"])
def test_every_object_is_whole_and_every_image_is_of_the_release(manifests, role):
    objects = manifests(role, model())
    assert objects and all({"apiVersion", "kind", "metadata"} <= set(entry) for entry in objects)
    names = [(entry["kind"], entry["metadata"].get("namespace"), entry["metadata"]["name"]) for entry in objects]
    assert len(names) == len(set(names))
    released = {"%s:%s" % (image["name"], image["tag"]) for image in RELEASE["images"]}
    found = set(images_of(objects))
    assert found and found <= released


def test_the_pod_network_says_what_the_model_says(manifests):
    objects = manifests("pod_network", model())
    configuration = json.loads(find(objects, "ConfigMap", "kube-flannel-cfg")["data"]["net-conf.json"])
    assert configuration == {"Network": "10.244.0.0/16", "EnableNFTables": True, "Backend": {"Type": "vxlan"}}
    assert json.loads(find(objects, "ConfigMap", "kube-flannel-cfg")["data"]["cni-conf.json"])["name"] == "cbr0"
    flannel = find(objects, "DaemonSet", "kube-flannel-ds")["spec"]["template"]["spec"]
    assert flannel["containers"][0]["args"] == ["--ip-masq", "--kube-subnet-mgr", "--iface=$(NODE_ADDRESS)"]
    assert flannel["priorityClassName"] == "system-node-critical"
    router = find(objects, "DaemonSet", "kube-router")["spec"]["template"]["spec"]["containers"][0]
    assert "--service-cluster-ip-range=10.96.0.0/16" in router["args"]
    for entry in objects:
        if entry["kind"] == "Namespace":
            assert entry["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"


def test_mtu_and_interface_of_the_site_reach_flannel_and_bring_new_pods(manifests):
    before = find(manifests("pod_network", model()), "DaemonSet", "kube-flannel-ds")["spec"]["template"]
    cluster = model(cluster_mtu=8950)
    cluster["network"]["interface"] = "bond0"
    objects = manifests("pod_network", cluster)
    after = find(objects, "DaemonSet", "kube-flannel-ds")["spec"]["template"]
    assert json.loads(find(objects, "ConfigMap", "kube-flannel-cfg")["data"]["net-conf.json"])["Backend"] == {"Type": "vxlan", "MTU": 9000}
    assert after["spec"]["containers"][0]["args"][-1] == "--iface=bond0"
    assert before["metadata"]["annotations"] != after["metadata"]["annotations"]


def test_ipv6_pods(manifests):
    cluster = model()
    cluster["network"].update(family="ipv6", pod_cidr="fd00:10:244::/56")
    configuration = json.loads(find(manifests("pod_network", cluster), "ConfigMap", "kube-flannel-cfg")["data"]["net-conf.json"])
    assert (configuration["EnableIPv4"], configuration["IPv6Network"]) == (False, "fd00:10:244::/56")


def test_a_site_may_leave_the_policy_engine_out(manifests):
    objects = manifests("pod_network", model(), pod_network_policy_engine="none")
    assert not [entry for entry in objects if entry["metadata"]["name"] == "kube-router"]


def test_addons_are_spread(manifests):
    objects = manifests("cluster_addons", model())
    coredns = find(objects, "Deployment", "coredns")["spec"]
    assert coredns["replicas"] == 2
    assert [rule["topologyKey"] for rule in coredns["template"]["spec"]["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    metrics = find(objects, "Deployment", "metrics-server")["spec"]
    assert metrics["replicas"] == 2 and "podAntiAffinity" in metrics["template"]["spec"]["affinity"]
    assert "--kubelet-certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt" in metrics["template"]["spec"]["containers"][0]["args"]
    assert find(objects, "PodDisruptionBudget", "metrics-server")["spec"]["minAvailable"] == 1


@pytest.mark.parametrize("control_planes, taints, wanted", [
    (("cp1", "cp2", "cp3"), ("gpu=yes:NoSchedule",), "DoNotSchedule"), (("cp1",), ("gpu=yes:NoSchedule",), "ScheduleAnyway"),
    (("cp1",), ("gpu=yes:PreferNoSchedule",), "DoNotSchedule"), (("cp1",), (), "DoNotSchedule"),
])
def test_more_copies_than_nodes_that_take_them_do_not_wait_for_ever(manifests, control_planes, taints, wanted):
    objects = manifests("cluster_addons", model(control_planes=control_planes, taints=taints))
    by_host = find(objects, "Deployment", "coredns")["spec"]["template"]["spec"]["topologySpreadConstraints"][0]
    assert by_host["whenUnsatisfiable"] == wanted


def test_one_worker_has_one_metrics_server_and_no_budget_that_blocks_a_drain(manifests):
    objects = manifests("cluster_addons", model(workers=("gpu1",)))
    metrics = find(objects, "Deployment", "metrics-server")["spec"]
    assert metrics["replicas"] == 1 and "affinity" not in metrics["template"]["spec"]
    assert not [entry for entry in objects if entry["kind"] == "PodDisruptionBudget"]


def test_a_namespace_is_closed_but_for_names(manifests):
    objects = manifests("cluster_addons", model(cluster_default_deny_namespaces=["shop", "bank", "shop"]))
    assert [entry["metadata"]["name"] for entry in objects if entry["kind"] == "Namespace"] == ["shop", "bank"]
    policies = [entry for entry in objects if entry["kind"] == "NetworkPolicy" and entry["metadata"]["namespace"] == "bank"]
    assert policies[0]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies[1]["spec"]["policyTypes"] == ["Egress"] and {port["port"] for port in policies[1]["spec"]["egress"][0]["ports"]} == {53}
    assert len(policies) == 2
    assert not [entry for entry in manifests("cluster_addons", model()) if entry["kind"] in ("NetworkPolicy", "Namespace")]


def test_the_access_rules_are_for_the_users_of_the_pki(manifests):
    objects = manifests("cluster_addons", model(), cluster_addons_metrics_server=False)
    users = {certificate["common_name"] for certificate in model()["pki"]["certificates"]}
    for name in ("ironrack:kubelet-csr-approver", "ironrack:balancer-probe"):
        assert find(objects, "ClusterRoleBinding", name)["subjects"][0]["name"] == name and name in users
    rules = find(objects, "ClusterRole", "ironrack:kubelet-csr-approver")["rules"]
    assert [rule for rule in rules if rule.get("resourceNames")] == [
        {"apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "resourceNames": ["kubernetes.io/kubelet-serving"], "verbs": ["approve"]}]


def test_kubeadm_yaml_holds_what_creates_the_cluster(rendered):
    documents = list(yaml.safe_load_all(rendered("control_plane", model(), "kubeadm.yaml.j2")))
    assert [document["kind"] for document in documents if document] == [
        "InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"]


def test_no_secret_and_no_noise_is_audited(rendered):
    rules = yaml.safe_load(rendered("control_plane", model(), "audit-policy.yaml.j2"))["rules"]

    def place(test):
        return next(number for number, rule in enumerate(rules) if test(rule))

    def names(rule):
        return [name for entry in rule.get("resources", []) for name in entry.get("resources", [])]

    # The first rule that fits counts: nothing before it may let the content of a secret into the log, and everything has a rule in the end.
    secrets = place(lambda rule: "secrets" in names(rule))
    assert rules[secrets]["level"] == "Metadata" and all(rule["level"] in ("None", "Metadata") for rule in rules[:secrets])
    assert {"secrets", "configmaps", "tokenreviews", "serviceaccounts/token"} <= set(names(rules[secrets]))
    assert rules[-1] == {"level": "Metadata"}
    rights = place(lambda rule: any(entry["group"] == "rbac.authorization.k8s.io" for entry in rule.get("resources", [])))
    assert rules[rights]["level"] == "RequestResponse"
    assert all(rule["level"] != "None" for rule in rules[rights:])
    # Nobody's change is passed over but heartbeats and events, and nobody's look but those of the cluster's own parts.
    for rule in rules[:rights]:
        if rule["level"] == "None":
            assert set(rule.get("verbs", [])) <= {"get", "list", "watch"} and rule.get("verbs") \
                or set(names(rule)) <= {"leases", "events", "nodes/status", "pods/status"} and names(rule)


def test_rules_of_the_site_stand_first(rendered):
    own = [{"level": "None", "users": ["system:serviceaccount:shop:noisy"]}, {"level": "Request", "resources": [{"group": "", "resources": ["pods"]}]}]
    rules = yaml.safe_load(rendered("control_plane", model(cluster_audit_rules=own), "audit-policy.yaml.j2"))["rules"]
    assert rules[:2] == own and rules[2]["level"] == "Metadata"


def test_the_admission_plugins_say_what_the_model_says(rendered):
    cluster = model(cluster_pod_security="restricted", cluster_pod_security_exempt_namespaces=["storage", "kube-system"])
    plugins = {plugin["name"]: plugin for plugin in yaml.safe_load(rendered("control_plane", cluster, "admission.yaml.j2"))["plugins"]}
    security = plugins["PodSecurity"]["configuration"]
    assert (security["defaults"]["enforce"], security["defaults"]["warn"], security["defaults"]["audit"]) == ("restricted",) * 3
    assert security["exemptions"]["namespaces"] == ["kube-system", "kube-flannel", "storage"]
    limits = yaml.safe_load(rendered("control_plane", cluster, plugins["EventRateLimit"]["path"] + ".j2"))["limits"]
    assert {limit["type"] for limit in limits} == {"Server", "Namespace", "User"} and all(limit["burst"] > limit["qps"] > 0 for limit in limits)


def test_every_namespace_of_ours_with_privileged_pods_is_exempt(manifests):
    exempt = model()["security"]["pod_security_exempt_namespaces"]
    used = {entry["metadata"].get("namespace") for role in ("pod_network", "cluster_addons") for entry in manifests(role, model())
            if entry["kind"] in ("DaemonSet", "Deployment")}
    assert used and used <= set(exempt)


def test_anonymous_requests_have_a_short_list(rendered):
    anonymous = yaml.safe_load(rendered("control_plane", model(), "authentication.yaml.j2"))["anonymous"]
    assert [condition["path"] for condition in anonymous["conditions"]] == [
        "/healthz", "/livez", "/readyz", "/api/v1/namespaces/kube-public/configmaps/cluster-info"]


def test_what_the_api_server_is_told_to_read_is_put_in_place(expression):
    cluster = model()
    written = {entry["path"] for entry in expression("control_plane", cluster, "{{ __control_plane_files }}")}
    written |= {entry["path"] for entry in cluster["hosts"]["cp1"]["pki_files"]}
    parts = next(document for document in expression("control_plane", cluster, "{{ control_plane_documents }}") if document["kind"] == "ClusterConfiguration")
    read = {flag["value"] for flag in parts["apiServer"]["extraArgs"] if flag["value"].startswith("/etc/kubernetes/ironrack/")}
    assert len(read) == 4 and read <= written
    assert {volume["hostPath"] for volume in parts["apiServer"]["extraVolumes"]} <= written


def test_the_approver_asks_its_own_host_and_knows_what_belongs_to_the_api(rendered):
    unit = rendered("control_plane", model(), "ironrack-csr-approver.service.j2")
    line = next(entry for entry in unit.splitlines() if entry.startswith("ExecStart="))
    assert "--server https://10.77.0.20:6443 --reserve" in line
    assert "--reserve 10.77.0.10" in line and "--reserve kubernetes.default.svc" in line
    assert "--reserve 10.77.0.20" not in line and "--reserve cp1" not in line


@pytest.mark.parametrize("role, host", [("control_plane", "cp1"), ("worker", "gpu1")])
def test_every_file_of_a_node_role_is_there(rendered, expression, role, host):
    cluster = model(cluster_dns_servers=["10.77.0.5"])
    files = expression(role, cluster, "{{ __%s_files + __%s_resolv_files }}" % (role, role), host=host)
    for entry in files:
        for key, folder in (("template", "templates"), ("src", "files")):
            if key in entry:
                assert (ROOT / "roles" / role / folder / entry[key]).exists(), entry
    watched = {path for unit in expression(role, cluster, "{{ __%s_units }}" % role, host=host) for path in unit["watch"]}
    assert {entry["path"] for entry in files if entry["path"].endswith((".service", ".conf", ".py"))} - {"/etc/kubernetes/resolv.conf"} <= watched
    assert "nameserver 10.77.0.5" in rendered("worker", cluster, "resolv.conf.j2", host=host)
