# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, roles and mappings survive the loss of all that the cluster knew of them, and nobody reads them in the snapshots."""
from __future__ import annotations

import json
import secrets

from ..common import NotProved, playbook, say
from . import api, backup

USER, ROLE, RECORDS = "lab-shipper", "lab-writer", "ironrack-backups"
PATH = "/_plugins/_security/api/"
#: In the order in which they can be made, and taken away from behind.
MADE = (("roles", ROLE, {"index_permissions": [{"index_patterns": [backup.INDEX + "*"], "allowed_actions": ["read"]}]}),
        ("internalusers", USER, {"backend_roles": ["lab-writers"], "attributes": {"team": "lab"}}),
        ("rolesmapping", ROLE, {"backend_roles": ["lab-writers"]}))


def logs_in(address, password):
    """:returns: statuses of what the user may read, and of what it may not."""
    closed = api.context(certificate=False)
    return [api.ask(address, "GET", path, user=(USER, password), tls=closed).status for path in ("/%s/_count" % backup.INDEX, "/_cluster/settings")]


def opensearch_users(inventory):
    """A user with a role is kept with a backup; he, his role and all records are deleted; a playbook brings him back from the snapshot, password and all."""
    first, password = next(iter(api.nodes(inventory).values())), secrets.token_hex(16)
    backup.fill(first)
    for kind, name, body in MADE:
        api.well(first, "PUT", PATH + "%s/%s" % (kind, name), dict(body, **({"password": password} if kind == "internalusers" else {})))
    if logs_in(first, password) != [200, 403]:
        raise NotProved("the user of the step gets %s" % logs_in(first, password))
    playbook(inventory, "opensearch_backup", record="opensearch-users-backup")
    snapshot = backup.snapshots(first)[-1]
    held = api.well(first, "POST", "/%s/_search" % RECORDS, {"query": {"term": {"kind": "security"}}})["hits"]["hits"]
    told = [word for word in (USER, ROLE, password, "$2y$", "$2b$", "$argon2", "$pbkdf2") if word in json.dumps(held)]
    if not held or told:
        raise NotProved("what is kept of users: %d documents, in which stand %s" % (len(held), told))
    for kind, name, _body in reversed(MADE):
        api.well(first, "DELETE", PATH + "%s/%s" % (kind, name))
    api.well(first, "DELETE", "/" + RECORDS)
    if logs_in(first, password) != [401, 401]:
        raise NotProved("the user was deleted, and gets %s" % logs_in(first, password))
    # The new cluster backs itself up before anybody thinks of the users: what it keeps then is not what is asked for.
    playbook(inventory, "opensearch_backup", record="opensearch-users-without")
    words = ["-e", "opensearch_backup_snapshot=" + snapshot]
    seconds, _counts = playbook(inventory, "opensearch_security_restore", *words, record="opensearch-users")
    after = logs_in(first, password)
    _again, counts = playbook(inventory, "opensearch_security_restore", *words, record="opensearch-users-again")
    if after != [200, 403] or counts["changed"]:
        raise NotProved("after the restore the user gets %s; once more it changed %s" % (after, counts["changed"]))
    for kind, name, _body in reversed(MADE):
        api.well(first, "DELETE", PATH + "%s/%s" % (kind, name))
    say("opensearch-users: a user with a role and a mapping, deleted with all records of backups: back from snapshot %s in %.0f s, with his password, with "
        "what his role allows and no more; what is kept names neither; once more: nothing changed" % (snapshot, seconds))
