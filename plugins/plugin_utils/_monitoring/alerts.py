# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts beside the objectives: thresholds of services and hosts, data that is missing, monitoring itself, and alerts that nobody has ended."""
from __future__ import annotations

from .scrapes import TARGETS
from .slo import GOOD, IGNORED, number

SEVERITIES = ("page", "critical", "escalated", "ticket", "warning")
URGENT = ("page", "critical")
#: Alerts that do not escalate: the heartbeat always fires.
HEARTBEAT = "Watchdog"


def _alert(name, expression, severity, summary, description, wait="", **labels):
    rule = {"alert": name, "expr": expression, "labels": dict(labels, severity=severity), "annotations": {"summary": summary, "description": description}}
    return dict(rule, **{"for": wait}) if wait else rule


def _pair(name, expression, limits, summary, description, wait, **labels):
    """:returns: the alert of a warning and the critical one; the second keeps the first quiet."""
    return [_alert(name, "%s > %s" % (expression, number(limit)), severity, summary, description, wait, **labels)
            for severity, limit in zip(("warning", "critical"), limits)]


class ServiceAlerts:
    """The thresholds of one service.

    :param limits: the variable monitoring_thresholds.
    :param metrics: the variable monitoring_metrics: what the service's own metrics are called.
    """

    def __init__(self, service, limits, metrics):
        self._name = service
        self._limits = limits
        self._metrics = metrics

    def _increase(self, metric, window, matchers=""):
        return 'sum(increase(%s{service="%s"%s}[%s]))' % (metric, self._name, matchers, window)

    def _share(self, part, whole):
        """:returns: a share, where there were enough requests to have one."""
        return "%s / (%s >= %s)" % (part, whole, number(self._limits["least_requests"]))

    def rules(self):
        """:returns: alerting rules; what is about a metric without a name is left out."""
        return self._errors() + self._latency() + self._cost() + self._cache() + self._breaker()

    def _errors(self):
        metric, count = "ironrack_requests_total", ',status!~"%s"' % IGNORED
        good = '%s,status=~"%s",completion!="broken"' % (count, GOOD)
        whole = self._increase(metric, "5m", count)
        share = self._share("(%s - %s)" % (whole, self._increase(metric, "5m", good)), whole)
        return _pair("ErrorRateHigh", share, self._limits["error_rate"], "%s answers with errors" % self._name,
                     "{{ $value | humanizePercentage }} of the requests of five minutes failed.", "1m", service=self._name)

    def _latency(self):
        metric, rules = "ironrack_request_duration_seconds", []
        whole = self._increase(metric + "_count", "5m")
        for severity, bound in zip(("warning", "critical"), self._limits["latency"]):
            slow = "(%s - %s)" % (whole, self._increase(metric + "_bucket", "5m", ',le="%s"' % number(bound)))
            rules.append(_alert("LatencyHigh", "%s > 0.05" % self._share(slow, whole), severity, "%s is slow" % self._name,
                                "{{ $value | humanizePercentage }} of the requests of five minutes took longer than %s s; the p95 is above it." % number(bound),
                                "1m", service=self._name))
        return rules

    def _cost(self):
        cost, requests = self._metrics.get("cost"), self._metrics.get("requests")
        rules = []
        if cost:
            rules.append(_alert("CostPerDayHigh", "%s > %s" % (self._increase(cost, "1d"), number(self._limits["cost_per_day"])), "warning",
                                "%s is dear" % self._name, "{{ $value | humanize }} in one day.", service=self._name))
        if cost and requests:
            each = self._share(self._increase(cost, "1h"), self._increase(requests, "1h"))
            rules.append(_alert("CostPerRequestHigh", "%s > %s" % (each, number(self._limits["cost_per_request"])), "warning",
                                "A request to %s is dear" % self._name, "{{ $value | humanize }} a request in the last hour.", service=self._name))
        return rules

    def _cache(self):
        hits, misses = self._metrics.get("cache_hits"), self._metrics.get("cache_misses")
        if not hits or not misses:
            return []
        found, all_of_them = self._increase(hits, "1h"), "(%s + %s)" % (self._increase(hits, "1h"), self._increase(misses, "1h"))
        return [_alert("CacheHitsLow", "%s < %s" % (self._share(found, all_of_them), number(self._limits["cache_hits"])), "warning",
                       "%s hardly ever hits its cache" % self._name, "{{ $value | humanizePercentage }} of the requests of an hour hit it.", "10m",
                       service=self._name)]

    def _breaker(self):
        breaker = self._metrics.get("breaker")
        return [_alert("BreakerOpen", 'max by (host, pod, release) (%s{service="%s"}) > 0' % (breaker, self._name), "critical",
                       "A circuit breaker of %s is open" % self._name, "Pod {{ $labels.pod }} of release {{ $labels.release }} refuses requests.",
                       service=self._name)] if breaker else []


