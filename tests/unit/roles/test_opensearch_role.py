# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles opensearch and object_store, and what other roles do for their hosts: settings, units, users, ports, what the client host gets."""
from __future__ import annotations

import configparser
import json
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.model import derive

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "opensearch"
COMPONENTS = {
    "opensearch-" + version: {"version": version, "files": [{"file": "opensearch-%s-linux-x64.tar.gz" % version, "unpack": True}], "plugins": plugins}
    for version, plugins in (("3.4.0", ["repository-s3"]), ("2.19.4", []))}
COMPONENTS["versitygw"] = {"version": "1.8.0", "files": [{"file": "versitygw_v1.8.0_Linux_x86_64.tar.gz", "unpack": True}]}
KNOWN = yaml.safe_load((ROOT / "playbooks/vars/releases/1.36.4.yml").read_text())
RELEASE = dict(KNOWN, components=dict(KNOWN["components"], **COMPONENTS))
HOSTS = {"ops1": ("10.77.0.5", "a"), "os1": ("10.77.0.51", "a"), "os2": ("10.77.0.52", "b"), "os3": ("10.77.0.53", "c")}
NODES = ["os1", "os2", "os3"]
GROUPS = {"mirror": ["ops1"], "object_store": ["ops1"], "opensearch_managers": NODES, "opensearch_data": NODES}
PKI = {"files": {"opensearch-%s.%s" % (name, end): "%s of %s\n" % (end, name) for name in ("admin", "metrics", "ca")
                 for end in ("crt", "key", "password", "bcrypt")}}
PKI["files"].update({"object-store-account.password": "sesame\n", "object-store-ops1.crt": "x", "object-store-ops1.key": "y"})
LOOKED = {"preflight_host": {"probe": {"memory_mib": 16000}}}


def model(groups=None, hosts=None, **variables):
    raw = {name: {"ansible_host": address, "zone": zone} for name, (address, zone) in (hosts or HOSTS).items()}
    derived = derive(raw, dict(GROUPS, **(groups or {})), variables, {"1.36.4": RELEASE})
    assert not derived.problems, derived.problems
    return derived.model


@pytest.fixture(name="rendered")
def rendered_fixture(expression):
    def render(name, host="os1", cluster=None, role="opensearch", **variables):
        text = (ROOT / "roles" / role / "templates" / name).read_text()
        return expression(role, cluster or model(), text, host, pki_bundle=PKI, ansible_play_hosts=NODES, **dict(LOOKED, **variables))

    return render


@pytest.fixture(name="value")
def value_fixture(expression):
    def ask(name, host="os1", cluster=None, role="opensearch", **variables):
        given = dict(dict(LOOKED, pki_bundle=PKI, ansible_play_hosts=NODES), **variables)
        return expression(role, cluster or model(), "{{ %s }}" % name, host, **given)

    return ask


def test_settings_of_a_combined_node(rendered):
    found = yaml.safe_load(rendered("opensearch.yml.j2", "os2"))
    assert (found["cluster.name"], found["node.name"], found["network.host"]) == ("ironrack", "os2", "10.77.0.52")
    assert found["node.roles"] == ["cluster_manager", "data", "ingest"] and found["node.attr.zone"] == "b"
    assert found["cluster.routing.allocation.awareness.force.zone.values"] == ["a", "b", "c"]
    assert found["discovery.seed_providers"] == ["file"] and "cluster.initial_cluster_manager_nodes" not in found
    for layer in ("transport", "http"):
        assert found["plugins.security.ssl.%s.enabled_protocols" % layer] == ["TLSv1.3"]
        assert found["plugins.security.ssl.%s.pemkey_filepath" % layer] == "node.key"
    assert found["plugins.security.ssl.http.enabled"] is True and found["plugins.security.ssl.http.clientauth_mode"] == "OPTIONAL"
    assert found["plugins.security.allow_unsafe_democertificates"] is False and found["plugins.security.allow_default_init_securityindex"] is True
    assert found["plugins.security.nodes_dn"] == ["CN=*,O=opensearch-nodes"] and found["plugins.security.authcz.admin_dn"] == ["CN=opensearch-admin"]
    assert found["bootstrap.memory_lock"] is True and found["cluster.routing.allocation.disk.watermark.flood_stage"] == "5gb"


