# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSearch, asked and told over HTTPS.

client is the only part that speaks to it; what converges a document or waits (converging, asking) is handed a client. The rest (settings, health,
allocation, aliases, policies, security, nodes) is pure.

Of backups, backup_api and records ask and tell, snapshotting, proving, recalling and restorer carry out, and the rest decides: snapshots (names, what
may be in one), manifest (what a restore is compared with), retention (what goes), restoring (the order of a restore), restore_checks (what speaks
against one), alias_moves, autocreate, disk, recovering, repository, hashing, moments.

On a node's own host, local_node has its unit run what is on disk, and asks no API; starting decides who founds a cluster, who joins, who waits.

This is a private module_utils package: it may change in any release.
"""
