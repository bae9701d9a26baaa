# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fifteen kinds of change on the running lab cluster, each planned and then made under a client at the virtual address.

Of each it is proved that no request failed, that the plan said all that the run then changed and restarted and nothing else, and that what runs
followed.
The changes add up in a copy of the inventory; at the end the inventory itself is applied again.
"""
from __future__ import annotations

import json
import shutil
import socket
import ssl
import time
from collections import namedtuple
from pathlib import Path

import yaml
from cryptography import x509
from kubernetes import client, config

from tests.faults.client import Api, Client, Credentials
from tests.faults.outcome import paragraph, summarise

from . import restarts
from .common import OUTPUT, NotProved, compare, on, playbook, say
from .operate import KUBECONFIG
from .share import among_hosts

CONTROL_PLANES = {"cp1": "10.77.0.21", "cp2": "10.77.0.22", "cp3": "10.77.0.23"}
#: The worker that leaves and comes back, and the one that moves to another zone.
LEAVES, MOVES = "gpu3", "gpu1"
#: etcd's clients are the control planes: this machine is none.
ETCD_PORT = 2379
DENIED = "denied"
PROXY, SAN, AUDITED, ZONE = "http://10.77.0.1:3128", "api.changed.example", "system:serviceaccount:default:changes", "b"
SYSCTL = ("net.ipv4.tcp_keepalive_time", "7100")
ZONE_LABEL = "topology.kubernetes.io/zone"
#: Seconds for a Node to say what its new kubelet can do.
SOON = 60

#: values: variables of all hosts, dictionaries are merged with what the inventory has. hosts: changes the parsed hosts.yml. proof: gives a
#: sentence about what does not follow, an empty one where all does. validate: whether the whole cluster is looked at behind it.
#: explained: as of :func:`.common.compare`.
Kind = namedtuple("Kind", "name values hosts proof validate explained", defaults=({}, None, None, False, None))
#: Of a worker after reset.yml.
IMAGES = {"Pull the images in the background": "a containerd that does not run tells nobody which images it has"}


def core():
    """:returns: the API."""
    return client.CoreV1Api(config.new_client_from_config(str(KUBECONFIG)))


def lacking(seen, holds):
    """:returns: a sentence about the entries for which something does not hold; nothing to look at is no proof."""
    wrong = {name: value for name, value in seen.items() if not holds(value)}
    return "there is nothing to see" if not seen else "seen: %s" % wrong if wrong else ""


def on_each(hosts, *argv):
    """:returns: {host: what a command printed there}."""
    return {host: on(host, "sudo", *argv) for host in hosts}


def static_pods(component):
    """:returns: {pod: object} of a component's static pods as the API has them."""
    found = core().list_namespaced_pod("kube-system", label_selector="component=" + component, _request_timeout=10).items
    return {pod.metadata.name: pod for pod in found}


def capacity():
    """Every Node says the new number of pods."""
    return lacking({node.metadata.name: node.status.capacity.get("pods") for node in core().list_node(_request_timeout=10).items}, lambda pods: pods == "115")


def api_flag():
    """Every API server runs with the flag."""
    return lacking({name: pod.spec.containers[0].command for name, pod in static_pods("kube-apiserver").items()},
                   lambda command: "--max-requests-inflight=450" in command)


def certificate():
    """Every API server shows a certificate with the new name."""
    seen = {}
    for name, address in CONTROL_PLANES.items():
        shown = x509.load_pem_x509_certificate(ssl.get_server_certificate((address, 6443), timeout=5).encode())
        seen[name] = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    return lacking(seen, lambda names: SAN in names)


def audit():
    """The rule is in every policy, and every API server was started with the policy that is there."""
    written = lacking(on_each(CONTROL_PLANES, "cat", "/etc/kubernetes/ironrack/audit-policy.yaml"), lambda text: AUDITED in text)
    stamps = {name: (pod.metadata.annotations or {}).get("ironrack.cluster/files-sha256") for name, pod in static_pods("kube-apiserver").items()}
    return written or lacking(stamps, bool) or ("" if len(set(stamps.values())) == 1 else "the API servers differ: %s" % stamps)


def zone():
    """The Node says where it stands."""
    return lacking({MOVES: core().read_node(MOVES, _request_timeout=10).metadata.labels.get(ZONE_LABEL)}, lambda value: value == ZONE)


def firewall():
    """This machine gets no connection to etcd."""
    return lacking({name: reaches(address, ETCD_PORT) for name, address in CONTROL_PLANES.items()}, lambda open_: not open_)


