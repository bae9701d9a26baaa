# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of ironrack.cluster.mirror_sync: it verifies and sends; the module of the same name compares and stores."""
from __future__ import annotations

import os
import tarfile
import tempfile

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._common.fs import sha256_file
from ansible_collections.ironrack.cluster.plugins.module_utils._mirror.bundle import MANIFEST, batches, parse_manifest

BATCH_BYTES = 256 << 20


class ActionModule(ActionBase):
    """Ansible's entry point."""

    TRANSFERS_FILES = False
    _requires_connection = True
    _VALID_ARGS = frozenset(("bundle", "root", "batch_bytes"))

    def run(self, tmp=None, task_vars=None):
        """Compare, verify, send and finish. See the module's documentation."""
        self._vars = task_vars or {}
        result = super().run(tmp, task_vars)
        bundle = self._task.args.get("bundle")
        if not bundle:
            raise AnsibleActionFail("bundle is needed: the bundle's folder on the controller")
        bundle = os.path.expanduser(str(bundle))
        try:
            text, manifest = read_manifest(bundle)
            compared = self._step(text, "compare")
            if compared.get("failed"):
                return dict(result, **compared)
            needed = compared["needed"]
            sizes = dict((name, manifest["files"][name]["size"]) for name in needed)
            verify(bundle, manifest, needed)
            parts = batches(needed, sizes, int(self._task.args.get("batch_bytes") or BATCH_BYTES))
            refuse_full_disk(compared["free"], parts, sizes)
            done = compared
            if compared["changed"] and not self._task.check_mode:
                done = self._send(bundle, text, parts)
                if done.get("failed"):
                    return dict(result, **done)
        except IronrackError as error:
            return dict(result, failed=True, msg=str(error), **error.details)
        return dict(
            result, changed=compared["changed"], sent=needed, removed=compared["removed"], bytes=sum(sizes.values()),
            diff=dict(before="".join("%s\n" % name for name in compared["removed"]), after="".join("%s\n" % name for name in needed)))

    def _step(self, text, step, **arguments):
        arguments.update(bundle=self._task.args["bundle"], manifest=text, step=step)
        if self._task.args.get("root"):
            arguments["root"] = self._task.args["root"]
        return self._execute_module(module_name="ironrack.cluster.mirror_sync", module_args=arguments, task_vars=self._vars)

    def _send(self, bundle, text, parts):
        """:returns: the result of the step that failed, else of the last."""
        for names in parts:
            done = self._send_part(bundle, text, names)
            if done.get("failed"):
                return done
        return self._step(text, "finish")

    def _send_part(self, bundle, text, names):
        """Send one archive into a folder that the connection's user can write, and have the module take it from there."""
        remote = self._connection._shell.join_path(self._make_tmp_path(), "part.tar")
        local = tempfile.NamedTemporaryFile(dir=constants.DEFAULT_LOCAL_TMP, suffix=".tar", delete=False)
        try:
            with local, tarfile.open(fileobj=local, mode="w") as tar:
                for name in names:
                    tar.add(os.path.join(bundle, name), arcname=name, recursive=False)
            self._transfer_file(local.name, remote)
            self._fixup_perms2([self._connection._shell.tmpdir, remote])
            return self._step(text, "store", archive=remote, names=names)
        finally:
            os.unlink(local.name)
            self._remove_tmp_path(self._connection._shell.tmpdir)
            self._connection._shell.tmpdir = None


def read_manifest(bundle):
    """:returns: the manifest's text and the manifest."""
    path = os.path.join(bundle, MANIFEST)
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except (OSError, UnicodeDecodeError) as error:
        raise IronrackError("there is no bundle in %s: %s could not be read (%s). Build or unpack the bundle first, or set mirror_bundle to it" % (
            bundle, path, getattr(error, "strerror", None) or error))
    return text, parse_manifest(text, path)


def verify(bundle, manifest, names):
    """Refuse a damaged bundle before anything of it is sent."""
    problems = []
    for name in names:
        path, entry = os.path.join(bundle, name), manifest["files"][name]
        if not os.path.isfile(path):
            problems.append("%s is missing" % name)
        elif os.path.getsize(path) != entry["size"]:
            problems.append("%s has %d bytes, the manifest says %d" % (name, os.path.getsize(path), entry["size"]))
        elif sha256_file(path) != entry["sha256"]:
            problems.append("%s has another SHA-256 than the manifest says" % name)
    if problems:
        raise IronrackError(
            "the bundle %s is damaged, nothing was sent: build or copy it again\n- %s" % (bundle, "\n- ".join(problems)), problems=problems)


def refuse_full_disk(free, parts, sizes):
    """Refuse a host without the space for the bundle."""
    if not parts:
        return
    # the archive that is being unpacked lies there too, where the connection's user has its folder on the same file system
    asked = sum(sizes.values()) + max(sum(sizes[name] for name in names) for names in parts)
    if free < asked:
        raise IronrackError("the mirror host has %d MiB free, and the bundle needs %d MiB there: make room, or set mirror_root to another disk" % (
            free >> 20, asked >> 20))
