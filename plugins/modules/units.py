#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: units
short_description: Have systemd units enabled, running, and running what is on disk
version_added: "0.1.0"
description:
  - Starts and enables units, and restarts or reloads one whose files on disk differ from those that the running process was started with.
  - So a changed file reaches what runs even when the run that changed the file was killed before it could restart anything; no handler is needed.
  - The hashes of the files are recorded below C(/run/ironrack/units) together with the invocation that was started with them.
    Where there is no record, the start time of the process is compared with the change times of the files.
  - A unit's own definition (its unit file and drop-ins) is always watched.
author:
  - ironrack.cluster contributors (@ironrack)
extends_documentation_fragment:
  - ironrack.cluster.attributes.predicts
options:
  units:
    description: The units, in the order in which they are worked through.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Full name of the unit, as in C(etcd.service).
        type: str
        required: true
      state:
        description: Whether it should run.
        type: str
        choices: [started, stopped]
        default: started
      enabled:
        description: Whether it should be started at boot.
        type: bool
        default: true
      watch:
        description: Files whose change asks for a restart. Links are followed, and a file may be missing.
        type: list
        elements: path
        default: []
      reload_watch:
        description: Files whose change asks for a reload; a unit that cannot reload is restarted.
        type: list
        elements: path
        default: []
      validate:
        description:
          - A command as a list of words, or a list of such commands, that must succeed before the unit is started, restarted or reloaded.
          - When it fails, what runs is left alone. Not run in check mode, where the new files are not on disk.
        type: list
        elements: raw
        default: []
      no_block:
        description: Do not wait for the unit to be active, as is needed where it becomes ready only together with other hosts.
        type: bool
        default: false
  pending:
    description:
      - The C(changed_paths) of earlier tasks.
      - Read in check mode only, where these paths have not really changed, to predict the restart that follows from them.
    type: list
    elements: path
    default: []
  timeout:
    description: Seconds that one unit may take to become active.
    type: int
    default: 120
attributes:
  check_mode:
    details: A unit that does not exist yet would be started.
  diff_mode:
    description: Shows the state of each unit before and after, with the reasons.
    support: full
"""

EXAMPLES = r"""
- name: Run the service with what is on disk
  ironrack.cluster.units:
    units:
      - name: cron.service
        watch: [/etc/crontab]
        validate: [test, -s, /etc/crontab]
"""

RETURN = r"""
units:
  description: Each unit by its name.
  returned: success
  type: dict
  contains:
    before:
      description: State and enablement before.
      type: dict
    after:
      description: State and enablement after.
      type: dict
    action:
      description: What was done, or would be. One of V(none), V(start), V(restart), V(reload) and V(stop).
      type: str
    reasons:
      description: Why.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError, conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.waiting import WaitTimeout, wait_for
from ansible_collections.ironrack.cluster.plugins.module_utils._systemd import client
from ansible_collections.ironrack.cluster.plugins.module_utils._systemd.decide import RUNNING, Unit, decide, reached, watched_paths, with_drop_ins

UNIT_SPEC = dict(
    name=dict(type="str", required=True),
    state=dict(type="str", choices=["started", "stopped"], default="started"),
    enabled=dict(type="bool", default=True),
    watch=dict(type="list", elements="path", default=[]),
    reload_watch=dict(type="list", elements="path", default=[]),
    validate=dict(type="list", elements="raw", default=[]),
    no_block=dict(type="bool", default=False),
)


