# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a snapshot repository is to be, and which nodes cannot use it. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import re
from .._common.refusal import problem


S3, FS = "s3", "fs"
#: What each type cannot do without.
REQUIRED = {S3: ("bucket",), FS: ("location",)}
#: Settings that would lie in the cluster's state, readable for everybody who may see the repository.
SECRET = ("access_key", "secret_key", "session_token")
#: One failure of the engine's answer to _verify: [ID, 'CAUSE'].
_FAILURE = re.compile(r"\[(?P<id>[A-Za-z0-9_-]{20,24}), '(?P<why>.*?)'\](?=, \[|\]|$)", re.DOTALL)
#: The innermost cause of a chain of Java's exceptions, each in brackets after its name.
_CAUSE = re.compile(r"(?:nested: )?[A-Za-z]+(?:Exception|Error)\[(?P<why>[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)")


def text(value):
    """:returns: the value of a setting as the engine keeps it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def wanted(kind, settings):
    """:returns: type and settings of a repository, as they can be compared."""
    return {"type": kind, "settings": {name: text(value) for name, value in settings.items() if value is not None}}


def differences(name, before, after):
    """:returns: each way in which a repository that is asked for is another one than that which is registered, as a problem.

    :param name: the repository's. :param before: as :func:`wanted` gives it, of what is registered. :param after: the same of what is asked for.
    """
    has, asked = ({"type": one["type"], **{"settings.%s" % key: value for key, value in one["settings"].items()}} for one in (before, after))
    return [problem(key, "it is %r, and the repository %s of this cluster has %r" % (asked.get(key), name, has.get(key)), "what is registered",
                    "Correct it, or give another name.") for key in sorted(set(has) | set(asked)) if has.get(key) != asked.get(key)]


def problems_of(kind, settings):
    """:returns: why a repository cannot be registered so."""
    found = [problem("settings.%s" % name, "it is missing", "a repository of type %s has one" % kind, "Set it.")
             for name in REQUIRED[kind] if not settings.get(name)]
    found += [problem("settings.%s" % name, "it is a secret, and everybody who may see the repository could read it",
                      "credentials in the keystore of every node",
                      "Take it out, and set s3.client.%s.%s with opensearch-keystore." % (settings.get("client", "default"), name))
              for name in SECRET if name in settings]
    found += [problem("settings.%s" % name, "it holds other settings", "one value each", "Write them flat.")
              for name, value in sorted(settings.items()) if isinstance(value, (dict, list))]
    return found


def unable(status, answer, nodes):
    """Say which nodes cannot use a repository.

    :param status: of the answer to _verify. :param answer: that answer. :param nodes: id -> name and roles of every node.
    :returns: name -> why. Empty where all that have to can.
    """
    needed = {key: node["name"] for key, node in nodes.items() if set(node.get("roles") or ()) & {"data", "cluster_manager", "master"}}
    if status == 200:
        able = (answer or {}).get("nodes") or {}
        return {name: "it did not answer" for key, name in needed.items() if key not in able} or ({} if able else {"every node": "no node answered"})
    words = _words(answer)
    found = {nodes.get(one.group("id"), {}).get("name", one.group("id")): _short(one.group("why")) for one in _FAILURE.finditer(words)}
    if found:
        return found
    if "not accessible on cluster-manager node" in words or "not accessible on master node" in words:
        return {"the elected cluster manager": _short(words)}
    return {"every node": _short(words)}


def _words(answer):
    """:returns: the engine's reason with all of its causes; empty where it gave none."""
    found, error = [], (answer or {}).get("error")
    if isinstance(error, str):
        return error
    while isinstance(error, dict):
        if error.get("reason") and error["reason"] not in found:
            found.append(str(error["reason"]))
        error = error.get("caused_by")
    return "; ".join(found)


def _short(words):
    causes = [one.group("why") for one in _CAUSE.finditer(words)]
    return (causes[-1] if causes else words or "no reason was given")[:400]
