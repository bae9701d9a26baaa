# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults of the lab's hosts: enough kinds, commands that a shell reads, and a verdict that is read as it is written."""
from __future__ import annotations

import subprocess

import pytest
from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Completed
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.openssl import OpenSsl
from ansible_collections.ironrack.cluster.plugins.module_utils._preflight import authorities, decide, parse
from ansible_collections.ironrack.cluster.plugins.plugin_utils._preflight import verdict
from ansible_collections.ironrack.cluster.tests.scenarios import host_faults as faults
from ansible_collections.ironrack.cluster.tests.scenarios.host_faults import Told

HOSTS = ["cp1", "gpu1", "ops1", faults.BUNDLE]


def every_fault():
    return faults.fresh_faults("cp1", "gpu1", "ops1", "10.77.0.21:6443", True) + faults.mute_faults("cp1", "gpu1", "ops1")


def problem(check, what):
    return {"check": check, "what": what, "expected": "something else", "mend": "mend it"}


def text_of(results, bundle=()):
    return verdict.judge(results, bundle=bundle).text


def test_at_least_twelve_kinds_are_produced():
    assert len({told.check for fault in every_fault() for told in fault.told}) >= faults.KINDS


def test_every_check_is_one_of_preflight():
    known = {*decide.NAMES, *verdict.COMPARED, "probe"}
    assert {told.check for fault in every_fault() for told in fault.told} <= known


@pytest.mark.parametrize("fault", every_fault(), ids=lambda fault: fault.make[:40])
def test_a_shell_reads_every_command(fault):
    for command in (fault.make, fault.mend):
        done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert fault.told and "%s" not in fault.make


def test_sudo_goes_and_comes_back(tmp_path):
    """The commands that take sudo away and give it back, on a copy of the tree."""
    operator = tmp_path / "etc/sudoers.d/operator"
    operator.parent.mkdir(parents=True)
    (tmp_path / "usr/local/sbin").mkdir(parents=True)
    operator.write_text("operator ALL=(ALL:ALL) NOPASSWD: ALL\n")
    here = faults.NO_SUDO.replace("/etc/", "%s/etc/" % tmp_path).replace("/usr/", "%s/usr/" % tmp_path)
    subprocess.run(["sh", "-c", here], check=True)
    assert operator.read_text() == "operator ALL=(ALL:ALL) NOPASSWD: %s%s\n" % (tmp_path, faults.SUDO_BACK)
    assert operator.stat().st_mode & 0o777 == 0o440
    subprocess.run([str(tmp_path) + faults.SUDO_BACK], check=True)
    assert operator.read_text() == "operator ALL=(ALL:ALL) NOPASSWD: ALL\n"
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["operator"]


def test_a_verdict_is_read_as_it_is_written():
    text = text_of({
        "cp1": {"problems": [problem("free_ports", "port 2379 is held by python3 (pid 8)"), problem("probe", "it said: Traceback:\n  File x:\ngpu1: no")]},
        "gpu1": {"silent": "Failed to connect to the host: timed out"}, "ops1": {"problems": [problem("openssl", "there is no openssl")]}},
        bundle=[("a file is missing", "all files", "build it again")])
    found = faults.problems(text, HOSTS)
    assert [entry[:2] for entry in found] == [
        ("gpu1", faults.UNREACHABLE), ("cp1", "free_ports"), ("cp1", "probe"), ("ops1", "openssl"), (faults.BUNDLE, "bundle")]
    assert found[1][2].startswith("port 2379 is held by python3 (pid 8) [free_ports]")
    assert "gpu1: no [probe]" in found[2][2]


