# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is scraped, recorded, alerted and told, from the model and the services; and everything that is wrong with them at once."""
from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.ironrack.cluster.plugins.filter.alertmanager_config import alertmanager_config
from ansible_collections.ironrack.cluster.plugins.filter.pod_discovery import pod_discovery
from ansible_collections.ironrack.cluster.plugins.filter.prometheus_config import prometheus_config
from ansible_collections.ironrack.cluster.plugins.filter.prometheus_rules import prometheus_rules
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.model import derive
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.opensearch import SCHEDULE

ROOT = Path(__file__).resolve().parents[4]
DEFAULTS = yaml.safe_load((ROOT / "roles" / "monitoring" / "defaults" / "main.yml").read_text())
SERVICES = [{"name": "chat", "namespace": "inference", "pod": {"port": 9000, "metrics_path": "/m"}}, {"name": "embed"}]
HOSTS = {"ops1": "10.77.0.5", "lb1": "10.77.0.11", "lb2": "10.77.0.12", "cp1": "10.77.0.21", "gpu1": "10.77.0.31", "os1": "10.77.0.41"}
GROUPS = {"monitoring": ["ops1"], "load_balancers": ["lb1", "lb2"], "etcd": ["cp1"], "control_plane": ["cp1"], "workers": ["gpu1"]}


def model(**groups):
    hosts = {name: {"ansible_host": address, "zone": "a"} for name, address in HOSTS.items()}
    engine = {"opensearch-3.4.0": {"version": "3.4.0", "files": []}}
    groups = dict(GROUPS, **groups)
    values = dict({"cluster_vip": "10.77.0.10"} if groups["load_balancers"] else {}, opensearch_index_replicas=0)
    derived = derive(hosts, groups, values, {"1.36.4": {"version": "1.36.4", "components": engine}})
    assert not derived.problems, derived.problems
    return derived.model


def rules(services=None, cluster=None, **changes):
    settings = dict(slos=DEFAULTS["monitoring_slos"], thresholds=DEFAULTS["monitoring_thresholds"], metrics=DEFAULTS["monitoring_metrics"],
                    retention="35d", escalate_after="30m")
    return yaml.safe_load(prometheus_rules(cluster or model(), SERVICES if services is None else services, **dict(settings, **changes)))["groups"]


def test_a_bound_without_a_bucket_is_refused():
    buckets = DEFAULTS["monitoring_buckets"]
    rules(buckets=buckets)
    with pytest.raises(AnsibleFilterError, match="monitoring_thresholds, latency: 4 is the bound of no bucket"):
        rules(buckets=buckets, thresholds=dict(DEFAULTS["monitoring_thresholds"], latency=[4, 10]))
    with pytest.raises(AnsibleFilterError, match="is the bound of no bucket"):
        rules(buckets=[0.1, 30], thresholds=dict(DEFAULTS["monitoring_thresholds"], latency=[0.1, 30]))


def config(cluster=None, services=None, host="ops1", interval=5, evaluation=15):
    return yaml.safe_load(prometheus_config(cluster or model(), SERVICES if services is None else services, host, interval, evaluation))


def jobs(**options):
    return {job["job_name"]: job for job in config(**options)["scrape_configs"]}


def targets(job):
    return [target for entry in job["static_configs"] for target in entry["targets"]]


