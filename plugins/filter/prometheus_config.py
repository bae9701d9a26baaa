# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the model and the services to what Prometheus scrapes."""
from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.ironrack.cluster.plugins.plugin_utils._monitoring import settings
from ansible_collections.ironrack.cluster.plugins.plugin_utils._monitoring.files import text
from ansible_collections.ironrack.cluster.plugins.plugin_utils._monitoring.scrapes import Scrapes

DOCUMENTATION = r"""
name: prometheus_config
short_description: Prometheus's configuration for one monitoring host
version_added: "0.1.0"
author:
  - ironrack.cluster contributors (@ironrack)
description:
  - Scrapes hosts, balancers, etcd, API servers, kubelets and containers as the model has them, OpenSearch where its groups have hosts, and the pods
    of each service as the API has them.
  - Fails with all that is wrong with its input at once.
extends_documentation_fragment:
  - ironrack.cluster.monitoring
  - ironrack.cluster.monitoring.host
options:
  interval:
    description: Seconds between scrapes of what gates read, balancers and pods.
    type: int
    required: true
  evaluation:
    description: Seconds between two evaluations of the rules.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Show what is scraped
  ansible.builtin.debug:
    msg: "{{ cluster | ironrack.cluster.prometheus_config(services=llm_services, host='ops1', interval=5, evaluation=15) }}"
"""

RETURN = r"""
_value:
  description: The text of prometheus.yml.
  type: str
"""


def prometheus_config(cluster, services, host, interval, evaluation):
    """See DOCUMENTATION."""
    found, problems = settings.read_services(services)
    # PromQL looks five minutes back, and gates and budgets at the last 30 s.
    for name, seconds, most in (("monitoring_scrape_interval", interval, 60), ("monitoring_evaluation_interval", evaluation, 15)):
        if not 1 <= int(seconds) <= most:
            problems.append("%s is %r, expected 1 to %d seconds" % (name, seconds, most))
    try:
        settings.refuse(problems)
    except settings.BadSettings as error:
        raise AnsibleFilterError("prometheus_config: %s" % error) from error
    content = Scrapes(cluster, found, int(interval), host).configuration(int(evaluation))
    return text(content)


class FilterModule:
    """The filter of this file's name."""

    def filters(self):
        """:returns: name -> function."""
        return {"prometheus_config": prometheus_config}
