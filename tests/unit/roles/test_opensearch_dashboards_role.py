# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role opensearch_dashboards, and what the roles host, load_balancer and node_reset do for it. Dashboards itself is not to be had here."""
from __future__ import annotations

import configparser
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.model import derive

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "opensearch_dashboards"
RELEASE = yaml.safe_load((ROOT / "playbooks/vars/releases/1.36.4.yml").read_text())
HOSTS = {"ops1": "10.77.0.5", "lb1": "10.77.0.11", "lb2": "10.77.0.12", "cp1": "10.77.0.21", "os1": "10.77.0.51", "os2": "10.77.0.52", "os3": "10.77.0.53",
         "d1": "10.77.0.61", "d2": "10.77.0.62"}
NODES = ["os1", "os2", "os3"]
GROUPS = {"mirror": ["ops1"], "load_balancers": ["lb1", "lb2"], "etcd": ["cp1"], "control_plane": ["cp1"], "opensearch_managers": NODES,
          "opensearch_data": NODES, "opensearch_dashboards": ["d1", "d2"]}
ARCHIVE = {"url": "https://files.example.org/opensearch-dashboards-3.4.0-linux-x64.tar.gz", "sha256": "0a" * 32}
ACCOUNT, COOKIE = "account" * 5, "cookie" * 6
PKI = {"files": {"dashboards-account.password": ACCOUNT + "\n", "dashboards-cookie.password": COOKIE + "\n", "opensearch-ca-chain.crt": "ca\n",
                 "service-ca.crt": "service\n", "dashboards-d1.crt": "crt1\n", "dashboards-d1.key": "key1\n", "dashboards-d2.key": "key2\n"}}
#: What the configuration schemas of Dashboards and of its security plugin know: a name that none of them does keeps it from starting.
KNOWN = {
    "server.host", "server.port", "server.name", "server.ssl.enabled", "server.ssl.certificate", "server.ssl.key", "server.ssl.supportedProtocols",
    "opensearch.hosts", "opensearch.username", "opensearch.password", "opensearch.ssl.certificateAuthorities", "opensearch.ssl.verificationMode",
    "opensearch.requestHeadersAllowlist", "opensearchDashboards.index", "path.data", "logging.dest", "opensearch_security.auth.type",
    "opensearch_security.auth.anonymous_auth_enabled", "opensearch_security.cookie.secure", "opensearch_security.cookie.password",
    "opensearch_security.cookie.ttl", "opensearch_security.cookie.isSameSite", "opensearch_security.session.ttl", "opensearch_security.session.keepalive",
    "opensearch_security.multitenancy.enabled", "opensearch_security.multitenancy.tenants.preferred"}


def model(groups=None, **variables):
    hosts = {name: {"ansible_host": address} for name, address in HOSTS.items()}
    values = dict({"cluster_vip": "10.77.0.10", "cluster_opensearch_dashboards_archive": ARCHIVE}, **variables)
    derived = derive(hosts, dict(GROUPS, **(groups or {})), values, {"1.36.4": RELEASE})
    assert not derived.problems, derived.problems
    return derived.model


@pytest.fixture(name="rendered")
def rendered_fixture(expression):
    def render(name, host="d1", cluster=None, role="opensearch_dashboards", **variables):
        text = (ROOT / "roles" / role / "templates" / name).read_text()
        return expression(role, cluster or model(), text, host, pki_bundle=PKI, ansible_play_hosts=list(HOSTS), **variables)

    return render


@pytest.fixture(name="value")
def value_fixture(expression):
    def ask(name, host="d1", cluster=None, role="opensearch_dashboards", **variables):
        given = dict({"pki_bundle": PKI, "ansible_play_hosts": list(HOSTS)}, **variables)
        return expression(role, cluster or model(), "{{ %s }}" % name, host, **given)

    return ask


def test_the_settings_of_an_instance(rendered):
    text = rendered("opensearch_dashboards.yml.j2", "d2")
    found, secret = yaml.safe_load(text), yaml.safe_load(rendered("secrets.yml.j2", "d2"))
    assert set(found) | set(secret) == KNOWN and not set(found) & set(secret)
    assert (found["server.host"], found["server.port"], found["server.name"]) == ("10.77.0.62", 5601, "d2")
    assert found["server.ssl.enabled"] is True and found["server.ssl.supportedProtocols"] == ["TLSv1.3"]
    assert found["opensearch.hosts"] == ["https://10.77.0.5%d:9200" % number for number in (1, 2, 3)]
    assert found["opensearch.ssl.verificationMode"] == "full"
    assert found["opensearch.ssl.certificateAuthorities"] == ["/etc/opensearch-dashboards/opensearch-ca.crt"]
    assert found["opensearch_security.auth.anonymous_auth_enabled"] is False and found["opensearch_security.cookie.secure"] is True
    # In ms.
    assert found["opensearch_security.session.ttl"] == found["opensearch_security.cookie.ttl"] == 3600000
    assert (found["opensearch.username"], found["opensearchDashboards.index"]) == ("kibanaserver", ".kibana")


