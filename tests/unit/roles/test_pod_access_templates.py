# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role writes on a host, rendered by Ansible's own templating from a real model."""
from __future__ import annotations

import base64
import importlib.util
import json
import pathlib
import shutil
import subprocess

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.model import derive

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "pod_access"
RELEASE = yaml.safe_load((ROOT / "playbooks/vars/releases/1.36.4.yml").read_text())
PKI = {"files": {"kubernetes-ca-chain.crt": "ca\n", "pod-access.crt": "certificate\n", "pod-access.key": "key\n"}}


def model(groups=None, **variables):
    hosts = {name: {"ansible_host": "192.0.2.%d" % place} for place, name in enumerate(["ops1", "lb1", "lb2", "cp1", "cp2", "cp3", "gpu1", "mon1"], 5)}
    names = {"mirror": ["ops1"], "load_balancers": ["lb1", "lb2"], "etcd": ["cp1", "cp2", "cp3"], "control_plane": ["cp1", "cp2", "cp3"],
             "workers": ["gpu1"], "monitoring": ["mon1"]}
    derived = derive(hosts, dict(names, **(groups or {})), dict({"cluster_vip": "192.0.2.100", "cluster_pod_access": True}, **variables),
                     {"1.36.4": RELEASE})
    assert not derived.problems, derived.problems
    return derived.model


@pytest.fixture
def rendered(expression):
    """Template a file of the role."""
    return lambda name, host="lb1", cluster=None, **variables: expression(
        "pod_access", cluster or model(), (ROLE / "templates" / name).read_text(), host, pki_bundle=PKI, **variables)


@pytest.fixture
def valued(expression):
    """The value of an expression of a task."""
    def of(task, argument, host, cluster=None):
        tasks = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text())
        return expression("pod_access", cluster or model(), next(iter(
            value for name, value in tasks[task].items() if name.startswith("ironrack.")))[argument], host, pki_bundle=PKI)

    return of


def test_a_host_runs_at_most_three_tasks():
    assert len(yaml.safe_load((ROLE / "tasks" / "main.yml").read_text())) == 3


@pytest.mark.parametrize("host, units", [
    ("lb1", ["ironrack-pod-dns.service", "ironrack-pod-routes.service", "ironrack-balancer-traffic.service"]),
    ("mon1", ["ironrack-pod-dns.service", "ironrack-pod-routes.service"])])
def test_each_kind_of_host_has_its_units_and_every_file_that_they_watch(valued, host, units):
    found = valued(2, "units", host)
    assert [unit["name"] for unit in found] == units
    files = {entry["path"] for entry in valued(1, "files", host)}
    assert {path for unit in found for path in unit["watch"]} - files == {"/usr/local/bin/coredns"}
    assert {path for path in files if path.endswith(".service")} == {"/etc/systemd/system/" + unit for unit in units}


def test_a_host_that_is_a_node_has_its_routes_from_the_pod_network(valued):
    cluster = model({"workers": ["gpu1", "mon1"]})
    assert [unit["name"] for unit in valued(2, "units", "mon1", cluster)] == ["ironrack-pod-dns.service"]


def test_every_file_has_its_template_or_source(valued, rendered):
    entries = [entry for entry in valued(1, "files", "lb1") if entry.get("state") != "directory"]
    assert len(entries) > 10 and {entry["src"] for entry in entries if "src" in entry} == {path.name for path in (ROLE / "files").glob("*.py")}
    assert all(rendered(entry["template"]).strip() for entry in entries if "template" in entry)


def test_the_kubeconfig_is_secret_and_whole(valued, rendered):
    (entry,) = [entry for entry in valued(1, "files", "lb1") if entry["path"].endswith("kubeconfig")]
    assert entry["secret"] is True and entry["mode"] == "0600"
    config = yaml.safe_load(rendered("kubeconfig.j2"))
    assert config["clusters"][0]["cluster"]["server"] == "https://192.0.2.100:6443"
    user = config["users"][0]["user"]
    assert base64.b64decode(user["client-key-data"]) == b"key\n" and base64.b64decode(user["client-certificate-data"]) == b"certificate\n"


def test_coredns_answers_on_loopback_alone_and_forwards_nothing(rendered):
    text = rendered("Corefile.j2")
    assert text.splitlines()[2] == "cluster.local:5353 {" and "    bind 127.0.0.1\n" in text and "forward" not in text.split("\n", 2)[2]
    assert "pods disabled" in text and "ttl 1\n" in text and text.count("{$") == 1
    assert text.count("{") == text.count("}")
    assert "bind 127.0.0.1 ::1\n" in rendered("Corefile.j2", __pod_access_is_ipv6=True)


def test_routes_are_asked_for_at_the_endpoint_first(rendered):
    config = json.loads(rendered("routes.json.j2", "mon1"))
    assert config["servers"] == ["https://192.0.2.100:6443"] + ["https://192.0.2.%d:6443" % last for last in (8, 9, 10)]
    assert config["pod_cidr"] == "10.244.0.0/16" and config["interval"] == 2.0


