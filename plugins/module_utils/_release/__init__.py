# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollout engine: from one release of a service to the next, with a record that survives whoever drives it.

This is a private module_utils package: it may change in any release.

settings     what a strategy can be told, and what is wrong with it
plan         the operations of a rollout, in their order, and the way back
observation  what was seen of the world before a decision
traffic      which release gets how many percent, under which generation
confirm      whether an operation is carried out
machine      record and observation in, next record and next intent out
record       the record as the data of a ConfigMap
request      what the driver asks for, and what comes of it
flags        what anybody may ask for without the lock
lease        who may write the record
store        both in the Kubernetes API
driver       one call: the lock, the request, the next intent
"""