def test_an_instance_takes_the_cookies_of_all(rendered):
    first, second = (yaml.safe_load(rendered("secrets.yml.j2", host)) for host in ("d1", "d2"))
    assert first == second == {"opensearch.password": ACCOUNT, "opensearch_security.cookie.password": COOKIE}
    one, other = (yaml.safe_load(rendered("opensearch_dashboards.yml.j2", host)) for host in ("d1", "d2"))
    assert {name for name in one if one[name] != other[name]} == {"server.host", "server.name"}


def test_a_site_has_the_last_word(rendered):
    more = {"opensearch_security.auth.type": ["basicauth", "openid"], "opensearch_security.cookie.isSameSite": "None"}
    found = yaml.safe_load(rendered("opensearch_dashboards.yml.j2", opensearch_dashboards_settings=more, opensearch_dashboards_tls_min_version="TLS1.2",
                                    opensearch_dashboards_session_hours=8))
    assert {name: found[name] for name in more} == more and found["server.ssl.supportedProtocols"] == ["TLSv1.2", "TLSv1.3"]
    assert found["opensearch_security.session.ttl"] == 28800000
    told = rendered("opensearch_dashboards.yml.j2", opensearch_dashboards_secret_settings={"opensearch_security.openid.client_secret": "hunter2"})
    secret = yaml.safe_load(rendered("secrets.yml.j2", opensearch_dashboards_secret_settings={"opensearch_security.openid.client_secret": "hunter2"}))
    assert "hunter2" not in told and secret["opensearch_security.openid.client_secret"] == "hunter2" and secret["opensearch.password"] == ACCOUNT


def test_secrets_are_in_files_that_only_the_service_reads(value, rendered):
    entries = {entry["path"]: entry for entry in value("__opensearch_dashboards_files")}
    texts = {path: rendered(entry["template"]) if "template" in entry else entry.get("content", "") for path, entry in entries.items()}
    holding = {path for path, text in texts.items() if any(secret in text for secret in (ACCOUNT, COOKIE, "key1"))}
    assert holding == {"/etc/opensearch-dashboards/secrets.yml", "/etc/opensearch-dashboards/server.key"}
    for path in holding:
        assert (entries[path]["mode"], entries[path]["owner"], entries[path]["secret"]) == ("0600", "opensearch-dashboards", True)
    assert set(value("__opensearch_dashboards_units")[0]["watch"]) <= set(entries)
    # What a bare host is checked with: nothing is issued yet.
    assert [entry["path"] for entry in value("__opensearch_dashboards_files", pki_bundle={})] == list(entries)


def test_options_of_node(rendered):
    assert rendered("node.options.j2", opensearch_dashboards_node_options=["--max-old-space-size=4096"]).splitlines()[1:] == ["--max-old-space-size=4096"]


def test_the_unit(rendered, tmp_path):
    text = rendered("opensearch-dashboards.service.j2")
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(text.replace("\\\n", ""))
    service, home = unit["Service"], "/opt/opensearch-dashboards/3.4.0"
    assert service["ExecStart"].split() == [
        home + "/bin/opensearch-dashboards", "--config", "/etc/opensearch-dashboards/opensearch_dashboards.yml", "--config",
        "/etc/opensearch-dashboards/secrets.yml"]
    assert (service["User"], service["WorkingDirectory"], service["Environment"]) == (
        "opensearch-dashboards", home, "OSD_PATH_CONF=/etc/opensearch-dashboards")
    assert (service["NoNewPrivileges"], service["ProtectSystem"], service["ReadWritePaths"], service["CapabilityBoundingSet"]) == (
        "true", "strict", "/var/lib/opensearch-dashboards", "")
    assert ACCOUNT not in text and COOKIE not in text
    assert shutil.which("systemd-analyze"), "it comes with systemd"
    # What it starts and who runs it are not on this machine.
    text = re.sub(r"(?m)^(User|Group|WorkingDirectory)=.*\n", "", text.replace(home + "/bin/opensearch-dashboards", "/bin/true"))
    path = tmp_path / "opensearch-dashboards.service"
    path.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if path.name in line]) == (0, [])


def tasks(name):
    return yaml.safe_load((ROLE / "tasks" / (name + ".yml")).read_text())


