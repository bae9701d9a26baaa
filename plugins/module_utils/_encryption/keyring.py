# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that etcd's data is encrypted with, what the API servers are told of them, and how they are rotated. Pure.

A keyring is one JSON document, and it is the record of a rotation as well: what the API servers get follows from it alone. So a record that
is written before each step is all that a run which was killed leaves to know, and any playbook that delivers the file delivers the step
that was recorded.

Each step is safe beside the one before it, on whichever API servers it has arrived:

=========  =============================  =====================================
step       the API servers get            allowed once all of them have loaded
=========  =============================  =====================================
add        old, new                       what was there before
promote    new, old                       add: everybody can read the new key
rewrite    new, old                       promote: everybody writes the new key
drop       new                            promote, and every object was written
=========  =============================  =====================================

No key ever leaves the keyring: a snapshot of etcd from before a rotation can only be read with the key of its time.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import base64
import copy
import hashlib
import json

from .._common.errors import IronrackError

FILE = "encryption-keyring.json"
#: The name of the delivered file among those of the bundle.
DELIVERED = "encryption.yaml"
#: Data as it is, the provider of Kubernetes that encrypts nothing.
PLAIN = "identity"
KEY_BYTES = 32

NEW_KEY, TO_PLAIN, RECALL = "new_key", "plain", "recall"
ADD, PROMOTE, REWRITE, DROP, DONE = "add", "promote", "rewrite", "drop", "done"
#: goal -> its stages. A recall only makes old keys readable again, so it writes nothing.
PATHS = {
    NEW_KEY: (ADD, PROMOTE, REWRITE, DROP, DONE),
    TO_PLAIN: (ADD, PROMOTE, REWRITE, DROP, DONE),
    RECALL: (ADD, DONE),
}


class Evidence:
    """What was seen of the API servers before a step.

    :param servers: name -> address of every control plane of the inventory.
    :param seen: name -> {digest, peers}: the configuration that its API server has loaded, and the addresses of all API servers as it knows them.
    :param rewritten: whether every object has been written since all API servers loaded the configuration of now.
    """

    def __init__(self, servers, seen, rewritten=False):
        self.servers = dict(servers)
        self.seen = dict(seen)
        self.rewritten = rewritten


def new_keyring(resources, secret, now, built):
    """:returns: the keyring of a cluster.

    :param resources: names as the API server takes them, such as ``secrets`` or ``deployments.apps``.
    :param secret: 32 random bytes.
    :param now: the time as text.
    :param built: whether a cluster may stand already. Its API servers get the key one after the other, so it is only readable at first;
        the rotation that is recorded here makes it the one that writes.
    """
    keyring = {"version": 1, "resources": [] if built else sorted(set(resources)), "keys": [], "order": [PLAIN], "rotation": None, "history": []}
    name = _make_key(keyring, secret, now)
    keyring["order"] = [name, PLAIN]
    if built:
        keyring["rotation"] = {"goal": NEW_KEY, "to": name, "stage": ADD, "adding": sorted(set(resources)), "started": now}
    return keyring


def _make_key(keyring, secret, now):
    if len(secret) != KEY_BYTES:
        raise ValueError("a key has %d bytes" % KEY_BYTES)
    # Keys stay for ever, so a number is never used twice: etcd's data names its key.
    name = "key%d" % (len(keyring["keys"]) + 1)
    keyring["keys"].append({"name": name, "secret": base64.b64encode(secret).decode(), "created": now})
    return name


def parse(data, path):
    """:returns: the keyring of a file's bytes.

    :raises IronrackError: where it is none; its content is not told.
    """
    try:
        keyring = json.loads(data)
        names = [key["name"] for key in keyring["keys"]]
        good = keyring["version"] == 1 and names and set(keyring["order"]) <= set(names) | {PLAIN} and PLAIN in keyring["order"]
        good = good and all(len(base64.b64decode(key["secret"])) == KEY_BYTES for key in keyring["keys"])
        rotation = keyring["rotation"]
        good = good and (rotation is None or rotation["stage"] in PATHS[rotation["goal"]])
    except (ValueError, KeyError, TypeError):
        good = False
    if not good:
        raise IronrackError(
            "%s is no keyring, and without it nobody can read the encrypted data of this cluster. Put it back from the backup of the store; "
            "the keys in use are also in /etc/kubernetes/ironrack/encryption.yaml of each control plane" % path)
    return keyring


def serialised(keyring):
    """:returns: the keyring as a file's bytes."""
    return (json.dumps(keyring, indent=1, sort_keys=True) + "\n").encode("utf-8")


def names(keyring):
    """:returns: the names of all keys there ever were."""
    return [key["name"] for key in keyring["keys"]]


def is_plain(keyring):
    """:returns: whether nothing is encrypted, and nothing is under way."""
    return keyring["rotation"] is None and keyring["order"][0] == PLAIN


def encrypted(keyring):
    """:returns: the resources that have to be written again in a rotation, those that are new to it included."""
    rotation = keyring["rotation"] or {"adding": []}
    return sorted(set(keyring["resources"]) | set(rotation["adding"]))


