# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubeadm is called with, and what its errors mean. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import copy
import json
import re

KUBEADM = "/usr/local/bin/kubeadm"
CRI_SOCKET = "unix:///run/containerd/containerd.sock"
TAIL = 40

_TOKEN = re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_HINTS = (
    ("ImagePull", "An image could not be pulled: the registry that containerd is pointed at lacks it or cannot be reached from this host."),
    ("ExternalEtcdVersion", "etcd did not answer kubeadm: look at etcd's health and at /etc/kubernetes/pki/apiserver-etcd-client.crt."),
    ("already exists in the cluster", "A Node of this name still looks alive: give it a minute, or `kubectl delete node` it when it is another machine's."),
    ("Port-", "A port that Kubernetes needs is taken on this host: `ss -ltnp` says by what."),
    ("FileAvailable", "Files of an earlier run are in the way: run reset.yml on this host."),
    ("[ERROR", "A preflight check of kubeadm failed; a site that knows better names it in ignore_preflight_errors."),
    ("cluster-info", "The API's endpoint did not answer with a signed cluster-info: look at the load balancer and at the clock of this host."),
    ("kubelet", "The kubelet did not come up: `journalctl -u kubelet` on this host says why."),
    ("timed out", "A control plane component did not come up: look at /var/log/pods and `journalctl -u kubelet` on this host."),
)


def kubeadm_argv(verb, config, timeout):
    """:returns: argv of `kubeadm init` or `kubeadm join` with an end."""
    return ["timeout", "--signal=TERM", "--kill-after=30", str(timeout), KUBEADM, verb, "--config", config]


def reset_argv(timeout):
    """:returns: argv that takes kubeadm's traces off a host and nothing else.

    Without --cert-dir it would empty /etc/kubernetes/pki, which is not its own here. Without --skip-phases it would empty
    /var/lib/etcd: with external etcd kubeadm 1.36 falls back to the data folder of a member that it would have made itself.
    Without an existing kubeconfig it asks no API server, so it does not hang while none answers.
    """
    return ["timeout", "--signal=TERM", "--kill-after=30", str(timeout), KUBEADM, "reset", "--force",
            "--cert-dir", "/nonexistent", "--kubeconfig", "/nonexistent", "--cri-socket", CRI_SOCKET, "--skip-phases", "remove-etcd-member"]


def config_text(verb, documents, endpoint="", token="", ca_hash=""):
    """:returns: the configuration for one run, as JSON documents in one YAML stream.

    :param documents: what filter kubeadm_config made.
    :param endpoint: of the API, for a join; token and ca_hash likewise.
    """
    wanted = []
    for document in documents:
        if (document["kind"] == "JoinConfiguration") == (verb == "join"):
            wanted.append(copy.deepcopy(document))
    if not wanted:
        raise ValueError("there is no configuration document for kubeadm %s" % verb)
    if verb == "join":
        wanted[0]["discovery"] = {"bootstrapToken": {"apiServerEndpoint": endpoint, "token": token, "caCertHashes": [ca_hash]}}
    return "---\n" + "\n---\n".join(json.dumps(document, indent=1, sort_keys=True) for document in wanted) + "\n"


def explain(verb, rc, output, node, timeout):
    """:returns: a failure of kubeadm in words, with its last lines, without tokens."""
    # kubeadm prints the kernel's configuration in colours before its own words; nobody needs that at night.
    words = _COLOUR.sub("", _TOKEN.sub("<token>", output))
    lines = [line for line in words.strip().splitlines() if not line.startswith("CONFIG_")] or ["(it printed nothing)"]
    # What kubeadm only warns of is not what it failed on.
    judged = "\n".join(line for line in lines if "[WARNING" not in line)
    if rc == 124:
        what = "kubeadm %s did not come to its end within %d s on %s and was stopped." % (verb, timeout, node)
    else:
        what = "kubeadm %s ended with status %d on %s." % (verb, rc, node)
    hint = next((text for mark, text in _HINTS if mark in judged), "Read its last lines below.")
    return "%s %s Run site.yml again after that: it cleans up and goes on.\n%s" % (what, hint, "\n".join(lines[-TAIL:]))