def test_the_names_in_the_settings_are_those_of_the_certificates():
    made = {one["name"]: one for one in model()["pki"]["certificates"]}
    assert (made["opensearch-os1"]["common_name"], made["opensearch-os1"]["organizations"]) == ("os1", ["opensearch-nodes"])
    assert made["opensearch-os1"]["usages"] == ["server", "client"] and {"DNS:os1", "IP:10.77.0.51"} <= set(made["opensearch-os1"]["sans"])
    # No organization: its name in full is CN=opensearch-admin, and no pattern of nodes fits it.
    assert (made["opensearch-admin"]["common_name"], made["opensearch-admin"]["organizations"]) == ("opensearch-admin", [])
    assert {one["authority"] for name, one in made.items() if name.startswith("opensearch-")} == {"opensearch-ca"}


def test_a_dedicated_manager_and_a_single_zone(rendered):
    hosts = dict(HOSTS, d1=("10.77.0.61", "a"), d2=("10.77.0.62", "a"))
    cluster = model({"opensearch_data": ["d1", "d2"]}, hosts)
    assert yaml.safe_load(rendered("opensearch.yml.j2", "os1", cluster))["node.roles"] == ["cluster_manager"]
    found = yaml.safe_load(rendered("opensearch.yml.j2", "d1", cluster))
    assert found["node.roles"] == ["data", "ingest"] and not [name for name in found if "awareness" in name]


def test_ingest_nodes_of_their_own_take_that_from_the_data_nodes_and_are_asked_first(rendered):
    cluster = model({"opensearch_ingest": ["i1"]}, dict(HOSTS, i1=("10.77.0.71", "a")))
    made = {one["name"]: one["roles"] for one in cluster["opensearch"]["nodes"]}
    assert made == {"os1": ["cluster_manager", "data"], "os2": ["cluster_manager", "data"], "os3": ["cluster_manager", "data"], "i1": ["ingest"]}
    assert cluster["opensearch"]["urls"][0] == "https://10.77.0.71:9200" and len(cluster["opensearch"]["urls"]) == 4
    assert cluster["opensearch"]["ingest"] == ["i1"] and cluster["hosts"]["i1"]["is_opensearch"]
    assert yaml.safe_load(rendered("opensearch.yml.j2", "i1", cluster))["node.roles"] == ["ingest"]
    assert "opensearch-i1.crt" in [one["source"] for one in cluster["hosts"]["i1"]["pki_files"]]


def test_an_older_tls_has_strong_suites_and_a_site_adds_settings(rendered):
    found = yaml.safe_load(rendered("opensearch.yml.j2", opensearch_tls_min_version="TLS1.2", opensearch_settings={"path.repo": ["/mnt/a"]}))
    assert found["plugins.security.ssl.http.enabled_protocols"] == ["TLSv1.3", "TLSv1.2"]
    assert all("GCM" in suite for suite in found["plugins.security.ssl.http.enabled_ciphers"])
    assert found["path.repo"] == ["/mnt/a"]


@pytest.mark.parametrize("memory, heap", [(16000, "7936m"), (15990, "7936m"), (131072, "31744m"), (400, "256m")])
def test_the_heap_is_half_of_the_memory_in_steps(rendered, memory, heap):
    text = rendered("ironrack.options.j2", preflight_host={"probe": {"memory_mib": memory}}, opensearch_jvm_options=["-XX:TieredStopAtLevel=1"])
    trusted = ["-Djavax.net.ssl.trustStore=/etc/opensearch/truststore.jks", "-Djavax.net.ssl.trustStoreType=JKS"]
    assert [line for line in text.splitlines() if not line.startswith("#")] == ["-Xms" + heap, "-Xmx" + heap, *trusted, "-XX:TieredStopAtLevel=1"]


def test_who_was_not_looked_at_has_its_memory_of_facts_and_a_site_its_own_heap(value):
    assert value("__opensearch_heap", preflight_host={}, ansible_facts={"memtotal_mb": 8192}) == "4096m"
    assert value("__opensearch_memory_mib | int", preflight_host={}) == 0
    assert value("__opensearch_heap", opensearch_heap="4g") == "4g"


