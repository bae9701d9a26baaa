# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may read what kubeadm writes: it leaves some of it open to every user of a host. Pure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .plan import ADMIN_CONFS, BOOTSTRAP_CONF, COMPONENT_CONFS, KUBELET_CONF, KUBELET_CONFIG, MANIFESTS

PRIVATE = 0o600
#: Files of kubeadm's that only root has to read. An upgrade writes some of them anew, with kubeadm's own mode.
PATHS = (KUBELET_CONF, BOOTSTRAP_CONF, KUBELET_CONFIG, "/var/lib/kubelet/kubeadm-flags.env", "/var/lib/kubelet/instance-config.yaml") \
    + MANIFESTS + COMPONENT_CONFS + ADMIN_CONFS


def loose(found):
    """Which files are open to others than root, or belong to somebody else.

    :param found: path -> (permission bits, uid, gid) of the files that exist.
    :returns: their paths, in order.
    """
    return sorted(path for path, (mode, uid, gid) in found.items() if mode & ~PRIVATE or uid or gid)
