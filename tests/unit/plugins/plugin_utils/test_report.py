# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report and a summary say, and what the report's action does with it."""
from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.data import collect, vip_holders
from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.html import page
from ansible_collections.ironrack.cluster.plugins.plugin_utils._report.text import summary

SHAPE = {"lb1": ("a", "lb"), "cp1": ("a", "cp"), "gpu1": ("a", "worker"), "cp2": ("b", "cp"), "ops1": ("", "mirror")}


def host(name, zone, kind):
    return {"name": name, "address": "10.77.0.9", "zone": zone, "node_name": name, "is_etcd": kind == "cp", "is_control_plane": kind == "cp",
            "is_worker": kind == "worker", "is_node": kind in ("cp", "worker"), "is_load_balancer": kind == "lb", "is_mirror": kind == "mirror"}


def model(**changes):
    whole = {"name": "lab", "kubernetes_version": "1.36.4", "profile": "lab", "kubeconfig": "/site/artifacts/lab.kubeconfig", "client_host": "localhost",
             "endpoint": {"url": "https://10.77.0.10:6443", "vip": "10.77.0.10"}, "hosts": {name: host(name, *of) for name, of in SHAPE.items()},
             "promises": {"kept": ["Any one worker may be away."], "not_kept": ["A single control plane <cannot> be lost."]}}
    return dict(whole, **changes)


def condition(name, verdict):
    return {"name": name, "verdict": verdict, "seen": "8 of 9 <Ready>", "expected": "9 of 9 Ready", "how_to_mend": "" if verdict == "pass" else "Look at it."}


ETCD = [{"unreachable": True}, {"reachable": True, "members": [{"name": "cp1", "leader": False}, {"name": "cp2", "leader": True}]}]
ADDRESSES = [{"item": "lb2", "unreachable": True}, {"item": "lb1", "stdout": '[{}, {"addr_info": [{"local": "10.77.0.10"}]}]'}, {"item": "lb3", "stdout": "[]"}]
HEALTH = {"conditions": [condition("nodes_present", "pass"), condition("nodes_ready", "fail")],
          "nodes": [{"name": "cp1", "ready": True, "version": "v1.36.4"}, {"name": "gpu1", "ready": False, "version": "v1.36.4"}]}


def data(*results, **options):
    return dict(collect(model(), results, ETCD, ADDRESSES, **options), made_at="2026-11-20 12:00:00 UTC")


def test_data_joins_model_and_findings():
    told = data(HEALTH, {"skipped": True}, {"conditions": [condition("pod_to_pod", "skipped")]})
    assert told["verdict"] == "fail"
    assert told["counts"] == {"pass": 1, "fail": 1, "inconclusive": 0, "skipped": 1}
    assert (told["etcd_leader"], told["vip_holder"]) == (["cp2"], ["lb1"])
    hosts = {one["name"]: one for zone in told["zones"] for one in zone["hosts"]}
    # cp2 is a node that the API does not know; lb1 is none
    assert {name: one["ready"] for name, one in hosts.items()} == {"lb1": None, "cp1": True, "gpu1": False, "cp2": False, "ops1": None}
    assert hosts["cp2"]["marks"] == ["leader"] and hosts["lb1"]["marks"] == ["VIP"]
    json.dumps(told)


@pytest.mark.parametrize("results", [[], [{}], [{"conditions": []}], [{"conditions": [condition("pod_to_pod", "skipped")]}]])
def test_nothing_judged_is_not_healthy(results):
    told = data(*results)
    assert told["verdict"] == "not judged"
    assert "Not judged" in page(told)


def test_a_foreign_output_is_no_holder():
    assert vip_holders([{"item": "lb1", "stdout": "Object not found"}], "10.77.0.10") == []