def test_the_unit(rendered):
    text = rendered("opensearch.service.j2", opensearch_environment={"A": "b c"})
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(text)
    service = unit["Service"]
    assert service["ExecStart"] == "/opt/opensearch/3.4.0/bin/opensearch $FIRST_START"
    assert (service["Type"], service["User"], service["WorkingDirectory"], service["SuccessExitStatus"]) == (
        "exec", "opensearch", "/opt/opensearch/3.4.0", "143")
    assert int(service["LimitNOFILE"]) >= 65535 and service["LimitMEMLOCK"] == "infinity" and service["TimeoutStopSec"] == "180"
    for line in ("Environment=OPENSEARCH_JAVA_HOME=/opt/opensearch/3.4.0/jdk", "Environment=OPENSEARCH_PATH_CONF=/etc/opensearch",
                 'Environment="A=b c"', "EnvironmentFile=-/etc/ironrack/opensearch/first-start.env"):
        assert line in text.splitlines()
    # The default comes first: a file that is there has the last word.
    assert text.index("Environment=FIRST_START=\n") < text.index("EnvironmentFile=")
    assert "/opt/opensearch/2.19.4/bin/opensearch" in rendered("opensearch.service.j2", cluster=model(cluster_opensearch_version="2.19.4"))


@pytest.mark.parametrize("role, name, host, start", [
    ("opensearch", "opensearch.service", "os1", "/opt/opensearch/3.4.0/bin/opensearch"),
    ("object_store", "ironrack-object-store.service", "ops1", "/usr/local/bin/versitygw")])
def test_systemd_reads_the_units(rendered, tmp_path, role, name, host, start):
    assert shutil.which("systemd-analyze"), "it comes with systemd"
    # What they start and who runs it are not on this machine.
    text = re.sub(r"(?m)^(User|Group|WorkingDirectory|EnvironmentFile)=.*\n", "", rendered(name + ".j2", host, role=role).replace(start, "/bin/true"))
    (tmp_path / name).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if name in line]) == (0, [])


def test_what_a_node_writes_is_open_to_it(rendered):
    # /etc and /usr are closed by ProtectSystem=full; its keystore is made in its folder of settings.
    text = rendered("opensearch.service.j2")
    assert "ProtectSystem=full\n" in text and "ReadWritePaths=/etc/opensearch\n" in text


def test_the_security_plugins_first_files(rendered):
    users = yaml.safe_load(rendered("security-internal_users.yml.j2"))
    assert users["admin"] == {"hash": "bcrypt of admin", "reserved": False, "backend_roles": ["admin"], "description": "May do everything"}
    assert set(users) == {"_meta", "admin"}
    mapping, roles = yaml.safe_load(rendered("security-roles_mapping.yml.j2")), yaml.safe_load(rendered("security-roles.yml.j2"))
    assert mapping["all_access"]["backend_roles"] == ["admin"] and mapping["ironrack_metrics"]["users"] == ["metrics"]
    assert mapping["ironrack_backup"]["users"] == ["backup"]
    assert set(roles) == {"_meta", "ironrack_metrics", "ironrack_backup"}
    # Both are certificates' users, by their common names.
    users = {one["name"]: one["common_name"] for one in model()["pki"]["certificates"]}
    assert (users["opensearch-metrics"], users["opensearch-backup"], users["opensearch-admin"]) == ("metrics", "backup", "opensearch-admin")
    config = yaml.safe_load(rendered("security-config.yml.j2"))["config"]["dynamic"]
    assert config["http"]["anonymous_auth_enabled"] is False
    assert [config["authc"][name]["http_authenticator"]["challenge"] for name in sorted(config["authc"], key=lambda one: config["authc"][one]["order"])] == [
        False, True]
    audit = yaml.safe_load(rendered("security-audit.yml.j2"))["config"]["audit"]
    assert audit["log_request_body"] is False and audit["exclude_sensitive_headers"] is True
    kinds = [yaml.safe_load(rendered("security-%s.yml.j2" % name))["_meta"]["type"] for name in ("config", "audit", "roles", "roles_mapping", "internal_users")]
    assert kinds == ["config", "audit", "roles", "rolesmapping", "internalusers"]


