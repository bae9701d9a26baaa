# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A configuration as the text of a YAML file."""
from __future__ import annotations

import json

import yaml


def settings(content):
    """:returns: JSON for a daemon of ours."""
    return json.dumps(content, indent=2) + "\n"


def text(content):
    """:returns: YAML in the order that it was put together in."""
    # By way of JSON: Ansible's values are of types of its own, which the safe dumper refuses.
    plain = json.loads(json.dumps(content))
    return "# Written by the role ironrack.cluster.monitoring.\n" + yaml.safe_dump(plain, sort_keys=False, width=160)
