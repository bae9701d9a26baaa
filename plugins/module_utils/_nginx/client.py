# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NGINX of this host: its files, its own test, its workers, what they answer. Decides nothing.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import os
import re
import shutil

from .._common.errors import IronrackError
from .._common.fs import atomic_write, read_or_none, sha256_file, sync_directory
from .._common.http import HttpClient, HttpError
from .generation import read_status
from .render import status_host

SUFFIX = ".conf"
# Not taken up by the main configuration's include, which names *.conf.
ASIDE = ".former"
WORKER = b"nginx: worker process"
LEAVING = b"is shutting down"


class Refused(IronrackError):
    """NGINX's own test found an error or a warning. Its details carry ``stderr``."""


class Nginx:
    """One NGINX on this host.

    :param cli: a Cli.
    :param systemd: what reloads the unit: ``show`` and ``reload`` of a Systemd.
    :param params: C(nginx), C(config), C(folder), C(unit), C(pid_file), C(health_url) of the module, and C(wait) in seconds.
    """

    def __init__(self, cli, systemd, params):
        self._cli = cli
        self._systemd = systemd
        self._params = params
        self._folder = params["folder"]
        # A probe waits for a pod for 5 s.
        self._http = HttpClient(timeout=7)

    # files -------------------------------------------------------------------------------------------------------------------------

    def path(self, service):
        """:returns: the path of a service's configuration."""
        return os.path.join(self._folder, service + SUFFIX)

    def services(self):
        """:returns: the names of the files here, those among them that a killed run has set aside."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return sorted(set(name[:-len(suffix)] for name in names for suffix in (SUFFIX, SUFFIX + ASIDE) if name.endswith(suffix)))

    def read(self, service):
        """:returns: the configuration of a service as text, or None."""
        return _text(read_or_none(self.path(service)))

    def former(self, service):
        """:returns: the configuration that was set aside and never confirmed away, or None."""
        return _text(read_or_none(self.path(service) + ASIDE))

    def write(self, service, text):
        """Put a configuration in place, or with None take it away."""
        if text is not None:
            atomic_write(self.path(service), text.encode(), mode=0o644)
        elif os.path.exists(self.path(service)):
            os.unlink(self.path(service))
            sync_directory(self._folder)

    def set_aside(self, service, text):
        """Keep a configuration beside the one that is about to replace it."""
        atomic_write(self.path(service) + ASIDE, text.encode(), mode=0o644)

    def drop_aside(self, service):
        """The new configuration runs: the former one is not needed any more."""
        if os.path.exists(self.path(service) + ASIDE):
            os.unlink(self.path(service) + ASIDE)
            sync_directory(self._folder)

    @staticmethod
    def digest(paths):
        """:returns: one hash over files; empty without files. :raises IronrackError: names those that are missing."""
        missing = [path for path in paths if not os.path.exists(path)]
        if missing:
            raise IronrackError("%s: not there, expected certificate and key before the service that uses them" % ", ".join(missing))
        return " ".join(sha256_file(path) for path in paths)

    # NGINX -------------------------------------------------------------------------------------------------------------------------

    def test(self, service, text):
        """Have NGINX test its whole configuration as it would be with ``text`` in place (with None: without the service).

        :raises Refused: on an error or a warning.
        """
        main, scratch = self._params["config"], os.path.join(os.path.dirname(self._params["config"]), ".trial-of-" + service)
        include = os.path.join(self._folder, "*" + SUFFIX)
        whole = _text(read_or_none(main)) or ""
        if whole.count(include) != 1:
            raise IronrackError("%s includes %s %d times, expected once: let the role load_balancer write it" % (main, include, whole.count(include)))
        shutil.rmtree(scratch, ignore_errors=True)
        os.makedirs(scratch, mode=0o700)
        trial = scratch + SUFFIX  # beside the main configuration, where its relative includes lead to the same files
        try:
            for name in os.listdir(self._folder):
                if name.endswith(SUFFIX) and name != service + SUFFIX:
                    shutil.copyfile(os.path.join(self._folder, name), os.path.join(scratch, name))
            if text is not None:
                atomic_write(os.path.join(scratch, service + SUFFIX), text.encode())
            atomic_write(trial, whole.replace(include, os.path.join(scratch, "*" + SUFFIX)).encode())
            done = self._cli.run([self._params["nginx"], "-t", "-c", trial], ok=(0, 1))
            words = [line.strip() for line in done.stderr.splitlines() if re.search(r"\[(warn|error|crit|alert|emerg)\]", line)]
            if done.rc or words:
                raise Refused("NGINX refuses the configuration of %s, which was not put in place: %s" % (
                    service, "; ".join(words) or done.stderr.strip()), stderr=done.stderr)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            if os.path.exists(trial):
                os.unlink(trial)

    def is_running(self):
        """:returns: whether the unit is active."""
        unit = self._params["unit"]
        return self._systemd.show([unit])[unit].get("ActiveState") in ("active", "reloading")

    def reload(self):
        """Have the master read the configuration. It answers before the new workers run."""
        self._systemd.reload(self._params["unit"], self._params["wait"])

    def accepting(self):
        """:returns: the process IDs of the workers that take new connections."""
        master = (read_or_none(self._params["pid_file"]) or b"").strip().decode()
        if not master.isdigit():
            raise IronrackError("%s holds no process ID, expected that of NGINX's master: pid_file has to be what the main configuration says"
                                % self._params["pid_file"])
        found = set()
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            status, command = read_proc(entry, "status"), read_proc(entry, "cmdline")
            if ("\nPPid:\t%s\n" % master).encode() in status and command.startswith(WORKER) and LEAVING not in command:
                found.add(int(entry))
        return found

    # answers -----------------------------------------------------------------------------------------------------------------------

    def running(self, service):
        """:returns: the Status that the running workers have of a service, or None. :raises HttpError: where NGINX does not answer."""
        answer = self._http.request("GET", self._params["health_url"] + "/upstream.json", headers={"Host": status_host(service)})
        if answer.status != 200:
            return None
        try:
            return read_status(answer.body.decode())
        except ValueError as error:
            raise HttpError("%s answered no status of %s: %s" % (self._params["health_url"], service, error), url=self._params["health_url"])

    def probe(self, service, release):
        """Ask a release for its probe page, through its upstream.

        :returns: (status, the addresses that were tried).
        """
        answer = self._http.request("GET", "%s/upstream/%s" % (self._params["health_url"], release), headers={"Host": status_host(service)})
        return answer.status, answer.headers.get("X-Upstream-Addr", "")


def read_proc(process, name):
    """:returns: a file of a process, or nothing where the process has ended."""
    try:
        with open(os.path.join("/proc", process, name), "rb") as stream:
            return stream.read()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _text(data):
    return None if data is None else data.decode("utf-8", "replace")
