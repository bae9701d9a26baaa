# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster that site.yml has built: whole, in its zones, and closed to whoever has no business there."""
from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import time

from ..common import ROOT, NotProved, hosts_of, on, say
from . import api

INDEX = "lab-up"
WRONG = ("admin", "not-the-password")


def expect(what, holds, seen):
    """Say a thing that holds. :raises NotProved: with what was seen, where it does not."""
    if not holds:
        raise NotProved("%s: seen: %s" % (what, seen))
    say("  " + what)


def opensearch_up(inventory):
    """All nodes in one green cluster; copies in different zones; nobody gets in without a certificate or a password, nor by plain HTTP or old TLS."""
    nodes = api.nodes(inventory)
    first = next(iter(nodes.values()))
    health = api.well(first, "GET", "/_cluster/health")
    expect("%d nodes in one green cluster" % len(nodes), (health["status"], health["number_of_nodes"]) == ("green", len(nodes)), health)
    roles(inventory, first)
    pipelines(nodes)
    spread(first, replicas_of(inventory, next(iter(nodes))))
    for name, address in nodes.items():
        closed(name, address)
    users(first)
    audited(nodes)
    unlimited(nodes)
    say("opensearch-up: %d nodes of %s" % (len(nodes), ", ".join(sorted(nodes))))


def roles(inventory, address):
    """Each node does what its groups say, and no other work."""
    groups = {name: set(entry["groups"]) for name, entry in hosts_of(inventory).items()}
    own = any("opensearch_ingest" in found for found in groups.values())
    seen = {node["name"]: sorted(node["roles"]) for node in api.well(address, "GET", "/_nodes")["nodes"].values()}
    wanted = {name: sorted((["cluster_manager"] if "opensearch_managers" in groups[name] else []) + (["data"] if "opensearch_data" in groups[name] else []) + (
        ["ingest"] if ("opensearch_ingest" if own else "opensearch_data") in groups[name] else [])) for name in seen}
    expect("roles by the groups: %s" % ", ".join("%s: %s" % (name, "+".join(wanted[name])) for name in sorted(wanted)), seen == wanted, seen)


def pipelines(nodes):
    """Any node takes a document for an ingest pipeline, and one that may runs it."""
    first = next(iter(nodes.values()))
    api.well(first, "PUT", "/_ingest/pipeline/" + INDEX, {"processors": [{"set": {"field": "by", "value": "the pipeline"}}]})
    try:
        for name, address in nodes.items():
            api.well(address, "PUT", "/%s/_doc/%s?pipeline=%s" % (INDEX, name, INDEX), {"from": name})
        by = {name: api.well(first, "GET", "/%s/_doc/%s" % (INDEX, name))["_source"].get("by") for name in nodes}
        expect("documents sent to %s went through an ingest pipeline" % ", ".join(by), set(by.values()) == {"the pipeline"}, by)
        ran = {node["name"]: node["ingest"]["total"]["count"] for node in api.well(first, "GET", "/_nodes/stats/ingest")["nodes"].values()}
        able = {node["name"] for node in api.well(first, "GET", "/_nodes")["nodes"].values() if "ingest" in node["roles"]}
        expect("only %s ran it" % ", ".join(sorted(able)), {name for name, count in ran.items() if count} <= able and any(ran.values()), ran)
    finally:
        api.ask(first, "DELETE", "/" + INDEX)
        api.ask(first, "DELETE", "/_ingest/pipeline/" + INDEX)


