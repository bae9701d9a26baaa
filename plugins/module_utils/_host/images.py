# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of a node's containerd: which are missing, and the units that pull them.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import hashlib

from .._systemd.decide import parse_show

PINNED = "io.cri-containerd.pinned=pinned"


def unit_of(image):
    """:returns: the transient unit that pulls an image. The same image has the same unit, so that it is never pulled twice at once."""
    return "ironrack-preload-%s.service" % hashlib.sha256(image.encode("utf-8")).hexdigest()[:16]


def missing(images, listed):
    """:returns: those of ``images`` that containerd does not list, in their order."""
    present = frozenset(line.strip() for line in listed.splitlines())
    return [image for image in images if image not in present]


def to_pin(images, listed):
    """:returns: the pause images among ``images`` that are there: without a pin the kubelet's garbage collection may take them."""
    present = frozenset(line.strip() for line in listed.splitlines())
    return [image for image in images if image in present and image.split("@")[0].rsplit(":", 1)[0].rsplit("/", 1)[-1] == "pause"]


class Puller:
    """ctr and systemd-run of this host.

    :param cli: a Cli.
    :param ctr: path of ctr.
    :param hosts_dir: the folder that says which registry serves what.
    """

    def __init__(self, cli, ctr, hosts_dir):
        self._cli = cli
        self._ctr = [ctr, "--namespace", "k8s.io"]
        self._hosts_dir = hosts_dir

    def listed(self):
        """:returns: the names of the images that containerd has, a line each."""
        return self._cli.run(self._ctr + ["images", "ls", "-q"], hint="Does containerd.service run?").stdout

    def start(self, image):
        """Pull an image in the background; one pull after the other has failed leaves no unit behind that is in the way."""
        self._cli.run([
            "systemd-run", "--collect", "--no-block", "--quiet", "--unit=%s" % unit_of(image),
            "--description=Pull of %s" % image, "--property=Restart=on-failure", "--property=RestartSec=2",
            "--property=StartLimitBurst=5", "--property=StartLimitIntervalSec=120", "--property=RuntimeMaxSec=900",
        ] + self._ctr + ["images", "pull", "--hosts-dir", self._hosts_dir, image])

    def running(self, images):
        """:returns: those of ``images`` whose pull is under way."""
        if not images:
            return []
        done = self._cli.run(["systemctl", "show", "--property=ActiveState", "--"] + [unit_of(image) for image in images])
        states = [shown.get("ActiveState") for shown in parse_show(done.stdout)]
        return [image for image, state in zip(images, states) if state in ("active", "activating", "reloading", "deactivating")]

    def pin(self, image):
        """Keep an image from the kubelet's garbage collection."""
        self._cli.run(self._ctr + ["images", "label", image, PINNED])

    def last_words(self, image):
        """:returns: the last line of a pull's journal."""
        done = self._cli.run(
            ["journalctl", "--unit=%s" % unit_of(image), "--lines=8", "--no-pager", "--output=cat"], ok=(0, 1))
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        told = [line for line in lines if line.startswith("ctr:")]
        return (told or lines or ["its journal is empty"])[-1]
