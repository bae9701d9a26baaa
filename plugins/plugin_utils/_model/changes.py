# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a built cluster when a documented variable is changed: docs/changes.md and its test are made from this table."""
from __future__ import annotations

#: ROLLED_OUT: what runs follows. REFUSED: nothing is changed, and the reason is told. NO_EFFECT: it says how a run works or what a new host
#: gets, and there is nothing on a built one that could follow. BY_HAND: a part has to be done by a person, who is told which.
ROLLED_OUT, REFUSED, NO_EFFECT, BY_HAND = "rolled out", "refused", "nothing to roll out", "in part by hand"

_PODS = "the static pods, one control plane at a time and only while all other API servers are ready; a balancer leaves each before it stops"
_KUBELETS = ("/var/lib/kubelet, with a restart of the kubelet: control planes one at a time, then workers in batches "
             "(`worker_max_unavailable`), never of two zones at once, with the Node Ready between")
_NGINX = "NGINX by a reload, or a restart of the health daemon beside it: no connection is cut"
_VRRP = "keepalived, which reads its configuration again; where that moves the virtual address, the connections through it are cut"
_ETCD = ("etcd, one member at a time, each only while all others answer; a leader hands over first, and the API server beside it "
         "takes no new connection meanwhile, so that balancers go on to the next")
_GUARD = "the guard of generations on each balancer, with a restart; what is open or held stays so meanwhile"
_PROMETHEUS = "Prometheus, by a reload once promtool has read it"
_ALERTMANAGER = "Alertmanager, by a reload once amtool has read it"
_EXPORTER = "the balancers' exporter, with a restart; its counters go on"
_SCHEDULE = "the schedule's own settings, where there is one; otherwise each run of a playbook reads it"
_OPENSEARCH = ("OpenSearch, one node at a time, each only while all nodes are there and the cluster is `opensearch_restart_status`, which it is again "
               "before the next")
_DASHBOARDS = ("OpenSearch Dashboards, one instance at a time, each only after the one before it answers; no login is lost, since any instance takes the "
               "cookies of all")
_RUN = "how a run works; it is read anew by each"
_NETWORK = "build a second cluster and move the workloads"

