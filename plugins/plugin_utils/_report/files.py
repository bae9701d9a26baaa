# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report's two files: HTML for people, JSON for programs. This is a private plugin_utils package: it may change in any release."""
from __future__ import annotations

import json
import os

from ansible.errors import AnsibleActionFail
from ansible_collections.ironrack.cluster.plugins.module_utils._common.fs import atomic_write


def names(path):
    """:returns: the report's files by their kind, for a path without an ending."""
    return {"html": path + ".html", "json": path + ".json"}


def write(path, data, page, variable):
    """Write both files.

    :param data: what the report says.
    :param page: makes its HTML.
    :param variable: the variable that names the folder, for the error.
    :raises AnsibleActionFail: where a file cannot be written.
    """
    for kind, text in (("html", page(data)), ("json", json.dumps(data, indent=1) + "\n")):
        name = names(path)[kind]
        try:
            os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
            atomic_write(name, text.encode())
        except OSError as error:
            raise AnsibleActionFail("the report cannot be written to %s: %s. Name another folder, %s." % (name, error, variable)) from error
