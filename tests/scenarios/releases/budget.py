# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An error budget that is used up refuses a release with its numbers; who releases all the same is in the history with the reason.

The lab is young and a budget needs the history of its whole window: Prometheus is given one, of 31 days in which a hundredth of all requests failed.
"""
from __future__ import annotations

import time

from ..common import OUTPUT, NotProved, hosts_of, on, say, send
from . import canary, runs, service, verdicts

DAYS, STEP = 31, 300
TOTAL, BAD = 100, 1
SLOS = ("availability", "errors")
#: Prometheus keeps the newest hours to itself.
LATELY = 3 * 3600
SETTLE = 45
DATA = "/var/lib/prometheus/metrics2"
REASON = "the mend of what used the budget up"


def history(now, slos=SLOS, days=DAYS):
    """:returns: samples in OpenMetrics' text, of what the rules of an objective record and read again over its window.

    :param now: seconds since the epoch.
    """
    lines = []
    for slo in slos:
        labels = 'service="%s",sloth_id="%s-%s",sloth_service="%s",sloth_slo="%s",sloth_window="5m"' % (
            service.NAME, service.NAME, slo, service.NAME, slo)
        for name, value in (("ironrack:slo_total:increase5m", TOTAL), ("ironrack:slo_bad:increase5m", BAD), ("slo:sli_error:ratio_rate5m", BAD / TOTAL)):
            begin = (int(now) - days * 86400) // STEP * STEP
            lines += ["%s{%s} %g %d" % (name, labels, value, moment) for moment in range(begin, int(now) - LATELY, STEP)]
    return "\n".join([*lines, "# EOF", ""])


def give_history(host):
    """Put the history into Prometheus's data, and have it read by a restart."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    text = OUTPUT / "budget-history.txt"
    text.write_text(history(time.time()))
    on(host, "mkdir", "-p", "budget")
    send(host, text, "budget/history.txt")
    on(host, "promtool", "tsdb", "create-blocks-from", "openmetrics", "budget/history.txt", "budget/blocks", "--max-block-duration=240h")
    on(host, "sudo", "sh", "-c", "'chown -R prometheus:prometheus budget/blocks && mv budget/blocks/* %s/'" % DATA)
    on(host, "rm", "-r", "budget")
    on(host, "sudo", "systemctl", "restart", "prometheus")
    # What the rules said before the restart counts as fresh for two of their intervals, and knows nothing of the history.
    time.sleep(SETTLE)


def release_budget(inventory):
    """Refused with the numbers; with a reason it goes, and the reason stays."""
    monitor = next(name for name, entry in sorted(hosts_of(inventory).items()) if "monitoring" in entry["groups"])
    stable, candidate = service.next_release()
    told = len(service.entries(REASON))
    give_history(monitor)
    words = runs.words(candidate, {"lab_soak": 15}, override=None)
    numbers = ["error budget of 30 days is consumed", "exhausted"]
    end = time.monotonic() + 180
    while True:
        # The rules need a round or two after the restart; until then the budget is not known, which is refused as well.
        try:
            said = canary.refused(inventory, "release-budget-refused", words, numbers)
            break
        except NotProved:
            if time.monotonic() > end or service.record().get("rollout"):
                raise
            time.sleep(15)
    sentence = next((part.strip() for part in said.split(": ") if numbers[0] in part), numbers[0])
    # Without clients no gate can pass, and none has to: it is taken back by hand once it has begun.
    with runs.Run(inventory, "rollout_canary", "release-budget-override", runs.words(candidate, {"lab_soak": 600}, REASON)) as run:
        service.until("the rollout with an override", 180, lambda: service.record().get("rollout"))
        runs.well(inventory, "rollout_abort", "release-budget-abort", runs.words())
        run.wait()
    entries = service.entries(REASON)[told:]
    service.proved([
        [] if entries else ["the history has no word of the reason %r" % REASON],
        verdicts.clean(service.state(inventory), ("rolled_back",), stable)], "the error budget")
    say("release-budget: refused before anything was changed (%s); with a reason it began, and the history says so: %s (%s)" % (
        sentence[:300], entries[0]["what"], entries[0]["why"][:200]))
