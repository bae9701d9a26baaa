# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts of an end state: two lives of a cluster are equal, and whatever a killed run leaves behind is told."""
from __future__ import annotations

import copy
import http.server
import json
import threading

import pytest
from ansible_collections.ironrack.cluster.tests.scenarios import end_state as state


def entry(path, digest="", kind="f", mode="644", link=""):
    """As files.listing() gives it."""
    return "%s %s root root %s %s%s" % (kind, mode, link, path, " " + digest if digest else "")


def listed(*entries):
    return {one[0]: entry(*one) for one in entries}


def differing(one, other, texts=({}, {})):
    return state.compare(state.normal_files(one, texts[0]), state.normal_files(other, texts[1]))


# path -> the treatment that it has to get
@pytest.mark.parametrize("path, treatment", [
    ("/etc/passwd", None), ("/etc/hosts", None), ("/etc/containerd/config.toml", None), ("/opt/ironrack/etcd/3.6.16/etcd", None),
    ("/opt/ironrack/etcd/.3.6.16.abcd", None), ("/srv/ironrack/bundle/manifest.json", None), ("/usr/bin/nginx", None),
    ("/etc/systemd/system/etcd.service", None), ("/usr/share/ca-certificates/x.crt", None),
    ("/var/lib/dpkg/info/curl.list", "all"), ("/var/lib/dpkg/status", "out"), ("/etc/shadow", "kind"), ("/etc/machine-id", "kind"),
    ("/etc/ssh/ssh_host_ed25519_key", "kind"), ("/etc/ssh/sshd_config", None), ("/etc/kubernetes/pki/apiserver.crt", "kind"),
    ("/etc/kubernetes/pki/sa.key", "kind"), ("/etc/kubernetes/manifests/kube-apiserver.yaml", "text"), ("/etc/kubernetes/admin.conf", "text"),
    ("/etc/ironrack/pki/index", "kind"), ("/etc/ironrack/mirror/nginx.conf", "text"), ("/etc/etcd/etcd.env", "text"), ("/etc/etcd/formed", "text"),
    ("/var/lib/kubelet/config.yaml", "text"), ("/var/lib/kubelet/pki/kubelet.crt", "kind"), ("/var/lib/kubelet/cpu_manager_state", "out"),
    ("/var/lib/etcd/data/member/wal", "out"), ("/var/lib/etcd/other", None), ("/var/lib/ironrack/kubeadm.json", "kind"),
    ("/home/operator/.ssh/authorized_keys", "out"), ("/usr/lib/python3/dist-packages/__pycache__/a.pyc", "out"),
    ("/var/lib/docker-registry/docker/registry/v2/blobs/sha256/ab/abcd/data", None),
    ("/var/lib/docker-registry/docker/registry/v2/repositories/pause/_uploads/1/data", "out"),
])
def test_how_each_place_is_treated(path, treatment):
    rule = state.rule_of(path)
    assert (rule.treatment if rule else None) == treatment


def test_every_rule_says_why_and_no_pattern_comes_twice():
    assert all(rule.why and rule.treatment in (state.OUT, state.KIND, state.TEXT, state.ALL) for rule in state.RULES)
    assert len({rule.pattern for rule in state.RULES}) == len(state.RULES)


def test_what_is_not_listed_is_out_by_a_rule():
    for folder in state.UNLISTED[len(state.UNWATCHED):]:
        rule = state.rule_of(folder + "/x")
        assert rule is not None and rule.treatment == state.OUT, folder


@pytest.mark.parametrize("before, after", [
    ([("/etc/hosts", "a")], [("/etc/hosts", "b")]),
    ([("/etc/hosts", "a")], []),
    ([], [("/opt/ironrack/etcd/.3.6.16.abcd", "", "d", "700")]),
    ([("/etc/kubernetes/pki/sa.key", "a", "f", "600")], [("/etc/kubernetes/pki/sa.key", "b", "f", "644")]),
    ([("/usr/local/bin/etcd", "", "l", "777", "/opt/a")], [("/usr/local/bin/etcd", "", "l", "777", "/opt/b")]),
    ([("/var/lib/dpkg/info/curl.list", "a")], [("/var/lib/dpkg/info/curl.list", "b")]),
])
def test_what_a_killed_run_may_leave_is_told(before, after):
    assert len(differing(listed(*before), listed(*after))) == 1