class TestScrapes:
    def test_every_part_of_the_cluster_has_a_job(self):
        found = jobs()
        assert set(found) == {"prometheus", "alertmanager", "hosts", "balancers", "etcd", "apiservers", "kubelets", "containers", "pods-chat", "pods-embed"}
        assert len(targets(found["hosts"])) == 5 and "10.77.0.5:9100" in targets(found["hosts"])
        assert targets(found["balancers"]) == ["10.77.0.11:9145", "10.77.0.12:9145"]
        assert (targets(found["etcd"]), targets(found["apiservers"])) == (["10.77.0.21:2381"], ["10.77.0.21:6443"])
        assert targets(found["kubelets"]) == ["10.77.0.21:10250", "10.77.0.31:10250"]
        assert found["balancers"]["static_configs"][0]["labels"] == {"host": "lb1", "zone": "a"}

    def test_what_asks_for_a_certificate_gets_it_and_names_are_checked(self):
        for name, job in jobs().items():
            assert "insecure_skip_verify" not in str(job)
            if job.get("scheme") == "https":
                assert job["tls_config"]["ca_file"].endswith("-ca.crt")
                assert "key_file" in job["tls_config"] or job["basic_auth"]["password_file"], name

    def test_opensearch_where_it_has_hosts(self):
        assert "opensearch" not in jobs()
        found = jobs(cluster=model(opensearch_managers=["os1"], opensearch_data=["os1"]))
        assert targets(found["opensearch"]) == ["10.77.0.41:9114"]

    def test_without_kubernetes_there_are_its_jobs_no_more(self):
        nobody = {name: [] for name in GROUPS if name != "monitoring"}
        found = jobs(cluster=model(opensearch_managers=["os1"], opensearch_data=["os1"], **nobody), services=[])
        assert set(found) == {"prometheus", "alertmanager", "hosts", "opensearch"}

    def test_no_balancers_no_job(self):
        cluster = model()
        cluster["groups"]["load_balancers"] = []
        assert "balancers" not in jobs(cluster=cluster)
        absent = [rule["labels"].get("job") for group in rules(cluster=cluster) for rule in group["rules"] if rule.get("alert") == "TargetsAbsent"]
        assert "etcd" in absent and "balancers" not in absent and not [job for job in absent if job.startswith("pods-")]

    def test_what_gates_read_is_scraped_often_enough(self):
        found = jobs(interval=3)
        assert {found[name]["scrape_interval"] for name in ("balancers", "pods-chat", "pods-embed")} == {"3s"}

    def test_ipv6_wears_brackets(self):
        cluster = model()
        cluster["hosts"]["lb1"]["address"] = "2001:db8::11"
        assert "[2001:db8::11]:9145" in targets(jobs(cluster=cluster)["balancers"])

    def test_pods_are_told_by_a_file_for_each_service(self):
        found = jobs()["pods-chat"]
        assert found["file_sd_configs"][0]["files"] == ["/var/lib/ironrack-pod-targets/chat.json"] and found["metrics_path"] == "/m"
        told = json.loads(pod_discovery(model(), SERVICES, "ops1", 5))
        assert told["services"] == [{"name": "chat", "namespace": "inference", "port": 9000}, {"name": "embed", "namespace": "default", "port": 8080}]
        assert told["server"] == "https://10.77.0.10:6443" and told["folder"] == "/var/lib/ironrack-pod-targets"

    def test_alerts_go_to_the_hosts_own_alertmanager(self):
        (told,) = config()["alerting"]["alertmanagers"]
        assert targets(told) == ["10.77.0.5:9093"] and told["scheme"] == "https"


