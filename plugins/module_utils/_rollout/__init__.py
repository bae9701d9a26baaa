# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What drives the rollout engine: it looks, asks the engine, carries out, and looks again.

This is a private module_utils package: it may change in any release.

wishes       what a service's description says of its rollouts, and what is wrong with it
preflight    everything that stands against a beginning, at once
balancers    what the balancers serve, and which of them no client reaches
emergency    what the balancers are told where no API answers
gatekeeper   one look at the gates of a step
probes       commands with a verdict
requests     warm-up requests to pods
events       what has changed between two records, for hooks and webhooks
journal      what was seen on the way, for the report
progress     step, weight, verdict so far and time left, in one line
world        all of these with the API: what there is, and what is done to it
opening      what comes before that: flags, and the beginning
doing        one intent after the other, carried out
loop         looks, asks the engine, has it carried out, until somebody else is needed
"""