@pytest.mark.parametrize("before, after", [
    ([("/etc/kubernetes/pki/sa.key", "a", "f", "600")], [("/etc/kubernetes/pki/sa.key", "b", "f", "600")]),
    ([("/var/lib/kubelet/pki/kubelet-client-2026-11-21-19-22-36.pem", "a")], [("/var/lib/kubelet/pki/kubelet-client-2026-11-22-03-01-00.pem", "b")]),
    ([("/var/lib/kubelet/pki/kubelet-client-current.pem", "", "l", "777", "/var/lib/kubelet/pki/kubelet-client-2026-11-21-19-22-36.pem")],
     [("/var/lib/kubelet/pki/kubelet-client-current.pem", "", "l", "777", "/var/lib/kubelet/pki/kubelet-client-2026-11-22-03-01-00.pem")]),
    ([("/var/lib/etcd/data/member/wal/1", "a")], [("/var/lib/etcd/data/member/wal/2", "b")]),
])
def test_two_lives_are_equal(before, after):
    assert differing(listed(*before), listed(*after)) == []


KUBECONFIG = "clusters:\n- cluster:\n    certificate-authority-data: %s\n    server: https://%s:6443\n"


@pytest.mark.parametrize("one, other, count", [
    (KUBECONFIG % ("QUJD" * 30, "10.77.0.21"), KUBECONFIG % ("WFla" * 30 + "QQ==", "10.77.0.21"), 0),
    (KUBECONFIG % ("QUJD" * 30, "10.77.0.21"), KUBECONFIG % ("QUJD" * 30, "10.77.0.22"), 1),
])
def test_a_text_counts_without_its_keys(one, other, count):
    path = "/etc/kubernetes/admin.conf"
    assert len(differing(listed((path, "a")), listed((path, "b")), ({path: one}, {path: other}))) == count


def test_the_contents_of_texts_alone_are_read():
    listing = listed(("/etc/kubernetes/admin.conf", "a"), ("/etc/hosts", "a"), ("/etc/kubernetes", "", "d"), ("/etc/kubernetes/pki/sa.key", "a"))
    assert state.texts_of(listing) == ["/etc/kubernetes/admin.conf"]


@pytest.mark.parametrize("text, expected", [
    ("token: abcdef.0123456789abcdef\n", "token: <bootstrap token>\n"),
    ("token: eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJr-_XM.sig_na-ture", "token: <service-account token>"),
    ("config.seen: 2026-11-21T19:22:36.123456789Z", "config.seen: <time>"),
    ("since: 2026-11-21", "since: <time>"),
    ("uid f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "uid <uid>"),
    ("-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n", "<CERTIFICATE>\n"),
    ("machine 0123456789abcdef0123456789abcdef", "machine <id>"),
    ("sha256:" + "ab" * 32, "<sha256>"),
    ("kube-api-access-x7k2p", "kube-api-access-<suffix>"),
    # and what has to stay
    ("--etcd-certfile=/etc/kubernetes/pki/apiserver-etcd-client/very/long/path/of/a/file.crt",) * 2,
    ("/opt/ironrack/kubernetes/1.36.4/kubelet/with/a/very/long/name/that/goes/on",) * 2,
    ("image: registry.k8s.io/kube-apiserver:v1.36.4",) * 2,
    ("metrics.k8s.io",) * 2,
    ("https://10.77.0.21:2379",) * 2,
])
def test_words_that_must_differ(text, expected):
    assert state.normal(text) == expected


def pod(**metadata):
    return {"metadata": dict({"name": "kube-apiserver-cp1", "namespace": "kube-system", "uid": "1", "resourceVersion": "7", "creationTimestamp": "t",
                              "managedFields": [], "generation": 3}, **metadata), "spec": {"nodeName": "cp1"}, "status": {"phase": "Running"}}


def test_a_static_pod_is_compared_and_one_of_a_controller_is_not():
    name, kept = state.normal_object("Pod", pod(ownerReferences=[{"kind": "Node", "controller": True}]))
    assert name == "Pod kube-system/kube-apiserver-cp1"
    assert kept == {"metadata": {"name": "kube-apiserver-cp1", "namespace": "kube-system"}, "spec": {"nodeName": "cp1"}}
    assert state.normal_object("Pod", pod(ownerReferences=[{"kind": "ReplicaSet", "controller": True}])) is None


def test_objects_of_one_moment_are_left_out():
    assert all(state.normal_object(kind, pod()) is None for kind in state.KINDS_OUT)
    assert state.normal_object("Secret", dict(pod(), type="bootstrap.kubernetes.io/token")) is None


def test_a_secret_counts_by_the_names_of_its_values():
    _name, kept = state.normal_object("Secret", {"metadata": {"name": "a"}, "type": "Opaque", "data": {"b": "c2VjcmV0", "a": "eA=="}})
    assert kept["data"] == ["a", "b"]


def test_a_given_address_does_not_count_and_a_headless_service_does():
    service = {"metadata": {"name": "a"}, "spec": {"clusterIP": "10.96.3.4", "clusterIPs": ["10.96.3.4"], "ports": [{"port": 80, "nodePort": 30123}]}}
    other = copy.deepcopy(service)
    other["spec"].update(clusterIP="10.96.7.7", clusterIPs=["10.96.7.7"], ports=[{"port": 80, "nodePort": 31000}])
    assert state.normal_object("Service", service) == state.normal_object("Service", other)
    other["spec"]["clusterIP"] = "None"
    assert state.normal_object("Service", service) != state.normal_object("Service", other)


def test_a_node_counts_without_its_place_in_the_queue():
    node = {"metadata": {"name": "gpu1", "annotations": {"flannel.alpha.coreos.com/backend-data": "x", "a": "b"}},
            "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"], "taints": [{"key": "t"}]}}
    assert state.normal_object("Node", node)[1] == {"metadata": {"name": "gpu1", "annotations": {"a": "b"}}, "spec": {"taints": [{"key": "t"}]}}


