# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From channels and routes to Alertmanager's configuration."""
from __future__ import annotations

from ansible.errors import AnsibleFilterError

from ansible_collections.ironrack.cluster.plugins.plugin_utils._monitoring import routes as logic
from ansible_collections.ironrack.cluster.plugins.plugin_utils._monitoring import settings
from ansible_collections.ironrack.cluster.plugins.plugin_utils._monitoring.files import text

DOCUMENTATION = r"""
name: alertmanager_config
short_description: Alertmanager's configuration from channels and routes by severity
version_added: "0.1.0"
author:
  - ironrack.cluster contributors (@ironrack)
description:
  - Makes one receiver for each severity, groups alerts by name, service and severity, and keeps back what another alert has said already.
  - Fails with all that is wrong with its input at once.
options:
  _input:
    description: The channels, as C(monitoring_channels) of the role monitoring has them. They name the paths of secrets, never secrets.
    type: dict
    required: true
  routes:
    description: The channels of each severity, as C(monitoring_routes) has them.
    type: dict
    required: true
  timing:
    description: As C(monitoring_notification_timing) has it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show whom Alertmanager tells
  ansible.builtin.debug:
    msg: "{{ monitoring_channels | ironrack.cluster.alertmanager_config(routes=monitoring_routes, timing=monitoring_notification_timing) }}"
"""

RETURN = r"""
_value:
  description: The text of alertmanager.yml.
  type: str
"""


def alertmanager_config(channels, routes, timing):
    """See DOCUMENTATION."""
    try:
        settings.refuse(logic.problems(channels, routes, timing))
    except settings.BadSettings as error:
        raise AnsibleFilterError("alertmanager_config: %s" % error) from error
    content = logic.configuration(channels, routes, timing)
    return text(content)


class FilterModule:
    """The filter of this file's name."""

    def filters(self):
        """:returns: name -> function."""
        return {"alertmanager_config": alertmanager_config}
