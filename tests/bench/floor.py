# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: only what cannot be left out on the way from fresh hosts to the cluster of site.yml, over plain ssh, as parallel as it goes.

It decides nothing, compares nothing, and a second run of it would fail: certificates, one archive and one script a host, kubeadm, manifests. What
the scripts hold comes from a recording of site.yml (see recording.py), made before the clock starts. Only the store of the certificates is not
kept, so no later run can go on from here.
"""
from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._kube import kubeconfig
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm import token as tokens
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.command import config_text
from ansible_collections.ironrack.cluster.plugins.module_utils._mirror.bundle import repository_path
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.bundle import Bundle
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.spec import parse_specs

from . import answers, measure, recording

KUBECTL = "/usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf"
LIMIT = 900


class Hosts:
    """The lab's hosts over ssh.

    :param config: path of the ssh configuration that names them.
    """

    def __init__(self, config):
        # No shared connections: four logins a host cost less than one master that keeps a pipe open.
        self._ssh = ["ssh", "-F", config]

    def run(self, host, script, data=b""):
        """Run a bash script as root.

        :param data: bytes, or an open file, for its standard input.
        :returns: what it printed.
        :raises measure.NotMeasured: where it fails.
        """
        source = {"stdin": data} if hasattr(data, "fileno") else {"input": data}
        done = subprocess.run(self._ssh + [host, "sudo bash -c %s" % shlex.quote(script)], capture_output=True, check=False, timeout=LIMIT, **source)
        if done.returncode:
            raise measure.NotMeasured("the floor failed on %s with status %d:\n%s" % (
                host, done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")[-4000:]))
        return done.stdout.decode("utf-8", "replace")


class Phases:
    """Notes how long each part took."""

    def __init__(self, clock=time.monotonic):
        self._clock, self._begin, self._last = clock, clock(), clock()
        self.seconds = {}

    def done(self, name):
        """The part that began with the end of the one before has ended."""
        now = self._clock()
        self.seconds[name], self._last = round(now - self._last, 1), now

    def total(self):
        """:returns: seconds from the first part's begin to the last one's end."""
        return round(self._last - self._begin, 1)


class _NoModule:
    """What the shared command client wants of a module, without one."""

    params, check_mode, tmpdir = {}, False, None

    @staticmethod
    def run_command(args, data=None, binary_data=False, encoding="utf-8", environ_update=None, cwd=None, **_unused):
        done = subprocess.run(args, input=data.encode() if isinstance(data, str) else data, capture_output=True, check=False, cwd=cwd,
                              env=dict(os.environ, **(environ_update or {})))
        if encoding is None:
            return done.returncode, done.stdout, done.stderr
        return done.returncode, done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "surrogateescape")


def record(inventory, folder, words=()):
    """Record what site.yml does on the hosts of an inventory; no host is reached.

    :returns: host -> address of all hosts that were asked.
    """
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    listed = subprocess.run(["ansible-inventory", "-i", inventory, "--list"], cwd=measure.ROOT, check=True, capture_output=True, text=True)
    variables = json.loads(listed.stdout)["_meta"]["hostvars"]
    addresses = {host: own["ansible_host"] for host, own in variables.items()}
    measure.run(
        ["ansible-playbook", "-i", inventory, os.path.join("playbooks", "site.yml"), "-e", "ansible_connection=stub",
         "-e", "cluster_client_host=%s" % next(host for host in addresses), *words],
        os.path.join(os.path.dirname(folder), "floor-recording.log"),
        {"STUB_RECORD": folder, "ANSIBLE_CONNECTION_PLUGINS": os.path.join(measure.ROOT, "tests", "bench", "connection_plugins")})
    return addresses


def one(steps, what):
    """:returns: the one host whose steps have ``what``, and that value."""
    found = [(host, getattr(own, what)) for host, own in steps.items() if getattr(own, what)]
    if len(found) != 1:
        raise measure.NotMeasured("%s hosts have %s, expected one" % (len(found), what))
    return found[0]


def certificates(asked):
    """:returns: (stand-in -> real content, name -> real content): one call makes all of the cluster's certificates."""
    with tempfile.TemporaryDirectory(prefix="ironrack-floor-") as store:
        bundle = Bundle(os.path.join(store, "pki"), Cli(_NoModule()))
        authorities, leaves = parse_specs(asked["authorities"], asked["keypairs"], asked["certificates"])
        bundle.converge(authorities, [pair["name"] for pair in asked["keypairs"]], leaves, asked.get("encryption"))
    stand_ins = answers.bundle_files(asked)
    return {stand_ins[name]: bundle.files[name] for name in stand_ins}, bundle.files


