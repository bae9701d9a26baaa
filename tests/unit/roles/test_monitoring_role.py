# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role monitoring, and what other roles do where somebody monitors: files, units, packages, ports, rights."""
from __future__ import annotations

import json
import pathlib

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.model import derive

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "monitoring"
RELEASE = yaml.safe_load((ROOT / "playbooks/vars/releases/1.36.4.yml").read_text())
HOSTS = {"ops1": "10.77.0.5", "lb1": "10.77.0.11", "cp1": "10.77.0.21", "gpu1": "10.77.0.31"}
GROUPS = {"monitoring": ["ops1"], "load_balancers": ["lb1"], "etcd": ["cp1"], "control_plane": ["cp1"], "workers": ["gpu1"]}


def model(groups=None, hosts=None, **variables):
    raw = {name: {"ansible_host": address} for name, address in (hosts or HOSTS).items()}
    derived = derive(raw, dict(GROUPS, **(groups or {})), dict({"cluster_vip": "10.77.0.10"}, **variables), {"1.36.4": RELEASE})
    assert not derived.problems, derived.problems
    return derived.model


@pytest.fixture(name="rendered")
def rendered_fixture(expression):
    def render(name, host, cluster=None, **variables):
        return expression("monitoring", cluster or model(), (ROLE / "templates" / name).read_text(), host, **variables)

    return render


def test_nothing_listens_before_it_asks_for_a_password(rendered, expression):
    early = [entry["path"] for entry in expression("host", model(), "{{ __host_monitoring_files }}", "ops1")]
    waits = expression("host", model(), (ROOT / "roles/host/templates/unconfigured.conf.j2").read_text(), "ops1")
    assert "[Unit]\n" in waits and "ConditionPathExists=/etc/ironrack/prometheus/web.yml\n" in waits
    for unit, template in (("prometheus", "prometheus.conf.j2"), ("prometheus-alertmanager", "alertmanager.conf.j2")):
        text = rendered(template, "ops1")
        assert "/etc/systemd/system/%s.service.d/unconfigured.conf" % unit in early
        assert "--web.config.file=/etc/ironrack/prometheus/web.yml" in text
        assert text.count("ExecStart=\nExecStart=") + text.count("ExecStart=\n#") == 1
    assert "--storage.tsdb.retention.time=35d" in rendered("prometheus.conf.j2", "ops1")
    tasks = yaml.safe_load((ROOT / "roles/host/tasks/main.yml").read_text())
    assert [next(key for key in task if "." in key).rpartition(".")[2] for task in tasks][:2] == ["files", "packages"]
    assert "__host_monitoring_files" in tasks[0]["ironrack.cluster.files"]["files"]
    packages = expression("host", model(), "{{ __host_all_packages }}", "ops1")
    assert {"prometheus", "prometheus-alertmanager"} <= set(packages)


@pytest.mark.parametrize("password, names", [({}, ["prometheus-ca.crt"]), ({"content": "c2VjcmV0Cg=="}, ["prometheus-ca.crt", "prometheus-password"])])
def test_who_asks_from_the_client_host_gets_the_password_once_it_is_made(expression, password, names):
    files = expression("monitoring", model(), "{{ __monitoring_client_files }}", "ops1", __monitoring_password=password,
                       pki_bundle={"files": {"service-ca.crt": "x"}})
    assert [entry["path"].rpartition("/")[2] for entry in files] == names
    assert all((entry["content"], entry["mode"], entry["secret"]) == ("secret\n", "0600", True) for entry in files[1:])


def test_ipv6_listens_on_ipv6(rendered):
    cluster = model()
    cluster["network"]["family"] = "ipv6"
    cluster["hosts"]["ops1"]["address"] = "2001:db8::5"
    assert "--web.listen-address=[::]:9090" in rendered("prometheus.conf.j2", "ops1", cluster)
    assert "--web.listen-address=[2001:db8::5]:9100" in rendered("node-exporter.conf.j2", "ops1", cluster)


def test_the_exporters_settings_are_json_with_numbers(rendered):
    settings = json.loads(rendered("balancer-exporter.json.j2", "lb1", load_balancer_health_port=8081))
    assert settings["address"] == "10.77.0.11" and settings["stub_status"] == "http://127.0.0.1:8081/stub_status"
    assert settings["buckets"] == [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30] and settings["patience"] == 5
    # old workers write on after a reload for as long as this
    shutdown = yaml.safe_load((ROOT / "roles" / "load_balancer" / "defaults" / "main.yml").read_text())["load_balancer_worker_shutdown_timeout"]
    assert settings["grace"] > int(shutdown.rstrip("s"))
    assert "User=www-data\n" in rendered("ironrack-balancer-exporter.service.j2", "lb1")


