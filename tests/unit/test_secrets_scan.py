# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets scan finds what it has to, says no secret, and is red where it could not have found one."""
from __future__ import annotations

import base64
import gzip
import io
import json
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scenarios import needles, secrets, secrets_host
from tests.scenarios.needles import Matcher, forms, in_base64, key_lines

VALUE = "Zm9yLXRoaXMtdGVzdC1vbmx5LW5vdC1hLWtleQ"


def openssl(*argv):
    return subprocess.run(("openssl",) + argv, check=True, capture_output=True, text=True).stdout


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=16, max_size=80), st.binary(max_size=50), st.binary(max_size=50))
def test_it_is_found_in_base64_wherever_it_stands(secret, before, after):
    matcher = Matcher({"it": [secret]})
    assert matcher.find(base64.b64encode(before + secret + after)) == {"it"}
    assert matcher.find(before + secret + after) == {"it"}
    assert matcher.find(base64.b64encode(before + base64.b64encode(secret) + after)) == {"it"}


@pytest.mark.parametrize("text, found", (
    ("password=%s;" % VALUE, True), (json.dumps({"a": "x\n%s\ny" % VALUE}), True), (VALUE[:-1], False), (VALUE.lower(), False), ("", False)))
def test_a_value_is_found_as_a_whole_only(text, found):
    assert Matcher({"it": [VALUE]}).find(text.encode()) == ({"it"} if found else set())


def test_raw_bytes_are_found_in_hex_too():
    raw = bytes(range(32))
    assert Matcher({"key": [raw]}).find(raw.hex().encode()) == {"key"}
    assert Matcher({"key": [raw]}).find(base64.b64encode(raw)) == {"key"}


@pytest.mark.parametrize("border", range(needles.CHUNK - 60, needles.CHUNK + 2))
def test_what_a_border_cuts_is_found(border):
    stream = io.BytesIO(b"x" * border + VALUE.encode() + b"y" * 100)
    assert Matcher({"it": [VALUE]}).find_in(stream) == ({"it"}, border + len(VALUE) + 100)


def test_short_ones_and_none_are_refused():
    with pytest.raises(ValueError, match="cannot be looked for"):
        forms("short")
    with pytest.raises(ValueError, match="nothing to look for"):
        Matcher({})
    assert all(len(form) > 16 for form in in_base64(b"0123456789abcdef0"))


@pytest.mark.parametrize("make, converted", (
    (("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"), 2), (("ecparam", "-name", "prime256v1", "-genkey", "-noout"), 1),
    (("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"), 10)))
def test_a_key_is_looked_for_by_its_secret_lines_and_its_public_half_by_none(tmp_path, make, converted):
    pem = openssl(*make)
    (tmp_path / "key").write_text(pem)
    lines = key_lines(pem)
    assert len(lines) >= converted and set(lines) <= set(pem.split())
    public = base64.b64decode("".join(openssl("pkey", "-in", str(tmp_path / "key"), "-pubout").splitlines()[1:-1]))
    matcher = Matcher({"key": lines})
    for shift in range(3):  # the public half as it may stand in any certificate, in one line
        assert matcher.find(base64.b64encode(b"\1" * shift + public)) == set()
    assert matcher.find(json.dumps({"content": pem}).encode()) == {"key"}
    assert matcher.find(base64.b64encode(pem.encode())) == {"key"}


def test_a_host_plants_finds_and_tidies(tmp_path):
    logs, home = tmp_path / "log", tmp_path / "home"
    logs.mkdir()
    home.mkdir()
    canaries = {kind: secrets.canary() for kind in secrets.HOST_KINDS}
    matcher = Matcher({kind: [value] for kind, value in canaries.items()})
    pids = secrets_host.plant(canaries, (str(logs),), (str(home),), journal=False)
    try:
        found = {"log files": secrets_host.search_files(matcher, [str(logs)]), "temporary files": secrets_host.search_files(matcher, [str(home)])}
        for _attempt in range(100):  # a new process shows its parent's command line until it has its own
            found.update(secrets_host.search_processes(matcher))
            if found["command lines"]["labels"] and found["environments"]["labels"]:
                break
            time.sleep(0.05)
        for kind, part in found.items():
            assert list(part["labels"]) == [kind] and part["bytes"] and part["looked_at"]
    finally:
        secrets_host.tidy(pids, (str(logs),), (str(home),))
        for pid in pids:
            os.waitpid(pid, 0)
    assert list(logs.iterdir()) == [] and list(home.iterdir()) == []
    assert not any(value in json.dumps(found) for value in canaries.values())


def test_compressed_logs_are_read_and_skipped_folders_are_not(tmp_path):
    (tmp_path / "old.log.gz").write_bytes(gzip.compress(VALUE.encode()))
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "x").write_text(VALUE)
    seen = secrets_host.search_files(Matcher({"it": [VALUE]}), [str(tmp_path)], skip=("%s/journal/" % tmp_path,))
    assert seen["labels"] == {"it": [str(tmp_path / "old.log.gz")]} and seen["looked_at"] == 1


