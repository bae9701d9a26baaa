# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets lie encrypted in etcd, seen from etcd itself; their key is rotated by a run that is killed on the way, switched off, and called back."""
from __future__ import annotations

import base64
import re
import subprocess
import time
import uuid

from kubernetes import client, config

from .common import OUTPUT, ROOT, NotProved, hosts_of, on, playbook, say
from .kill_chain import kill

KUBECONFIG = OUTPUT / "kubeconfig"
PROBE = "ironrack-encryption-probe"
SEAL = re.compile(r"^k8s:enc:secretbox:v1:(key\d+):", re.MULTILINE)
# A task of the rotation that has begun when the run is killed: on record, not yet delivered.
KILLED_AT = "The control planes have the keys of this stage"
LIMIT = 900


def keys_in_etcd(inventory):
    """:returns: {name of a Secret in etcd: the key that it is sealed with, or "" for clear text}."""
    members = [name for name, host in hosts_of(inventory).items() if "etcd" in host["groups"]]
    etcdctl = ["sudo", "/usr/local/bin/etcdctl", "--endpoints=https://127.0.0.1:2379", "--cacert=/etc/etcd/pki/ca.crt",
               "--cert=/etc/etcd/pki/health-client.crt", "--key=/etc/etcd/pki/health-client.key"]
    names = on(members[0], *etcdctl, "get", "--prefix", "/registry/secrets/", "--keys-only").split()
    found = {}
    for name in names:
        # Only the first bytes are looked at: what follows is sealed, and in clear text it is nobody's business.
        head = subprocess.run(["ssh", "-F", str(OUTPUT.parent / "ssh_config"), members[0], *etcdctl, "get", name, "--print-value-only"], check=True,
                              capture_output=True, timeout=60).stdout[:64].decode("utf-8", "replace")
        seal = SEAL.match(head)
        found[name] = seal.group(1) if seal else ""
    return found


def sealed(inventory):
    """:returns: the one key that every Secret in etcd is sealed with. :raises NotProved: where that is not so."""
    seen = keys_in_etcd(inventory)
    if not any(PROBE in name for name in seen):
        raise NotProved("the Secret that was made is not among the %d in etcd: nothing can be said" % len(seen))
    keys = sorted(set(seen.values()))
    if len(keys) != 1 or not keys[0]:
        raise NotProved("Secrets in etcd are sealed with %s" % {key or "nothing": sum(one == key for one in seen.values()) for key in keys})
    return keys[0], len(seen)


def probe():
    """:returns: (the API, a random value that a Secret holds)."""
    core = client.CoreV1Api(config.new_client_from_config(str(KUBECONFIG)))
    value = uuid.uuid4().hex
    body = client.V1Secret(metadata=client.V1ObjectMeta(name=PROBE), string_data={"value": value})
    if any(one.metadata.name == PROBE for one in core.list_namespaced_secret("default", _request_timeout=20).items):
        core.delete_namespaced_secret(PROBE, "default")
    core.create_namespaced_secret("default", body)
    return core, value


def encrypted(inventory):
    """Every Secret in etcd is sealed with one key."""
    core, _value = probe()
    key, number = sealed(inventory)
    core.delete_namespaced_secret(PROBE, "default")
    say("%d Secrets in etcd, all sealed with %s" % (number, key))


