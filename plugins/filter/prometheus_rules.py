# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From services and objectives to Prometheus's rules."""
from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.ironrack.cluster.plugins.plugin_utils._monitoring import alerts, settings, slo
from ansible_collections.ironrack.cluster.plugins.plugin_utils._monitoring.files import text
from ansible_collections.ironrack.cluster.plugins.plugin_utils._monitoring.scrapes import Scrapes

DOCUMENTATION = r"""
name: prometheus_rules
short_description: Recording and alerting rules of services, hosts and the cluster's parts
version_added: "0.1.0"
author:
  - ironrack.cluster contributors (@ironrack)
description:
  - Makes rules under the metric names of sloth for each objective of each service, burn-rate alerts on two windows, alerts on thresholds, on data
    that does not come, and on alerts that nobody has ended.
  - Fails with all that is wrong with its input at once.
extends_documentation_fragment:
  - ironrack.cluster.monitoring
options:
  slos:
    description: The objectives, as C(monitoring_slos) of the role monitoring has them.
    type: list
    elements: dict
    required: true
  thresholds:
    description: As C(monitoring_thresholds) has them.
    type: dict
    required: true
  metrics:
    description: What the services' own metrics are called, as C(monitoring_metrics) has it.
    type: dict
    required: true
  retention:
    description: How long Prometheus keeps samples, such as C(35d); longer than each objective's window.
    type: str
    required: true
  escalate_after:
    description: How long an urgent alert may fire before others are told, such as C(30m).
    type: str
    required: true
  buckets:
    description: Bounds of the balancers' histograms in seconds, as C(monitoring_buckets) has them. Without them bounds are not compared with buckets.
    type: list
    elements: float
"""

EXAMPLES = r"""
- name: Show the rules
  ansible.builtin.debug:
    msg: >-
      {{ cluster | ironrack.cluster.prometheus_rules(services=llm_services, slos=monitoring_slos, thresholds=monitoring_thresholds,
                                                     metrics=monitoring_metrics, retention='35d', escalate_after='30m') }}
"""

RETURN = r"""
_value:
  description: A file of rules.
  type: str
"""


def prometheus_rules(cluster, services, slos, thresholds, metrics, retention, escalate_after, buckets=None):
    """See DOCUMENTATION."""
    found, problems = settings.read_services(services)
    objectives, more = settings.read_slos(slos, found)
    problems += more + settings.retention_problems(retention, objectives) + settings.thresholds_problems(thresholds)
    problems += settings.duration_problem("monitoring_escalate_after", escalate_after) + settings.metrics_problems(metrics)
    problems += settings.bucket_problems(buckets, thresholds, objectives) if buckets is not None else []
    try:
        settings.refuse(problems)
    except settings.BadSettings as error:
        raise AnsibleFilterError("prometheus_rules: %s" % error) from error
    jobs = Scrapes(cluster, found, 5, cluster["groups"]["monitoring"][0]).always()
    groups = slo.groups(found, objectives) + alerts.groups(found, thresholds, metrics, jobs, escalate_after, cluster.get("opensearch", {}).get("schedule"))
    return text({"groups": groups})


class FilterModule:
    """The filter of this file's name."""

    def filters(self):
        """:returns: name -> function."""
        return {"prometheus_rules": prometheus_rules}