class TestRules:
    def test_every_objective_of_every_service_has_the_series_that_budgets_are_read_from(self):
        groups = {group["name"]: group for group in rules()}
        assert len([name for name in groups if name.startswith("slo-")]) == 10
        records = {rule["record"]: rule for rule in groups["slo-chat-inference"]["rules"] if "record" in rule}
        for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "7d"):
            assert records["slo:sli_error:ratio_rate" + window]["labels"]["sloth_window"] == window
        for name in ("objective:ratio", "error_budget:ratio", "time_period:days", "current_burn_rate:ratio", "period_burn_rate:ratio",
                     "period_error_budget_remaining:ratio"):
            labels = records["slo:" + name]["labels"]
            assert (labels["sloth_service"], labels["sloth_slo"], labels["sloth_id"]) == ("chat", "inference", "chat-inference")
        assert records["slo:error_budget:ratio"]["expr"] == "vector(0.05)"

    def test_what_is_optional_may_be_silent(self):
        alerts = {group["name"]: [rule.get("alert") for rule in group["rules"]] for group in rules()}
        assert "ErrorBudgetUnknown" in alerts["slo-chat-latency"] and "ErrorBudgetUnknown" not in alerts["slo-chat-alert-processing"]

    def test_an_objective_may_be_for_some_services_only(self):
        slo = {"name": "own", "kind": "errors", "metric": "own_total", "objective": 0.99, "services": ["embed"]}
        assert [group["name"] for group in rules(slos=[slo]) if group["name"].startswith("slo-")] == ["slo-embed-own"]

    def test_a_metric_without_a_name_has_no_alert(self):
        def names(**metrics):
            return {rule.get("alert") for group in rules(metrics=dict(DEFAULTS["monitoring_metrics"], **metrics)) for rule in group["rules"]}

        assert {"CostPerDayHigh", "CostPerRequestHigh", "CacheHitsLow", "BreakerOpen"} <= names()
        assert not {"CostPerDayHigh", "CostPerRequestHigh"} & names(cost="") and "CostPerDayHigh" in names(requests="")
        assert "CacheHitsLow" not in names(cache_hits="") and "BreakerOpen" not in names(breaker=None)

    def test_without_services_there_is_still_the_cluster(self):
        assert [group["name"] for group in rules(services=[])] == ["hosts", "parts", "monitoring", "escalation"]

    def test_opensearch_and_its_schedule_have_alerts_where_they_are(self):
        def names(cluster):
            return {rule.get("alert") for group in rules(cluster=cluster) for rule in group["rules"]}

        with_engine = model(opensearch_managers=["os1"], opensearch_data=["os1"])
        scheduled = dict(with_engine, opensearch=dict(with_engine["opensearch"], schedule=SCHEDULE))
        own = {"OpenSearchRed", "OpenSearchYellow"}
        taken = {"OpenSearchBackup" + end for end in ("TooOld", "Missing", "Fails", "Silent", "Damaged")}
        assert not names(model()) & (own | taken)
        assert names(with_engine) & (own | taken) == own and names(scheduled) & (own | taken) == own | taken

    def test_every_alert_has_a_severity_and_says_what_it_is(self):
        for group in rules():
            for rule in group["rules"]:
                if "alert" in rule:
                    assert rule["labels"]["severity"] in ("page", "ticket", "critical", "warning", "escalated", "none")
                    assert rule["annotations"]["summary"] and rule["annotations"]["description"]

    def test_rules_read_only_buckets_that_the_balancers_have(self):
        read = re.findall(r'ironrack_[a-z_]+_bucket\{[^}]*le=~?"([0-9.]+)', str(rules()))
        assert read and {float(bound) for bound in read} <= set(map(float, DEFAULTS["monitoring_buckets"]))


SLO = {"name": "a", "kind": "errors", "metric": "m", "objective": 0.99}


@pytest.mark.parametrize("changes, words", [
    ({"slos": [dict(SLO, name="A b")]}, ["expected a DNS label"]),
    ({"slos": [SLO, SLO]}, ["two of that name"]),
    ({"slos": [dict(SLO, kind="speed", metric="rate(x[5m])")]}, ["errors or latency", "the name of a counter"]),
    ({"slos": [dict(SLO, objective=1)]}, ["above 0 and below 1"]),
    ({"slos": [dict(SLO, objective=0.9)]}, ["could never come"]),
    ({"slos": [dict(SLO, days=40)]}, ["monitoring_retention is 35d", "more than the 40 days"]),
    ({"slos": [dict(SLO, days=1)]}, ["expected 4 to 365"]),
    ({"slos": [dict(SLO, kind="latency")]}, ["the bound of a bucket"]),
    ({"slos": [dict(SLO, bound=2)]}, ["errors have no bound"]),
    ({"slos": [dict(SLO, services=["nobody"])]}, ["'nobody'", "chat, embed"]),
    ({"retention": "long", "escalate_after": "soon"}, ["monitoring_retention is 'long'", "monitoring_escalate_after is 'soon'"]),
    ({"thresholds": dict(DEFAULTS["monitoring_thresholds"], cpu=[0.9, 0.8], memory=0.9, cost_per_day="much")},
     ["cpu: the warning's 0.9", "memory is 0.9", "cost_per_day is 'much'"]),
    ({"metrics": {"price": "x", "cost": "a b"}}, ["has 'price'", "cost is 'a b'"]),
    ({"services": [{"name": "Chat"}, {"name": "x", "pod": {"port": "http"}}, {"name": "x"}]}, ["name is 'Chat'", "pod.port is 'http'", "two of that name"]),
    ({"services": {"chat": {}}}, ["expected a list"]),
])
def test_what_is_wrong_is_told_at_once(changes, words):
    with pytest.raises(AnsibleFilterError) as error:
        rules(**changes)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_intervals_are_judged():
    with pytest.raises(AnsibleFilterError, match="monitoring_scrape_interval is 0.*\n.*monitoring_evaluation_interval is 300"):
        config(interval=0, evaluation=300)
    with pytest.raises(AnsibleFilterError, match="DNS label"):
        pod_discovery(model(), [{"name": ""}], "ops1", 5)