#: Variables of the whole cluster, by name.
CLUSTER = {
    "cluster_name": (REFUSED, "etcd's cluster token and the kubeconfigs carry it (preflight: fixed_settings)"),
    "cluster_profile": (NO_EFFECT, "what the preflight asks of hosts and of the layout"),
    "cluster_kubernetes_version": (ROLLED_OUT, "a newer patch: " + _PODS + "; then the kubelets, on all nodes of the run in one task. "
                                   "A downgrade or another minor is refused (preflight: version, another_minor)"),
    "cluster_domain": (REFUSED, "running pods and the issuer of their tokens have it; %s (preflight: fixed_settings)" % _NETWORK),
    "cluster_pod_cidr": (REFUSED, "every pod has an address of it; %s (preflight: fixed_settings)" % _NETWORK),
    "cluster_service_cidr": (REFUSED, "every Service has an address of it; %s (preflight: fixed_settings)" % _NETWORK),
    "cluster_vip": (REFUSED, "it is the endpoint that every kubelet points to (preflight: foreign_cluster). Where `cluster_endpoint` is a name, it "
                             "is rolled out: keepalived, the API's certificates and the hosts' names follow, and established connections are cut"),
    "cluster_vip_prefix": (ROLLED_OUT, _VRRP),
    "cluster_endpoint": (REFUSED, "every kubelet points to it (preflight: foreign_cluster)"),
    "cluster_api_port": (REFUSED, "every kubelet, balancer and kubeconfig is told it (preflight: fixed_settings)"),
    "cluster_pki_host": (REFUSED, "the new host's store would be empty (preflight: lost_authorities). Copy the store first, then it is followed"),
    "cluster_client_host": (NO_EFFECT, _RUN),
    "cluster_kubeconfig": (ROLLED_OUT, "the file is written at its new place; the old one stays"),
    "cluster_source": (ROLLED_OUT, "containerd's mirrors and the apt source"),
    "cluster_registry": (ROLLED_OUT, "containerd's mirrors, which it reads for each pull"),
    "cluster_proxy": (ROLLED_OUT, "containerd's environment, with a restart of containerd; running containers stay"),
    "cluster_ntp_servers": (ROLLED_OUT, "chrony, with a restart"),
    "cluster_dns_servers": (ROLLED_OUT, "resolv.conf of the hosts, and " + _KUBELETS),
    "cluster_node_interface": (ROLLED_OUT, "flannel's DaemonSet, and keepalived on a balancer"),
    "cluster_node_address": (REFUSED, "the host's certificates, its Node and the other hosts know it by it; take the host out and add it again "
                                      "(preflight: fixed_settings)"),
    "cluster_address_family": (REFUSED, "both networks would be others (preflight: fixed_settings)"),
    "cluster_mtu": (ROLLED_OUT, "flannel's DaemonSet; pods get it when they are made anew"),
    "cluster_extra_sans": (ROLLED_OUT, "the API servers' certificates, which they read again by themselves, and the cluster's kubeadm-config"),
    "cluster_feature_gates": (ROLLED_OUT, "%s; %s; kube-proxy's DaemonSet" % (_PODS, _KUBELETS)),
    "cluster_apiserver_extra_args": (ROLLED_OUT, _PODS),
    "cluster_controller_manager_extra_args": (ROLLED_OUT, _PODS),
    "cluster_scheduler_extra_args": (ROLLED_OUT, _PODS),
    "cluster_etcd_extra_args": (ROLLED_OUT, _ETCD),
    "cluster_kubelet_extra_config": (ROLLED_OUT, _KUBELETS),
    "cluster_node_labels": (ROLLED_OUT, "the Node, by the API, and the kubelet's flags"),
    "cluster_node_taints": (ROLLED_OUT, "the Node, by the API; on a worker the kubelet's flags too"),
    "cluster_tls_min_version": (ROLLED_OUT, "%s; %s" % (_PODS, _KUBELETS)),
    "cluster_tls_cipher_suites": (ROLLED_OUT, "%s; %s" % (_PODS, _KUBELETS)),
    "cluster_audit_rules": (ROLLED_OUT, "the audit policy, whose content is stamped on the API server: " + _PODS),
    "cluster_pod_security": (ROLLED_OUT, "the API servers' admission settings, stamped on them: " + _PODS + ". Running pods stay"),
    "cluster_pod_security_warn": (ROLLED_OUT, "the API servers' admission settings, stamped on them: " + _PODS),
    "cluster_pod_security_exempt_namespaces": (ROLLED_OUT, "the API servers' admission settings, stamped on them: " + _PODS),
    "cluster_default_deny_namespaces": (BY_HAND, "the policy is put into each; where a namespace is taken out, its policy stays: delete it"),
    "cluster_host_firewall": (ROLLED_OUT, "the packet filter of each host"),
    "cluster_host_firewall_networks": (ROLLED_OUT, "the packet filter of each host"),
    "cluster_pod_access": (BY_HAND, "switched on, balancers and monitoring hosts get routes, names and the guard of generations, and keepalived reads its "
                                    "configuration again; switched off, what runs stays: roles/pod_access/README.md names what to stop"),
    "cluster_pki_kubernetes_ca": (REFUSED, "an authority is rotated with the old and the new trusted together (preflight: authorities)"),
    "cluster_pki_etcd_ca": (REFUSED, "an authority is rotated with the old and the new trusted together (preflight: authorities)"),
    "cluster_encryption_at_rest": (BY_HAND, "switched on, API servers read sealed data at once and seal new data once encryption_rotate.yml has run, "
                                            "which the run says; switched off, it is refused until encryption_rotate.yml has unsealed everything"),
    "cluster_encryption_resources": (BY_HAND, "encryption_rotate.yml adds a kind to what is sealed; none is taken away"),
    "cluster_opensearch_name": (REFUSED, "nodes of one name do not join those of another (preflight: opensearch_name)"),
    "cluster_opensearch_version": (REFUSED, "by site; `opensearch_upgrade` rolls a newer one out, in an order of its own; an older version reads no index of a "
                                            "newer one (preflight: opensearch_version)"),
    "cluster_opensearch_dashboards_archive": (ROLLED_OUT, "the new version beside the old one, then " + _DASHBOARDS),
    "cluster_opensearch_dashboards_names": (ROLLED_OUT, "the certificates, then " + _DASHBOARDS),
    "opensearch_index_replicas": (ROLLED_OUT, "by the API, without a restart, in the place of a `cluster.default_number_of_replicas` that somebody has set; "
                                              "indices that are there keep their copies: opensearch_index_settings changes those"),
    "opensearch_heap": (ROLLED_OUT, _OPENSEARCH),
    "opensearch_backup_schedule": (ROLLED_OUT, "the timer on each node, and Prometheus' rules; where it is taken away, the timer finds no settings and does "
                                               "nothing"),
    "opensearch_index_expiry": (ROLLED_OUT, "what the schedule's user may delete, by the API, and the schedule's own settings, where there is one; otherwise "
                                            "each run of a playbook reads it"),
    "cluster_packages_from_mirror": (ROLLED_OUT, "the hosts' apt source"),
    "cluster_hooks": (NO_EFFECT, _RUN),
    "cluster_plan": (NO_EFFECT, _RUN),
    "zone": (ROLLED_OUT, "the Node's label, by the API, and the kubelet's flags; CoreDNS "
                         "is rolled out anew where it then stood in one zone, other pods move when they are made anew. Of OpenSearch: its nodes, by a restart "
                         "one at a time; shards move to where the new zones want them"),
}