class Balance(HTMLParser):
    """Checks that every element is closed in its order, and notes what the page would load."""

    VOID = ("meta",)

    def __init__(self):
        super().__init__()
        self.open, self.loaded = [], []

    def handle_starttag(self, tag, attrs):
        self.loaded += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_loads_nothing_and_escapes():
    text = page(data(HEALTH))
    balance = Balance()
    balance.feed(text)
    assert balance.open == [] and balance.loaded == []
    assert not re.search(r"<script|@import|url\(|https?://(?!10\.77\.0\.10)", text)
    assert "8 of 9 &lt;Ready&gt;" in text and "&lt;cannot&gt;" in text and "Not healthy" in text
    assert "prefers-color-scheme: dark" in text
    # what is wrong comes first, and a condition that holds tells of no mending
    assert text.index("nodes_ready") < text.index("nodes_present")
    assert text.count('class="mend"') == 1


def test_the_summary_fits_a_terminal():
    lines = summary(data(HEALTH))
    assert max(map(len, lines)) < 80
    text = "\n".join(lines)
    for words in ("zone a", "zone b", "no zone", "lb1   balancer VIP", "cp2   api+etcd* DOWN", "gpu1  worker DOWN", "* leads etcd", "export KUBECONFIG=",
                  "A single control plane", "Health: fail (1 pass, 1 fail, 0 inconclusive)", "nodes_ready: 8 of 9 <Ready>"):
        assert words in text
    assert "kubectl" not in "\n".join(summary(data(), next_steps=False))


def test_a_rack_of_workers_stays_a_picture():
    hosts = {"gpu-with-a-very-long-name-%03d" % index: host("gpu-with-a-very-long-name-%03d" % index, "abcdef"[index % 6], "worker") for index in range(300)}
    lines = summary(collect(model(hosts=hosts)))
    assert max(map(len, lines)) < 80
    assert len(lines) < 60
    assert "and 41 more hosts" in "\n".join(lines)


SEARCH = {"enabled": True, "version": "3.4.0", "urls": ["https://10.77.0.51:9200"], "ca_file": "/site/ca.crt", "cert_file": "/site/admin.crt",
          "key_file": "/site/admin.key"}
MEMBERS = {"conditions": [condition("opensearch_green", "pass")],
           "members": [{"name": "os1", "version": "3.4.0", "zone": "a", "is_elected": True}]}


def without_kubernetes():
    hosts = {name: dict(host(name, zone, ""), is_opensearch=True) for name, zone in (("os1", "a"), ("os2", "b"))}
    return model(kubernetes=False, hosts=hosts, opensearch=SEARCH, endpoint={"url": "", "vip": ""})


def test_a_cluster_without_kubernetes_is_told_by_its_opensearch():
    data = dict(collect(without_kubernetes(), [{}, MEMBERS]), made_at="now")
    hosts = {one["name"]: one for zone in data["zones"] for one in zone["hosts"]}
    assert (hosts["os1"]["ready"], hosts["os1"]["marks"], hosts["os1"]["version"]) == (True, ["elected"], "3.4.0")
    assert hosts["os2"]["ready"] is False
    text = "\n".join(summary(data))
    assert "lab: OpenSearch 3.4.0 at https://10.77.0.51:9200" in text and "os1   search^" in text and "os2   search DOWN" in text
    assert "^ manages OpenSearch" in text and "--cert /site/admin.crt" in text
    html = page(data)
    assert "OpenSearch 3.4.0" in html and "elected manager" in html
    for told in (text, html):
        assert "Kubernetes" not in told and "kubectl" not in told and "KUBECONFIG" not in told


def test_of_a_cluster_that_nobody_asked_no_node_is_called_down():
    data = collect(without_kubernetes(), [{}, {"conditions": [], "members": []}])
    assert {one["ready"] for zone in data["zones"] for one in zone["hosts"]} == {None}


def test_beside_kubernetes_both_are_told():
    text = "\n".join(summary(collect(model(opensearch=SEARCH), [HEALTH, MEMBERS])))
    assert "Kubernetes 1.36.4 at https://10.77.0.10:6443" in text and "OpenSearch 3.4.0 at" in text and "kubectl get nodes" in text
    assert "/_cat/nodes?v" in text