def test_pods_that_were_placed_anew_are_the_same_pods():
    def deployment(annotations):
        return state.normal_object("Deployment", {"metadata": {"name": "coredns"}, "spec": {"template": {"metadata": dict(labels={"a": "b"}, **annotations)}}})

    placed = deployment({"annotations": {"ironrack.cluster/placed-for-zones": "1"}})
    assert placed == deployment({})
    assert placed != deployment({"annotations": {"other": "1"}})


def test_signatures_of_tokens_do_not_count():
    _name, kept = state.normal_object("ConfigMap", {"metadata": {"name": "cluster-info"}, "data": {"jws-kubeconfig-abcdef": "x", "kubeconfig": "y"}})
    assert kept["data"] == {"kubeconfig": "y"}


def test_members_count_by_name_addresses_and_standing():
    member = {"ID": 1, "name": "cp1", "peerURLs": ["https://10.77.0.21:2380"], "clientURLs": ["https://10.77.0.21:2379"]}
    assert state.normal_members({"members": [member]}) == state.normal_members({"members": [dict(member, ID=2)]})
    assert state.normal_members({"members": [member]}) != state.normal_members({"members": [dict(member, isLearner=True)]})


def test_differences_say_where():
    wanted = {"files": {"cp1": {"/a": "x", "/b": "y"}}, "members": [["cp1"]]}
    assert state.compare(wanted, copy.deepcopy(wanted)) == []
    found = state.compare(wanted, {"files": {"cp1": {"/a": "z", "/c": "y"}}, "members": [["cp1"], ["cp2"]]})
    assert found[0] == "files > cp1 > /a: z, and x without the disturbance"
    assert found[1] == "files > cp1 > /b is missing"
    assert found[2] == "files > cp1 > /c is there too: y"
    assert found[3].startswith("members: ")


ANSWERS = {
    "/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.4"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "groups": [{
        "name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
        "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"}}]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [
        {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["list", "get"]},
        {"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get", "list"]},
        {"name": "events", "kind": "Event", "namespaced": True, "verbs": ["list"]},
        {"name": "bindings", "kind": "Binding", "namespaced": True, "verbs": ["create"]}]},
    "/apis/apps/v1": {"kind": "APIResourceList", "groupVersion": "apps/v1", "resources": [
        {"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": ["list"]}]},
    "/api/v1/pods": {"items": [pod(), pod(name="web-1", ownerReferences=[{"kind": "ReplicaSet", "controller": True}])]},
    "/apis/apps/v1/deployments": {"items": [{"metadata": {"name": "web", "namespace": "a", "uid": "7"}, "spec": {"replicas": 2}, "status": {}}]},
}


class Api(http.server.BaseHTTPRequestHandler):
    """As much of an API server as is asked."""

    def do_GET(self):
        found = ANSWERS.get(self.path.split("?")[0].rstrip("/"))
        body = json.dumps(found or {"kind": "Status", "message": self.path}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Nobody reads it."""


def test_all_objects_of_the_api_are_read(tmp_path, monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(state, "OUTPUT", tmp_path)
    (tmp_path / "kubeconfig").write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:%d" % server.server_port}}], "users": [{"name": "a", "user": {}}]}))
    try:
        found = state._objects()
    finally:
        server.shutdown()
    assert found == {
        "Pod kube-system/kube-apiserver-cp1": {"metadata": {"name": "kube-apiserver-cp1", "namespace": "kube-system"}, "spec": {"nodeName": "cp1"}},
        "Deployment a/web": {"metadata": {"name": "web", "namespace": "a"}, "spec": {"replicas": 2}}}