#: Variables of roles, by name.
ROLES = {
    "cluster_addons_coredns_replicas": (ROLLED_OUT, "CoreDNS's Deployment"),
    "cluster_addons_metrics_server": (BY_HAND, "switched on, it is applied; switched off, what runs stays: kubectl -n kube-system delete deployment "
                                               "metrics-server"),
    "cluster_health_wait": (NO_EFFECT, _RUN),
    "cluster_health_enforce": (NO_EFFECT, _RUN),
    "cluster_health_etcd": (NO_EFFECT, _RUN),
    "cluster_health_pod_network": (NO_EFFECT, _RUN),
    "cluster_health_policy_engine": (NO_EFFECT, _RUN),
    "cluster_health_metrics": (NO_EFFECT, _RUN),
    "cluster_health_balancer_page": (NO_EFFECT, _RUN),
    "cluster_health_probe_image": (NO_EFFECT, _RUN),
    "cluster_health_probe_binary": (NO_EFFECT, _RUN),
    "cluster_health_opensearch_repository": (NO_EFFECT, _RUN),
    "cluster_health_opensearch_prove_every": (NO_EFFECT, _RUN),
    "cluster_health_network_wait": (NO_EFFECT, _RUN),
    "containerd_restrict_oom_score_adj": (ROLLED_OUT, "containerd, with a restart; running containers stay"),
    "containerd_snapshotter": (BY_HAND, "containerd restarts with it and holds no image in it: drain each node first, then run site.yml limited to it"),
    "containerd_runc": (ROLLED_OUT, "containerd, with a restart; containers that are made later run by it"),
    "containerd_log_level": (ROLLED_OUT, "containerd, with a restart"),
    "control_plane_ignore_preflight_errors": (NO_EFFECT, "kubeadm's checks before an init or a join"),
    "control_plane_kube_proxy_config": (ROLLED_OUT, "kube-proxy's ConfigMap and, one node after the other, its DaemonSet"),
    "control_plane_resolv_conf": (ROLLED_OUT, _KUBELETS),
    "control_plane_image_wait": (NO_EFFECT, _RUN),
    "control_plane_timeout": (NO_EFFECT, _RUN),
    "etcd_quota_backend_bytes": (ROLLED_OUT, _ETCD),
    "etcd_auto_compaction_retention": (ROLLED_OUT, _ETCD),
    "etcd_heartbeat_interval": (ROLLED_OUT, _ETCD),
    "etcd_election_timeout": (ROLLED_OUT, _ETCD),
    "etcd_metrics_address": (ROLLED_OUT, _ETCD),
    "etcd_log_level": (ROLLED_OUT, _ETCD),
    "encryption_rotation_goal": (NO_EFFECT, "what a run of encryption_rotate.yml is to reach"),
    "encryption_rotation_timeout": (NO_EFFECT, _RUN),
    # Of one run: the playbooks of rollouts hand over what they were asked for.
    **dict.fromkeys((
        "llm_rollout_service", "llm_rollout_release", "llm_rollout_request", "llm_rollout_strategy", "llm_rollout_reason",
        "llm_rollout_override_reason", "llm_rollout_who", "llm_rollout_enforce", "llm_rollout_stint", "llm_rollout_lease_seconds",
        "llm_rollout_lock_wait", "llm_rollout_patience", "llm_rollout_api_timeout", "llm_rollout_warm_up_from",
        "llm_rollout_report_dir", "llm_rollout_number"), (NO_EFFECT, _RUN)),
    "llm_rollout_services": (NO_EFFECT, "what a rollout reads; the service itself follows by its playbook"),
    **dict.fromkeys((
        "llm_serving_services", "llm_serving_service", "llm_serving_request", "llm_serving_serve", "llm_serving_provider", "llm_serving_reason",
        "llm_serving_who", "llm_serving_api_timeout", "llm_pipeline_services", "llm_pipeline_service", "llm_pipeline_release", "llm_pipeline_strategy",
        "llm_pipeline_reason", "llm_pipeline_override_reason", "llm_pipeline_report", "llm_pipeline_production",
        "llm_pipeline_interim"), (NO_EFFECT, _RUN)),
    "etcd_tls_min_version": (ROLLED_OUT, _ETCD),
    "etcd_cipher_suites": (ROLLED_OUT, _ETCD),
    "etcd_wait": (NO_EFFECT, _RUN),
    "etcd_keys": (NO_EFFECT, _RUN),
    "host_firewall_rules": (ROLLED_OUT, "the packet filter of each host"),
    "host_packages": (BY_HAND, "what is added is installed; what is taken out stays: remove it with the package manager"),
    "host_kernel_modules": (BY_HAND, "what is added is loaded; what is taken out stays loaded until the next boot"),
    "host_sysctl": (BY_HAND, "what is set is set at once; what is taken out keeps its value until the next boot"),
    "host_swap": (ROLLED_OUT, "the running system and the boot"),
    "host_manage_resolv_conf": (ROLLED_OUT, "the host's resolv.conf; left to the site again, it stays as it is"),
    "host_limits": (ROLLED_OUT, "sessions and services that begin later"),
    "load_balancer_interface": (ROLLED_OUT, _VRRP),
    "load_balancer_advert_interval": (ROLLED_OUT, _VRRP + ". Give it to all balancers in one run: their adverts have to agree"),
    "load_balancer_missed_adverts": (ROLLED_OUT, _VRRP),
    "load_balancer_virtual_router_id": (ROLLED_OUT, _VRRP + ". Give it to all balancers in one run; for a moment both hold the address"),
    "load_balancer_preempt": (ROLLED_OUT, _VRRP),
    "load_balancer_health_port": (ROLLED_OUT, _NGINX),
    "load_balancer_connect_timeout_ms": (ROLLED_OUT, _NGINX),
    "load_balancer_fail_timeout": (ROLLED_OUT, _NGINX),
    "load_balancer_idle_timeout": (ROLLED_OUT, _NGINX),
    "load_balancer_worker_shutdown_timeout": (ROLLED_OUT, _NGINX),
    "load_balancer_worker_connections": (ROLLED_OUT, _NGINX),
    "load_balancer_user": (ROLLED_OUT, _NGINX),
    "load_balancer_probe_interval": (ROLLED_OUT, _NGINX),
    "load_balancer_probe_timeout": (ROLLED_OUT, _NGINX),
    "load_balancer_probe_rise": (ROLLED_OUT, _NGINX),
    "load_balancer_probe_fall": (ROLLED_OUT, _NGINX),
    "load_balancer_nginx_packages": (BY_HAND, "what is added is installed; what is taken out stays"),
    "llm_services": (ROLLED_OUT, "llm_service.yml brings the stable release's Deployment to it, while no rollout is under way, and the balancers by a reload; "
                                 "a changed image is a new release: the rollout playbooks bring it in"),
    "llm_service_only": (NO_EFFECT, _RUN),
    "llm_service_peers": (ROLLED_OUT, "the services' NetworkPolicies, by llm_service.yml"),
    "mirror_bundle": (ROLLED_OUT, "the mirror's files and images; what the new bundle lacks is removed from its files"),
    "mirror_root": (BY_HAND, "the bundle is laid down at its new place; remove the old folder"),
    "mirror_registry_root": (BY_HAND, "the images are pushed to the new place; remove the old folder"),
    "mirror_nginx_user": (ROLLED_OUT, "the mirror's NGINX, with a restart"),
    "monitoring_retention": (ROLLED_OUT, "Prometheus, with a restart; what is older is deleted"),
    "monitoring_scrape_interval": (ROLLED_OUT, _PROMETHEUS),
    "monitoring_evaluation_interval": (ROLLED_OUT, _PROMETHEUS),
    "monitoring_slos": (ROLLED_OUT, _PROMETHEUS + ". What was recorded of another objective stays, and a budget with a new name has no history yet"),
    "monitoring_thresholds": (ROLLED_OUT, _PROMETHEUS),
    "monitoring_metrics": (ROLLED_OUT, _PROMETHEUS),
    "monitoring_escalate_after": (ROLLED_OUT, _PROMETHEUS),
    "monitoring_channels": (ROLLED_OUT, _ALERTMANAGER),
    "monitoring_routes": (ROLLED_OUT, _ALERTMANAGER),
    "monitoring_notification_timing": (ROLLED_OUT, _ALERTMANAGER),
    "monitoring_buckets": (ROLLED_OUT, "the balancers' exporter, with a restart; its histograms begin at 0, and a gate under way is inconclusive"),
    "monitoring_patience": (ROLLED_OUT, _EXPORTER),
    "monitoring_balancer_logs": (ROLLED_OUT, _EXPORTER),
    "monitoring_exporter_user": (BY_HAND, _EXPORTER + ". Give /var/lib/ironrack-balancer-exporter to the new one first"),
    "object_store_root": (BY_HAND, "an empty store is served from its new place, with a restart; move the old folder there first"),
    "object_store_buckets": (BY_HAND, "what is added is made; what is taken out stays, with its objects"),
    "object_store_wait": (NO_EFFECT, _RUN),
    "opensearch_backup_repository": (ROLLED_OUT, _SCHEDULE),
    "opensearch_backup_bucket": (ROLLED_OUT, _SCHEDULE),
    "opensearch_backup_base_path": (ROLLED_OUT, _SCHEDULE),
    "opensearch_backup_endpoint": (ROLLED_OUT, _SCHEDULE),
    "opensearch_backup_region": (ROLLED_OUT, _SCHEDULE),
    "opensearch_backup_repository_settings": (ROLLED_OUT, _SCHEDULE),
    "opensearch_backup_prefix": (NO_EFFECT, _RUN),
    "opensearch_backup_slot": (NO_EFFECT, _RUN),
    "opensearch_backup_indices": (ROLLED_OUT, _SCHEDULE),
    "opensearch_backup_prove_every": (ROLLED_OUT, _SCHEDULE),
    "opensearch_backup_max_age": (ROLLED_OUT, _SCHEDULE),
    "opensearch_backup_min_count": (ROLLED_OUT, _SCHEDULE),
    "opensearch_backup_failed_max_age": (ROLLED_OUT, _SCHEDULE),
    "opensearch_backup_clock_tolerance": (ROLLED_OUT, _SCHEDULE),
    "opensearch_backup_dry_run": (NO_EFFECT, _RUN),
    "opensearch_backup_timeout": (ROLLED_OUT, _SCHEDULE),
    "opensearch_backup_snapshot": (NO_EFFECT, _RUN),
    "opensearch_backup_aliases": (NO_EFFECT, _RUN),
    "opensearch_backup_late_documents": (NO_EFFECT, _RUN),
    "opensearch_backup_restore_status": (NO_EFFECT, _RUN),
    "opensearch_backup_allow_partial": (NO_EFFECT, _RUN),
    "opensearch_backup_allow_unverified": (NO_EFFECT, _RUN),
    "opensearch_backup_confirm": (NO_EFFECT, _RUN),
    "opensearch_backup_abort": (NO_EFFECT, _RUN),
    "opensearch_rotation_parts": (NO_EFFECT, _RUN),
    "opensearch_rotation_accounts": (NO_EFFECT, "accounts are made and rotated by opensearch_security_rotate.yml"),
    "opensearch_rotation_stage": (NO_EFFECT, _RUN),
    "opensearch_rotation_wait": (NO_EFFECT, _RUN),
    "opensearch_jvm_options": (ROLLED_OUT, _OPENSEARCH),
    "opensearch_settings": (ROLLED_OUT, _OPENSEARCH + ". A setting that was changed by the API as well stays as it is there"),
    "opensearch_environment": (ROLLED_OUT, _OPENSEARCH),
    "opensearch_memory_lock": (ROLLED_OUT, _OPENSEARCH),
    "opensearch_tls_min_version": (ROLLED_OUT, _OPENSEARCH + ". While some speak TLS 1.3 alone and others have it, they speak that"),
    "opensearch_cipher_suites": (ROLLED_OUT, _OPENSEARCH),
    "opensearch_watermarks": (ROLLED_OUT, _OPENSEARCH + ". Watermarks that were set by the API stay"),
    "opensearch_audit_days": (ROLLED_OUT, _OPENSEARCH),
    "opensearch_s3": (ROLLED_OUT, _OPENSEARCH),
    "opensearch_delayed_timeout": (ROLLED_OUT, "each index, before nodes are restarted the next time"),
    "opensearch_restart_status": (NO_EFFECT, _RUN),
    "opensearch_wait": (NO_EFFECT, _RUN),
    "opensearch_drain_wait": (NO_EFFECT, _RUN),
    "opensearch_operation_who": (NO_EFFECT, _RUN),
    "opensearch_take_over": (NO_EFFECT, _RUN),
    "opensearch_upgrade_repository": (NO_EFFECT, _RUN),
    "opensearch_upgrade_snapshot_max_age": (NO_EFFECT, _RUN),
    "opensearch_dashboards_settings": (ROLLED_OUT, _DASHBOARDS),
    "opensearch_dashboards_secret_settings": (ROLLED_OUT, _DASHBOARDS),
    "opensearch_dashboards_node_options": (ROLLED_OUT, _DASHBOARDS),
    "opensearch_dashboards_tls_min_version": (ROLLED_OUT, _DASHBOARDS),
    "opensearch_dashboards_session_hours": (ROLLED_OUT, _DASHBOARDS + ". A cookie that was given out keeps its end"),
    "opensearch_dashboards_wait": (NO_EFFECT, _RUN),
    "node_reset_pki": (NO_EFFECT, "what reset.yml takes away"),
    "pod_access_resolver_port": (ROLLED_OUT, "the local CoreDNS, with a restart. Give nginx_upstream the same as `resolver`"),
    "pod_access_silence": (ROLLED_OUT, _GUARD),
    "pod_access_unproved": (ROLLED_OUT, _GUARD),
    "pod_access_route_interval": (ROLLED_OUT, "the daemon of routes, with a restart; every route stays meanwhile"),
    "pki_renew_before_days": (ROLLED_OUT, "certificates that are near their end by the new number are renewed"),
    "pod_network_provider": (REFUSED, "running pods are connected by the old one (preflight: fixed_settings)"),
    "pod_network_policy_engine": (REFUSED, "`none` where kube-router runs: policies that are enforced now would silently be no more (preflight: "
                                           "fixed_settings). Switched on, it is applied"),
    "pod_network_hook": (NO_EFFECT, _RUN),
    "preflight_accept": (NO_EFFECT, _RUN),
    "worker_ignore_preflight_errors": (NO_EFFECT, "kubeadm's checks before a join"),
    "worker_max_unavailable": (NO_EFFECT, _RUN),
    "worker_image_wait": (NO_EFFECT, _RUN),
    "worker_timeout": (NO_EFFECT, _RUN),
}
#: Options of roles that a playbook gives them, and no inventory: they are no settings.
GIVEN = ("pki_bundle", "cluster_addons_cluster_exists", "pod_network_cluster_exists", "control_plane_initialise",
         "control_plane_cluster_state", "control_plane_join", "worker_join")