def test_all_that_was_produced_has_to_be_told_and_nothing_else():
    found = faults.problems(text_of({"cp1": {"problems": [problem("free_ports", "port 2379 is held by python3"), problem("disk", "/opt has 64 MiB")]}}), HOSTS)
    ports, disk = Told("cp1", "free_ports", ("2379",)), Told("cp1", "disk", ("64 MiB",))
    assert faults.judged(found, [ports, disk]) == []
    assert faults.judged(found, [ports, disk, ports])[0].startswith("not told: free_ports on cp1")
    assert faults.judged(found, [ports])[0].startswith("told, and nobody produced it: cp1: /opt")
    assert faults.judged(found, [ports], allowed=("disk",)) == []
    assert faults.judged(found, [Told("cp1", "free_ports", ("6443",)), disk])[0].startswith("not told")
    assert faults.judged(found, [Told("gpu1", "free_ports", ("2379",)), disk])[0].startswith("not told")


@pytest.mark.parametrize("status, expected", [
    ("CapBnd:\t000001ffffffffff\n", True), ("CapBnd:\t000001fffeffffff\n", False), ("", False)])
def test_who_may_raise_its_limits(status, expected):
    assert faults.may_raise(status) is expected


@pytest.mark.parametrize("versions", [{"api": "1.34.9", "kubelet": ""}, {"api": "1.37.0", "kubelet": ""}])
def test_the_versions_are_refused_as_the_faults_expect(versions):
    wants = decide.Wants("10.77.0.21", ("control_plane",), "lab", 6443, 6443, (), True, "1.36.4", ())
    told = [what for what, dummy, dummy2 in decide.version({"versions": versions}, wants)]
    words = {"1.34.9": ("API server is 1.34.9", "2 minors away"), "1.37.0": ("1.36.4 would be a downgrade",)}[versions["api"]]
    assert len(told) == 1 and all(word in told[0] for word in words)


class Cli:
    """Runs commands as the shared client does, without a module."""

    @staticmethod
    def run(argv, ok=(0,), hint=""):
        done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=30)
        assert done.returncode in ok, done.stderr + hint
        return Completed(done.returncode, done.stdout, done.stderr)


def made(tmp_path, command):
    """Run a fault's command on a tree below a folder instead of the root's."""
    subprocess.run(["sh", "-c", command.replace("/etc/", "%s/etc/" % tmp_path)], check=True)
    return tmp_path / "etc"


def test_leftovers_are_read_as_the_probe_reads_them(tmp_path):
    etc = made(tmp_path, "%s && %s" % (faults.KUBELET_CONF % "10.77.0.21:6443", faults.MANIFEST % "1.34.9"))
    assert parse.kubeconfig_server((etc / "kubernetes/kubelet.conf").read_text()) == "10.77.0.21:6443"
    assert parse.image_version((etc / "kubernetes/manifests/kube-apiserver.yaml").read_text(), "kube-apiserver") == "1.34.9"
    assert parse.version_in("/opt/lab/1.36.4/kubelet") == "1.36.4"


@pytest.mark.parametrize("store, word", [("", "the key {}/ca.key does not belong to {}/ca.crt"), ("other", "the store holds another one than {}/ca.crt")])
def test_the_authorities_are_told_as_the_faults_expect(tmp_path, store, word):
    command = faults.SITE_CA if store else faults.mute_faults("cp1", "gpu1", "ops1")[2].make
    site = made(tmp_path, command) / "site"
    if store:
        made(tmp_path / store, "mkdir -p %s && %s" % (tmp_path / store / "etc", faults.SITE_CA))
        (tmp_path / store / "etc/site/ca.crt").rename(tmp_path / store / "kubernetes-ca.crt")
    folder = str(tmp_path / (store or "none"))
    given = {"name": "kubernetes-ca", "cert": str(site / "ca.crt"), "key": str(site / "ca.key"), "chain": ""}
    wants = decide.Wants("192.0.2.1", ("pki",), "lab", 6443, 6443, (), False)
    told = [what for what, dummy, dummy2 in decide.authorities({"authorities": authorities.read(OpenSsl(Cli, folder), [given], folder)}, wants)]
    assert len(told) == 1 and word.format(site, site) in told[0]