def reaches(address, port):
    """:returns: whether a connection is taken."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def newest_tls():
    """No API server and no kubelet of a control plane speaks TLS 1.2, and each speaks 1.3."""
    seen = {"%s:%d" % (name, port): (speaks(address, port, ssl.TLSVersion.TLSv1_2), speaks(address, port, ssl.TLSVersion.TLSv1_3))
            for name, address in CONTROL_PLANES.items() for port in (6443, 10250)}
    return lacking(seen, lambda spoken: spoken == (False, True))


def speaks(address, port, version):
    """:returns: whether a server shakes hands in a version of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    try:
        with socket.create_connection((address, port), timeout=3) as raw, context.wrap_socket(raw) as secured:
            return secured.version() is not None
    except (ssl.SSLError, ConnectionResetError):
        return False


def denied():
    """The namespace has its policies; that such are enforced is what validate.yml shows."""
    found = client.NetworkingV1Api(config.new_client_from_config(str(KUBECONFIG))).list_namespaced_network_policy(DENIED, _request_timeout=10).items
    return lacking({policy.metadata.name: policy.spec.policy_types for policy in found}, bool)


def text_on(hosts, words, *argv):
    """:returns: a proof that a command on each host prints some words."""
    return lambda: lacking(on_each(hosts, *argv), lambda text: words in text)


def back():
    """The worker stands where it stood, and no packet filter is left."""
    shut = lacking({name: reaches(address, ETCD_PORT) for name, address in CONTROL_PLANES.items()}, bool)
    return ("" if zone() else "%s still stands in zone %s" % (MOVES, ZONE)) or shut


def moved(hosts):
    """Put one worker into another zone."""
    workers(hosts)[MOVES]["zone"] = ZONE


def left(hosts):
    """Take one worker out."""
    del workers(hosts)[LEAVES]


def workers(hosts):
    """:returns: the workers of a parsed hosts.yml."""
    return hosts["all"]["children"]["workers"]["children"]["gpu_workers"]["hosts"]


def node_there(wanted):
    """:returns: a proof that the worker's Node is Ready, or that there is none."""
    def proof():
        ready = {node.metadata.name: [one.status for one in node.status.conditions or [] if one.type == "Ready"]
                 for node in core().list_node(_request_timeout=10).items}
        return "" if (ready.get(LEAVES) == ["True"]) is wanted and (LEAVES in ready) is wanted else "seen: %s" % ready

    return proof


KINDS = (
    Kind("sysctl", {"host_sysctl": {SYSCTL[0]: SYSCTL[1]}}, proof=text_on(("cp1", "gpu1", "lb1"), SYSCTL[1], "sysctl", "-n", SYSCTL[0])),
    Kind("kubelet setting", {"cluster_kubelet_extra_config": {"maxPods": 115}}, proof=capacity),
    Kind("API-server flag", {"cluster_apiserver_extra_args": {"max-requests-inflight": "450"}}, proof=api_flag),
    Kind("etcd flag", {"cluster_etcd_extra_args": {"snapshot-count": "12000"}},
         proof=text_on(CONTROL_PLANES, "12000", "sh", "-c", "'tr \"\\0\" \"\\n\" </proc/$(pidof etcd)/environ; cat /proc/$(pidof etcd)/cmdline'")),
    Kind("containerd mirror", {"cluster_registry": {"url": "https://ops1:5000", "ca_file": "/etc/ironrack/service-ca.crt"}},
         proof=text_on(("cp1", "gpu1", "gpu2"), "https://ops1:5000", "cat", "/etc/containerd/certs.d/_default/hosts.toml")),
    Kind("balancer time-out", {"load_balancer_idle_timeout": "11m"}, proof=text_on(("lb1", "lb2"), "11m", "cat", "/etc/ironrack/nginx/nginx.conf")),
    Kind("SAN", {"cluster_extra_sans": [SAN]}, proof=certificate),
    Kind("zone", hosts=moved, proof=zone),
    Kind("audit policy", {"cluster_audit_rules": [{"level": "None", "users": [AUDITED]}]}, proof=audit),
    Kind("proxy", {"cluster_proxy": {"http": PROXY, "https": PROXY}},
         proof=text_on(("cp1", "gpu1"), PROXY, "systemctl", "show", "--property=Environment", "containerd.service")),
    Kind("host firewall", {"cluster_host_firewall": True}, proof=firewall, validate=True),
    Kind("default deny", {"cluster_default_deny_namespaces": [DENIED]}, proof=denied),
    Kind("TLS version", {"cluster_tls_min_version": "VersionTLS13"}, proof=newest_tls, validate=True),
    Kind("removed worker", hosts=left, proof=node_there(False)),
)


