# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get files, unpack them, put a version in place by one rename, switch links.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
import os
import shutil
import stat
import tarfile
import tempfile
import time

from .._common.errors import IronrackError
from .._common.fs import atomic_write, read_or_none, sha256_file, sum_of_file, sync_directory
from .._common.http import HttpClient, HttpError
from .._files.host import replace_by_link
from .release import algorithm_of, checksum_in, checksum_of_manifest, unsafe_member

ATTEMPTS = 3
COMPLETE = ".complete"


class Source:
    """Where components come from.

    :param kind: mirror or upstream.
    :param base_url: of the mirror's files; https or file.
    :param manifest_url: of the bundle's manifest.
    :param client: an :class:`HttpClient`.
    """

    def __init__(self, kind, base_url, manifest_url, client, sleep=time.sleep):
        self._kind = kind
        self._base_url = base_url.rstrip("/")
        self._manifest_url = manifest_url
        self._client = client
        self._sleep = sleep
        self._manifest = None
        self._sums = {}

    def get(self, item, path):
        """Download one file of a component to ``path`` and verify it.

        :returns: its SHA-256.
        """
        if self._kind == "mirror":
            url, expected = "%s/%s" % (self._base_url, item["file"]), self._expected_of_mirror(item["file"])
        else:
            url, expected = item["upstream"], self._expected_of_vendor(item)
        self._attempt(lambda: self._download(url, path))
        algorithm = algorithm_of(expected)
        found = sum_of_file(path, algorithm)
        if found != expected:
            raise IronrackError("%s has the %s %s, expected %s: nothing of it was installed" % (
                url, {"sha256": "SHA-256", "sha512": "SHA-512"}[algorithm], found, expected), url=url)
        return found if algorithm == "sha256" else sha256_file(path)

    def _expected_of_mirror(self, file):
        if self._manifest is None:
            local = _local_path(self._manifest_url)
            if local:
                self._manifest = json.loads(read_or_none(local) or b"{}")
            else:
                self._manifest = self._attempt(lambda: self._client.get_json(self._manifest_url))
        return checksum_of_manifest(self._manifest, file, self._manifest_url)

    def _expected_of_vendor(self, item):
        if item.get("sha256"):
            return item["sha256"].lower()
        url = item["checksum"]
        if url not in self._sums:
            answer = self._attempt(lambda: self._client.request("GET", url))
            if answer.status != 200:
                raise IronrackError("%s answered %d" % (url, answer.status), url=url)
            self._sums[url] = answer.body.decode("utf-8", "replace")
        return checksum_in(self._sums[url], (item["upstream"].rsplit("/", 1)[-1], item["file"]), url)

    def _download(self, url, path):
        local = _local_path(url)
        if not local:
            self._client.download(url, path)
            return
        try:
            shutil.copyfile(local, path)
        except OSError as error:
            raise IronrackError("%s could not be read: %s" % (local, error.strerror or error))

    def _attempt(self, action):
        for number in range(1, ATTEMPTS + 1):
            try:
                return action()
            except HttpError:
                if number == ATTEMPTS:
                    raise
                self._sleep(number)


def make_source(kind, base_url, manifest_url, ca_file, proxy):
    """:returns: a :class:`Source` over HTTP."""
    return Source(kind, base_url, manifest_url or base_url.rstrip("/").rsplit("/", 1)[0] + "/manifest.json",
                  HttpClient(ca_file=ca_file, timeout=30, proxy=proxy))


def _local_path(url):
    return url[len("file://"):] if url.startswith("file://") else None


class Store:
    """The folder that holds components, each version in a folder of its own.

    :param root: its path.
    """

    def __init__(self, root):
        self._root = root

    def folder(self, component):
        """:returns: the folder of a component's version."""
        return os.path.join(self._root, component.name, component.version)

    def record(self, component):
        """:returns: what was installed there, or None."""
        try:
            return json.loads(read_or_none(os.path.join(self.folder(component), COMPLETE)) or b"null")
        except ValueError:
            return None

    def has(self, component, member):
        """:returns: whether a member of the version is a file."""
        return os.path.isfile(os.path.join(self.folder(component), member))

    def install(self, component, source):
        """Get all files of a version and put it in place at once."""
        parent = os.path.dirname(self.folder(component))
        os.makedirs(parent, mode=0o755, exist_ok=True)
        for name in os.listdir(parent):
            if name.startswith(".%s." % component.version):
                shutil.rmtree(os.path.join(parent, name))  # of a run that was killed
        staged = tempfile.mkdtemp(prefix=".%s." % component.version, dir=parent)
        try:
            sums = {}
            for item in component.files:
                sums[item["file"]] = self._fetch(item, source, staged)
            missing = sorted(member for member in component.links.values() if not os.path.isfile(os.path.join(staged, member)))
            if missing:
                raise IronrackError("the files of %s %s do not hold %s" % (component.name, component.version, ", ".join(missing)))
            os.chmod(staged, 0o755)
            atomic_write(os.path.join(staged, COMPLETE), json.dumps({"files": sums, "links": component.links}, sort_keys=True).encode("utf-8"))
            self._swap(staged, self.folder(component))
        finally:
            if os.path.exists(staged):
                shutil.rmtree(staged)

    @staticmethod
    def _fetch(item, source, staged):
        if not item.get("unpack"):
            path = os.path.join(staged, item["file"])
            found = source.get(item, path)
            os.chmod(path, 0o755)
            _sync(path)
            return found
        archive = os.path.join(staged, ".archive")
        found = source.get(item, archive)
        _unpack(archive, staged, item["file"], bool(item.get("strip")))
        os.unlink(archive)
        return found

    @staticmethod
    def _swap(staged, folder):
        parent = os.path.dirname(folder)
        if os.path.isdir(folder):
            # a process may run from the old folder: it keeps its open files, and its links lead to the new one
            aside = tempfile.mkdtemp(prefix=".%s." % os.path.basename(folder), dir=parent)
            os.rename(folder, os.path.join(aside, "old"))
            os.rename(staged, folder)
            shutil.rmtree(aside)
        else:
            os.rename(staged, folder)
        sync_directory(parent)


def _unpack(archive, folder, name, strip):
    """Unpack an archive.

    :param strip: leave out the one folder at its top.
    """
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                if strip:
                    member.name = os.path.normpath(member.name).partition("/")[2]
                    if not member.name:
                        continue
                link = member.linkname if member.issym() else None
                if unsafe_member(member.name, link) or not (member.isfile() or member.isdir() or member.issym()):
                    raise IronrackError("%s holds %s, which no component may bring" % (name, member.name))
                member.uid, member.gid, member.uname, member.gname = os.geteuid(), os.getegid(), "", ""
                member.mode = 0o755 if member.isdir() or member.mode & stat.S_IXUSR else 0o644
                tar.extract(member, folder)
                if member.isfile():
                    _sync(os.path.join(folder, member.name))
    except (tarfile.TarError, EOFError, OSError) as error:
        raise IronrackError("%s could not be unpacked: %s" % (name, error))


def _sync(path):
    # the record of completeness must not reach the disk before what it speaks of
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def link_state(path):
    """:returns: (kind, target) of what is at a link's place: absent, link or other."""
    if os.path.islink(path):
        return "link", os.readlink(path)
    return ("other" if os.path.lexists(path) else "absent"), None


def switch(path, target):
    """Make ``path`` lead to ``target``."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    replace_by_link(path, target)
