# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client for command-line tools: it runs an argv list and parses, and decides nothing.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import json
from collections import namedtuple

from .errors import IronrackError

# What a shell says of a command that does not exist.
NOT_FOUND = 127
Completed = namedtuple("Completed", ("rc", "stdout", "stderr"))


class CommandError(IronrackError):
    """A command ended with an exit status that its caller did not allow for.

    Its details carry ``cmd``, ``rc``, ``stdout`` and ``stderr``.
    """


class Cli:
    """Runs commands of one host through AnsibleModule.run_command.

    :param module: the AnsibleModule.
    :param env: environment variables for every command, beside LC_ALL=C (tool output is parsed, so it must not be translated).
    """

    def __init__(self, module, env=None):
        self._module = module
        self._env = dict(env or {}, LC_ALL="C", LANGUAGE="C")

    def run(self, argv, ok=(0,), data=None, hint="", cwd=None):
        """Run ``argv``.

        :param argv: the command as a list; never a string, never a shell.
        :param ok: exit statuses that are no failure.
        :param data: text for standard input.
        :param hint: a sentence for the operator, added to the error.
        :param cwd: the folder to run in.
        :returns: :class:`Completed`.
        :raises CommandError: on any other exit status, or when the command does not exist.
        """
        try:
            rc, stdout, stderr = self._module.run_command(
                list(argv), data=data, environ_update=self._env, cwd=cwd, handle_exceptions=False)
        except (OSError, ValueError) as error:  # with handle_exceptions the module would end here, past every caller's own answer
            rc, stdout, stderr = NOT_FOUND, "", "it cannot be run: %s" % error
        if rc not in ok:
            words = (stderr.strip() or stdout.strip() or "it printed nothing").splitlines()
            message = "%s ended with status %d: %s" % (argv[0], rc, " / ".join(words[-3:]))
            raise CommandError(
                "%s. %s" % (message, hint) if hint else message,
                cmd=list(argv), rc=rc, stdout=stdout, stderr=stderr)
        return Completed(rc, stdout, stderr)

    def json(self, argv, **options):
        """Run ``argv`` and read its standard output as JSON.

        :raises CommandError: as :meth:`run`, and when the output is no JSON.
        """
        done = self.run(argv, **options)
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise CommandError(
                "%s did not print JSON (%s): %s" % (argv[0], error, done.stdout[:200]),
                cmd=list(argv), rc=done.rc, stdout=done.stdout, stderr=done.stderr)