def test_the_audit_log_has_a_file_and_an_end(rendered):
    text = rendered("audit-log4j2.properties.j2", opensearch_audit_days=7)
    assert "nested_condition.age = 7d\n" in text and "logger.audit.additivity = false\n" in text
    assert "${sys:opensearch.logs.cluster_name}_audit.log\n" in text
    assert yaml.safe_load(rendered("opensearch.yml.j2"))["plugins.security.audit.config.log4j.logger_name"] == "audit"


def test_every_file_has_its_source_and_every_watched_one_is_written(value):
    files = value("__opensearch_files")
    for entry in files:
        if "template" in entry:
            assert (ROLE / "templates" / entry["template"]).is_file()
        if entry.get("secret"):
            assert entry["mode"] == "0600"
    paths = {entry["path"]: entry for entry in files}
    # Two have modules of their own.
    assert set(value("__opensearch_watch")) - set(paths) == {"/etc/ironrack/opensearch/keystore.json", "/etc/opensearch/truststore.jks"}
    assert paths["/etc/opensearch/unicast_hosts.txt"]["content"].splitlines() == ["10.77.0.51:9300", "10.77.0.52:9300", "10.77.0.53:9300"]
    assert paths["/etc/opensearch/jvm.options"]["copy_of"] == "/opt/opensearch/3.4.0/config/jvm.options"
    assert paths["/etc/opensearch/jvm.options"]["replace"]["file=logs/gc.log"] == "file=/var/log/opensearch/gc.log"
    # Role pki makes the folder of the certificates its owner's alone: two roles that want it otherwise would change it back and forth.
    folder = paths["/etc/opensearch"]
    assert (folder["mode"], folder["owner"]) == ("0700", "opensearch")
    placed = {entry["path"]: (entry["owner"], entry["mode"]) for entry in model()["hosts"]["os1"]["pki_files"]}
    assert placed == {"/etc/opensearch/ca.crt": ("opensearch", "0644"), "/etc/opensearch/node.crt": ("opensearch", "0644"),
                      "/etc/opensearch/node.key": ("opensearch", "0600"),
                      **{"/etc/ironrack/opensearch/%s/%s" % (folder, name): (owner, mode)
                         for folder, owner in (("backup", "root"), ("metrics", "opensearch-exporter"))
                         for name, mode in (("ca.crt", "0644"), ("client.crt", "0644"), ("client.key", "0600"))}}


def test_who_gets_into_which_object_store(value, rendered):
    files = {"pki_bundle": {"files": dict(PKI["files"], **{"service-ca.crt": "ours"})}}
    names = ["s3.client.default.access_key", "s3.client.default.secret_key"]
    assert value("__opensearch_secrets", **files) == dict(zip(names, ["ironrack", "sesame"]))
    assert (value("__opensearch_s3_trusts", **files), value("__opensearch_s3_ca", **files)) == (True, "ours")
    site = {"access_key": "a", "secret_key": "b"}
    assert value("__opensearch_secrets", opensearch_s3=site) == dict(zip(names, "ab")) and value("__opensearch_s3_trusts", opensearch_s3=site) is False
    assert value("__opensearch_s3_ca", opensearch_s3=dict(site, ca="theirs"), **files) == "theirs"
    without = model({"object_store": []})
    assert value("__opensearch_secrets", cluster=without) == {} and value("__opensearch_s3_trusts", cluster=without) is False
    assert "trustStore" not in rendered("ironrack.options.j2", cluster=without)


def test_the_client_host_gets_what_an_administrator_comes_with(value):
    files = {entry["path"].rpartition("/")[2]: entry for entry in value("__opensearch_client_files")}
    assert set(files) == {"opensearch-ca.crt", "opensearch-admin.crt", "opensearch-admin.key", "opensearch-admin-password"}
    assert files["opensearch-admin-password"]["content"] == "password of admin\n"
    assert {name for name, entry in files.items() if entry.get("mode") == "0600" and entry["secret"]} == {"opensearch-admin.key", "opensearch-admin-password"}


