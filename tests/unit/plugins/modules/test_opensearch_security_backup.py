# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and roles are kept encrypted, come along with a snapshot, and come back. By OpenSSL itself, against an engine of the test over HTTP."""
from __future__ import annotations

import base64
import json
import subprocess

import pytest

from ansible_collections.ironrack.cluster.plugins.module_utils._opensearch import security_backup
from ansible_collections.ironrack.cluster.plugins.modules import opensearch_security_backup, opensearch_security_restore, opensearch_snapshot
from ansible_collections.ironrack.cluster.tests.unit.plugins.modules.opensearch_calls import call_fixture
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_engine import SECURITY
from ansible_collections.ironrack.cluster.tests.unit.plugins.opensearch_store import Store

FIXTURES = (call_fixture,)
SEARCH = ("POST", "/%s/_search" % security_backup.SECURITY_INDEX)
HASH = "$2y$12$0123456789012345678901"
USERS = {"_meta": {"type": "internalusers", "config_version": 2},
         "shipper": {"hash": HASH, "reserved": False, "hidden": False, "static": False,
                     "backend_roles": ["logs"], "attributes": {"static": "desk"}, "description": None}}
ROLES = {"_meta": {"type": "roles"}, "logs_writer": {
    "reserved": False, "hidden": False, "static": False, "cluster_permissions": ["cluster_monitor"], "tenant_permissions": [],
    "index_permissions": [{"index_patterns": ["logs-*"], "dls": None, "fls": [], "masked_fields": [], "allowed_actions": ["write"]}]}}
MAPPING = {"_meta": {"type": "rolesmapping"}, "logs_writer": {"reserved": False, "hidden": False, "backend_roles": ["logs"], "hosts": [], "users": []}}


def tell(engine, **kinds):
    """Have the security index hold these, beside what it always holds."""
    found = dict({kind: {"_meta": {}} for kind in security_backup.KINDS}, config={"dynamic": {}}, **kinds)
    engine.answers[SEARCH] = (200, {"hits": {"hits": [
        {"_id": kind, "_source": {kind: base64.b64encode(json.dumps(value).encode()).decode()}} for kind, value in found.items()]}})


@pytest.fixture(name="engine")
def engine_fixture():
    made = Store()
    made.looks = 0
    made.repositories["backups"], made.stored["backups"] = {"type": "fs", "settings": {"location": "/b"}}, {}
    made.make("logs-1", {"1": {"n": 1}})
    tell(made, internalusers=USERS, roles=ROLES, rolesmapping=MAPPING)
    for kind in security_backup.KINDS:
        made.answers[("GET", SECURITY + kind)] = (200, {})
    yield made
    made.stop()


@pytest.fixture(name="admin", scope="module")
def admin_fixture(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("admin"))


def certificate(folder):
    """:returns: the arguments of a module that come with a new certificate of an elliptic curve, as the PKI store's are."""
    found = {"cert_file": str(folder / "c.pem"), "key_file": str(folder / "k.pem"), "repository": "backups"}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=admin", "-days", "2",
                    "-keyout", found["key_file"], "-out", found["cert_file"]], check=True, capture_output=True)
    return found


def kept(engine):
    return [one for one in engine.data["ironrack-backups"].documents.values() if one["kind"] == "security"]


def test_what_is_kept_is_sealed_and_only_when_it_is_another(engine, call, admin):
    predicted = call(opensearch_security_backup, check=True, **admin)
    assert predicted["changed"] and not engine.writes()
    done = call(opensearch_security_backup, **admin)
    assert done["changed"] and done["counts"] == {"actiongroups": 0, "tenants": 0, "roles": 1, "internalusers": 1, "rolesmapping": 1}
    (one,) = kept(engine)
    assert "BEGIN CMS" in one["body"] and not any(word in json.dumps(one) for word in (HASH, "shipper", "logs_writer"))
    assert not call(opensearch_security_backup, **admin)["changed"] and len(kept(engine)) == 1
    for number in range(7):
        tell(engine, internalusers=dict(USERS, **{"user-%d" % number: USERS["shipper"]}))
        assert call(opensearch_security_backup, **admin)["changed"]
    assert len(kept(engine)) == security_backup.KEEP


