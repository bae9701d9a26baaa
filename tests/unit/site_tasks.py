# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which task files of which roles a run of site.yml may read."""
from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE = [ROOT / "playbooks" / "site.yml"]
SITE += [ROOT / "playbooks" / path for path in re.findall(r"include_tasks: (tasks/\w+\.yml)$", SITE[0].read_text(), re.MULTILINE)]
ROLES = [ROOT / "roles" / name for name in sorted({name for path in SITE for name in re.findall(
    r"^ +name: ironrack\.cluster\.(\w+)$", path.read_text(), re.MULTILINE)})]
#: Of which the site runs something else than all: the file that it names.
_ENTRIES = dict(re.findall(r"^ +name: ironrack\.cluster\.(\w+)\n +tasks_from: (\w+)$", SITE[0].read_text(), re.MULTILINE))


def task_files(role):
    """:returns: the task files of a role that a run may read."""
    if role.name not in _ENTRIES:
        return sorted((role / "tasks").glob("*.yml"))
    found, ahead = [], [_ENTRIES[role.name] + ".yml"]
    while ahead:
        found.append(role / "tasks" / ahead.pop())
        ahead += re.findall(r"(?:import|include)_tasks: (\w+\.yml)$", found[-1].read_text(), re.MULTILINE)
    return found