def test_a_host_hands_over_its_keys(tmp_path, monkeypatch):
    pem = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    (tmp_path / "a.key").write_text(pem)
    (tmp_path / "a.conf").write_text("users:\n    client-key-data: %s\n" % base64.b64encode(pem.encode()).decode())
    key = base64.b64encode(bytes(32)).decode()
    (tmp_path / "ring.json").write_text(json.dumps({"keys": [{"name": "key1", "secret": key}]}))
    monkeypatch.setattr(secrets_host, "KEYS", (str(tmp_path / "*.key"),))
    monkeypatch.setattr(secrets_host, "KUBECONFIGS", str(tmp_path / "*.conf"))
    monkeypatch.setattr(secrets_host, "KEYRING", str(tmp_path / "ring.json"))
    found = secrets_host.unpacked(secrets_host.collect())
    ring = str(tmp_path / "ring.json")
    assert found[str(tmp_path / "a.key")] == found[str(tmp_path / "a.conf")] == key_lines(pem)
    assert found[ring + " key1"] == [key.rstrip("=")] and found[ring + " key1, raw"] == [bytes(32)]
    assert secrets_host.unpacked(json.loads(json.dumps(secrets.packed(found)))) == found


def test_the_watch_ends_at_its_stop_file(tmp_path):
    stop = tmp_path / "stop"
    stop.touch()
    seen = secrets_host.watch(Matcher({"it": [VALUE]}), 60, str(stop))
    assert seen["command lines"]["looked_at"] > 1 and seen["command lines"]["labels"] == {}


def test_what_goes_to_a_host_is_one_program():
    folder = os.path.dirname(secrets.__file__)
    with open(os.path.join(folder, "secrets.py"), encoding="utf-8") as stream:
        assert '"sudo", "python3", "-"' in stream.read()
    program = secrets.program({"what": "collect"})
    done = subprocess.run([sys.executable, "-"], input=program.replace("/etc/", "/nonexistent/").replace("/var/lib/", "/nonexistent/"), capture_output=True,
                          text=True, check=True, cwd="/")
    assert json.loads(done.stdout) == {}


def test_the_controller_plants_finds_and_tidies(tmp_path, monkeypatch):
    output, home = tmp_path / "artifacts", tmp_path / "home"
    (output / "site").mkdir(parents=True)
    monkeypatch.setattr(secrets, "OUTPUT", output)
    monkeypatch.setattr(secrets, "CACHE", output / "secrets-facts")
    monkeypatch.setattr(secrets, "KEEPERS", {output / "secrets-facts", output / "site"})
    monkeypatch.setattr(secrets, "KUBECONFIG", output / "kubeconfig")
    monkeypatch.setattr(secrets.Path, "home", lambda: home)
    (output / "kubeconfig").write_text(VALUE)
    (output / "site" / "registry-password").write_text(VALUE)
    canaries = secrets.Canaries([])
    matcher = Matcher(dict(canaries.labels(), real=[VALUE]))
    with canaries:
        seen = dict(secrets.here(matcher), **secrets_host.search_processes(matcher))
        for _attempt in range(100):  # a new process shows its parent's command line until it has its own
            if seen["command lines"]["labels"] and seen["environments"]["labels"]:
                break
            time.sleep(0.05)
            seen.update(secrets_host.search_processes(matcher))
        assert secrets.judge({secrets.CONTROLLER: seen}, canaries.planted)[0] == []
        (output / "site.log").write_text("x %s y" % VALUE)
        found = secrets.judge({secrets.CONTROLLER: dict(seen, **secrets.here(matcher))}, canaries.planted)[0]
        assert found == ["run logs and diffs of controller: real is in site.log"]
    assert sorted(path.name for path in output.rglob("*") if path.is_file()) == ["kubeconfig", "registry-password", "site.log"]
    assert not any(path.is_file() for path in home.rglob("*"))


PLANTED = [("cp1", "journal"), ("controller", "reports")]


def part(*labels, size=10):
    return {"labels": {name: ["somewhere"] for name in labels}, "bytes": size, "looked_at": 1}


def all_found():
    return {host: {kind: part(secrets.label((host, kind)))} for host, kind in PLANTED}


def test_all_canaries_and_no_secret_is_the_only_pass():
    problems, totals = secrets.judge(all_found(), PLANTED)
    assert problems == [] and totals == [("journal", 1, 1, 10), ("reports", 1, 1, 10)]


@pytest.mark.parametrize("change, words", (
    (lambda seen: seen["cp1"].update(journal=part()), "journal of cp1: the scan did not find the canary"),
    (lambda seen: seen["cp1"].update(journal=part(secrets.label(("cp1", "log files")))), "did not find the canary"),
    (lambda seen: seen["cp1"].update(journal=part(size=0)), "journal of cp1: nothing was read"),
    (lambda seen: seen.pop("controller"), "reports of controller: nothing was read"),
    (lambda seen: seen["cp1"]["journal"]["labels"].update({"cp1:/etc/etcd/pki/member.key": ["x.log"]}), "member.key is in x.log"),
    (lambda seen: seen["cp1"].update({"log files": part("admin kubeconfig")}), "admin kubeconfig is in somewhere"),
))
def test_anything_else_is_red(change, words):
    seen = all_found()
    change(seen)
    problems, _totals = secrets.judge(seen, PLANTED)
    assert len(problems) == 1 and words in problems[0]