def test_every_unit_watches_files_that_are_written_and_every_file_has_its_source(expression):
    def value(name, host="ops1", **variables):
        return expression("monitoring", model(), "{{ %s }}" % name, host, **variables)

    pki = {"files": dict.fromkeys(("service-ca.crt", "kubernetes-ca.crt", "monitoring.crt", "monitoring.key", "prometheus-ops1.crt",
                                   "prometheus-ops1.key"), "x")}
    files = value("__monitoring_host_files + __monitoring_balancer_files") + value("__monitoring_server_files", pki_bundle=pki)
    for entry in files:
        for folder in ("template", "src"):
            if folder in entry:
                assert (ROLE / {"template": "templates", "src": "files"}[folder] / entry[folder]).is_file()
        if entry["path"].endswith(".key"):
            assert (entry["mode"], entry["owner"], entry["secret"], entry["content"]) == ("0600", "prometheus", True, "x")
    written = {entry["path"] for entry in files}
    for unit in value("__monitoring_host_units + __monitoring_balancer_units + __monitoring_server_units"):
        assert set(unit.get("watch", []) + unit.get("reload_watch", [])) <= written | {"/usr/bin/prometheus-node-exporter"}
    contents = {entry["path"].rpartition("/")[2]: entry.get("content") for entry in files}
    assert "{{ $value" in contents["rules.yml"] and yaml.safe_load(contents["prometheus.yml"])["scrape_configs"]
    assert yaml.safe_load(contents["alertmanager.yml"])["receivers"] and json.loads(contents["pod-targets.json"])["services"] == []


@pytest.mark.parametrize("host, names", [("gpu1", {"prometheus-node-exporter"}), ("lb1", {"prometheus-node-exporter"})])
def test_every_host_has_a_node_exporter_where_somebody_monitors(expression, host, names):
    packages = expression("host", model(), "{{ __host_all_packages }}", host)
    alone = expression("host", model({"monitoring": []}, {name: HOSTS[name] for name in HOSTS if name != "ops1"}), "{{ __host_all_packages }}", host)
    assert set(packages) - set(alone) == names
    assert not {"prometheus", "prometheus-alertmanager"} & set(packages)


@pytest.mark.parametrize("host, ports", [("gpu1", "9100"), ("lb1", "9100, 9145"), ("cp1", "9100, 2381"), ("ops1", "9100")])
def test_the_firewall_lets_prometheus_in_and_nobody_else(expression, host, ports):
    text = expression("host", model(cluster_host_firewall=True), (ROOT / "roles/host/templates/firewall.nft.j2").read_text(), host)
    assert "    ip saddr { 10.77.0.5 } tcp dport { %s } accept\n" % ports in text
    assert ("    tcp dport { 9090, 9093 } accept\n" in text) == (host == "ops1")


def test_etcd_serves_its_metrics_to_the_network_where_somebody_monitors(expression):
    def addresses(cluster, **variables):
        return expression("etcd", cluster, "{{ __etcd_metrics_addresses }}", "cp1", **variables)

    assert addresses(model()) == ["127.0.0.1", "10.77.0.21"]
    assert addresses(model({"monitoring": []}, {name: HOSTS[name] for name in HOSTS if name != "ops1"})) == ["127.0.0.1"]
    assert addresses(model(), etcd_metrics_address="192.0.2.1") == ["127.0.0.1", "192.0.2.1", "10.77.0.21"]
    six = model()
    six["etcd"]["members"][0]["client_url"] = "https://[2001:db8::21]:2379"
    assert addresses(six)[1] == "[2001:db8::21]"


def test_the_api_lets_it_read_what_it_discovers_and_measures(expression):
    def objects(cluster):
        text = expression("cluster_addons", cluster, (ROOT / "roles/cluster_addons/templates/access.yaml.j2").read_text(), "cp1")
        return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text) if one}

    found = objects(model())
    rules = found["ClusterRole", "ironrack:monitoring"]["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    read = {name for rule in rules for name in rule.get("resources", [])}
    assert read == {"nodes", "nodes/metrics", "pods", "services", "endpoints", "endpointslices"}
    assert ("ClusterRoleBinding", "ironrack:monitoring") in found
    alone = objects(model({"monitoring": []}, {name: HOSTS[name] for name in HOSTS if name != "ops1"}))
    assert set(found) - set(alone) == {("ClusterRole", "ironrack:monitoring"), ("ClusterRoleBinding", "ironrack:monitoring")}