def run(steps, hosts, bundle, say=print):
    """Build the cluster.

    :param steps: host -> :class:`recording.Steps`.
    :param hosts: :class:`Hosts`.
    :param bundle: the bundle's folder on this machine.
    :returns: :class:`Phases`.
    """
    mirror, root = one(steps, "bundle_root")
    client = steps[one(steps, "kubeconfig")[0]]
    planes = [host for host, own in steps.items() if own.documents and len(own.documents) > 1]
    workers = [host for host, own in steps.items() if own.documents and len(own.documents) == 1]
    token = tokens.new_token()
    phases = Phases()
    with ThreadPoolExecutor(len(steps)) as pool:
        sending = pool.submit(_send_bundle, hosts, mirror, bundle, root)
        contents, files = certificates(one(steps, "pki")[1])
        phases.done("certificates")
        sending.result()
        phases.done("bundle to the mirror")
        hosts.run(mirror, steps[mirror].base(), steps[mirror].archive(contents))
        hosts.run(mirror, steps[mirror].services())
        phases.done("mirror")
        pushing = pool.submit(hosts.run, mirror, push_images(bundle, root))
        _each(pool, [host for host in steps if host != mirror], lambda host: hosts.run(host, steps[host].base(), steps[host].archive(contents)))
        phases.done("packages, files, components")
        pushing.result()
        _each(pool, [host for host in steps if host != mirror], lambda host: hosts.run(host, steps[host].services()))
        phases.done("services, images")
        first = planes[0]
        documents = json.loads(json.dumps(steps[first].documents))
        next(one for one in documents if one["kind"] == "InitConfiguration")["bootstrapTokens"][0]["token"] = token
        hosts.run(first, steps[first].kubeadm("init"), config_text("init", documents).encode())
        phases.done("kubeadm init")
        # What is spread over nodes has to wait for them: a Deployment that is applied now stays where the first node is.
        spread = [manifest for manifest in client.manifests if manifest["kind"] == "Deployment"]
        applying = pool.submit(_apply, hosts, first, [manifest for manifest in client.manifests if manifest not in spread])
        pin = tokens.ca_hash(files["kubernetes-ca.crt"].encode())
        _each(pool, planes[1:] + workers, lambda host: hosts.run(
            host, steps[host].kubeadm("join"), config_text("join", steps[host].documents, steps[host].endpoint, token, pin).encode()))
        applying.result()
        _apply(hosts, first, spread)
        phases.done("kubeadm join, manifests")
    _deliver(client.kubeconfig, files)
    hosts.run(first, "\n".join(["set -eu", KUBECTL + " wait --for=condition=Ready node --all --timeout=300s >/dev/null"] + [
        "%s -n %s rollout status %s --timeout=300s >/dev/null" % (KUBECTL, namespace, name)
        for namespace, name in recording.workloads(client.manifests)]))
    phases.done("nodes and workloads ready")
    say("floor: %.1f s: %s" % (phases.total(), ", ".join("%s %.1f" % pair for pair in phases.seconds.items())))
    return phases


def _apply(hosts, host, manifests):
    # Some of them are parts of what kubeadm has made, whose required fields are there already.
    hosts.run(host, KUBECTL + " apply --server-side --force-conflicts --validate=false -f -",
              json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}).encode())


def push_images(bundle, root):
    """:returns: the commands that bring the bundle's images from the mirror's own disk into its registry, all at once."""
    with open(os.path.join(bundle, "manifest.json"), encoding="utf-8") as stream:
        files = json.load(stream)["files"]
    backend = "127.0.0.1:5001"
    pushes = ["/usr/local/bin/crane push --insecure %s/%s %s/%s:%s >/dev/null" % (root, name, backend, repository_path(entry["image"]), entry["tag"])
              for name, entry in sorted(files.items()) if entry.get("image")]
    return "\n".join(["set -eu"] + recording.in_parallel(pushes))


def _send_bundle(hosts, mirror, bundle, root):
    # A pipe, not a file: the bundle is as large as all that it holds.
    with subprocess.Popen(["tar", "c", "-C", bundle, "."], stdout=subprocess.PIPE) as packing:
        hosts.run(mirror, "mkdir -p %s && tar x --no-same-owner -C %s" % (root, root), packing.stdout)
    if packing.returncode:
        raise measure.NotMeasured("tar could not read the bundle %s" % bundle)


def _deliver(asked, files):
    text = kubeconfig.render(asked["cluster_name"], asked.get("user", "ironrack-admin"), asked["server"], files["kubernetes-ca-chain.crt"],
                             files["admin.crt"], files["admin.key"])
    os.makedirs(os.path.dirname(asked["path"]), exist_ok=True)
    with open(os.open(asked["path"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)


def _each(pool, names, action):
    """For all at once; the first error is raised when all have ended."""
    futures = [pool.submit(action, name) for name in names]
    for future in futures:
        future.exception()
    for future in futures:
        future.result()
