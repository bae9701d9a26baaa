# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of OpenSearch Dashboards."""
from __future__ import annotations

import re
from urllib.parse import urlsplit

from ..dashboards import GROUP, PORT, archive_file, version
from ..opensearch import nodes
from ..settle import some
from .registry import check

ARCHIVE = "cluster_opensearch_dashboards_archive"
_SUM = re.compile(r"[0-9a-fA-F]{64}")
#: As the component's module takes it.
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*")


@check()
def dashboards_have_opensearch(plan, releases):
    if plan.groups[GROUP] and not nodes(plan):
        yield ("group %s" % GROUP, "it has %s, and there is no OpenSearch that they could show" % some(plan.groups[GROUP]),
               "hosts in opensearch_managers and opensearch_data", "put hosts into them, or take these out")


@check(ARCHIVE)
def dashboards_archive_given(plan, releases):
    given = plan.values[ARCHIVE]
    if not plan.groups[GROUP] and not given:
        return
    parts, total = _split(given.get("url")), given.get("sha256")
    expected = "the address of its archive: https://, http:// or file:// on the hosts, without a login, ending in the file's name"
    if parts is None or parts.scheme not in ("https", "http", "file") or parts.scheme != "file" and not parts.hostname:
        yield ("%s, url" % ARCHIVE, "it is missing" if not given.get("url") else "it is no such address", expected,
               "no release file names OpenSearch Dashboards: give the address that the site serves it at")
    else:
        if "@" in parts.netloc:
            yield ("%s, url" % ARCHIVE, "it holds a login, which results would show", expected, "serve it to the hosts without one: its SHA-256 vouches for it")
        if not _FILE.fullmatch(archive_file(plan)):
            yield ("%s, url" % ARCHIVE, "it ends in %r, which is no plain name of a file" % archive_file(plan), expected,
                   "such as https://files.example.org/opensearch-dashboards-%s-linux-x64.tar.gz" % plan.values["cluster_opensearch_version"])
    if not isinstance(total, str) or not _SUM.fullmatch(total):
        yield ("%s, sha256" % ARCHIVE, "it is missing" if not total else "it is no SHA-256", "the archive's SHA-256, 64 hexadecimal digits",
               "take it with sha256sum from the archive whose signature you have checked; in quotes, so that YAML reads no number")


@check(ARCHIVE, "cluster_opensearch_version")
def dashboards_version_fits(plan, releases):
    engine = plan.values["cluster_opensearch_version"]
    if not plan.groups[GROUP] or _split(plan.values[ARCHIVE].get("url")) is None:
        return
    found = version(plan)
    if found.split(".")[:2] != engine.split(".")[:2]:
        yield (ARCHIVE, "it is Dashboards %s, and OpenSearch is %s" % (found, engine), "Dashboards of OpenSearch's major and minor version",
               "give the archive of %s, with its own SHA-256" % engine)


@check()
def dashboards_beside_no_balancer(plan, releases):
    both = [host.name for host in plan.group(GROUP) if host.is_in("load_balancers")]
    if both:
        yield ("hosts %s" % some(both), "load balancer and OpenSearch Dashboards would both listen on port %d" % PORT,
               "Dashboards on hosts that balance nothing", "take them out of %s" % GROUP)


@check("cluster_profile")
def production_dashboards_redundant(plan, releases):
    if plan.values["cluster_profile"] == "production" and len(plan.groups[GROUP]) == 1:
        yield ("group %s" % GROUP, "it has 1 host: with it users see nothing", "2 hosts or more (cluster_profile: production)", "add one")


def _split(address):
    """:returns: the parts of a URL; None where it is none."""
    try:
        return urlsplit(address) if isinstance(address, str) and address else None
    except ValueError:
        return None