def test_a_new_cluster_gets_its_users_back_from_a_snapshot(engine, call, admin):
    call(opensearch_security_backup, **admin)
    name = call(opensearch_snapshot, repository="backups", prefix="hourly", slot=3600, indices=["logs-1"])["snapshot"]
    del engine.data["ironrack-backups"]
    nothing = call(opensearch_security_restore, **admin)
    assert nothing["failed"] and "name a snapshot" in nothing["msg"]
    # What the new cluster has kept meanwhile is not what is asked for.
    tell(engine)
    assert call(opensearch_security_backup, **admin)["changed"] and call(opensearch_security_restore, **admin)["made"] == []
    assert call(opensearch_security_restore, check=True, snapshot=name, **admin)["changed"]
    assert "there is no nobody in backups" in call(opensearch_security_restore, snapshot="nobody", **admin)["msg"]
    done = call(opensearch_security_restore, snapshot=name, **admin)
    assert done["made"] == ["roles logs_writer", "internalusers shipper", "rolesmapping logs_writer"] and done["different"] == []
    assert engine.documents[SECURITY + "internalusers/shipper"][0] == {"hash": HASH, "backend_roles": ["logs"], "attributes": {"static": "desk"}}
    assert engine.documents[SECURITY + "roles/logs_writer"][0]["index_permissions"] == [
        {"index_patterns": ["logs-*"], "fls": [], "masked_fields": [], "allowed_actions": ["write"]}]


def test_what_is_there_stays_and_is_told_where_it_differs(engine, call, admin):
    call(opensearch_security_backup, **admin)
    engine.answers[("GET", SECURITY + "internalusers")] = (200, {"shipper": dict(USERS["shipper"], hash="", backend_roles=["others"])})
    engine.answers[("GET", SECURITY + "roles")] = (200, {"logs_writer": ROLES["logs_writer"]})
    predicted = call(opensearch_security_restore, check=True, **admin)
    assert predicted["made"] == ["rolesmapping logs_writer"] and not [path for path in engine.documents if path.startswith(SECURITY)]
    done = call(opensearch_security_restore, **admin)
    assert (done["made"], done["different"], done["diff"]) == (predicted["made"], ["internalusers shipper"], predicted["diff"])
    assert [path for path in engine.documents if path.startswith(SECURITY)] == [SECURITY + "rolesmapping/logs_writer"]


def test_a_renewed_certificate_of_the_same_key_opens_it(engine, call, tmp_path):
    admin = certificate(tmp_path)
    call(opensearch_security_backup, **admin)
    renewed = dict(admin, cert_file=str(tmp_path / "renewed.pem"))
    subprocess.run(["openssl", "req", "-x509", "-new", "-key", admin["key_file"], "-subj", "/CN=admin", "-days", "3", "-out", renewed["cert_file"]],
                   check=True, capture_output=True)
    assert call(opensearch_security_restore, **renewed)["made"]


def test_another_key_opens_nothing(engine, call, admin, tmp_path):
    call(opensearch_security_backup, **admin)
    failed = call(opensearch_security_restore, **certificate(tmp_path))
    assert failed["failed"] and "sealed for another certificate" in failed["msg"]
    (one,) = kept(engine)
    sheet = json.loads(one["body"])
    one["body"] = json.dumps(dict(sheet, digest="0" * 64))
    assert "not what was written" in call(opensearch_security_restore, **admin)["msg"]
    assert not [path for path in engine.documents if path.startswith(SECURITY)]


def test_without_a_certificate_or_a_configuration_it_says_so(engine, call, admin):
    assert "cert_file" in call(opensearch_security_backup, repository="backups")["msg"]
    engine.answers[SEARCH] = (200, {"hits": {"hits": []}})
    assert "has no actiongroups" in call(opensearch_security_backup, **admin)["msg"]
