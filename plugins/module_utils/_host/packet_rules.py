# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packet-filter rules of a host go, and what is left without them. Pure parsers and compares.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import re
import shlex
from collections import namedtuple

# Options whose value is free text. The dump leaves a text of one word unquoted, so it could look like an option.
_TEXTS = frozenset(("--comment", "--log-prefix", "--nflog-prefix", "--string", "--hex-string"))
_JUMPS = frozenset(("-j", "--jump", "-g", "--goto"))
# A set that any rule names, as a match or as a target, cannot be destroyed.
_SETS = frozenset(("--match-set", "--add-set", "--del-set", "--map-set"))
_COUNTERS = re.compile(r"\[\d+:\d+\]$")

Stripped = namedtuple("Stripped", ("text", "chains", "rules"))


def strip(dump, chain_prefixes, set_prefixes):
    """Take chains, and rules that need them or a set, out of what iptables-save printed.

    A restore replaces a whole table and its counters, so the text has only those tables that lose something.
    Chains of the kernel itself never go, and they keep their policies.

    :param dump: the output of iptables-save or ip6tables-save.
    :returns: :class:`Stripped`: the text for iptables-restore, empty where nothing goes; the chains that go as ``TABLE CHAIN``; and those rules
        of the chains that stay which go, as ``TABLE RULE``.
    """
    text, chains, rules = [], [], []
    for name, lines in _tables(dump):
        declared = [line[1:].split() for line in lines if line.startswith(":")]
        gone = [words[0] for words in declared if words[1] == "-" and words[0].startswith(tuple(chain_prefixes))]
        left, loose = [], []
        for line in lines:
            if line.startswith(":"):
                if line[1:].split()[0] not in gone:
                    left.append(_COUNTERS.sub("[0:0]", line))
            elif line.startswith("-A "):
                chain, targets, sets = _rule(line)
                if chain in gone:
                    continue
                if targets.intersection(gone) or any(item.startswith(tuple(set_prefixes)) for item in sets):
                    loose.append(line)
                else:
                    left.append(line)
            else:
                left.append(line)
        if gone or loose:
            text += ["*" + name] + left + ["COMMIT"]
            chains += ["%s %s" % (name, chain) for chain in gone]
            rules += ["%s %s" % (name, line) for line in loose]
    return Stripped("".join(line + "\n" for line in text), chains, rules)


def tables_present(listing, wanted):
    """:returns: those of ``wanted`` (``FAMILY NAME``) that ``nft list tables`` printed."""
    present = [line.split()[1:3] for line in listing.splitlines() if line.startswith("table ")]
    return [table for table in dict.fromkeys(" ".join(words.split()) for words in wanted) if table.split() in present]


def sets_present(listing, prefixes):
    """:returns: the names with one of the prefixes that ``ipset list -n`` printed."""
    return [name for name in listing.split() if name.startswith(tuple(prefixes))]


def problems(chain_prefixes, nft_tables, set_prefixes):
    """:returns: what is wrong with the module's options, as sentences. An empty prefix would take away every rule of the host."""
    found = []
    for option, values in (("chain_prefixes", chain_prefixes), ("set_prefixes", set_prefixes)):
        if any(not value.strip() for value in values):
            found.append("%s has an empty prefix, which every name begins with; leave it out" % option)
    found += [
        "nft_tables has %r, expected a family and a name, as in 'ip kube-proxy'" % table for table in nft_tables if len(table.split()) != 2]
    return found


def _tables(dump):
    """Yield (name, lines) of each table that is complete."""
    name, lines = None, []
    for line in dump.splitlines():
        if line.startswith("*"):
            name, lines = line[1:].strip(), []
        elif line.strip() == "COMMIT" and name:
            yield name, lines
            name = None
        elif name and line.strip() and not line.startswith("#"):
            lines.append(line)


def _rule(line):
    """:returns: a rule's chain, the targets that it jumps to and the sets that it names."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    targets, sets, position = set(), set(), 2
    while position < len(words) - 1:
        word, value = words[position:position + 2]
        if word in _JUMPS:
            targets.add(value)
        elif word in _SETS:
            sets.add(value)
        position += 2 if word in _TEXTS or word in _JUMPS or word in _SETS else 1
    return words[1], targets, sets
