# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus scrapes: hosts and the cluster's parts as the model has them, pods as a daemon of ours tells them."""
from __future__ import annotations

from .._model.opensearch import NODES

FOLDER = "/etc/ironrack/prometheus"
RULES = FOLDER + "/rules.yml"
PASSWORD, WEB = FOLDER + "/password", FOLDER + "/web.yml"
USER = "ironrack"
PORT, ALERTMANAGER_PORT, NODE_PORT, BALANCER_PORT, ETCD_PORT, KUBELET_PORT, OPENSEARCH_PORT = 9090, 9093, 9100, 9145, 2381, 10250, 9114
#: Where the pods of each service are told: Debian builds Prometheus without Kubernetes.
TARGETS = "/var/lib/ironrack-pod-targets"
#: What role llm_service labels pods with.
SERVICE_LABEL, RELEASE_LABEL = "ironrack.cluster/service", "ironrack.cluster/release"
#: Histograms of thousands of series each, that no rule of ours reads.
DROPPED = "(apiserver_request_(sli|body_size)_.*|(apiserver_response_sizes|apiserver_watch_.*|apiserver_admission_.*|etcd_request_duration_seconds|" \
    "workqueue_.*|rest_client_.*|storage_operation_.*|kubelet_runtime_operations_.*|apiserver_request_duration_seconds)_bucket)"
#: Of cAdvisor's some hundred metrics a container, those that say what a pod takes.
CADVISOR = "container_(cpu_usage_seconds_total|cpu_cfs_throttled_seconds_total|memory_working_set_bytes|oom_events_total|network_.*_bytes_total)|machine_.*"


def _address(host, port):
    address = host["address"]
    return "%s:%d" % ("[%s]" % address if ":" in address else address, port)


def _targets(model, names, port):
    """:returns: static_configs of hosts, each with its name and its zone."""
    hosts = [model["hosts"][name] for name in names]
    return [{"targets": [_address(host, port)], "labels": dict({"host": host["name"]}, **({"zone": host["zone"]} if host["zone"] else {}))}
            for host in hosts]


class Scrapes:
    """The jobs of one monitoring host.

    :param model: the result of cluster_model.
    :param services: of :func:`~.settings.read_services`.
    :param interval: seconds between scrapes of what gates read.
    :param host: the monitoring host's name.
    """

    def __init__(self, model, services, interval, host):
        self._model = model
        self._services = services
        self._interval = interval
        self._host = host
        self._kubernetes = {"ca_file": FOLDER + "/kubernetes-ca.crt", "cert_file": FOLDER + "/client.crt", "key_file": FOLDER + "/client.key"}
        self._own = {"scheme": "https", "tls_config": {"ca_file": FOLDER + "/service-ca.crt", "server_name": model["hosts"][host]["address"]},
                     "basic_auth": {"username": USER, "password_file": PASSWORD}}

    def _group(self, name):
        return self._model["groups"].get(name, [])

    def _api_port(self):
        """:returns: the port of the API servers; 0 where there are none."""
        return next((one["port"] for one in self._model["api_servers"]), 0)

    def jobs(self):
        """:returns: scrape_configs."""
        nodes, https = self._group("nodes"), {"scheme": "https", "tls_config": self._kubernetes}
        drop = [{"source_labels": ["__name__"], "regex": DROPPED, "action": "drop"}]
        slow = {"scrape_interval": "30s", "scrape_timeout": "20s"}
        made = [
            self._job("prometheus", [self._host], PORT, **self._own),
            self._job("alertmanager", [self._host], ALERTMANAGER_PORT, **self._own),
            self._job("hosts", list(self._model["hosts"]), NODE_PORT),
            self._job("balancers", self._group("load_balancers"), BALANCER_PORT, scrape_interval="%ds" % self._interval,
                      scrape_timeout="%ds" % self._interval),
            self._job("etcd", self._group("etcd"), ETCD_PORT),
            self._job("apiservers", self._group("control_plane"), self._api_port(), metric_relabel_configs=drop, **dict(https, **slow)),
            self._job("kubelets", nodes, KUBELET_PORT, metric_relabel_configs=drop, **dict(https, **slow)),
            # Under cAdvisor's own times series of pods that have gone would last five minutes, and gates want fresh ones.
            self._job("containers", nodes, KUBELET_PORT, metrics_path="/metrics/cadvisor", honor_timestamps=False, metric_relabel_configs=[
                {"source_labels": ["__name__"], "regex": CADVISOR, "action": "keep"}], **https),
            self._job("opensearch", list(dict.fromkeys(name for group in NODES for name in self._group(group))), OPENSEARCH_PORT)]
        return [job for job in made if job] + [self._pods(service) for service in self._services]

    def _job(self, name, hosts, port, **settings):
        return dict({"job_name": name}, static_configs=_targets(self._model, hosts, port), **settings) if hosts else None

    def _pods(self, service):
        """:returns: the job of a service's pods, from the file that ironrack-pod-targets.service keeps; the monitoring host has routes to them."""
        return {
            "job_name": "pods-" + service.name, "metrics_path": service.metrics_path,
            "scrape_interval": "%ds" % self._interval, "scrape_timeout": "%ds" % self._interval,
            "file_sd_configs": [{"files": ["%s/%s.json" % (TARGETS, service.name)], "refresh_interval": "1m"}]}

    def always(self):
        """:returns: the names of the jobs that have targets as long as there is a cluster; pods come and go."""
        return [job["job_name"] for job in self.jobs() if not job["job_name"].startswith("pods-")]

    def discovery(self):
        """:returns: the settings of ironrack-pod-targets.service."""
        return {
            "server": self._model["endpoint"]["url"], "ca": self._kubernetes["ca_file"], "cert": self._kubernetes["cert_file"],
            "key": self._kubernetes["key_file"], "timeout": 5, "interval": min(self._interval, 5), "folder": TARGETS,
            "labels": {"service": SERVICE_LABEL, "release": RELEASE_LABEL},
            "services": [{"name": service.name, "namespace": service.namespace, "port": service.port} for service in self._services]}

    def configuration(self, evaluation):
        """:returns: prometheus.yml.

        :param evaluation: seconds between two evaluations of the rules.
        """
        model = self._model
        alertmanager = dict(self._own, static_configs=[{"targets": [_address(model["hosts"][self._host], ALERTMANAGER_PORT)]}])
        return {
            "global": {"scrape_interval": "15s", "scrape_timeout": "10s", "evaluation_interval": "%ds" % evaluation,
                       "external_labels": {"cluster": model["name"], "monitor": self._host}},
            "rule_files": [RULES], "alerting": {"alertmanagers": [alertmanager]}, "scrape_configs": self.jobs()}