def test_the_sum_of_the_site_counts_whatever_the_source_is(value):
    install = tasks("main")[0]["ironrack.cluster.components"]
    assert install["source"] == "upstream" and "base_url" not in install
    file, = value("__opensearch_dashboards_me.components")["opensearch-dashboards"]["files"]
    assert (file["upstream"], file["sha256"]) == (ARCHIVE["url"], ARCHIVE["sha256"])


def test_the_api_is_asked_once_and_from_the_client_host():
    block = next(task for task in tasks("main") if "block" in task)["block"]
    assert [key for task in block for key in task if key.startswith("ironrack")] == [
        "ironrack.cluster.opensearch_security_user", "ironrack.cluster.opensearch_security_role_mapping"]
    assert all(task["run_once"] is True and task["delegate_to"] == "{{ cluster.client_host }}" and task["become"] is False for task in block)


def test_an_instance_restarts_only_after_the_one_before_it_answers(value):
    turns = tasks("main")[-1]
    assert turns["run_once"] is True and turns["ansible.builtin.include_tasks"] == "turn.yml"
    restart, answer = tasks("turn")
    assert "ironrack.cluster.units" in restart and restart["delegate_to"] == answer["delegate_to"] == "{{ opensearch_dashboards_turn }}"
    # While it has not found OpenSearch it answers 503, which is no answer.
    assert 503 not in answer["ansible.builtin.uri"]["status_code"] and answer["when"] == "not __opensearch_dashboards_predicts"
    assert value("__opensearch_dashboards_turns", ansible_play_hosts=["d2", "os1"]) == ["d2"]
    told = {"d1": {}, "d2": {"opensearch_dashboards_installed": {"changed_paths": ["/a"]}, "opensearch_dashboards_written": {"changed_paths": ["/b"]}}}
    assert value("__opensearch_dashboards_pending", hostvars=told, opensearch_dashboards_turn="d2") == ["/a", "/b"]
    assert value("__opensearch_dashboards_pending", hostvars=told, opensearch_dashboards_turn="d1") == []
    url = answer["ansible.builtin.uri"]["url"].replace("{{", "").replace("}}", "")
    assert "__opensearch_dashboards_address" in url and value("__opensearch_dashboards_address", opensearch_dashboards_turn="d2") == "10.77.0.62"


def test_documented_defaults_are_the_defaults():
    options = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert {name: option["default"] for name, option in options.items()} == yaml.safe_load((ROLE / "defaults/main.yml").read_text())


def test_the_host_has_the_user(value):
    assert [user["name"] for user in value("__host_users", "d1", role="host")] == ["opensearch-dashboards"]
    assert value("__host_users", "lb1", role="host") == []


@pytest.mark.parametrize("groups, opened, balancer", [
    ({}, "ip saddr { 10.77.0.11, 10.77.0.12 } tcp dport 5601 accept", "tcp dport { 6443, 8080, 5601 } accept"),
    ({"load_balancers": []}, "tcp dport 5601 accept", None)])
def test_the_firewall(rendered, groups, opened, balancer):
    own = {"cluster_vip": "", "cluster_endpoint": "10.77.0.21"} if groups else {}
    cluster = model(groups, cluster_host_firewall=True, cluster_client_host="ops1", **own)

    def rules(host):
        text = rendered("firewall.nft.j2", host, cluster, "host", ansible_port=22, host_firewall_rules=[])
        assert text.count("{") == text.count("}")
        return [line.strip() for line in text.splitlines()]

    assert opened in rules("d1") and not any("9200" in rule for rule in rules("d1"))
    api, = [rule for rule in rules("os1") if "dport 9200" in rule]
    assert {"10.77.0.61", "10.77.0.62"} <= set(re.findall(r"[\d.]{7,}", api))
    assert not any("5601" in rule for rule in rules("os1"))
    if balancer:
        assert balancer in rules("lb1")


def test_reset_stops_it(value):
    assert value("__node_reset_dashboards_units", role="node_reset") == [{"name": "opensearch-dashboards.service", "state": "stopped", "enabled": False}]
    assert "__node_reset_dashboards_units if this_host.is_opensearch_dashboards" in (ROOT / "roles/node_reset/tasks/main.yml").read_text()


def test_the_balancers_lead_to_all_instances(rendered):
    text = rendered("nginx.conf.j2", "lb1", role="load_balancer")
    upstream = text.split("upstream dashboards {")[1].split("}")[0]
    assert re.findall(r"server ([\d.:]+) max_fails=1 fail_timeout=5s; # (\w+)", upstream) == [("10.77.0.61:5601", "d1"), ("10.77.0.62:5601", "d2")]
    assert "listen 5601 " in text and "ssl" not in text.split("upstream dashboards {")[1].split("http {")[0]
    assert "dashboards" not in rendered("nginx.conf.j2", "lb1", model({"opensearch_dashboards": []}), "load_balancer")