def replicas_of(inventory, host):
    """:returns: opensearch_index_replicas of an inventory, whose default is 1."""
    told = subprocess.run(["ansible-inventory", "-i", str(inventory), "--host", host], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    return int(json.loads(told.stdout).get("opensearch_index_replicas", 1))


def spread(address, replicas):
    """Each copy of a shard is in another zone than the first one, and an index that says nothing of its copies has those of the inventory."""
    zones = {node["name"]: (node.get("attributes") or {}).get("zone") for node in api.well(address, "GET", "/_nodes")["nodes"].values()}
    api.well(address, "PUT", "/" + INDEX, {"settings": {"number_of_shards": 3}})
    try:
        api.well(address, "GET", "/_cluster/health/%s?wait_for_status=green&timeout=60s" % INDEX, timeout=90)
        held = {}
        for shard in api.well(address, "GET", "/_cat/shards/%s?format=json" % INDEX):
            held.setdefault(shard["shard"], []).append(zones.get(shard["node"]))
        apart = held and all(len(found) == len(set(found)) == replicas + 1 and None not in found for found in held.values())
        expect("all %d copies of %d shards are in different zones" % (replicas + 1, len(held)), apart, held)
    finally:
        api.well(address, "DELETE", "/" + INDEX)


def closed(name, address):
    """What gets in at one node, and what does not."""
    statuses = [api.ask(address, "GET", "/_cluster/health", user=user, tls=api.context(certificate=False)).status for user in (None, WRONG)]
    expect("%s: 401 without credentials, and with a wrong password" % name, statuses == [401, 401], statuses)
    expect("%s: plain HTTP gets no answer" % name, _silent(address), "an answer")
    for port in (api.PORT, api.NODES_PORT):
        version = _newest_of(address, port, ssl.TLSVersion.TLSv1_2)
        expect("%s: no TLS 1.2 on %d" % (name, port), version is None, version)
        version = _newest_of(address, port, None)
        expect("%s: TLS 1.3 on %d" % (name, port), version == "TLSv1.3", version)


def _silent(address):
    connection = http.client.HTTPConnection(address, api.PORT, timeout=10)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
        return False
    except (http.client.HTTPException, OSError):
        return True
    finally:
        connection.close()


def _newest_of(address, port, newest):
    """:returns: the version of TLS that is agreed on, None where there is none."""
    with socket.create_connection((address, port), timeout=10) as connection:
        try:
            with api.context(newest=newest).wrap_socket(connection, server_hostname=address) as tls:
                return tls.version()
        except ssl.SSLError:
            return None


def users(address):
    """The administrator's password opens everything, and there is no other one."""
    admin = ("admin", api.PASSWORD.read_text().strip())
    known = api.well(address, "GET", "/_plugins/_security/authinfo", user=admin)
    expect("the administrator logs in with the password of the PKI store", "all_access" in known["roles"], known)
    listed = api.well(address, "GET", "/_plugins/_security/api/internalusers", user=admin)
    expect("no user but admin has a password", sorted(listed) == ["admin"], sorted(listed))


def audited(nodes):
    """Refused logins are in the audit log, and no password is."""
    deadline = time.monotonic() + 30
    while True:
        lines = [line for name in nodes for line in on(name, "sudo", "sh", "-c", "'cat /var/log/opensearch/*_audit.log'").splitlines()]
        failed = [line for line in lines if "FAILED_LOGIN" in line]
        if failed or time.monotonic() > deadline:
            break
        time.sleep(1)
    expect("the audit log has the refused logins", failed, "%d lines" % len(lines))
    told = [line for line in lines if WRONG[1] in line]
    expect("and not the password of them", not told, told[:1])


def unlimited(nodes):
    """What the engine's bootstrap checks ask for is what the kernel gives the process."""
    for name in nodes:
        pid = on(name, "systemctl", "show", "--property", "MainPID", "--value", "opensearch").strip()
        limits = on(name, "sudo", "cat", "/proc/%s/limits" % pid)
        rows = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()[1:]}
        expect("%s: no limit of address space and of a file's size" % name,
               rows["Max address space"] == rows["Max file size"] == ["unlimited", "unlimited"], rows)
        # Of open files a lab host may have no more than its machine; the engine refuses to start where it sees too few.
        expect("%s: at least 4096 threads" % name, rows["Max processes"][0] == "unlimited" or int(rows["Max processes"][0]) >= 4096, rows)
        maps = int(on(name, "cat", "/proc/sys/vm/max_map_count"))
        expect("%s: at least 262144 areas of memory" % name, maps >= 262144, maps)
