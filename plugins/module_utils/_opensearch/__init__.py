# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSearch, asked and told over HTTPS.

client is the only part that speaks to it; what converges a document or waits (converging, asking) is handed a client. The rest (settings, health,
allocation, aliases, policies, security, nodes) is pure.

This is a private module_utils package: it may change in any release.
"""