class Copy:
    """A copy of the inventory that changes are put into."""

    def __init__(self, inventory, folder):
        self.path = folder
        self._source = Path(inventory)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._source, folder)
        self._own = {}
        for path in sorted((folder / "group_vars" / "all").glob("*.yml")):
            self._own.update(yaml.safe_load(path.read_text()) or {})
        self._values = {}

    def apply(self, kind):
        """Write one more change into the copy."""
        for name, value in kind.values.items():
            has = self._values.get(name, self._own.get(name))
            self._values[name] = {**has, **value} if isinstance(has, dict) and isinstance(value, dict) else value
        # Read after the inventory's own files, which it therefore covers.
        (self.path / "group_vars" / "all" / "zz-changes.yml").write_text(yaml.safe_dump(self._values))
        if kind.hosts:
            hosts = yaml.safe_load((self.path / "hosts.yml").read_text())
            kind.hosts(hosts)
            (self.path / "hosts.yml").write_text(yaml.safe_dump(hosts, sort_keys=False))

    def host_back(self):
        """Have the worker that left in the copy again."""
        hosts = yaml.safe_load((self.path / "hosts.yml").read_text())
        workers(hosts)[LEAVES] = workers(yaml.safe_load((self._source / "hosts.yml").read_text()))[LEAVES]
        (self.path / "hosts.yml").write_text(yaml.safe_dump(hosts, sort_keys=False))


def make(inventory, kind):
    """Plan a change, make it under the client, and compare. :raises NotProved: where something does not hold."""
    record = "change-" + kind.name.replace(" ", "-")
    playbook(inventory, "plan", "-e", "plan_report_dir=%s" % OUTPUT, record=record + "-plan")
    told = json.loads(next(OUTPUT.glob("lab-plan.json")).read_text())
    if told["verdict"] != "changes":
        raise NotProved("%s: the plan is %s" % (kind.name, told["verdict"]))
    before = restarts.running(inventory)
    asking = Client(Api(Credentials(str(KUBECONFIG))))
    with among_hosts():
        asking.prepare()
        asking.start()
        try:
            seconds, counts = playbook(inventory, "site", record=record)
        finally:
            asking.stop()
            asking.tidy()
    summary = summarise(asking.requests)
    (OUTPUT / (record + "-requests.json")).write_text(json.dumps(summary, indent=1))
    follows(kind)
    if kind.validate:
        playbook(inventory, "validate", "-e", "validate_wait=60", record=record + "-validate")
    compare("the plan of the %s" % kind.name, told["changed"], counts["changed"], kind.explained)
    restarted = restarts.compare("the plan of the %s" % kind.name, told, before, restarts.running(inventory))
    if summary["failures"]:
        raise NotProved("%s: %d requests failed:\n%s" % (kind.name, len(summary["failures"]), paragraph(summary)))
    say("%s: %.0f s, %d changes and %d restarts as planned, %d requests and none failed" % (
        kind.name, seconds, len(counts["changed"]), restarted, len(asking.requests)))


def follows(kind):
    """What runs is what was asked for. :raises NotProved: where it is not, a while after the run."""
    end = time.monotonic() + SOON
    while kind.proof:
        wrong = kind.proof()
        if not wrong:
            return
        if time.monotonic() > end:
            raise NotProved("%s: it was made, and what runs does not follow: %s" % (kind.name, wrong))
        time.sleep(2)


def named(inventory):
    """A host that only the inventory has lost is named, with the way out, and not touched."""
    try:
        playbook(inventory, "validate", "-e", "validate_wait=0", record="change-named")
    except NotProved:
        # What is printed is wrapped to the width of a terminal.
        log = " ".join((OUTPUT / "change-named.log").read_text().split())
        if "%s is not in the inventory" % LEAVES not in log or "drain and delete the node" not in log:
            raise
    else:
        raise NotProved("%s is a node that the inventory does not have, and nobody said so" % LEAVES)
    wrong = node_there(True)()
    if wrong:
        raise NotProved("%s was touched: %s" % (LEAVES, wrong))
    say("%s out of the inventory only: named, and not touched" % LEAVES)


def changes(inventory):
    """Fifteen kinds of change, one after the other, and all of them back."""
    copy = Copy(inventory, OUTPUT / "changed-inventory")
    for kind in KINDS:
        copy.apply(kind)
        if kind.hosts is left:
            named(copy.path)
            playbook(inventory, "reset", "-e", "reset_confirm=lab", "--limit", LEAVES, record="change-leave")
            core().delete_node(LEAVES)
        make(copy.path, kind)
    copy.host_back()
    make(copy.path, Kind("new worker", proof=node_there(True), explained=IMAGES))
    make(inventory, Kind("all of it back", proof=back))
    say("%d kinds of change, every request answered, every plan kept" % (len(KINDS) + 1))