#: What is changed in the inventory's groups and hosts, in words.
HOSTS = (
    ("a worker is added", ROLLED_OUT, "it joins; the other hosts get its name"),
    ("a control plane or an etcd member is added", ROLLED_OUT, "it joins etcd as a learner, then the cluster; the balancers lead to it once it is ready"),
    ("a balancer is added", ROLLED_OUT, "it is installed, and the others learn of it; llm_service.yml brings it the services, whose policies let it in then"),
    ("a monitoring host is added", ROLLED_OUT,
     "every host gets its node exporter, etcd serves its metrics to the network by a restart of one member at a time, and the API knows one reader more. "
     "Run llm_service.yml after it: the services' policies let it in to their pods then"),
    ("an OpenSearch node is added", ROLLED_OUT, "it joins, and shards move to it; a data node in a zone that had none restarts the others one at a time"),
    ("an OpenSearch manager is added or taken out", ROLLED_OUT, "the nodes look for managers where the inventory has them, without a restart; one that is "
                                                                "taken out runs on until it is stopped: stop one at a time"),
    ("an OpenSearch ingest node is added", ROLLED_OUT, "it joins, and the collection asks it first; Dashboards restarts, and asks it too; with the first one "
                                                       "the data nodes are restarted one at a time, and run no ingest pipeline any more"),
    ("an OpenSearch ingest node is taken out", BY_HAND,
     "run opensearch_node_replace for it while it is in the inventory, which stops it. Before the last one put data nodes into the group and run site, which "
     "restarts them one at a time: somebody has to run the pipelines"),
    ("an OpenSearch node leaves opensearch_data and stays in another group", REFUSED,
     "the engine starts no node without the role of what is on its disk: run opensearch_node_replace for it first (preflight: opensearch_roles)"),
    ("an OpenSearch data node is taken out", BY_HAND, "it runs on and keeps its shards: exclude it from allocation and wait until it has none, then stop it"),
    ("an instance of OpenSearch Dashboards is added", ROLLED_OUT, "it is installed, the nodes' packet filters let it in, and the balancers lead to it"),
    ("an instance of OpenSearch Dashboards is taken out", BY_HAND,
     "the balancers forget it and the nodes' packet filters shut it out; it runs on there: systemctl disable --now opensearch-dashboards"),
    ("the last monitoring host is taken out", BY_HAND,
     "the exporters run on: systemctl disable --now prometheus-node-exporter, ironrack-balancer-exporter on balancers, ironrack-opensearch-exporter "
     "on OpenSearch's nodes"),
    ("a worker is taken out that is still a node", BY_HAND,
     "the run names it and ends red (nodes_present), and touches nothing of it: run reset.yml limited to it while it is in the inventory, then "
     "kubectl delete node"),
    ("a control plane is taken out that still answers", REFUSED, "no balancer forgets it (preflight: removed_host)"),
    ("an etcd member is taken out that is still one", BY_HAND,
     "the run names it and ends red (etcd_healthy): `etcdctl member remove ID` by one of the others, then switch it off"),
    ("a host is renamed", REFUSED, "its Node and its certificate have the old name (preflight: fixed_settings)"),
)