def configuration(keyring):
    """:returns: the EncryptionConfiguration of the API servers.

    Kubernetes' ``secretbox`` seals data: a changed byte is noticed, a nonce of 192 random bits never repeats. ``identity`` stands last, so
    that what was written before encryption was switched on can be read.
    """
    secrets = {key["name"]: key["secret"] for key in keyring["keys"]}

    def providers(order):
        return [{"identity": {}} if name == PLAIN else {"secretbox": {"keys": [{"name": name, "secret": secrets[name]}]}} for name in order]

    order, rotation = keyring["order"], keyring["rotation"]
    blocks = [{"resources": keyring["resources"], "providers": providers(order)}] if keyring["resources"] else []
    if rotation and rotation["stage"] == ADD and rotation["adding"]:
        # An API server that has not loaded this yet can read a new kind of object in clear text only.
        clear_first = [PLAIN] + [name for name in order if name != PLAIN]
        blocks.append({"resources": rotation["adding"], "providers": providers(clear_first)})
    return {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration", "resources": blocks}


def text(keyring):
    """:returns: the delivered file. JSON is YAML."""
    return json.dumps(configuration(keyring), indent=1, sort_keys=True) + "\n"


def digest(content):
    """:returns: how an API server names a configuration in its metric last_config_info."""
    return "sha256:" + hashlib.sha256(content.encode("utf-8")).hexdigest()


def unfinished(keyring):
    """:returns: a sentence about a rotation that is under way, or nothing."""
    rotation = keyring["rotation"]
    if not rotation:
        return ""
    if rotation["adding"] and rotation["stage"] == ADD:
        return "%s %s still written to etcd in clear text: encryption_rotate.yml encrypts what is there and what comes" % (
            ", ".join(rotation["adding"]), "are" if len(rotation["adding"]) > 1 or rotation["adding"][0].endswith("s") else "is")
    return "a rotation of the encryption key is at its stage '%s': encryption_rotate.yml brings it to its end" % rotation["stage"]


def advance(keyring, stage, goal, evidence, secret, now, resources):
    """Go to a stage, or say that it is past.

    :param stage: one of the stages; they have to be asked for in their order, and each may be asked for again.
    :param goal: new_key, plain or recall.
    :param evidence: :class:`Evidence`; None predicts, as a check run does.
    :param secret: 32 random bytes for a new key.
    :param resources: what is to be encrypted; what is encrypted already stays so.
    :returns: (the keyring to record, whether this stage has work to do now). The argument is not changed.
    :raises IronrackError: where the step would not be safe.
    """
    keyring = copy.deepcopy(keyring)
    rotation = keyring["rotation"]
    if rotation is None:
        if stage != ADD:
            return keyring, False
        _need_loaded(keyring, evidence)
        return _begin(keyring, goal, secret, now, resources), True
    if rotation["goal"] != goal:
        raise IronrackError("a rotation with the goal '%s' is under way, at its stage '%s': bring that one to its end first, with "
                            "-e encryption_rotation_goal=%s" % (rotation["goal"], rotation["stage"], rotation["goal"]))
    path = PATHS[goal]
    if stage not in path:
        return keyring, False
    here, there = path.index(rotation["stage"]), path.index(stage)
    if there <= here:
        return keyring, there == here
    if there > here + 1 and evidence is not None:
        raise IronrackError("the stage '%s' was asked for, but the rotation is at '%s' and '%s' comes next" % (stage, rotation["stage"], path[here + 1]))
    _need_loaded(keyring, evidence)
    if REWRITE in path[here:there] and evidence is not None and not evidence.rewritten:
        raise IronrackError("not every object has been written with the new key yet, so the old one cannot go: %s" % ", ".join(encrypted(keyring)))
    for step in path[here + 1:there + 1]:
        _enter(keyring, step, now)
    return keyring, True


def _begin(keyring, goal, secret, now, resources):
    order = keyring["order"]
    first, rest = order[0], order[1:]
    adding = sorted(set(resources) - set(keyring["resources"])) if goal == NEW_KEY else []
    if goal == NEW_KEY:
        to = _make_key(keyring, secret, now)
        keyring["order"] = [first, to] + rest
    elif goal == TO_PLAIN:
        to = PLAIN
    else:
        to = first
        old = [name for name in reversed(names(keyring)) if name not in order]
        keyring["order"] = [name for name in order if name != PLAIN] + old + [PLAIN] if first != PLAIN else order + old
    keyring["rotation"] = {"goal": goal, "to": to, "stage": ADD, "adding": adding, "started": now}
    return keyring


def _enter(keyring, stage, now):
    rotation = keyring["rotation"]
    to = rotation["to"]
    rotation["stage"] = stage
    if stage == PROMOTE:
        keyring["order"] = [to] + [name for name in keyring["order"] if name != to]
        keyring["resources"] = encrypted(keyring)
    elif stage == DROP and to != PLAIN:
        keyring["order"] = [to, PLAIN]
    elif stage == DONE:
        keyring["rotation"] = None
        keyring["history"].append({"goal": rotation["goal"], "to": to, "started": rotation["started"], "finished": now})


def _need_loaded(keyring, evidence):
    """:raises IronrackError: unless every API server of the cluster has loaded what the keyring says, with all that have not."""
    if evidence is None:
        return
    if not evidence.servers:
        raise IronrackError("no control plane was named: the keys of a cluster without API servers are not rotated")
    wanted, problems = digest(text(keyring)), []
    for name in sorted(evidence.servers):
        seen = evidence.seen.get(name) or {}
        if not seen.get("digest"):
            problems.append("%s has not said which configuration it has loaded" % name)
        elif seen["digest"] != wanted:
            problems.append("%s has loaded another configuration than the one on record" % name)
        strangers = sorted(set(seen.get("peers") or ()) - set(evidence.servers.values()))
        if seen.get("digest") and not seen.get("peers"):
            problems.append("%s names no API server of this cluster, not even itself" % name)
        problems.extend("%s knows an API server at %s, which is no control plane of this inventory" % (name, address) for address in strangers)
    if problems:
        raise IronrackError(
            "nothing was rotated, because a key that an API server does not know makes data unreadable for it:\n- %s\nRun site.yml, which "
            "delivers the configuration on record; an API server reads it within a minute. Then run this again" % "\n- ".join(problems))
