# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part ``opensearch.dashboards`` of the model: instances of OpenSearch Dashboards, where users reach them, and the site's archive of them."""
from __future__ import annotations

import re
from urllib.parse import urlsplit

from .addresses import split_host_port, url

PORT = 5601
GROUP = "opensearch_dashboards"
COMPONENT = "opensearch-dashboards"
#: What the security plugin calls the server's own user where its settings say nothing else (kibana.server_username): one of another name would be
#: held to the rights on tenants that its users have, and could not keep its index.
USER, ROLE = "kibanaserver", "kibana_server"
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def archive_file(plan):
    """:returns: the name of the archive's file; empty where its URL has none."""
    return urlsplit(plan.values["cluster_opensearch_dashboards_archive"].get("url", "")).path.rpartition("/")[2]


def version(plan):
    """:returns: the version of Dashboards: that in the name of its archive, or OpenSearch's where it has none."""
    found = _VERSION.search(archive_file(plan))
    return found.group() if found else plan.values["cluster_opensearch_version"]


def names(plan):
    """:returns: names and addresses, beside an instance's own, that users come by: those of the balancers, which pass TLS on as it is, and the site's."""
    values, balancers = plan.values, plan.group("load_balancers")
    endpoint = split_host_port(values["cluster_endpoint"], values["cluster_api_port"])[0] if values["cluster_endpoint"] else ""
    before = [values["cluster_vip"], endpoint] + [name for host in balancers for name in (host.name, host.address)] if balancers else []
    return before + values["cluster_opensearch_dashboards_names"]


def dashboards(plan, mirror):
    """:returns: the part ``opensearch.dashboards`` of the model.

    :param mirror: the part ``mirror`` of the model: an archive that it serves is read with its authority.
    """
    hosts, balancers = plan.group(GROUP), plan.group("load_balancers")
    reached = [plan.values["cluster_vip"]] if balancers and plan.values["cluster_vip"] else [host.address for host in balancers or hosts]
    return {
        "enabled": bool(hosts), "version": version(plan) if hosts else "", "port": PORT, "user": USER, "role": ROLE,
        "nodes": [{"name": host.name, "address": host.address} for host in hosts],
        "urls": [url(address, PORT) for address in reached] if hosts else [],
        "ca_file": mirror["ca_file"] if hosts and _is_of(mirror, plan) else "",
        "components": {COMPONENT: _component(plan)} if hosts else {},
    }


def _is_of(mirror, plan):
    return mirror["enabled"] and plan.values["cluster_opensearch_dashboards_archive"]["url"].startswith(mirror["files_url"] + "/")


def _component(plan):
    """:returns: the site's archive as a component of a release file; its version's folder is the home, without the archive's own one."""
    archive = plan.values["cluster_opensearch_dashboards_archive"]
    return {"version": version(plan), "files": [
        {"file": archive_file(plan), "upstream": archive["url"], "sha256": archive["sha256"].lower(), "unpack": True, "strip": True, "links": {}}]}
