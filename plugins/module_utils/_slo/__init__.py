# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured of a service and how it is judged.

statistics (numbers to probabilities), spec (what a gate may be), counters (samples to counts), gate (counts to verdicts) and budget (to a policy) are
pure; prometheus and reading are the only parts that do I/O.

This is a private module_utils package: it may change in any release.
"""
