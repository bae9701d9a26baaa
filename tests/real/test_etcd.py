# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real etcd processes on loopback addresses, with a stand-in for systemd: found, grow, lose, refuse, restart.

IRONRACK_ETCD_BIN names the folder with etcd and etcdctl; the gate unpacks them from the bundle.
"""
from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import jinja2
import pytest
import yaml
from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import IronrackError
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.client import EtcdCtl
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.drain import Nobody
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.member import LocalMember
from ansible_collections.ironrack.cluster.plugins.module_utils._etcd.report import report, shortcomings
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.bundle import Bundle
from ansible_collections.ironrack.cluster.plugins.module_utils._pki.spec import parse_specs
from ansible_collections.ironrack.cluster.plugins.module_utils._systemd import client as systemd_client
from ansible_collections.ironrack.cluster.plugins.modules import etcd_cluster_info

ROLE = pathlib.Path(__file__).resolve().parents[2] / "roles" / "etcd"
BIN = os.environ["IRONRACK_ETCD_BIN"]


class Host:
    """What Cli needs of an AnsibleModule."""

    def run_command(self, argv, data=None, environ_update=None, cwd=None, handle_exceptions=True):
        done = subprocess.run(argv, input=data, capture_output=True, text=True, check=False, cwd=cwd)
        return done.returncode, done.stdout, done.stderr


def settings(machine, me, pki):
    """:returns: the role's own settings file, with this test's paths."""
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(regex_replace=lambda text, pattern, new: re.sub(pattern, new, text, count=1), to_json=json.dumps)
    text = environment.from_string((ROLE / "templates" / "etcd.env.j2").read_text()).render(
        defaults, inventory_hostname=machine.name, __etcd_me=me, __etcd_loopback="127.0.88.%d" % machine.number,
        __etcd_metrics_addresses=["127.0.77.%d" % machine.number],
        cluster={"args": {"etcd": {"unsafe-no-fsync": True, "snapshot-count": 9000}}})
    for path, here in (("/etc/etcd/pki/ca.crt", "etcd-ca.crt"), ("/etc/etcd/pki/member", "etcd")):
        text = text.replace(path, str(pki / here))
    return "".join(line + "\n" for line in text.splitlines() if line and not line.startswith("#"))


class Machine:
    """One host: its folder, its etcd process, and a stand-in for the systemd that would keep it."""

    def __init__(self, root, pki, number, model):
        self.number = number
        self.name = "cp%d" % number
        self.root = root / self.name
        self.root.mkdir()
        self.process = None
        self.invocation = 0
        self.started_at = 0.0
        self.enabled = False
        self.ready = False
        self.etcd = EtcdCtl(Cli(Host()), str(pki / "etcd-ca.crt"), str(pki / "health.crt"), str(pki / "health.key"),
                            os.path.join(BIN, "etcdctl"), dial=2, command=4)
        me = next(member for member in model if member["name"] == self.name)
        self.url = me["client_url"]
        self.params = dict(
            name=self.name, peer_url=me["peer_url"], client_url=self.url, members=model, token="test", unformed=None,
            data_dir=str(self.root / "data"), initial_file=str(self.root / "initial.env"), formed_file=str(self.root / "formed"),
            unit="etcd-%s.service" % self.name, watch=[str(self.root / "etcd.env")], pending=[], wait=60, guard_wait=3)
        (self.root / "etcd.env").write_text(settings(self, me, pki))

    def converge(self, check=False, **params):
        return LocalMember(dict(self.params, **params), self.etcd, self, Nobody(), check).converge()

    # what LocalMember asks of systemd

    def show(self, names):
        if self.process is None or self.process.poll() is not None:
            state = "inactive"
        else:
            if not self.ready and not self.etcd.health([self.url])[self.url]:
                self.become_ready()
            state = "active" if self.ready else "activating"
        return {names[0]: {"LoadState": "loaded", "ActiveState": state, "InvocationID": str(self.invocation),
                           "UnitFileState": "enabled" if self.enabled else "disabled"}}

    def become_ready(self):
        """What the unit does after READY=1."""
        self.ready = True
        (self.root / "formed").touch()
        if (self.root / "initial.env").exists():
            (self.root / "initial.env").unlink()

    def started(self, shown):
        return self.started_at

    def daemon_reload(self):
        raise AssertionError("nothing to reload here")

    def enable(self, name, wanted):
        self.enabled = wanted

    def last_words(self, name):
        return (self.root / "log").read_text()[-800:]

    def queue(self, action, name):
        if action == "restart":
            self.stop()
        environment = {}
        for file_name in ("etcd.env", "initial.env"):
            if (self.root / file_name).exists():
                environment.update(line.replace('"', "").split("=", 1) for line in (self.root / file_name).read_text().splitlines())
        with open(str(self.root / "log"), "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([os.path.join(BIN, "etcd"), "--data-dir=" + self.params["data_dir"]], env=environment, stdout=log, stderr=log)
        self.started_at = time.time()
        self.invocation += 1
        self.ready = False

    def stop(self, how=signal.SIGTERM):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)


@pytest.fixture
def machines(tmp_path, monkeypatch):
    monkeypatch.setattr(systemd_client, "RECORDS", str(tmp_path / "records"))
    model = [dict(name="cp%d" % number, address="127.0.77.%d" % number, peer_url="https://127.0.77.%d:2380" % number,
                  client_url="https://127.0.77.%d:2379" % number) for number in (1, 2, 3, 4)]
    authorities, certificates = parse_specs(
        [{"name": "etcd-ca", "common_name": "etcd"}], [],
        [{"name": "etcd", "authority": "etcd-ca", "common_name": "etcd", "usages": ["server", "client"],
          # etcd checks the address that a peer comes from against its certificate: on loopback that is 127.0.0.1
          "sans": ["IP:127.0.0.1"] + ["IP:" + member["address"] for member in model]},
         {"name": "health", "authority": "etcd-ca", "common_name": "health", "usages": ["client"]}])
    Bundle(str(tmp_path / "pki"), Cli(Host())).converge(authorities, [], certificates)
    result = [Machine(tmp_path, tmp_path / "pki", number, model[:3] if number < 4 else model) for number in (1, 2, 3, 4)]
    yield result
    for machine in result:
        machine.stop(signal.SIGKILL)


def found(machines):
    """Both passes of the role over hosts that have nothing."""
    first = [machine.converge() for machine in machines]
    assert [result["action"] for result in first] == ["agree"] * len(machines)
    unformed = [machine.name for machine, result in zip(machines, first) if not result["formed"]]
    actions = [machine.converge(unformed=unformed)["action"] for machine in machines]
    # On a slow machine the first ones are a majority before the last is asked, which then joins what they have founded.
    assert actions[0] == "bootstrap" and set(actions) <= {"bootstrap", "join"}
    wait_ready(machines)


def wait_ready(machines):
    for machine in machines:
        for dummy in range(100):
            if machine.show(["x"])["x"]["ActiveState"] == "active":
                break
            time.sleep(0.2)
        else:
            raise AssertionError(machine.last_words("x"))


def ask(machine, count=3):
    return etcd_cluster_info.ask(machine.etcd, [member["client_url"] for member in machine.params["members"]][:count], ["health", "nothing"])


def test_life_of_a_cluster(machines):
    cp1, cp2, cp3, cp4 = machines
    three = machines[:3]
    before = ask(cp1)
    assert not before["reachable"] and shortcomings(before, 3)
    assert [machine.converge(check=True)["changed"] for machine in three] == [False] * 3

    found(three)
    assert all((machine.root / "formed").exists() and not (machine.root / "initial.env").exists() for machine in three)
    assert [machine.converge()["changed"] for machine in three] == [False] * 3
    state = ask(cp1)
    assert state["quorum"] and state["leader"] and not shortcomings(state, 3) and not state["alarms"]
    assert [member["version"][:2] for member in state["members"]] == ["3."] * 3

    # a changed setting is rolled out one by one, from the leader too, and reads work all the time
    for machine in three:
        with open(str(machine.root / "etcd.env"), "a", encoding="utf-8") as stream:
            stream.write("ETCD_SNAPSHOT_COUNT=7000\n")
        os.utime(str(machine.root / "etcd.env"))
        assert machine.converge(check=True)["action"] == "restart"
        invocation = machine.invocation
        assert machine.converge()["action"] == "restart" and machine.invocation == invocation + 1
        assert machine.converge()["action"] == "none"

    # one is down: no other is restarted
    cp2.stop(signal.SIGKILL)
    with open(str(cp1.root / "etcd.env"), "a", encoding="utf-8") as stream:
        stream.write("ETCD_SNAPSHOT_COUNT=8000\n")
    process = cp1.process
    with pytest.raises(IronrackError, match="cp2 is not healthy"):
        cp1.converge()
    assert cp1.process is process and process.poll() is None
    assert ["cp2" in line for line in shortcomings(ask(cp1), 3)] == [False, True]

    # it has its data: it is started; then cp1 may restart
    assert cp2.converge()["action"] == "start"
    assert cp1.converge()["action"] == "restart"

    # a member that lost its data is refused, with the way out; the way out works
    cp3.stop()
    shutil.rmtree(cp3.params["data_dir"])
    with pytest.raises(IronrackError) as refused:
        cp3.converge()
    assert "never bootstrapped" in str(refused.value)
    with pytest.raises(IronrackError):
        cp3.converge(unformed=["cp1", "cp2", "cp3"])
    command = str(refused.value).split("etcdctl ")[1].split(",")[0]
    cp1.etcd._json([cp1.url], *command.split())
    result = cp3.converge()
    assert result["action"] == "join" and not [member for member in ask(cp1)["members"] if member["learner"]]
    assert cp3.converge()["changed"] is False

    # a fourth joins as a learner, killed after each step
    queue, promote = cp4.queue, cp4.etcd.promote
    cp4.queue = cp4.etcd.promote = None
    with pytest.raises(TypeError):
        cp4.converge()
    assert [member["error"] for member in ask(cp1, 4)["members"] if member["learner"]] == ["never started"]
    cp4.queue = queue
    with pytest.raises(TypeError):
        cp4.converge()
    cp4.etcd.promote = promote
    time.sleep(2)
    assert cp4.converge()["action"] == "promote"
    assert len([member for member in ask(cp1, 4)["members"] if not member["learner"]]) == 4

    # all go down, one comes back without its data: it founds nothing beside the others
    for machine in machines:
        machine.stop(signal.SIGKILL)
    shutil.rmtree(str(cp1.root / "data"))
    (cp1.root / "formed").unlink()
    first = cp1.converge()
    assert first["action"] == "agree" and first["formed"] is False
    others = [machine.converge() for machine in (cp2, cp3, cp4)]
    assert [result["action"] for result in others] == ["start"] * 3 and all(result["formed"] for result in others)
    with pytest.raises(IronrackError):
        cp1.converge(unformed=["cp1"])
    wait_ready([cp2, cp3, cp4])
    with pytest.raises(IronrackError, match="known member"):
        cp1.converge(unformed=["cp1"])


def test_a_half_founded_cluster_is_finished(machines):
    three = machines[:3]
    assert three[0].converge()["bootstrap_needed"]
    three[0].converge(unformed=["cp1", "cp2", "cp3"])  # and the run was killed here
    time.sleep(1)
    first = [machine.converge() for machine in three]
    assert [result["action"] for result in first] == ["none", "agree", "agree"]
    assert [result["formed"] for result in first] == [False] * 3
    for machine in three[1:]:
        machine.converge(unformed=["cp1", "cp2", "cp3"])
    wait_ready(three)
    assert not shortcomings(ask(three[0]), 3)


def test_a_single_member(machines):
    only = machines[0]
    only.params["members"] = only.params["members"][:1]
    assert only.converge()["action"] == "agree"
    assert only.converge(unformed=["cp1"])["action"] == "bootstrap"
    assert only.show(["x"])["x"]["ActiveState"] == "active"
    os.utime(str(only.root / "etcd.env"))
    assert only.converge()["action"] == "restart"
    only.stop()
    shutil.rmtree(only.params["data_dir"])
    with pytest.raises(IronrackError, match="its record says so"):
        only.converge(unformed=["cp1"])


def test_report_of_nothing():
    assert report([], {}, None, {}, [], {})["quorum"] is False
