# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of an error budget, and what may still be released.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from . import budget, prometheus, spec
from .budget_reading import BudgetLook

DEFAULT_WINDOW = 30


def ask(params):
    """Ask for the budget once.

    :param params: what the module error_budget_info documents.
    :returns: its result.
    :raises BadInput: with all that is wrong with the input.
    """
    spec.refuse(prometheus.problems_of(params) + budget.problems_of(params))
    look = BudgetLook(prometheus.Prometheus(params), params["max_age"])
    try:
        if params["slo"]:
            found = look.recorded(params["service"], params["slo"], params["burn_window"])
        else:
            found = look.counted(params["service"], params["metric"], params["objective"], params["window"] or DEFAULT_WINDOW,
                                 params["bad_status"], params["ignored_status"], params["burn_window"])
    except prometheus.BadQuery as error:
        spec.refuse([spec.Problem("metric", str(error), "names and expressions that Prometheus understands", "correct them")])
    return dict(budget.judge(found), changed=False)
