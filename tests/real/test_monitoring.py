# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules and routes of the role monitoring, judged by Debian's promtool, amtool and Alertmanager.

IRONRACK_PROMETHEUS_BIN names the folder with the programs; the gate unpacks them from Debian's packages.
"""
from __future__ import annotations

import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import pytest
import yaml
from ansible_collections.ironrack.cluster.plugins.filter.alertmanager_config import alertmanager_config
from ansible_collections.ironrack.cluster.plugins.filter.prometheus_config import prometheus_config
from ansible_collections.ironrack.cluster.plugins.filter.prometheus_rules import prometheus_rules
from ansible_collections.ironrack.cluster.plugins.module_utils._monitoring import login

from tests.traffic.receiver import Receiver

BIN = os.environ["IRONRACK_PROMETHEUS_BIN"]
ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = yaml.safe_load((ROOT / "roles" / "monitoring" / "defaults" / "main.yml").read_text())
SERVICES = [{"name": "chat", "namespace": "inference", "pod": {"port": 8080}}]
HOSTS = {"ops1": "192.0.2.5", "lb1": "192.0.2.11", "cp1": "192.0.2.21", "gpu1": "192.0.2.31"}
MODEL = {
    "name": "site", "hosts": {name: {"name": name, "address": address, "zone": "a"} for name, address in HOSTS.items()},
    "groups": {"monitoring": ["ops1"], "load_balancers": ["lb1"], "etcd": ["cp1"], "control_plane": ["cp1"], "nodes": ["cp1", "gpu1"]},
    "api_servers": [{"name": "cp1", "address": "192.0.2.21", "port": 6443}], "endpoint": {"url": "https://192.0.2.10:6443"}}
CHANNELS = {
    "mail": {"to": "team@example.com", "from": "alerts@example.com", "smarthost": "mail.example.com:587", "username": "alerts",
             "password_file": "/etc/site/mail"},
    "chat": {"url_file": "/etc/site/chat"}, "pager": {"key_file": "/etc/site/pager"},
    "webhook": {"url": "https://hooks.example.com/", "token_file": "/etc/site/token"}}


def rules(model=None, **changes):
    settings = dict(slos=DEFAULTS["monitoring_slos"], thresholds=DEFAULTS["monitoring_thresholds"], metrics=DEFAULTS["monitoring_metrics"],
                    retention=DEFAULTS["monitoring_retention"], escalate_after=DEFAULTS["monitoring_escalate_after"])
    return prometheus_rules(model or MODEL, SERVICES, **dict(settings, **changes))


def program(name, *arguments, text=None):
    """:returns: (exit status, what it printed)."""
    done = subprocess.run([os.path.join(BIN, name), *map(str, arguments)], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=120)
    return done.returncode, done.stdout


def requests(status, values, completion="complete", release="v1", instance="lb1"):
    labels = 'service="chat",release="%s",status="%s",completion="%s",instance="%s",job="balancers"' % (release, status, completion, instance)
    return {"series": "ironrack_requests_total{%s}" % labels, "values": values}


def firing(alerts, *labels):
    """:returns: PromQL that tells which alerts of a name fire."""
    return 'count by (%s) (ALERTS{alertstate="firing",alertname=~"%s"})' % (", ".join(labels), alerts)


def sample(value=1, **labels):
    return {"labels": "{%s}" % ", ".join('%s="%s"' % pair for pair in sorted(labels.items())), "value": value}


def run_story(folder, series, expected, text=None):
    """Run promtool's unit test of one story, a sample a minute.

    :param expected: list of (minute, PromQL, samples).
    :returns: (exit status, what it printed).
    """
    (folder / "rules.yml").write_text(text or rules())
    (folder / "test.yml").write_text(yaml.safe_dump({
        "rule_files": ["rules.yml"], "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": [
            {"expr": query, "eval_time": "%dm" % minute, "exp_samples": samples} for minute, query, samples in expected]}]}))
    return program("promtool", "test", "rules", folder / "test.yml")


def burns(*severities):
    return [sample(severity=severity) for severity in severities]


#: The stories are of one objective: without the others promtool is five times as fast.
ONE = {"slos": DEFAULTS["monitoring_slos"][:1]}
AVAILABILITY = 'count by (severity) (ALERTS{alertstate="firing",alertname=~"ErrorBudget.*",sloth_slo="availability"})'
ERROR_SHARE = 'slo:sli_error:ratio_rate5m{sloth_slo="availability"}'
#: Stories of a service: what it counts, a value a minute, and which alerts on its availability (99.9 %) fire at which minute.
STORIES = {
    "all is well": ([requests(200, "0+100x120"), requests(502, "0x120")], {5: (), 60: (), 120: ()}),
    # 5 % from the 60th minute on: the hour's share is over 1.44 % after 18 minutes
    "fast burn": ([requests(200, "0+95x120"), requests(502, "0x60 5+5x60")], {59: (), 66: ("ticket",), 82: ("page", "ticket")}),
    # the six hours' share is under 0.6 % still
    "fast burn after a good day": ([requests(200, "0+95x380"), requests(502, "0x360 5+5x20")], {359: (), 379: ("page", "ticket")}),
    # 0.4 % is four times what the budget allows
    "slow burn": ([requests(200, "0+996x180"), requests(502, "0+4x180")], {60: ("ticket",), 180: ("ticket",)}),
    "within the budget": ([requests(200, "0+99950x120"), requests(502, "0+50x120")], {60: (), 120: ()}),
    "recovery": ([requests(200, "0+100x180"), requests(502, "0+10x30 310x150")], {30: ("page", "ticket"), 70: ("ticket",)}),
    "quiet": ([requests(200, "1000x120"), requests(502, "7x120")], {60: (), 120: ()}),
    "a restarted exporter": ([requests(200, "5000+100x60 0+100x60"), requests(502, "500x60 0x60")], {62: (), 120: ()}),
    # 2 of 12 requests in an hour
    "low volume": ([requests(200, "0x10 1x10 2x10 3x10 4x10 5x10 6x10 7x10 8x10 9x10 10x10"), requests(502, "0x30 1x10 2x80")], {45: (), 60: (), 115: ()}),
    "a restart amid errors": ([requests(200, "5000+95x60 0+95x60"), requests(502, "500+5x60 0+5x60")], {59: ("page", "ticket"), 63: ("page", "ticket")}),
    # 0.7 % of what counts; no refused one makes it less, and no client that left makes it more
    "what does not count": ([requests(200, "0+993x120"), requests(502, "0+7x120"), requests(429, "0+2000x120"), requests(499, "0+500x120", "left")],
                            {60: ("page", "ticket"), 120: ("page", "ticket")}),
    "broken streams": ([requests(200, "0+95x120"), requests(200, "0+5x120", "broken")], {60: ("page", "ticket")}),
    "one of two balancers": ([requests(200, "0+100x120"), requests(200, "0+100x120", instance="lb2"), requests(502, "0+10x120", instance="lb2")],
                             {60: ("page", "ticket")}),
}


@pytest.mark.parametrize("name", STORIES)
def test_alerts_of_a_story(tmp_path, name):
    series, expected = STORIES[name]
    status, said = run_story(tmp_path, series, [(minute, AVAILABILITY, burns(*severities)) for minute, severities in expected.items()],
                             rules(**ONE))
    assert status == 0, said


#: What is spoiled in the rules, and which story tells it.
MUTATIONS = {
    "the page's limit": (' > 0.0144', ' > 0.144', "fast burn after a good day"),
    "the ticket's limit": (' > 0.00', ' > 0.09', "slow burn"),
    "the short window": ('ratio_rate30m{sloth_id="chat-availability"} > 0.006', 'ratio_rate6h{sloth_id="chat-availability"} > 0.006', "recovery"),
    "how many bad ones it takes": (' > 2.5', ' > 0', "low volume"),
    "what counts": ('429|499', '000', "what does not count"),
    "broken answers": ('completion="broken"', 'completion="lost"', "broken streams"),
    "a delta for an increase": ('increase(', 'delta(', "a restart amid errors"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_story_tells_a_spoiled_rule(tmp_path, name):
    old, new, story = MUTATIONS[name]
    text = yaml.safe_dump(yaml.safe_load(rules(**ONE)), width=10000)
    assert old in text
    series, expected = STORIES[story]
    status, said = run_story(tmp_path, series, [(minute, AVAILABILITY, burns(*severities)) for minute, severities in expected.items()], text.replace(old, new))
    assert status == 1 and "FAILED" in said


def test_absent_is_told_and_quiet_is_no_error(tmp_path):
    unknown = 'count by (sloth_slo) (ALERTS{alertstate="firing",alertname="ErrorBudgetUnknown"})'
    status, said = run_story(tmp_path, [], [(9, unknown, []), (12, unknown, [sample(sloth_slo=name) for name in (
        "availability", "errors", "inference", "latency")]), (12, AVAILABILITY.replace("ErrorBudget.*", "ErrorBudgetBurns"), [])])
    assert status == 0, said
    labels = {"service": "chat", "sloth_id": "chat-availability", "sloth_service": "chat", "sloth_slo": "availability"}
    quiet = "{%s}" % ", ".join('%s="%s"' % pair for pair in sorted(dict(labels, sloth_window="5m").items()))
    status, said = run_story(tmp_path, STORIES["quiet"][0], [
        (60, ERROR_SHARE, [{"labels": "slo:sli_error:ratio_rate5m" + quiet, "value": 0}]),
        # a budget that nothing has tested is not known, and never a go
        (60, 'slo:period_error_budget_remaining:ratio{sloth_slo="availability"}', []), (60, unknown.replace("by (sloth_slo)", ""), [sample(3)])])
    assert status == 0, said


def test_the_series_that_error_budgets_are_read_from(tmp_path):
    slo = '{sloth_service="chat",sloth_slo="availability"}'

    def one(name, value):
        return (120, "max(%s%s)" % (name, slo), [sample(value)])

    # 0.05 % of 0.1 %, weighted by volume: an hour of many good ones, and one of few with many bad ones
    series = [requests(200, "0+1000x60 60060+10x60"), requests(502, "0x61 1x30 10x30")]
    share = "round(max(slo:sli_error:ratio_rate2h%s), 0.00001)" % slo
    status, said = run_story(tmp_path, series, text=rules(**ONE), expected=[
        one("slo:objective:ratio", 0.999), one("slo:time_period:days", 30), one("slo:error_budget:ratio", 0.001), (120, share, [sample(0.00016)]),
        (120, "round(max(slo:period_error_budget_remaining:ratio%s), 0.1)" % slo, [sample(0.8)])])
    assert status == 0, said


#: With OpenSearch, whose nodes back it up each hour.
SCHEDULED = dict(
    MODEL, hosts=dict(MODEL["hosts"], os1={"name": "os1", "address": "192.0.2.41", "zone": "a"}),
    groups=dict(MODEL["groups"], opensearch_managers=["os1"], opensearch_data=["os1"]),
    opensearch={"schedule": {"prefix": "hourly", "slot": 3600, "interval": 300, "alert_after": 10800}})


def backups(name, values, host="os1", prefix="hourly"):
    return {"series": 'ironrack_opensearch_backup_%s{series="%s",host="%s",job="hosts"}' % (name, prefix, host), "values": values}


def color(name, values, host="os1"):
    return {"series": 'elasticsearch_cluster_health_status{color="%s",host="%s",job="opensearch"}' % (name, host), "values": values}


#: series, alert, and at which minute how many of it fire; the clock of a story begins at 0.
BACKUPS = [
    ([backups("last_success_timestamp_seconds", "0x60 3600x200")], "OpenSearchBackupTooOld", {100: 0, 239: 0, 241: 1}),
    # What one node knows, all know; another series says nothing of this one.
    ([backups("last_success_timestamp_seconds", "0x200"), backups("last_success_timestamp_seconds", "10000x200", "os2")],
     "OpenSearchBackupTooOld", {190: 0}),
    ([backups("last_success_timestamp_seconds", "10000x200", prefix="daily")], "OpenSearchBackupMissing", {170: 0, 181: 1}),
    ([backups("run_success", "1x10 0x60"), backups("run_success", "1x10 0x60", "os2")], "OpenSearchBackupFails", {12: 0, 17: 1}),
    ([backups("run_success", "1x10 0x60"), backups("run_success", "1x70", "os2")], "OpenSearchBackupFails", {30: 0}),
    ([backups("run_timestamp_seconds", "0+60x60"), backups("run_timestamp_seconds", "0x60", "os2")], "OpenSearchBackupSilent", {20: 0, 32: 1}),
    ([backups("failed_proofs", "0x10 1x60")], "OpenSearchBackupDamaged", {10: 0, 12: 1}),
    ([backups("indices_overdue", "0x10 2x60")], "OpenSearchExpiryOverdue", {20: 0, 27: 1}),
    ([backups("indices_overdue", "0x10 2x5 0x60")], "OpenSearchExpiryOverdue", {40: 0}),
    ([color("red", "0x10 1x30"), color("yellow", "0x40")], "OpenSearchRed", {10: 0, 13: 1}),
    ([color("red", "0x60"), color("yellow", "0x10 1x50")], "OpenSearchYellow", {30: 0, 42: 1}),
]


@pytest.mark.parametrize("series, alert, expected", BACKUPS)
def test_alerts_of_opensearch(tmp_path, series, alert, expected):
    status, said = run_story(tmp_path, series, [
        (minute, 'count(ALERTS{alertstate="firing",alertname="%s"})' % alert, [sample(count)] if count else []) for minute, count in expected.items()],
        rules(SCHEDULED, **ONE))
    assert status == 0, said


def service_series(name, values, **labels):
    return {"series": "%s{%s}" % (name, ",".join('%s="%s"' % pair for pair in dict(service="chat", **labels).items())), "values": values}


def latencies(slow, bound):
    """:returns: 100 requests a minute, of which so many take longer than the bound."""
    name = "ironrack_request_duration_seconds"
    return [service_series(name + "_count", "0+100x60"), service_series(name + "_bucket", "0+%dx60" % (100 - slow), le=bound)]


THRESHOLDS = [
    ([requests(200, "0+97x60"), requests(503, "0+3x60")], "ErrorRateHigh", []),
    ([requests(200, "0+93x60"), requests(503, "0+7x60")], "ErrorRateHigh", ["warning"]),
    ([requests(200, "0+85x60"), requests(503, "0+15x60")], "ErrorRateHigh", ["critical", "warning"]),
    # three of three requests in five minutes say nothing
    ([requests(503, "0x27 1 2 3x30")], "ErrorRateHigh", []),
    (latencies(4, "5"), "LatencyHigh", []), (latencies(6, "5"), "LatencyHigh", ["warning"]), (latencies(6, "10"), "LatencyHigh", ["critical"]),
    ([service_series("llm_cost_total", "0+1x60")], "CostPerDayHigh", []),
    ([service_series("llm_cost_total", "0+2x30", pod="a"), service_series("llm_cost_total", "0+3x60", pod="b")], "CostPerDayHigh", ["warning"]),
    ([service_series("llm_cost_total", "0+1x60"), service_series("llm_requests_total", "0+100x60")], "CostPerRequestHigh", []),
    ([service_series("llm_cost_total", "0+1x60"), service_series("llm_requests_total", "0+5x60")], "CostPerRequestHigh", ["warning"]),
    ([service_series("llm_cache_hits_total", "0+3x60"), service_series("llm_cache_misses_total", "0+7x60")], "CacheHitsLow", []),
    ([service_series("llm_cache_hits_total", "0+1x60"), service_series("llm_cache_misses_total", "0+7x60")], "CacheHitsLow", ["warning"]),
    ([service_series("llm_cache_hits_total", "0x60"), service_series("llm_cache_misses_total", "0x60")], "CacheHitsLow", []),
    ([service_series("llm_circuit_breaker_open", "0x60", pod="a")], "BreakerOpen", []),
    ([service_series("llm_circuit_breaker_open", "0x60", pod="a"), service_series("llm_circuit_breaker_open", "0x20 1x40", pod="b")], "BreakerOpen",
     ["critical"]),
    ([{"series": 'node_cpu_seconds_total{job="hosts",host="gpu1",mode="idle",cpu="0"}', "values": "0+15x60"}], "CpuHigh", []),
    ([{"series": 'node_cpu_seconds_total{job="hosts",host="gpu1",mode="idle",cpu="0"}', "values": "0+9x60"}], "CpuHigh", ["warning"]),
    ([{"series": 'node_cpu_seconds_total{job="hosts",host="gpu1",mode="idle",cpu="0"}', "values": "0+3x60"}], "CpuHigh", ["critical", "warning"]),
    ([{"series": 'node_memory_MemAvailable_bytes{job="hosts",host="gpu1"}', "values": "10x60"},
      {"series": 'node_memory_MemTotal_bytes{job="hosts",host="gpu1"}', "values": "100x60"}], "MemoryHigh", ["warning"]),
    ([{"series": 'node_memory_MemAvailable_bytes{job="hosts",host="gpu1"}', "values": "4x60"},
      {"series": 'node_memory_MemTotal_bytes{job="hosts",host="gpu1"}', "values": "100x60"}], "MemoryHigh", ["critical", "warning"]),
    ([{"series": 'up{job="hosts",host="gpu1"}', "values": "0x60"}, {"series": 'up{job="kubelets",host="gpu1"}', "values": "1x60"}], "HostDown|TargetDown",
     ["critical"]),
    ([{"series": 'up{job="etcd",host="cp1"}', "values": "0x60"}], "HostDown|TargetDown", ["ticket"]),
    ([{"series": 'ironrack_balancer_generation{service="chat",host="lb1"}', "values": "4x60"},
      {"series": 'ironrack_balancer_generation{service="chat",host="lb2"}', "values": "3x60"}], "BalancersDisagree", ["ticket"]),
    ([{"series": 'ironrack_log_read_timestamp_seconds{host="lb1"}', "values": "60x60"}], "LogsUnread", ["ticket"]),
    ([], "Watchdog", ["none"]),
]


@pytest.mark.parametrize("series, alert, severities", THRESHOLDS, ids=["%d-%s" % (number, case[1]) for number, case in enumerate(THRESHOLDS)])
def test_thresholds(tmp_path, series, alert, severities):
    status, said = run_story(tmp_path, series, [(30, firing(alert, "severity"), burns(*severities))], rules(slos=[]))
    assert status == 0, said


def test_what_is_not_scraped_at_all_is_told(tmp_path):
    jobs = ("alertmanager", "apiservers", "balancers", "containers", "etcd", "hosts", "kubelets", "prometheus")
    absent = [sample(job=job) for job in jobs]
    there = [{"series": 'up{job="%s",host="x"}' % job, "values": "1x30"} for job in jobs]
    assert run_story(tmp_path, [], [(10, firing("TargetsAbsent", "job"), absent)], rules(slos=[]))[0] == 0
    assert run_story(tmp_path, there, [(10, firing("TargetsAbsent|TargetDown|HostDown", "job"), [])], rules(slos=[]))[0] == 0


def test_what_nobody_ends_escalates(tmp_path):
    escalated = [sample(escalates="BreakerOpen", was="critical", service="chat", severity="escalated")]
    query = firing("Escalated", "escalates", "was", "service", "severity")
    open_for = [service_series("llm_circuit_breaker_open", "0x5 1x100", pod="b", release="v1", host="gpu1")]
    status, said = run_story(tmp_path, open_for, [(34, query, []), (40, query, escalated), (100, query, escalated)], rules(slos=[]))
    assert status == 0, said
    # shorter, and less urgent
    short = [service_series("llm_circuit_breaker_open", "0x5 1x20 0x70", pod="b"), service_series("llm_cost_total", "0+5x100")]
    status, said = run_story(tmp_path, short, [(100, query, [])], rules(slos=[]))
    assert status == 0, said


def test_promtool_and_amtool_take_the_files(tmp_path):
    (tmp_path / "rules.yml").write_text(rules())
    (tmp_path / "prometheus.yml").write_text(prometheus_config(dict(MODEL, groups=dict(MODEL["groups"], opensearch_data=["gpu1"])), SERVICES, "ops1", 5, 15))
    for arguments in (("rules", "--lint=all", "--lint-fatal", tmp_path / "rules.yml"), ("config", "--syntax-only", tmp_path / "prometheus.yml")):
        status, said = program("promtool", "check", *arguments)
        assert status == 0, said
    for channels in ({}, CHANNELS, {"webhook": {"url": "http://192.0.2.9/"}}):
        status, said = program("amtool", "check-config", alertmanager(tmp_path, channels))
        assert status == 0 and "SUCCESS" in said, said


def alertmanager(folder, channels, **timing):
    path = folder / "alertmanager.yml"
    path.write_text(alertmanager_config(channels, DEFAULTS["monitoring_routes"], dict(DEFAULTS["monitoring_notification_timing"], **timing)))
    return path


@pytest.mark.parametrize("labels, receiver", [
    (["severity=page", "service=chat"], "page"), (["severity=ticket"], "ticket"), (["severity=critical"], "critical"), (["severity=warning"], "warning"),
    (["severity=escalated", "alertname=Escalated"], "escalated"), (["alertname=Watchdog", "severity=none"], "heartbeat"), (["alertname=SitesOwn"], "ticket")])
def test_alerts_find_their_way(tmp_path, labels, receiver):
    status, said = program("amtool", "config", "routes", "test", "--config.file=%s" % alertmanager(tmp_path, CHANNELS),
                           "--verify.receivers=%s" % receiver, *labels)
    assert status == 0, said


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def post(url, alerts):
    """Hand alerts over, as soon as it listens."""
    end = time.monotonic() + 20
    while True:
        try:
            request = urllib.request.Request(url + "api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.2)


def alert(name, severity, **labels):
    return {"labels": dict(labels, alertname=name, severity=severity), "annotations": {"summary": name}}


def test_alertmanager_tells_a_webhook_and_keeps_back_what_was_said(tmp_path):
    url = "http://127.0.0.1:%d/" % free_port()
    with Receiver() as receiver, (tmp_path / "log").open("w") as log:
        # All of one evaluation come within the wait.
        config = alertmanager(tmp_path, {"webhook": {"url": receiver.url}}, group_wait="2s")
        process = subprocess.Popen(["unshare", "--mount", "--fork", "--kill-child", sys.executable, str(ROOT / "tests" / "real" / "with_share.py"),
                                    os.path.join(os.path.dirname(BIN), "share"), os.path.join(BIN, "prometheus-alertmanager"), "--config.file=%s" % config,
                                    "--storage.path=%s" % (tmp_path / "data"),
                                    "--web.listen-address=%s" % url[7:-1], "--cluster.listen-address="], stdout=log, stderr=log)
        try:
            of = {"sloth_service": "chat", "sloth_slo": "availability", "service": "chat"}
            assert post(url, [
                alert("ErrorBudgetBurns", "page", **of), alert("ErrorBudgetBurns", "ticket", **of),
                alert("ErrorBudgetBurns", "ticket", sloth_service="chat", sloth_slo="latency", service="chat"),
                alert("ErrorRateHigh", "critical", service="chat"), alert("ErrorRateHigh", "warning", service="chat"),
                alert("HostDown", "critical", host="gpu1", job="hosts"), alert("TargetDown", "ticket", host="gpu1", job="kubelets"),
                alert("TargetDown", "ticket", host="gpu2", job="kubelets"), alert("Escalated", "escalated", service="chat"),
                alert("Watchdog", "none")]) == 200
            expected = sorted([
                ("page", "ErrorBudgetBurns", "page"), ("ticket", "ErrorBudgetBurns", "ticket"), ("critical", "ErrorRateHigh", "critical"),
                ("critical", "HostDown", "critical"), ("ticket", "TargetDown", "ticket"), ("escalated", "Escalated", "escalated"),
                ("heartbeat", "Watchdog", "none")])
            end = time.monotonic() + 20
            while len(receiver.told) < len(expected) and time.monotonic() < end:
                time.sleep(0.2)
            time.sleep(1)
            assert sorted((one.receiver, one.name, one.severity) for one in receiver.told) == expected, (tmp_path / "log").read_text()[-2000:]
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)


def test_prometheus_lets_in_who_has_the_password_and_reads_rules_and_pods(tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=ops1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt")], check=True, capture_output=True)
    password = login.new_password()
    (tmp_path / "web.yml").write_text(login.web_config("ironrack", login.hash_of(password), tmp_path / "crt", tmp_path / "key"))
    status, said = program("promtool", "check", "web-config", tmp_path / "web.yml")
    assert status == 0, said
    content = yaml.safe_load(prometheus_config(MODEL, SERVICES, "ops1", 1, 1))
    pods = next(job for job in content["scrape_configs"] if job["job_name"] == "pods-chat")
    pods["file_sd_configs"][0]["files"] = [str(tmp_path / "chat.json")]
    (tmp_path / "chat.json").write_text(json.dumps([{"targets": ["127.0.0.1:9"], "labels": {"service": "chat", "release": "v1", "host": "gpu1"}}]))
    (tmp_path / "rules.yml").write_text(rules())
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(dict(content, rule_files=[str(tmp_path / "rules.yml")], scrape_configs=[pods], alerting={})))
    port = free_port()
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([os.path.join(BIN, "prometheus"), "--config.file=%s" % (tmp_path / "prometheus.yml"), "--web.config.file=%s" % (
            tmp_path / "web.yml"), "--storage.tsdb.path=%s" % (tmp_path / "data"), "--web.listen-address=127.0.0.1:%d" % port], stdout=log, stderr=log)
    context = ssl.create_default_context(cafile=str(tmp_path / "crt"))

    def ask(query, secret):
        headers = {"Authorization": "Basic " + base64.b64encode(("ironrack:%s" % secret).encode()).decode()}
        request = urllib.request.Request("https://127.0.0.1:%d/api/v1/query?%s" % (port, urlencode({"query": query})), headers=headers)
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return json.loads(answer.read())["data"]["result"]

    try:
        end, found = time.monotonic() + 30, []
        while not found and time.monotonic() < end:
            time.sleep(0.5)
            try:
                found = ask('up{job="pods-chat"} and on() slo:objective:ratio{sloth_slo="availability"}', password)
            except urllib.error.URLError:
                continue
        assert found, (tmp_path / "log").read_text()[-2000:]
        labels = found[0]["metric"]
        assert (labels["service"], labels["release"], labels["host"], found[0]["value"][1]) == ("chat", "v1", "gpu1", "0")
        assert ask("prometheus_sd_file_mtime_seconds", password) == []     # it does not scrape itself here
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask("up", password + "x")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
