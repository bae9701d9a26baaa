# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts ``opensearch`` and ``object_store`` of the model: nodes, their zones, and what of their indices a lost zone leaves."""
from __future__ import annotations

import posixpath
from collections import Counter

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import expiry

from .addresses import host_port, url

HTTP_PORT, TRANSPORT_PORT, OBJECT_STORE_PORT = 9200, 9300, 7070
MANAGERS, DATA, INGEST = NODES = ("opensearch_managers", "opensearch_data", "opensearch_ingest")
#: What is ours on a node's host, beside the settings that the engine reads.
FOLDER = "/etc/ironrack/opensearch"
#: How the release file calls its components of OpenSearch, one for each version.
COMPONENT = "opensearch-"
#: What tells Prometheus the numbers of a node.
EXPORTER = "elasticsearch-exporter"
#: The plugin without which a node knows no object store, and does not start with the keys of one.
S3 = "repository-s3"
#: What a schedule of backups has where nobody says otherwise: a name's beginning, and seconds.
SCHEDULE = {"prefix": "hourly", "slot": 3600, "interval": 300, "alert_after": 10800}
#: The one that S3 clients take where nobody names another.
REGION = "us-east-1"


def versions(release):
    """:returns: version -> component, of those OpenSearch that a release file names."""
    return {component["version"]: component for name, component in release.get("components", {}).items() if name.startswith(COMPONENT)}


def nodes(plan):
    """:returns: the hosts of OpenSearch, managers first, each once."""
    return list({host.name: host for group in NODES for host in plan.group(group)}.values())


def roles(plan, host):
    """:returns: node.roles of a host. Data nodes run the ingest pipelines too, unless there are nodes for them."""
    return (["cluster_manager"] if host.is_in(MANAGERS) else []) + (["data"] if host.is_in(DATA) else []) + (
        ["ingest"] if host.is_in(INGEST if plan.groups[INGEST] else DATA) else [])


def asked(plan):
    """:returns: the hosts that clients ask: those of the ingest nodes first, where there are some. Managers of their own are left in peace."""
    return list({host.name: host for group in (INGEST, DATA) for host in plan.group(group)}.values())


def data_zones(plan):
    """:returns: how many data nodes each zone has; a node without a zone has the zone ''."""
    return Counter(host.values["zone"] for host in plan.group(DATA))


def placeable(plan):
    """:returns: how many of an index's copies find a place. Forced awareness gives each zone its share, and no node takes two copies of a shard."""
    zones, copies = data_zones(plan), plan.values["opensearch_index_replicas"] + 1
    if not is_spread(plan):
        return min(copies, sum(zones.values()))
    share = -(-copies // len(zones))
    return min(copies, sum(min(share, size) for size in zones.values()))


def is_spread(plan):
    """:returns: whether copies are kept in different zones: by more than one, and by nodes that all have one."""
    zones = data_zones(plan)
    return len(zones) > 1 and "" not in zones


def managers_survive_a_zone(plan):
    """:returns: whether the managers keep their majority without any one zone."""
    zones = Counter(host.values["zone"] for host in plan.group(MANAGERS))
    return bool(zones) and "" not in zones and sum(zones.values()) - max(zones.values()) > sum(zones.values()) // 2


def schedule(plan):
    """:returns: the schedule of backups as a whole; empty where nobody asked for one."""
    asked = plan.values["opensearch_backup_schedule"]
    return dict(SCHEDULE, **asked) if asked else {}


def name_of(plan):
    """:returns: cluster.name of OpenSearch."""
    return plan.values["cluster_opensearch_name"] or plan.values["cluster_name"]


def opensearch(plan, release, kubeconfig):
    """:returns: the part ``opensearch`` of the model.

    :param release: the content of the release file, which names the files of each version.
    :param kubeconfig: the path of the kubeconfig, beside which the client host gets what the API asks of an administrator.
    """
    made, version, beside = nodes(plan), plan.values["cluster_opensearch_version"], posixpath.dirname(kubeconfig)
    return {
        "enabled": bool(made), "name": name_of(plan), "version": version, "folder": FOLDER,
        "nodes": [{"name": host.name, "address": host.address, "zone": host.values["zone"], "roles": roles(plan, host)} for host in made],
        "managers": list(plan.groups[MANAGERS]), "data": list(plan.groups[DATA]), "ingest": [host.name for host in made if "ingest" in roles(plan, host)],
        "zones": sorted(zone for zone in data_zones(plan) if zone),
        "spread": is_spread(plan), "replicas": plan.values["opensearch_index_replicas"],
        "replicas_survive_zone": is_spread(plan) and plan.values["opensearch_index_replicas"] > 0 and managers_survive_a_zone(plan),
        "http_port": HTTP_PORT, "transport_port": TRANSPORT_PORT,
        "seeds": [host_port(host.address, TRANSPORT_PORT) for host in plan.group(MANAGERS)],
        "urls": [url(host.address, HTTP_PORT) for host in asked(plan)],
        "ca_file": posixpath.join(beside, "opensearch-ca.crt"), "cert_file": posixpath.join(beside, "opensearch-admin.crt"),
        "key_file": posixpath.join(beside, "opensearch-admin.key"), "password_file": posixpath.join(beside, "opensearch-admin-password"),
        "schedule": schedule(plan) if made else {},
        "expiry": [rule._asdict() for rule in expiry.rules_of(plan.values["opensearch_index_expiry"])] if made else [],
        "s3": bool(made) and S3 in versions(release)[version].get("plugins", []),
        "components": {"opensearch": _component(versions(release)[version]), **_exporter(release)} if made else {},
    }


def _exporter(release):
    """:returns: the exporter as a component; nothing where the release file has none."""
    found = release.get("components", {}).get(EXPORTER)
    return {EXPORTER: found} if found else {}


def _component(component):
    """:returns: the component as it is installed: its version's folder is the home, without the archive's own one."""
    return {"version": component["version"], "files": [dict(item, strip=True) for item in component["files"]]}


def object_store(plan, release):
    """:returns: the part ``object_store`` of the model; nodes use the first host of the group."""
    hosts = plan.group("object_store")
    host = hosts[0] if hosts else None
    return {
        "enabled": bool(hosts), "host": host.name if host else "", "address": host.address if host else "", "port": OBJECT_STORE_PORT,
        "url": url(host.address, OBJECT_STORE_PORT) if host else "", "region": REGION,
        "components": {"versitygw": release.get("components", {}).get("versitygw", {})} if hosts else {},
    }