def test_the_guard_asks_the_servers_themselves_and_knows_the_other_balancers(rendered):
    config = json.loads(rendered("traffic.json.j2", "lb2"))
    assert config["servers"] == ["https://192.0.2.%d:6443" % last for last in (8, 9, 10)] and config["peers"] == {"lb1": "192.0.2.6"}
    # Others that are asked whether this host is on the network: neither it nor a balancer, which is asked for itself.
    assert config["witnesses"] == ["192.0.2.%d" % last for last in (8, 9, 10, 11, 5)]
    assert (config["own_address"], config["health_port"], config["vip"]) == ("127.0.0.1", 8080, "192.0.2.100")
    assert json.loads(rendered("traffic.json.j2", "lb2", load_balancer_health_port=9000))["health_port"] == 9000


def test_the_guard_reads_every_setting_that_is_written(rendered, monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("balancer_traffic", ROLE / "files" / "balancer_traffic.py")
    guard = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(guard)
    used = set()

    class Seen(dict):
        def __getitem__(self, name):
            used.add(name)
            return super().__getitem__(name)

    config = Seen(json.loads(rendered("traffic.json.j2")))
    for name in ("state_file", "memory_file", "vip_flag"):
        config[name] = str(tmp_path / name)
    config.update(folder=str(tmp_path), nft="true", timeout=0.1)
    guard.Daemon(config).step()
    assert set(config) - used == {"tick", "first_round"}


def test_a_large_cluster_makes_no_longer_configuration(rendered):
    names = ["w%d" % number for number in range(200)]
    cluster = model()
    cluster["hosts"].update({name: dict(cluster["hosts"]["gpu1"], name=name, address="192.0.2.11") for name in names})
    cluster["groups"]["nodes"] += names
    assert len(json.loads(rendered("traffic.json.j2", cluster=cluster))["witnesses"]) < 20


@pytest.mark.parametrize("unit", ["ironrack-pod-dns", "ironrack-pod-routes", "ironrack-balancer-traffic"])
def test_systemd_takes_the_units(rendered, tmp_path, unit):
    assert shutil.which("systemd-analyze"), "it comes with systemd"
    text = rendered(unit + ".service.j2").replace("/usr/local/bin/coredns", "/bin/true")
    for path in ("/usr/local/libexec/ironrack/pod-access/pod_routes.py", "/usr/local/libexec/ironrack/pod-access/balancer_traffic.py"):
        text = text.replace(path, "/dev/null")
    (tmp_path / (unit + ".service")).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(tmp_path / (unit + ".service"))], capture_output=True, text=True, check=False)
    assert unit not in done.stderr, done.stderr
    assert "StartLimitIntervalSec=0" in text and "Restart=always" in text and "NoNewPrivileges=true" in text


def test_the_guard_comes_before_nginx_and_leaves_no_word_behind(rendered):
    text = rendered("ironrack-balancer-traffic.service.j2")
    assert "Before=ironrack-nginx.service" in text and "Type=notify" in text
    assert "ExecStopPost=/usr/bin/rm -f %s" % json.loads(rendered("traffic.json.j2"))["vip_flag"] in text


def test_coredns_runs_as_nobody_that_stays_and_gets_its_key_from_systemd(rendered):
    text = rendered("ironrack-pod-dns.service.j2")
    assert "DynamicUser=true" in text and "LoadCredential=kubeconfig:/etc/ironrack/pod-access/kubeconfig" in text
    assert "\nCapabilityBoundingSet=\n" in text


def test_rights_are_to_look_and_there_only_where_they_are_needed(expression):
    def rules(**variables):
        text = expression("cluster_addons", model(**variables), (ROOT / "roles/cluster_addons/templates/access.yaml.j2").read_text())
        objects = list(yaml.safe_load_all(text))
        return [entry for entry in objects if entry["metadata"]["name"] == "ironrack:pod-access"]

    assert rules(cluster_pod_access=False) == []
    role, binding = rules()
    assert role["kind"] == "ClusterRole" and binding["subjects"] == [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "ironrack:pod-access"}]
    assert {resource: rule["verbs"] for rule in role["rules"] for resource in rule["resources"]} == {
        "nodes": ["list", "watch"], "services": ["list", "watch"], "namespaces": ["list", "watch"], "endpointslices": ["list", "watch"]}


def test_balancers_that_reach_pods_have_nftables(expression):
    def packages(host, **variables):
        return expression("host", model(**variables), "{{ __host_all_packages }}", host)

    assert "nftables" in packages("lb1") and "nftables" not in packages("mon1")
    assert "nftables" not in packages("lb1", cluster_pod_access=False)


def test_only_balancers_and_monitoring_hosts_run_the_role():
    site = yaml.safe_load((ROOT / "playbooks/site.yml").read_text())
    tasks = [task for play in site for task in play.get("tasks", [])]
    included = [(task.get("ansible.builtin.include_role", {}).get("name"), task.get("when")) for task in tasks]
    assert [when for name, when in included if name == "ironrack.cluster.pod_access"] == ["this_host.reaches_pods"]