def test_who_said_what_and_whose_turn_it_is(value):
    def said(formed, stale=False, later=False):
        return {"opensearch_node": {"formed": formed, "restart_needed": stale}, "opensearch_founded": {"restart_needed": later}}

    hostvars = {"os1": dict(said(True), inventory_hostname="os1"), "os2": dict(said(False, True), inventory_hostname="os2"),
                "os3": {"inventory_hostname": "os3"}}
    assert value("__opensearch_known", hostvars=hostvars) == {"os1": True, "os2": False}
    assert value("__opensearch_stale", hostvars=hostvars) == ["os2"]
    assert value("__opensearch_stale", hostvars=dict(hostvars, os1=dict(said(False, later=True), inventory_hostname="os1"))) == ["os2", "os1"]
    assert value("__opensearch_expected") == 3


def modules_of(name):
    """:returns: the modules that a file of tasks calls, in their order, with those of the files that it takes in."""
    found = []
    tasks = yaml.safe_load((ROLE / "tasks" / (name + ".yml")).read_text())
    for task in [one for outer in tasks for one in outer.get("block", [outer])]:
        if "ansible.builtin.import_tasks" in task:
            found += modules_of(task["ansible.builtin.import_tasks"][:-len(".yml")])
        else:
            found += [(key.rpartition(".")[2], task[key], task) for key in task if key.startswith("ironrack")]
    return found


@pytest.mark.parametrize("name, between", [("restart", []), ("upgrade_node", ["files"])])
def test_a_node_is_restarted_only_between_two_looks_at_all_of_them(name, between):
    called = modules_of(name)
    assert [module for module, _options, _task in called] == ["opensearch_operation", "opensearch_health", "opensearch_flush"] + between + [
        "opensearch_node", "opensearch_health"]
    assert called[1][1]["stopping"] == "{{ opensearch_turn }}" and "stopping" not in called[-1][1]
    _module, options, task = called[-2]
    assert options["restart"] is True and task["delegate_to"] == "{{ opensearch_turn }}"
    others = [options for file in ("main", "again", "turns", "upgrade", "upgraded") for module, options, _task in modules_of(file)
              if module == "opensearch_node"]
    # Nobody else may: not even a run that takes the turns of several hosts at once.
    assert others and not any("restart" in options for options in others)


def test_data_nodes_come_first_and_the_elected_manager_last(value):
    hosts = dict(HOSTS, d1=("10.77.0.61", "a"), d2=("10.77.0.62", "b"))
    cluster = model({"opensearch_data": ["d1", "d2", "os3"]}, hosts)
    stale = {name: {"inventory_hostname": name, "opensearch_node": {"formed": True, "restart_needed": name != "os2"}} for name in [*NODES, "d1", "d2"]}
    given = {"hostvars": stale, "ansible_play_hosts": list(stale), "cluster": cluster}
    assert value("__opensearch_turns", opensearch_seen={"elected_manager": "os1"}, **given) == ["d1", "d2", "os3", "os1"]
    assert value("__opensearch_turns", opensearch_seen={"elected_manager": "os2"}, **given) == ["d1", "d2", "os1", "os3"]
    # A check run asks nobody.
    assert value("__opensearch_turns", opensearch_seen={"skipped": True}, **given) == ["d1", "d2", "os1", "os3"]


@pytest.mark.parametrize("host, users", [("os1", ["opensearch", "opensearch-exporter"]), ("ops1", ["object-store"])])
def test_the_hosts_have_users_and_maps(value, host, users):
    assert [user["name"] for user in value("__host_users", host, role="host")] == users
    assert ("vm.max_map_count" in value("__host_all_sysctl", host, role="host", host_sysctl={})) == (host == "os1")


@pytest.mark.parametrize("client, api", [
    ("localhost", "tcp dport 9200 accept"), ("ops1", "ip saddr { 10.77.0.51, 10.77.0.52, 10.77.0.53, 10.77.0.5 } tcp dport 9200 accept")])
