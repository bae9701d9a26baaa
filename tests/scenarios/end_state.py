# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end state of a build, made comparable with that of another build: files and packages of every host, members of etcd, objects of the API.

Everything is compared but what the rules below take out, each with its reason. A rule that hides more than its reason says is a bug.
"""
from __future__ import annotations

import fnmatch
import hashlib
import json
import re
import shlex
import tempfile
from collections import namedtuple
from pathlib import Path

from kubernetes import config, dynamic

from ..faults.hosts import ETCDCTL
from .common import OUTPUT, NotProved, hosts_of, on
from .files import UNWATCHED, everything

#: treatment: "out" (not compared), "kind" (type, mode, owner and link, but no content), "text" (content without what must differ), "all".
Rule = namedtuple("Rule", "pattern treatment why")

OUT, KIND, TEXT, ALL = "out", "kind", "text", "all"
# The first that fits counts. A * stands for slashes too.
RULES = (
    Rule("/home/operator/*", OUT, "the lab's own login: its key is new in each life of the lab"),
    Rule("/etc/machine-id", KIND, "each host makes its own at its first boot"),
    Rule("/var/lib/dbus/machine-id", KIND, "the same"),
    Rule("/etc/ssh/ssh_host_*", KIND, "each host makes its own keys at its first boot"),
    Rule("/etc/shadow*", KIND, "it says on which day a user was made"),
    Rule("/etc/gshadow*", KIND, "the copy beside it is what was there before the last change"),
    Rule("/etc/passwd-", KIND, "a copy of what was there before the last change"),
    Rule("/etc/group-", KIND, "the same"),
    Rule("/etc/sub?id-", KIND, "the same"),
    Rule("/etc/ld.so.cache", KIND, "made of the libraries, which are compared"),
    Rule("*/__pycache__*", OUT, "Python's byte code holds the times of its sources"),
    Rule("/var/cache/*", OUT, "caches"),
    Rule("/var/backups*", OUT, "copies of dpkg's lists by date"),
    Rule("/var/lib/apt/*", OUT, "lists of packages and when they were read; what is installed is compared"),
    Rule("/var/lib/dpkg/info/*", ALL, "which files each package brought"),
    Rule("/var/lib/dpkg/*", OUT, "states and their copies in the order of events; what is installed, and how, is compared"),
    Rule("/var/lib/ucf*", OUT, "a log of configuration files in the order of events"),
    Rule("/var/lib/chrony*", KIND, "the measured drift of the clock"),
    Rule("/var/lib/containerd*", OUT, "layers and containers, numbered in the order of events; images are named by the pods that run"),
    Rule("/var/lib/kubelet/pki*", KIND, "certificates and keys of this life"),
    Rule("/var/lib/kubelet/config.yaml", TEXT, "what kubeadm wrote"),
    Rule("/var/lib/kubelet/*.env", TEXT, "the same"),
    Rule("/var/lib/kubelet/*", OUT, "what the kubelet keeps of its pods, by their uids"),
    Rule("/var/lib/etcd/data*", OUT, "the database: its content is compared as the API's objects and the list of members"),
    Rule("/var/lib/cni*", OUT, "addresses in the order in which pods came"),
    Rule("/var/lib/docker-registry/*/_uploads*", OUT, "an upload that was cut off; the registry takes it away itself after a week"),
    Rule("/srv/ironrack/bundle/.sync.json", KIND, "when each file of the bundle was verified; the files themselves are compared"),
    Rule("/var/lib/ironrack/*.json", KIND, "records of what was done and when: init, or init after a reset"),
    Rule("/etc/ironrack/pki*", KIND, "the store: every key and certificate is of this life"),
    Rule("/etc/*.crt", KIND, "certificates of this life"),
    Rule("/etc/*.key", KIND, "keys of this life"),
    Rule("/etc/*.pub", KIND, "the same"),
    Rule("/etc/*.pem", KIND, "the same"),
    Rule("/etc/kubernetes/*", TEXT, "kubeconfigs and encryption keys hold certificates and keys of this life"),
    Rule("/etc/ironrack/*", TEXT, "the same"),
    Rule("/etc/etcd/*", TEXT, "when the cluster was founded"),
)
# Not even listed: large, and changing while a cluster runs. All of them are out by the rules above.
UNLISTED = (*UNWATCHED, "/var/lib/containerd", "/var/lib/kubelet/pods", "/var/lib/kubelet/plugins", "/var/lib/kubelet/plugins_registry",
            "/var/lib/kubelet/device-plugins", "/var/lib/kubelet/pod-resources", "/var/lib/etcd/data", "/var/lib/cni", "/var/cache")

# What must differ in a text, and what stands for it. The order matters: a time holds a date.
WORDS = (
    (re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.S), r"<\1>"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), "<service-account token>"),
    (re.compile(r"(?<![\w./-])[a-z0-9]{6}\.[a-z0-9]{16}(?![\w.])"), "<bootstrap token>"),
    (re.compile(r"sha256:[0-9a-f]{64}"), "<sha256>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uid>"),
    (re.compile(r"\d{4}-\d{2}-\d{2}([T -]\d{2}[:-]\d{2}[:-]\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})?)?"), "<time>"),
    (re.compile(r"(?<![0-9a-zA-Z/+])[0-9a-f]{32}(?![0-9a-zA-Z/+=])"), "<id>"),
    # base64, but no path, which is of the same letters.
    (re.compile(r"(?<![A-Za-z0-9+/=.-])[A-Za-z0-9+][A-Za-z0-9+/]{39,}={0,2}"), "<base64>"),
    (re.compile(r"(?<=kube-api-access-)[a-z0-9]{5}\b"), "<suffix>"),
)
# Objects that are not compared, by kind, and why.
KINDS_OUT = {
    "Event": "what happened, not what is", "Lease": "who holds it now, renewed each second", "CertificateSigningRequest": "one for each start of a kubelet",
    "ComponentStatus": "a view, and deprecated", "NodeMetrics": "measurements", "PodMetrics": "measurements",
    "Endpoints": "made of Services and Pods", "EndpointSlice": "made of Services and Pods", "IPAddress": "the addresses that the API server gave to Services",
}
METADATA = ("name", "namespace", "labels", "annotations", "finalizers")
ANNOTATIONS_OUT = {
    "flannel.alpha.coreos.com/backend-data": "the hardware address of the node's tunnel, a random one",
    "deployment.kubernetes.io/revision": "how often it was rolled, not what it is: kubeadm that begins anew writes its own version of it once more",
    "deprecated.daemonset.template.generation": "the same",
    "ironrack.cluster/placed-for-zones": "that the pods were placed anew, because they had come before their second node",
}


def rule_of(path):
    """:returns: the :class:`Rule` of a path, or None where all of it is compared."""
    return next((rule for rule in RULES if fnmatch.fnmatchcase(path, rule.pattern)), None)


def normal(text):
    """:returns: a text without what must differ from one life of a cluster to the next."""
    for pattern, word in WORDS:
        text = pattern.sub(word, text)
    return text


def normal_files(listing, texts):
    """Make the files of a host comparable.

    :param listing: path -> what it is, as files.listing() gives it.
    :param texts: path -> content, of the files whose rule is "text".
    :returns: path -> what counts of it.
    """
    found = {}
    for path, seen in listing.items():
        rule = rule_of(path)
        if rule and rule.treatment == OUT:
            continue
        before, _path, digest = seen.rpartition(path)
        what = normal(before.strip())
        if rule is None or rule.treatment == ALL:
            what += digest
        elif rule.treatment == TEXT and path in texts:
            what += " " + hashlib.sha256(normal(texts[path]).encode()).hexdigest()
        found[normal(path)] = what
    return found


def texts_of(listing):
    """:returns: the paths of a listing whose content has to be read."""
    rules = {path: rule_of(path) for path, seen in listing.items() if seen.startswith("f ")}
    return sorted(path for path, rule in rules.items() if rule and rule.treatment == TEXT)


def normal_text_value(value):
    """:returns: any JSON value with :func:`normal` on every text in it."""
    if isinstance(value, str):
        return normal(value)
    if isinstance(value, list):
        return [normal_text_value(one) for one in value]
    if isinstance(value, dict):
        return {key: normal_text_value(one) for key, one in value.items()}
    return value


def _owned(found):
    """Made by a controller out of an object that is compared; but a node's own static pods are nobody else's."""
    return any(owner.get("controller") and owner.get("kind") != "Node" for owner in found["metadata"].get("ownerReferences") or ())


def normal_object(kind, found):
    """Make an object of the API comparable.

    :returns: (its name as KIND NAMESPACE/NAME, what counts of it), or None where it is not compared.
    """
    metadata = found["metadata"]
    if kind in KINDS_OUT or _owned(found):
        return None
    if kind == "Secret" and found.get("type") == "bootstrap.kubernetes.io/token":
        return None  # each run that has to join a node makes one, and they expire
    kept = {key: value for key, value in found.items() if key not in ("metadata", "status", "apiVersion", "kind")}
    if kind == "Secret":
        kept["data"] = sorted(kept.get("data") or ())  # the names of its values
    if kind == "ConfigMap":
        # One signature for each bootstrap token.
        kept["data"] = {key: value for key, value in (kept.get("data") or {}).items() if not key.startswith("jws-kubeconfig-")}
    if kind == "Node":
        kept["spec"] = {key: value for key, value in kept["spec"].items() if key not in ("podCIDR", "podCIDRs")}  # in the order of registration
    if kind == "Service":
        kept["spec"] = _without_given(kept["spec"])
    kept["metadata"] = {key: metadata[key] for key in METADATA if metadata.get(key)}
    kept["metadata"] = _annotated(kept["metadata"])
    if (kept.get("spec") or {}).get("template", {}).get("metadata"):
        template = kept["spec"]["template"]
        kept["spec"] = dict(kept["spec"], template=dict(template, metadata=_annotated(template["metadata"])))
    name = "%s %s" % (kind, "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part))
    return normal(name), normal_text_value(kept)


def _annotated(metadata):
    """:returns: an object's metadata with the annotations that count; none is as good as an empty list of them."""
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key not in ANNOTATIONS_OUT}
    kept = {key: value for key, value in metadata.items() if key != "annotations"}
    return dict(kept, annotations=annotations) if annotations else kept


