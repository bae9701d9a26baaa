# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the model and the services to whose pods are looked for."""
from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.ironrack.cluster.plugins.plugin_utils._monitoring import files, settings
from ansible_collections.ironrack.cluster.plugins.plugin_utils._monitoring.scrapes import Scrapes

DOCUMENTATION = r"""
name: pod_discovery
short_description: Settings of the daemon that tells Prometheus the pods of each service
version_added: "0.1.0"
author:
  - ironrack.cluster contributors (@ironrack)
description:
  - Names the API, the certificate to ask it with, the services and the labels that their pods have.
  - Fails with all that is wrong with its input at once.
extends_documentation_fragment:
  - ironrack.cluster.monitoring
  - ironrack.cluster.monitoring.host
options:
  interval:
    description: Seconds between two questions.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Show whose pods are looked for
  ansible.builtin.debug:
    msg: "{{ cluster | ironrack.cluster.pod_discovery(services=llm_services, host='ops1', interval=5) }}"
"""

RETURN = r"""
_value:
  description: The text of a JSON file.
  type: str
"""


def pod_discovery(cluster, services, host, interval):
    """See DOCUMENTATION."""
    found, problems = settings.read_services(services)
    try:
        settings.refuse(problems)
    except settings.BadSettings as error:
        raise AnsibleFilterError("pod_discovery: %s" % error) from error
    return files.settings(Scrapes(cluster, found, int(interval), host).discovery())


class FilterModule:
    """The filter of this file's name."""

    def filters(self):
        """:returns: name -> function."""
        return {"pod_discovery": pod_discovery}