def hosts(limits):
    """:returns: rules about the hosts."""
    cpu = '1 - avg by (host, instance) (rate(node_cpu_seconds_total{job="hosts",mode="idle"}[5m]))'
    memory = '1 - node_memory_MemAvailable_bytes{job="hosts"} / node_memory_MemTotal_bytes{job="hosts"}'
    used = "{{ $value | humanizePercentage }} is used."
    return _pair("CpuHigh", "(%s)" % cpu, limits["cpu"], "The processors of {{ $labels.host }} are busy", used, "5m") + \
        _pair("MemoryHigh", "(%s)" % memory, limits["memory"], "The memory of {{ $labels.host }} is nearly full", used, "5m") + [
            _alert("HostDown", 'up{job="hosts"} == 0', "critical", "{{ $labels.host }} does not answer",
                   "Its node exporter has not answered for a minute. Alerts about what runs on it are kept back.", "1m")]


def parts(jobs):
    """:returns: rules about the cluster's parts, and about data that does not come.

    :param jobs: the names of the jobs that are scraped; one that has no target at all is missing.
    """
    rules = [_alert("TargetDown", 'up{job!="hosts"} == 0', "ticket", "{{ $labels.job }} on {{ $labels.host }} does not answer",
                    "{{ $labels.instance }} has not answered for two minutes.", "2m")]
    rules += [_alert("TargetsAbsent", 'absent(up{job="%s"})' % job, "ticket", "There is nothing to scrape for %s" % job,
                     "No target of it is known, so nothing is known of it.", "5m", job=job) for job in jobs]
    if "balancers" in jobs:
        rules += [
            _alert("BalancerDown", "ironrack_nginx_up == 0", "critical", "NGINX on {{ $labels.host }} does not answer", "Its status page is silent.", "1m"),
            _alert("LogsUnread", "time() - ironrack_log_read_timestamp_seconds > 60 "
                   "or ironrack_log_files_unreadable > 0 or increase(ironrack_log_files_lost_total[1d]) > 0", "ticket",
                   "Requests through {{ $labels.host }} are not counted", "Gates and budgets that read them say unknown or too little."),
            _alert("BalancersDisagree", "max by (service) (ironrack_balancer_generation) != min by (service) (ironrack_balancer_generation)", "ticket",
                   "The balancers give {{ $labels.service }} different traffic",
                   "Their generations differ for five minutes: one of them missed a step of a rollout.", "5m")]
    if "etcd" in jobs:
        rules.append(_alert("EtcdWithoutLeader", "etcd_server_has_leader == 0", "critical", "etcd on {{ $labels.host }} has no leader",
                            "It can take no write.", "1m"))
    return rules + (opensearch() if "opensearch" in jobs else [])


def opensearch():
    """:returns: rules about OpenSearch's nodes; its backups have their own."""
    color = 'max(elasticsearch_cluster_health_status{color="%s"}) == 1'
    return [
        _alert("OpenSearchRed", color % "red", "critical", "OpenSearch has lost shards", "Of some shard no copy is there: what is in it can be neither read "
               "nor written.", "1m"),
        _alert("OpenSearchYellow", color % "yellow", "ticket", "OpenSearch lacks copies of shards", "The next node that fails may take documents along.",
               "30m")]


