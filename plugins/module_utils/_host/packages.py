# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OS packages through the host's own package manager.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from .._common.cli import Cli, CommandError
from .._common.errors import IronrackError
from .._common.waiting import wait_for

# in these states a package's files are there and configured; triggers are other packages' business
CLEAN = ("installed", "triggers-pending", "triggers-awaited")
APT_OPTIONS = (
    "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120",
    # a configuration that a role has written stays when its package arrives
    "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
LISTS_LOCK = 120


def parse_dpkg(text):
    """:returns: {package: (status, version)} of what dpkg-query printed; of several architectures a clean one wins."""
    found = {}
    for line in text.splitlines():
        name, status, version = (line.split("\t") + ["", ""])[:3]
        if name and (name not in found or status in CLEAN):
            found[name] = (status, version)
    return found


def parse_rpm(text):
    """:returns: {package: version} of what rpm -q printed; its sentences about missing ones have no tab."""
    return dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)


def was_interrupted(text):
    """Whether apt-get says that dpkg was killed in the middle."""
    return "dpkg was interrupted" in text or "dpkg --configure -a" in text


def is_locked(text):
    """Whether another apt-get holds the package lists. DPkg::Lock::Timeout does not wait for that lock."""
    return "Could not get lock /var/lib/apt/lists" in text or "Unable to lock directory /var/lib/apt/lists" in text


class Apt:
    """dpkg and apt-get.

    :param module: the AnsibleModule.
    :param source_file: the only list of sources to be updated; every source where None.
    """

    def __init__(self, module, source_file=None):
        # needrestart would restart services of its own choosing
        self._cli = Cli(module, env={"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"})
        self._source_file = source_file

    def versions(self, names):
        """:returns: {name: version} of the installed ones, and the names that a killed run left half-way."""
        done = self._cli.run(
            ["dpkg-query", "--show", "--showformat=${Package}\\t${db:Status-Status}\\t${Version}\\n"] + list(names), ok=(0, 1))
        found = parse_dpkg(done.stdout)
        installed = dict((name, version) for name, (status, version) in found.items() if status in CLEAN)
        half = sorted(
            name for name, (status, dummy) in found.items() if status in ("unpacked", "half-configured", "half-installed"))
        return installed, half

    def mend(self):
        """Finish what a killed dpkg left half-way."""
        self._cli.run(["dpkg", "--configure", "-a", "--force-confdef", "--force-confold"])

    def install(self, names):
        """Update the package lists and install ``names``."""
        self._update()
        argv = ["apt-get", "install"] + list(APT_OPTIONS) + ["--"] + list(names)
        try:
            self._cli.run(argv)
        except CommandError as error:
            if not was_interrupted(error.details["stderr"] + error.details["stdout"]):
                raise
            self.mend()
            self._cli.run(argv)

    def _update(self):
        argv = ["apt-get", "update", "-q"]
        if self._source_file:
            # the lists of the other sources stay as they are: a host without a way to the internet cannot update those
            argv += ["-o", "APT::Update::Error-Mode=any"]
            argv += ["-o", "Dir::Etc::sourcelist=%s" % self._source_file, "-o", "Dir::Etc::sourceparts=-", "-o", "APT::Get::List-Cleanup=0"]

        def condition():
            try:
                self._cli.run(argv)
            except CommandError as error:
                if not is_locked(error.details["stderr"]):
                    raise
                return False, str(error)
            return True, "updated"

        wait_for(condition, "apt's package lists, which another process is holding", LISTS_LOCK, interval=2)


class Dnf:
    """rpm and dnf.

    :param module: the AnsibleModule.
    """

    def __init__(self, module):
        self._cli = Cli(module)

    def versions(self, names):
        """:returns: {name: version} of the installed ones, and no half-way ones: rpm has no such state."""
        done = self._cli.run(["rpm", "-q", "--qf", "%{NAME}\\t%{VERSION}-%{RELEASE}\\n"] + list(names), ok=range(0, len(names) + 1))
        return parse_rpm(done.stdout), []

    def mend(self):
        """Nothing to do for rpm."""

    def install(self, names):
        """Install ``names``; dnf refreshes its own metadata."""
        self._cli.run(["dnf", "install", "-y", "--setopt=install_weak_deps=False"] + list(names))


def manager_of(module, source_file=None):
    """:returns: the package manager of this host. :raises IronrackError: where it is none that we know."""
    if module.get_bin_path("dpkg-query"):
        return Apt(module, source_file)
    if module.get_bin_path("rpm"):
        return Dnf(module)
    raise IronrackError("this host has neither dpkg nor rpm: install the packages yourself and set the role's list to []")