def _without_given(spec):
    """:returns: a Service's spec without the addresses and ports that the API server chose."""
    kept = {key: value for key, value in spec.items() if key != "healthCheckNodePort"}
    if kept.get("clusterIP") not in (None, "None"):
        kept["clusterIP"], kept["clusterIPs"] = "<given>", ["<given>"] * len(kept.get("clusterIPs") or [1])
    kept["ports"] = [{key: value for key, value in port.items() if key != "nodePort"} for port in kept.get("ports") or ()]
    return kept


def normal_members(listed):
    """:returns: the members in ``etcdctl member list -w json``; their ids are of one life."""
    return sorted([member.get("name", ""), member.get("peerURLs", []), member.get("clientURLs", []), bool(member.get("isLearner"))]
                  for member in listed.get("members", ()))


def compare(wanted, seen, place=""):
    """:returns: a line for each place in which two end states differ, with both values, shortened."""
    if isinstance(wanted, dict) and isinstance(seen, dict):
        found = []
        for key in sorted(wanted.keys() | seen.keys()):
            here = "%s > %s" % (place, key) if place else str(key)
            if key not in seen:
                found.append("%s is missing" % here)
            elif key not in wanted:
                found.append("%s is there too: %s" % (here, _short(seen[key])))
            else:
                found += compare(wanted[key], seen[key], here)
        return found
    if isinstance(wanted, list) and isinstance(seen, list) and len(wanted) == len(seen):
        return [line for number, (one, other) in enumerate(zip(wanted, seen)) for line in compare(one, other, "%s[%d]" % (place, number))]
    return [] if wanted == seen else ["%s: %s, and %s without the disturbance" % (place, _short(seen), _short(wanted))]


