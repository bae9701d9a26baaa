# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter pki_contents."""
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.ironrack.cluster.plugins.filter.pki_contents import FilterModule

pki_contents = FilterModule().filters()["pki_contents"]


def entry(path, source, owner="root"):
    return {"path": path, "source": source, "mode": "0600" if path.endswith(".key") else "0644", "owner": owner, "group": owner}


def test_folders_come_first_and_keys_are_secret():
    made = pki_contents([entry("/etc/kubernetes/pki/etcd/ca.crt", "etcd-ca.crt"), entry("/etc/etcd/pki/member.key", "etcd-cp1.key", "etcd"),
                         entry("/etc/kubernetes/pki/ca.crt", "kubernetes-ca.crt")],
                        {"etcd-ca.crt": "E", "etcd-cp1.key": "K", "kubernetes-ca.crt": "C"})
    assert [(one["path"], one["mode"], one["owner"]) for one in made if one.get("state") == "directory"] == [
        ("/etc/etcd", "0755", "root"), ("/etc/etcd/pki", "0700", "etcd"), ("/etc/kubernetes", "0755", "root"),
        ("/etc/kubernetes/pki", "0755", "root"), ("/etc/kubernetes/pki/etcd", "0755", "root")]
    files = [one for one in made if "content" in one]
    assert [(one["path"], one["content"], one["secret"]) for one in files] == [
        ("/etc/etcd/pki/member.key", "K", True), ("/etc/kubernetes/pki/ca.crt", "C", False), ("/etc/kubernetes/pki/etcd/ca.crt", "E", False)]


def test_nothing_for_a_host_without_files():
    assert pki_contents([], {}) == []


def test_all_missing_sources_are_named():
    with pytest.raises(AnsibleFilterError, match=r"a\.crt \(for /etc/x/a\), b\.key \(for /etc/x/b\)"):
        pki_contents([entry("/etc/x/b", "b.key"), entry("/etc/x/a", "a.crt")], {"b.key": ""})


@pytest.mark.parametrize("pki_files, files", [({}, {}), ([], None), ("x", {})])
def test_wrong_types_are_told(pki_files, files):
    with pytest.raises(AnsibleFilterError, match="should be the"):
        pki_contents(pki_files, files)
