# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a balancer knows of a service: the status that a configuration carries, who may replace it, and in which steps. Pure.

A status stands twice in the configuration of a service: in its first line, for whoever reads the disk, and as the answer of the health port,
which is what the running workers have read. So what runs can be compared with what is on disk, whatever was killed in between.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import hashlib
import json
from collections import namedtuple

from .._common.errors import IronrackError
from .traffic import NOBODY, Release, Routing, shares

MARK = "# ironrack.cluster.nginx_upstream "
NOTE = "# note: "
# A line of NGINX's configuration is read in pieces of 4096 bytes, and a comment may be no longer either.
NOTE_BYTES = 3000
# Stands for the digest while the digest is computed.
UNSIGNED = "@digest@"

# generation: of the record; asked: the Routing of that generation; served: the Routing that is in force, another one while addresses of a new
# release are awaited; releases: those that NGINX has an upstream of; digest: SHA-256 of the whole configuration.
Status = namedtuple("Status", ("service", "generation", "asked", "served", "releases", "digest"))

# add: releases that have to be added without traffic first; reach: those that get traffic now and had none.
Plan = namedtuple("Plan", ("add", "reach"))


class Superseded(IronrackError):
    """Somebody else has given this balancer newer traffic. Its details carry ``generation`` and ``present``."""


def status_json(status):
    """:returns: one line of JSON without anything that NGINX would read as a quote or a variable."""
    return json.dumps({
        "service": status.service, "generation": status.generation, "asked": status.asked._asdict(), "served": status.served._asdict(),
        "weights": dict(shares(status.served)), "releases": [release._asdict() for release in status.releases], "digest": status.digest,
    }, sort_keys=True)


def read_status(text):
    """:returns: the :class:`Status` of what :func:`status_json` made. :raises ValueError: where it is none."""
    try:
        known = json.loads(text)
        return Status(known["service"], known["generation"], Routing(**known["asked"]), Routing(**known["served"]),
                      tuple(Release(**entry) for entry in known["releases"]), known["digest"])
    except (KeyError, TypeError) as error:
        raise ValueError("no status of a service: %s" % error)


def status_of(text):
    """:returns: the :class:`Status` in the first line of a configuration, or None where there is no configuration or it is not ours."""
    first = (text or "").partition("\n")[0]
    if not first.startswith(MARK):
        return None
    try:
        return read_status(first[len(MARK):])
    except ValueError:
        return None


def note_line(note):
    """:returns: what somebody left for the next one, as lines of a configuration. :raises IronrackError: where it is too long."""
    if not note:
        return []
    line = NOTE + json.dumps(note, sort_keys=True)
    if len(line) > NOTE_BYTES:
        raise IronrackError("the note has %d bytes as JSON, expected at most %d: shorten its texts" % (len(line), NOTE_BYTES))
    return [line]


def note_of(text):
    """:returns: what was left in a configuration of ours; an empty dictionary where there is nothing."""
    lines = (text or "").splitlines()[:5] if status_of(text) else []
    for line in lines:
        if line.startswith(NOTE):
            try:
                return json.loads(line[len(NOTE):])
            except ValueError:
                break
    return {}


def sign(text):
    """:returns: the text with its own digest in the places that are kept for it."""
    return text.replace(UNSIGNED, hashlib.sha256(text.encode()).hexdigest())


def is_intact(text):
    """:returns: whether a configuration is what the module wrote, and nobody has edited it since."""
    status = status_of(text)
    return status is not None and sign(text.replace(status.digest, UNSIGNED)) == text


def refuse_older(service, generation, asked, disk, running):
    """Refuse what is older than what the balancer has, or of the same generation and another mind.

    :param asked: the :class:`Routing` that is wanted, or None for the removal of the service.
    :param disk: the :class:`Status` on disk, or None.
    :param running: that of the running workers, or None.
    :raises Superseded: says both generations and where the newer one was seen.
    """
    for where, present in (("on disk", disk), ("in the running workers", running)):
        if present is None:
            continue
        both = {"generation": generation, "present": present.generation}
        if present.generation > generation:
            raise Superseded(
                "%s: generation %d is older than generation %d %s, so that its traffic was left alone. Another controller has been here since: "
                "read the rollout's record again. Where no API answered meanwhile, the record is what is old: repeat what was asked for then, llm_disable, "
                "llm_enable or the rollout's playbook, which takes it into the record" % (service, generation, present.generation, where), **both)
        if present.generation == generation and asked is not None and present.asked != asked:
            raise Superseded(
                "%s: generation %d already stands for other traffic %s (%s, wanted %s). Each change needs a generation of its own: "
                "take the next one from the rollout's record" % (service, generation, where, words(present.asked), words(asked)), **both)


def plan(traffic, running):
    """What has to happen before the traffic may be split as is wanted.

    :param traffic: a :class:`Traffic`.
    :param running: the :class:`Status` of the running workers, or None.
    :returns: :class:`Plan`, of releases.
    :raises IronrackError: where a release that has traffic would get other addresses under the same name.
    """
    served = dict((name, percent) for name, percent in shares(running.served)) if running else {}
    known = dict((release.name, release) for release in running.releases) if running else {}
    add, reach = [], []
    for release in traffic.releases:
        present = known.get(release.name)
        if release.name in served and present != release:
            raise IronrackError(
                "%s: release %s has %d %% of the traffic at %s:%d, expected the same address as long as it has, got %s:%d. "
                "Give the new one a name of its own" % (traffic.service, release.name, served[release.name], present.host, present.port,
                                                        release.host, release.port))
        if release.name not in dict(shares(traffic.routing)) or release.name in served:
            continue
        reach.append(release)
        if present != release:
            add.append(release)
    return Plan(tuple(add), tuple(reach))


def interim(traffic, running):
    """What is served while the addresses of new releases are awaited: what was, with the new releases beside it.

    :returns: (:class:`Routing`, releases).
    """
    if running is None:
        return NOBODY, traffic.releases
    names = [release.name for release in traffic.releases]
    kept = tuple(release for release in running.releases if release.name not in names)
    return running.served, traffic.releases + kept


def words(routing):
    """:returns: a routing in words."""
    return ", ".join("%d %% %s" % (percent, release) for release, percent in shares(routing)) or "nobody serves"


def report(status):
    """:returns: a status as a module's result, or None where there is none."""
    if status is None:
        return None
    return dict(status.served._asdict(), generation=status.generation, weights=dict(shares(status.served)),
                releases=dict((release.name, "%s:%d" % (release.host, release.port)) for release in status.releases))