CHANNELS = {"mail": {"to": "a@example.com", "from": "b@example.com", "smarthost": "m:587"}, "webhook": {"url": "http://w/", "token_file": "/t"}}


def told(channels, routes=None, **timing):
    return yaml.safe_load(alertmanager_config(channels, routes or DEFAULTS["monitoring_routes"], dict(DEFAULTS["monitoring_notification_timing"], **timing)))


class TestRoutes:
    def test_a_receiver_for_each_severity_with_the_channels_that_are_there(self):
        receivers = {one.pop("name"): set(one) for one in told(CHANNELS)["receivers"]}
        assert receivers["page"] == {"webhook_configs"} and receivers["ticket"] == {"email_configs", "webhook_configs"}
        assert receivers["heartbeat"] == {"webhook_configs"}

    def test_secrets_are_paths(self):
        full = dict(CHANNELS, chat={"url_file": "/c", "channel": "#x"}, pager={"key_file": "/p", "url": "http://p/"})
        full["mail"] = dict(full["mail"], username="u", password_file="/m")
        text = str(told(full))
        assert all(path in text for path in ("'/c'", "'/p'", "'/m'", "'/t'")) and "api_url'" not in text and "routing_key'" not in text

    def test_without_channels_it_is_a_configuration_still(self):
        assert all(set(one) == {"name"} for one in told({})["receivers"])

    @pytest.mark.parametrize("channels, routes, timing, words", [
        ({"sms": {}}, None, {}, ["has 'sms'"]),
        ({"mail": {"to": "x", "password": "hunter2"}}, None, {}, ["no from", "no smarthost", "has 'password'", "path of their file"]),
        ({"webhook": "http://w/"}, None, {}, ["expected settings"]),
        ({"webhook": {"url": "http://w/", "username": "u"}}, None, {}, ["go together"]),
        (CHANNELS, {"page": ["pager"], "urgent": ["fax"]}, {}, ["'urgent'", "'fax'", "page leads to no channel"]),
        (CHANNELS, None, {"repeat": "often"}, ["monitoring_notification_timing, repeat is 'often'"])])
    def test_what_is_wrong_is_told_at_once(self, channels, routes, timing, words):
        with pytest.raises(AnsibleFilterError) as error:
            told(channels, routes, **timing)
        assert all(word in str(error.value) for word in words) and "hunter2" not in str(error.value)


def test_only_a_watched_cluster_has_a_readers_certificate():
    made = {one["name"]: one for one in model()["pki"]["certificates"]}
    assert made["monitoring"]["common_name"] == "ironrack:monitoring" and made["monitoring"]["organizations"] == []
    assert made["monitoring"]["authority"] == "kubernetes-ca" and "IP:10.77.0.5" in made["prometheus-ops1"]["sans"]
    alone = model(monitoring=[])
    assert not [one for one in alone["pki"]["certificates"] if "monitoring" in one["name"] or "prometheus" in one["name"]]
    assert alone["monitoring"]["url"] == "" and model()["monitoring"]["url"] == "https://10.77.0.5:9090"
