# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of this collection, and the one place where it becomes a module failure.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import traceback


class IronrackError(Exception):
    """Something an operator has to know.

    :param message: one sentence or more: what was seen, what was expected, what to do next.
    :param details: machine-readable context that becomes part of the module's failure result.
    """

    def __init__(self, message, **details):
        super().__init__(message)
        self.message = message
        self.details = details


def fail_from(module, error):
    """End the module with ``error`` as its failure.

    :param module: the AnsibleModule.
    :param error: an :class:`IronrackError`.
    """
    module.fail_json(msg=str(error), **error.details)


def conclude(module, work):
    """End the module with what ``work`` returns, or with one clear error.

    :param module: the AnsibleModule.
    :param work: a callable without arguments that returns the module's result as a dictionary.
    """
    try:
        module.exit_json(**work())
    except IronrackError as error:
        fail_from(module, error)
    except OSError as error:  # a full disk, a file system that went read-only: anywhere, and no mistake of ours
        words = error.strerror or str(error)
        module.fail_json(msg="%s: %s" % (error.filename, words) if error.filename else words, exception=traceback.format_exc())