def test_the_firewall_lets_in_whom_the_port_matrix_names(rendered, client, api):
    cluster = model(cluster_host_firewall=True, cluster_client_host=client)
    nodes = "ip saddr { 10.77.0.51, 10.77.0.52, 10.77.0.53 } tcp dport "
    rules = [line.strip() for line in rendered("firewall.nft.j2", "os1", cluster, "host").splitlines()]
    assert api in rules and nodes + "9300 accept" in rules and not any("7070" in rule for rule in rules)
    rules = [line.strip() for line in rendered("firewall.nft.j2", "ops1", cluster, "host").splitlines()]
    assert nodes + "7070 accept" in rules and not any("9200" in rule for rule in rules)


def test_the_object_store(rendered, value):
    unit = rendered("ironrack-object-store.service.j2", "ops1", role="object_store")
    assert "--port 10.77.0.5:7070 --region us-east-1" in unit and "posix /var/lib/object-store/data\n" in unit
    assert "sesame" not in unit and "EnvironmentFile=-/run/ironrack-object-store/root.env\n" in unit
    files = {entry["path"]: entry for entry in value("__object_store_files + __object_store_bucket_files", "ops1", role="object_store",
                                                     object_store_buckets=["opensearch", "logs"])}
    users = files["/var/lib/object-store/iam/users.json"]
    assert (users["mode"], users["owner"], users["secret"]) == ("0600", "object-store", True)
    account = json.loads(users["content"])["accessAccounts"]["ironrack"]
    assert (account["access"], account["secret"], account["role"]) == ("ironrack", "sesame", "admin")
    assert files["/var/lib/object-store/data/logs"] == {
        "path": "/var/lib/object-store/data/logs", "state": "directory", "mode": "0700", "owner": "object-store", "group": "object-store"}
    watched = value("__object_store_units", "ops1", role="object_store")[0]["watch"]
    assert set(watched) <= set(files) | {"/usr/local/bin/versitygw"}


def test_without_kubernetes_monitoring_asks_no_api(value):
    groups = {"monitoring": ["ops1"]}
    paths = [entry["path"] for entry in value("__monitoring_server_files", "ops1", model(groups), "monitoring")]
    assert not [path for path in paths if "pod" in path or "kubernetes" in path]
    assert [unit["name"] for unit in value("__monitoring_server_units", "ops1", model(groups), "monitoring")] == [
        "prometheus-alertmanager.service", "prometheus.service"]


def test_site_runs_without_kubernetes_and_asks_no_api_then():
    plays = [play for play in yaml.safe_load((ROOT / "playbooks/site.yml").read_text()) if "hosts" in play]
    beside = next(play for play in plays if "OpenSearch" in str(play["tasks"]))
    assert [task["ansible.builtin.include_role"]["name"] for task in beside["tasks"]] == [
        "ironrack.cluster.object_store", "ironrack.cluster.opensearch", "ironrack.cluster.opensearch_backup", "ironrack.cluster.opensearch_dashboards"]
    # Of the plays for all hosts whatever is done once, at the client host, asks Kubernetes.
    everywhere = [play for play in plays if play["hosts"] == "all"]
    once = [task for play in everywhere for task in play["tasks"] if task.get("run_once") and task.get("delegate_to") == "{{ cluster.client_host }}"]
    assert len(once) == 3 and {task["when"] for task in once} == {"cluster.kubernetes"}
    asked = [play["hosts"] for play in plays if "living_control_planes" in play["vars"] and play["hosts"] != "all"]
    assert len(asked) == 3 and all("groups.control_plane" in hosts and "!all" in hosts for hosts in asked)


def test_the_labs_inventory_is_one_without_kubernetes():
    data = yaml.safe_load((ROOT / "inventories/lab-opensearch/hosts.yml").read_text())["all"]["children"]
    hosts, groups = {}, {}
    for group, content in data.items():
        groups[group] = list(content["hosts"])
        for host, own in content["hosts"].items():
            hosts.setdefault(host, {}).update(own or {})
    own = yaml.safe_load((ROOT / "inventories/lab-opensearch/group_vars/all/opensearch.yml").read_text())
    for variables in hosts.values():
        variables.update(own)
    derived = derive(hosts, groups, {"cluster_profile": "lab"}, {"1.36.4": RELEASE})
    assert not derived.problems and derived.model["kubernetes"] is False
    assert derived.model["opensearch"]["replicas_survive_zone"] is True and derived.model["object_store"]["url"] == "https://10.77.0.5:7070"