def backups(schedule):
    """:returns: rules about OpenSearch's backups by schedule.

    :param schedule: that of the model.
    """
    series = '{series="%s"}' % schedule["prefix"]
    last, looked, well = ("ironrack_opensearch_backup_%s%s" % (name, series) for name in (
        "last_success_timestamp_seconds", "run_timestamp_seconds", "run_success"))
    limit, quiet = "%ds" % schedule["alert_after"], 3 * schedule["interval"]
    what = {"series": schedule["prefix"]}
    return [
        _alert("OpenSearchBackupTooOld", "time() - max(%s) > %d" % (last, schedule["alert_after"]), "critical", "OpenSearch has no backup of late",
               "The newest SUCCESS is {{ $value | humanizeDuration }} old: what came since is lost with the cluster.", **what),
        _alert("OpenSearchBackupMissing", "absent(%s)" % last, "critical", "OpenSearch has no backup", "No node knows of a SUCCESS.", limit, **what),
        # One node that fails may be the one that restarts; where none succeeds there is no backup.
        _alert("OpenSearchBackupFails", "max(%s) == 0" % well, "critical", "OpenSearch cannot be backed up",
               "The schedule fails on each node: see ironrack-opensearch-backup.service there.", "%ds" % schedule["interval"], **what),
        _alert("OpenSearchBackupSilent", "time() - %s > %d" % (looked, quiet), "ticket", "{{ $labels.host }} does not look after backups",
               "Its ironrack-opensearch-backup.timer has not run for {{ $value | humanizeDuration }}.", "%ds" % quiet),
        _alert("OpenSearchBackupDamaged", "max(ironrack_opensearch_backup_failed_proofs%s) > 0" % series, "critical",
               "A backup of OpenSearch cannot be restored", "A scratch restore failed; nothing is deleted while that is so.", **what),
        _alert("OpenSearchExpiryOverdue", "max(ironrack_opensearch_backup_indices_overdue%s) > 0" % series, "ticket",
               "Indices of OpenSearch are old and stay", "{{ $value }} ought to have gone: ironrack-opensearch-backup.service says why they do not.",
               "%ds" % quiet, **what)]


def monitoring():
    """:returns: rules about Prometheus and Alertmanager themselves."""
    return [
        _alert(HEARTBEAT, "vector(1)", "none", "Monitoring lives", "This alert always fires. Whoever gets it by a heartbeat notices when it stops."),
        _alert("PrometheusReloadFailed", "prometheus_config_last_reload_successful == 0", "ticket", "Prometheus runs on an old configuration",
               "It could not read the one on its disk.", "5m"),
        _alert("PodsUnknown", "time() - prometheus_sd_file_mtime_seconds > 120", "ticket", "The pods of {{ $labels.filename }} may be others by now",
               "ironrack-pod-targets.service has had no answer of the API for two minutes."),
        _alert("RulesFail", "increase(prometheus_rule_evaluation_failures_total[5m]) > 0", "ticket", "Rules of Prometheus fail",
               "Group {{ $labels.rule_group }} cannot be evaluated, so its alerts are silent.", "5m"),
        _alert("AlertsUndelivered", "increase(alertmanager_notifications_failed_total[5m]) > 0", "critical",
               "Alertmanager cannot deliver by {{ $labels.integration }}", "Somebody is not told what he should be told.", "5m")]


def unknown_pods(service):
    """:returns: the rule about a service whose file of targets was never written, and so has no age."""
    return _alert("PodsUnknown", 'absent(prometheus_sd_file_mtime_seconds{filename="%s/%s.json"})' % (TARGETS, service.name), "ticket",
                  "The pods of %s are not known" % service.name, "ironrack-pod-targets.service has never had an answer about them.", "5m",
                  service=service.name)


def escalation(after):
    """:returns: the rule over ALERTS. A silence in Alertmanager that names the service or the host keeps it quiet as well.

    :param after: how long an urgent alert may fire before others are told.
    """
    firing = 'ALERTS{alertstate="firing",severity=~"%s"}' % "|".join(URGENT)
    of = 'label_replace(label_replace(%s, "escalates", "$1", "alertname", "(.*)"), "was", "$1", "severity", "(.*)")' % firing
    return [_alert("Escalated", "max without (alertstate, alertname, severity) (%s)" % of, "escalated",
                   "{{ $labels.escalates }} has been firing for %s" % after, "Nobody has ended it or silenced it in that time.", after)]


def groups(services, thresholds, metrics, jobs, escalate_after, schedule):
    """:returns: rule groups of everything but the objectives.

    :param services: of :func:`~.settings.read_services`. :param schedule: of OpenSearch's backups, as the model has it; empty where there is none.
    """
    made = [{"name": "thresholds-%s" % service.name, "rules": ServiceAlerts(service.name, thresholds, metrics).rules() + [unknown_pods(service)]}
            for service in services]
    made += [{"name": "opensearch-backups", "rules": backups(schedule)}] if schedule else []
    return made + [{"name": "hosts", "rules": hosts(thresholds)}, {"name": "parts", "rules": parts(jobs)}, {"name": "monitoring", "rules": monitoring()},
                   {"name": "escalation", "rules": escalation(escalate_after)}]
