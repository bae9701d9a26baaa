# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster at a site with services of its own (inventories/lab-own, tests/site_services): it uses what the site names."""
from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
import time
from pathlib import Path

from cryptography import x509
from kubernetes import client, config

from .common import OUTPUT, ROOT, NotProved, on, say

KUBECONFIG = OUTPUT / "kubeconfig"
SITE = "10.77.0.6"
NODES = {"cp1": "10.77.0.21", "gpu1": "10.77.0.31"}


def site_services(inventory):
    """Start what the site runs itself."""
    begun = time.monotonic()
    done = subprocess.run([str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), "tests/site_services/services.yml"],
                          cwd=ROOT, capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise NotProved("the site's services did not start:\n%s" % done.stdout[-4000:])
    say("the site's services run after %.0f s" % (time.monotonic() - begun))


def log_of(name):
    """:returns: the lines of one of the site's logs. :raises NotProved: where it is empty, since nothing follows from that."""
    lines = on("site1", "cat", "/var/log/site/%s.log" % name).splitlines()
    if not lines:
        raise NotProved("the site's %s log is empty" % name)
    return lines


def expect(what, holds, seen):
    """Say a thing that holds. :raises NotProved: with what was seen, where it does not."""
    if not holds:
        raise NotProved("%s: seen: %s" % (what, seen))
    say("  " + what)


def balancer(core):
    """Clients and kubelets come through the site's balancer."""
    server = core.api_client.configuration.host
    expect("the kubeconfig names the site's balancer", server == "https://%s:7443" % SITE, server)
    sources = {line.split()[0] for line in log_of("balancer")}
    expect("the worker's kubelet comes through it", NODES["gpu1"] in sources, sorted(sources))


def registry():
    """Images come from the site's registry, with the login, and from nowhere else."""
    pulled = {(source, user) for source, user, status in (re.match(r'(\S+) "(.*)" (\d+) ', line).groups() for line in log_of("registry")) if status == "200"}
    expect("both nodes pull from the site's registry as its user", pulled == {(address, "puller") for address in NODES.values()}, sorted(pulled))


def names_and_time():
    """Name and time servers of the site are the hosts'."""
    for host in NODES:
        found = on(host, "getent", "hosts", "registry.site.test").split()
        expect("%s resolves by the site's name server" % host, found[:1] == [SITE], found)
        end = time.monotonic() + 60
        while True:
            sources = [line.split(",")[:4] for line in on(host, "chronyc", "-c", "sources").splitlines()]
            chosen = [fields[2] for fields in sources if fields[1] == "*"]
            if chosen or time.monotonic() > end:
                break
            time.sleep(2)
        expect("%s follows the site's time server" % host, chosen == [SITE], sources)


def proxy():
    """What leaves the site goes through its proxy, and nothing else does."""
    answer = on("gpu1", "bash", "-lc", "'curl --silent --max-time 5 http://outside.test/'")
    expect("a login on a host reaches the outside through the proxy", answer.strip() == "from outside", answer)
    asked = {re.match(r'\S+ ".*" \d+ (.*)', line).group(1) for line in log_of("proxy")}
    expect("nothing of the cluster went through the proxy", asked == {"GET http://outside.test/ HTTP/1.1"}, sorted(asked))
    environment = on("gpu1", "systemctl", "show", "--property=Environment", "containerd.service")
    missing = [word for word in ("HTTPS_PROXY=http://%s:3128" % SITE, "NO_PROXY=", "10.96.0.0/16", "registry.site.test") if word not in environment]
    expect("containerd knows the proxy, and what it is not for", not missing, environment)


def authorities():
    """All certificates come from the site's own intermediate authorities, and carry the names that the site asked for."""
    served = x509.load_pem_x509_certificate(ssl.get_server_certificate((SITE, 7443)).encode())
    expect("the API server's certificate is from the site's authority", "site kubernetes authority" in served.issuer.rfc4514_string(), served.issuer)
    names = served.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    expect("it carries the name that the site asked for", "api.site.test" in names, names)
    member = on("cp1", "sudo", "openssl", "x509", "-noout", "-issuer", "-in", "/etc/etcd/pki/member.crt")
    expect("etcd's certificate is from the site's other authority", "site etcd authority" in member, member)


def arguments(core):
    """Extra arguments and feature gates have reached the processes."""
    for component, wanted in (("kube-apiserver", "--max-requests-inflight=333"), ("kube-controller-manager", "--node-monitor-grace-period=45s"),
                              ("kube-scheduler", "--kube-api-qps=66")):
        command = core.read_namespaced_pod("%s-cp1" % component, "kube-system").spec.containers[0].command
        has_gate = any(word.startswith("--feature-gates=") and "WatchListClient=false" in word for word in command)
        expect("%s runs with %s and the feature gate" % (component, wanted), wanted in command and has_gate, command)
    process = on("cp1", "systemctl", "show", "--property=MainPID", "--value", "etcd.service").strip()
    environment = on("cp1", "sudo", "cat", "/proc/%s/environ" % process).split("\0")
    expect("etcd runs with max-request-bytes 2097152", "ETCD_MAX_REQUEST_BYTES=2097152" in environment, environment)
    answer = core.connect_get_node_proxy_with_path("gpu1", "configz", _preload_content=False, _request_timeout=10)
    gates = json.loads(answer.data)["kubeletconfig"].get("featureGates", {})
    expect("the kubelet runs with the feature gate", gates.get("WatchListClient") is False, gates)


def nodes(core):
    """Labels, taints and MTU are the site's."""
    node = core.read_node("gpu1")
    labels = {name: node.metadata.labels.get(name) for name in ("site.test/row", "topology.kubernetes.io/zone")}
    expect("the worker has the site's labels", labels == {"site.test/row": "7", "topology.kubernetes.io/zone": "b"}, labels)
    taints = [(taint.key, taint.effect) for taint in node.spec.taints or []]
    expect("the worker has the site's taint", ("site.test/spare", "PreferNoSchedule") in taints, taints)
    for host in NODES:
        mtu = on(host, "cat", "/sys/class/net/flannel.1/mtu").strip()
        expect("the pod network of %s has the site's MTU" % host, mtu == "1380", mtu)


def own_parts(_inventory):
    """Everything that the site named is used."""
    core = client.CoreV1Api(config.new_client_from_config(str(KUBECONFIG)))
    balancer(core)
    registry()
    names_and_time()
    proxy()
    authorities()
    arguments(core)
    nodes(core)
    say("the site's own balancer, registry, name and time servers, proxy, authorities, arguments, gates, labels, taints and MTU are in use")
