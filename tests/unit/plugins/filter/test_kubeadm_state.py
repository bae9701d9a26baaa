# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter kubeadm_state."""
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.ironrack.cluster.plugins.filter.kubeadm_state import FilterModule
from ansible_collections.ironrack.cluster.plugins.module_utils._kubeadm.state import STATE_KEYS

kubeadm_state = FilterModule().filters()["kubeadm_state"]


@pytest.mark.parametrize("found, state", [
    ({}, "absent"), ([], "absent"), (dict.fromkeys(STATE_KEYS, False), "absent"),
    (STATE_KEYS[:1], "partial"), (dict(dict.fromkeys(STATE_KEYS, True), **{STATE_KEYS[-1]: False}), "partial"),
    (list(STATE_KEYS), "complete"), (dict.fromkeys(STATE_KEYS, True), "complete"),
])
def test_state(found, state):
    assert kubeadm_state(found) == state


def test_an_unasked_question_is_no_answer():
    with pytest.raises(AnsibleFilterError, match="kube-proxy"):
        kubeadm_state(dict.fromkeys(STATE_KEYS[:3], True))