def killed_rotation(inventory):
    """Begin a rotation and kill it between a record and its delivery."""
    log = OUTPUT / "rotate-killed.log"
    with log.open("w") as output:
        run = subprocess.Popen(["ansible-playbook", "-i", str(inventory), "playbooks/encryption_rotate.yml"], cwd=ROOT, stdin=subprocess.DEVNULL,
                               stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        end = time.monotonic() + LIMIT
        # The second time: the first key of the rotation is everywhere, and the record already says that the new one writes.
        while log.read_text().count(KILLED_AT) < 2:
            if run.poll() is not None or time.monotonic() > end:
                raise NotProved("the rotation ended with %s before it could be killed: %s" % (run.returncode, log))
            time.sleep(0.2)
        kill(run.pid)
        run.wait()


def holds(core, value):
    """The Secret says what it said before. :raises NotProved: where not."""
    read = core.read_namespaced_secret(PROBE, "default").data["value"]
    if base64.b64decode(read).decode() != value:
        raise NotProved("a Secret does not hold what it held before")


def untouched(inventory):
    """site.yml has nothing to change. :raises NotProved: where it has."""
    _seconds, counts = playbook(inventory, "site", record="after-rotation")
    if counts["changed"]:
        raise NotProved("site.yml changes what the rotation left: %s" % counts["changed"])


def keys_loaded(inventory):
    """:returns: {control plane: names of the keys in the API server's file}."""
    planes = [name for name, host in hosts_of(inventory).items() if "control_plane" in host["groups"]]
    return {name: sorted(set(on(name, "sudo", "grep", "-ohE", "'key[0-9]+'", "/etc/kubernetes/ironrack/encryption.yaml").split())) for name in planes}


def key_rotated(inventory):
    """The key is rotated: killed in the middle, resumed, and afterwards nothing in etcd needs the old one."""
    core, value = probe()
    before, _number = sealed(inventory)
    killed_rotation(inventory)
    seconds, _counts = playbook(inventory, "encryption_rotate", record="rotate")
    after, number = sealed(inventory)
    if after == before:
        raise NotProved("Secrets are still sealed with %s" % before)
    holds(core, value)
    core.delete_namespaced_secret(PROBE, "default")
    untouched(inventory)
    say("key rotated from %s to %s, killed and resumed in %.0f s: %d Secrets sealed with the new key, and site.yml has nothing to change" % (
        before, after, seconds, number))


def in_clear_text(inventory):
    """:returns: how many Secrets etcd has, the probe among them. :raises NotProved: where any of them is sealed."""
    seen = keys_in_etcd(inventory)
    if not any(PROBE in name for name in seen) or any(seen.values()):
        raise NotProved("without encryption, and Secrets in etcd are sealed with %s" % sorted(set(seen.values())))
    return len(seen)


def encryption_late(inventory):
    """A cluster is built without encryption on hosts that are new, and gets it; what a Secret says is never lost."""
    playbook(inventory, "site", "-e", "cluster_encryption_at_rest=false", record="built-without-encryption")
    core, value = probe()
    in_clear_text(inventory)
    on_, counts = playbook(inventory, "site", record="encryption-switched-on")
    if not counts["changed"]:
        raise NotProved("encryption was switched on, and site.yml changed nothing")
    holds(core, value)
    # The keys can be read by every API server before any of them writes with one.
    number = in_clear_text(inventory)
    rotated, _counts = playbook(inventory, "encryption_rotate", record="encryption-first-rotation")
    key, sealed_ = sealed(inventory)
    holds(core, value)
    core.delete_namespaced_secret(PROBE, "default")
    untouched(inventory)
    say("built without encryption: switched on by site.yml in %.0f s, %d Secrets still in clear text; %.0f s later all %d are sealed with %s" % (
        on_, number, rotated, sealed_, key))


def encryption_goals(inventory):
    """Encryption is switched off and on again, and every old key is called back and taken away again; what a Secret says is never lost."""
    core, value = probe()
    first, _number = sealed(inventory)
    off, _counts = playbook(inventory, "encryption_rotate", "-e", "encryption_rotation_goal=plain", record="encryption-plain")
    in_clear_text(inventory)
    holds(core, value)
    untouched(inventory)
    back, _counts = playbook(inventory, "encryption_rotate", record="encryption-back")
    second, number = sealed(inventory)
    recalled, _counts = playbook(inventory, "encryption_rotate", "-e", "encryption_rotation_goal=recall", record="encryption-recall")
    loaded = keys_loaded(inventory)
    if not loaded or any(not {first, second} <= set(keys) for keys in loaded.values()):
        raise NotProved("called back, and the API servers have %s; wanted: %s and %s" % (loaded, first, second))
    if sealed(inventory)[0] != second:
        raise NotProved("called back, and Secrets are no longer sealed with %s" % second)
    holds(core, value)
    untouched(inventory)
    gone, _counts = playbook(inventory, "encryption_rotate", record="encryption-after-recall")
    third, _number = sealed(inventory)
    loaded = keys_loaded(inventory)
    if any(keys != [third] for keys in loaded.values()):
        raise NotProved("rotated after that, and the API servers have %s; wanted: %s alone" % (loaded, third))
    holds(core, value)
    core.delete_namespaced_secret(PROBE, "default")
    say("encryption switched off in %.0f s and on again in %.0f s (%s, then %s, %d Secrets); old keys called back in %.0f s, and gone %.0f s later (%s)" % (
        off, back, first, second, number, recalled, gone, third))