def _short(value):
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 160 else text[:157] + "..."


def read(inventory):
    """Read the end state of the running lab.

    :returns: files, packages, members and objects as dictionaries that :func:`compare` takes.
    :raises NotProved: where there is nothing to compare.
    """
    listed = everything(inventory, UNLISTED)
    etcd = sorted(host for host, entry in hosts_of(inventory).items() if "etcd" in entry["groups"])
    members = normal_members(json.loads(on(etcd[0], *ETCDCTL, "member", "list", "--write-out=json")))
    found = {
        "files": {host: normal_files(files, _contents(host, texts_of(files))) for host, files in listed.items()},
        "packages": {host: _packages(host) for host in listed},
        "members": members,
        "objects": _objects(),
    }
    if not members or len(found["objects"]) < 50 or not all(found["files"].values()):
        raise NotProved("the end state has %d members of etcd and %d objects of the API: it is no proof" % (len(members), len(found["objects"])))
    return found


def _contents(host, paths):
    """:returns: path -> text."""
    found = {path: [] for path in paths}
    # As many at once as a command line takes.
    for first in range(0, len(paths), 200):
        for line in on(host, "sudo", "grep", "-aH", "''", "--", "/dev/null", *[shlex.quote(path) for path in paths[first:first + 200]]).splitlines():
            path, colon, content = line.partition(":")
            if colon and path in found:
                found[path].append(content)
    return {path: "\n".join(lines) for path, lines in found.items()}


def _packages(host):
    lines = on(host, "dpkg-query", "-W", "-f", "'${Package}:${Architecture} ${Version} ${db:Status-Abbrev}\\n'").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def _objects():
    with tempfile.TemporaryDirectory() as folder:
        # A list of kinds that an earlier life's client left in the usual place would be another cluster's.
        client = dynamic.DynamicClient(config.new_client_from_config(str(OUTPUT / "kubeconfig")), cache_file=str(Path(folder) / "kinds"))

        def get(path):
            return json.loads(client.request("get", path, serialize=False).data)

        groups = ["/api/v1"] + ["/apis/" + group["preferredVersion"]["groupVersion"] for group in get("/apis")["groups"]]
        found = {}
        for group in groups:
            for resource in get(group)["resources"]:
                if "list" not in resource["verbs"] or "/" in resource["name"] or resource["kind"] in KINDS_OUT:
                    continue
                for one in get("%s/%s" % (group, resource["name"]))["items"]:
                    entry = normal_object(resource["kind"], one)
                    if entry:
                        found[entry[0]] = entry[1]
    return found