class Manager:
    """Works through the list of units.

    :param module: the AnsibleModule.
    """

    def __init__(self, module):
        self._module = module
        self._cli = Cli(module)
        self._systemd = client.Systemd(self._cli)
        self._units = [Unit(**dict(unit)) for unit in module.params["units"]]
        self._hashes = {}

    def run(self):
        """:returns: the module's result."""
        shown = self._show()
        report = {}
        for unit in self._units:
            report[unit.name] = self._manage(unit, shown[unit.name])
        lines = [
            dict(before_header=name, after_header=name, before=_line(entry["before"]), after=_line(entry["after"], entry["reasons"]))
            for name, entry in report.items() if entry["reasons"]]
        return dict(changed=bool(lines), units=report, diff=lines)

    def _show(self):
        """:returns: the units' properties, after systemd has read their definitions as they are on disk."""
        names = [unit.name for unit in self._units]
        shown = self._systemd.show(names) if names else {}
        old = [name for name in names if shown[name].get("NeedDaemonReload") == "yes"]
        unknown = [name for name in names if shown[name].get("LoadState") == "not-found"]
        if (old or unknown) and not self._module.check_mode:
            self._systemd.daemon_reload()
            shown = self._systemd.show(names)
            for name in old:
                # what runs was started from the older definition, and systemd has forgotten that by now
                shown[name]["NeedDaemonReload"] = "yes"
        self._refuse(shown)
        return shown

    def _refuse(self, shown):
        problems = []
        for unit in self._units:
            if unit.state == "stopped":
                continue
            load = shown[unit.name].get("LoadState")
            if load == "masked":
                problems.append("%s is masked: systemctl unmask %s" % (unit.name, unit.name))
            elif load == "not-found" and not self._module.check_mode:
                problems.append("there is no unit %s on this host" % unit.name)
            elif load in ("bad-setting", "error"):
                problems.append("%s does not load (%s): systemctl status %s says why" % (unit.name, load, unit.name))
        if problems:
            raise IronrackError("; ".join(problems))

    def _manage(self, unit, shown):
        record = client.read_record(unit.name)
        pending = frozenset(self._module.params["pending"]) if self._module.check_mode else frozenset()
        shown = with_drop_ins(shown, sorted(path for path in pending if client.is_drop_in(path, unit.name)))
        paths = set(watched_paths(unit, shown)) | set(unit.reload_watch) | set((record or {}).get("watch", {}))
        disk = dict((path, self._look(path)) for path in paths)
        verdict = decide(unit, shown, disk, record, self._systemd.started(shown), pending)
        before = dict(state=shown.get("ActiveState"), enabled=shown.get("UnitFileState") or "no unit file")
        if not self._module.check_mode:
            after = self._act(unit, shown, verdict, disk, record)
        else:
            after = _predict(unit, before, verdict)
        return dict(before=before, after=after, action=verdict.action, reasons=verdict.reasons)

    def _look(self, path):
        if path not in self._hashes:
            self._hashes[path] = client.look(path)
        return self._hashes[path]

    def _act(self, unit, shown, verdict, disk, record):
        if verdict.action in ("start", "restart", "reload"):
            self._validate(unit)
        if verdict.enable is not None:
            self._systemd.enable(unit.name, verdict.enable)
        if verdict.action == "reload":
            self._systemd.reload(unit.name, self._module.params["timeout"])
        elif verdict.action != "none":
            self._systemd.queue(verdict.action, unit.name)
        waits = not unit.no_block and unit.state == "started" or verdict.action == "stop"
        if waits and (verdict.action != "none" or shown.get("ActiveState") != "active"):
            shown = self._wait(unit, verdict.action, shown.get("InvocationID"))
        elif verdict.action != "none" or verdict.enable is not None:
            shown = self._systemd.show([unit.name])[unit.name]
        if unit.state == "started" and not (unit.no_block and verdict.action in ("start", "restart")):
            # with no_block the new invocation may not exist yet: the next run compares times, and keeps the record then
            self._remember(unit, shown, disk, record)
        return dict(state=shown.get("ActiveState"), enabled=shown.get("UnitFileState"))

    def _validate(self, unit):
        commands = unit.validate if unit.validate and isinstance(unit.validate[0], (list, tuple)) else [unit.validate]
        for argv in commands:
            if argv:
                self._cli.run([str(word) for word in argv], hint="%s was left as it is." % unit.name)

    def _wait(self, unit, action, old_invocation):
        def condition():
            shown = self._systemd.show([unit.name])[unit.name]
            done, failed, seen = reached(shown, action, old_invocation, self._systemd.age(shown))
            if failed:
                raise WaitTimeout("%s failed: %s" % (unit.name, seen))
            return done, seen, shown

        try:
            return wait_for(
                condition, "%s to %s" % (unit.name, "stop" if action == "stop" else "be active"), self._module.params["timeout"], interval=0.2)
        except WaitTimeout as error:
            words = self._systemd.last_words(unit.name)
            raise IronrackError("%s. The last lines of its journal:\n%s" % (error, words or "(none)"), unit=unit.name)

    def _remember(self, unit, shown, disk, record):
        # the files were hashed before the unit was started: a change in between is a restart too many, never one too few
        new = dict(
            invocation=shown.get("InvocationID"),
            watch=dict((path, self._look(path).sha256) for path in watched_paths(unit, shown)),
            reload_watch=dict((path, disk[path].sha256) for path in unit.reload_watch))
        if new != record and shown.get("ActiveState") in RUNNING:
            client.write_record(unit.name, new)


def _predict(unit, before, verdict):
    after = dict(before)
    if verdict.action != "none":
        after["state"] = "inactive" if verdict.action == "stop" else "active"
    if verdict.enable is not None:
        after["enabled"] = "enabled" if verdict.enable else "disabled"
    return after


def _line(state, reasons=()):
    return "".join("%s\n" % line for line in ["%s, %s" % (state["state"], state["enabled"])] + ["  because: " + reason for reason in reasons])


def main():
    """Ansible's entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            units=dict(type="list", elements="dict", required=True, options=UNIT_SPEC),
            pending=dict(type="list", elements="path", default=[]),
            timeout=dict(type="int", default=120),
        ),
        supports_check_mode=True,
    )
    conclude(module, lambda: Manager(module).run())


if __name__ == "__main__":
    main()
