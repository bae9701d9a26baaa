# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
from pathlib import Path

import pytest

from ansible_collections.ironrack.cluster.lab import leftovers, machine
from ansible_collections.ironrack.cluster.lab.settings import Paths
from ansible_collections.ironrack.cluster.lab.shell import Progress

SUBNET = "10.77.0.0/24"
SAVE = """\
*nat
:POSTROUTING ACCEPT [0:0]
:NETAVARK-HOSTPORT-MASQ - [0:0]
:NETAVARK-AAAA - [0:0]
-A POSTROUTING -j NETAVARK-HOSTPORT-MASQ
-A POSTROUTING -s 10.77.0.0/24 -j NETAVARK-AAAA
-A NETAVARK-AAAA -d 10.77.0.0/24 -j ACCEPT
COMMIT
*filter
:FORWARD ACCEPT [0:0]
:NETAVARK_FORWARD - [0:0]
-A FORWARD -m comment --comment "netavark firewall plugin rules" -j NETAVARK_FORWARD
-A NETAVARK_FORWARD -d 10.77.0.0/24 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A NETAVARK_FORWARD -s 10.77.0.0/24 -j ACCEPT
COMMIT
"""


def make(tmp_path, values):
    for name, value in values.items():
        file = tmp_path / "proc" / "sys" / name.replace(".", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")
    return machine.Machine(Paths(tmp_path / "state", tmp_path / "cache", tmp_path / "run"), Progress(io.StringIO()), tmp_path / "proc")


def test_sysctls_are_noted_raised_and_restored(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "nft_tables", lambda: [])
    monkeypatch.setattr(machine, "run", lambda argv, **_options: type("Done", (), {"returncode": 1, "stdout": ""}))
    mine = make(tmp_path, {"fs.inotify.max_user_instances": 128, "fs.inotify.max_user_watches": 9999999, "net.ipv4.ip_forward": 0,
                           "vm.overcommit_memory": 0, "net.bridge.bridge-nf-call-iptables": 1})
    mine.prepare()
    assert mine.read("fs.inotify.max_user_instances") == "8192"
    assert mine.read("fs.inotify.max_user_watches") == "9999999"
    assert mine.read("net.bridge.bridge-nf-call-iptables") == "0"
    mine.write("vm.overcommit_memory", "1")  # as a kubelet does
    mine.prepare()  # a second `up` must not note the raised values
    assert sorted(mine.restore()) == [
        "fs.inotify.max_user_instances: 8192 -> 128", "net.bridge.bridge-nf-call-iptables: 0 -> 1",
        "net.ipv4.ip_forward: 1 -> 0", "vm.overcommit_memory: 1 -> 0"]
    assert mine.restore() == []


def test_the_note_of_an_earlier_boot_counts_no_more(tmp_path, monkeypatch):
    mine = make(tmp_path, {})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "machine.json").write_text('{"boot_id": "another"}')
    assert mine.record() == {}


def test_rules_of_the_lab_go_with_the_shared_chains_of_netavark():
    commands = machine.leftover_rules(SAVE, SUBNET)
    assert ("nat", ["-D", "POSTROUTING", "-s", SUBNET, "-j", "NETAVARK-AAAA"]) in commands
    assert ("filter", ["-D", "FORWARD", "-m", "comment", "--comment", "netavark firewall plugin rules", "-j", "NETAVARK_FORWARD"]) in commands
    assert {tuple(words) for _table, words in commands if words[0] == "-X"} == {
        ("-X", "NETAVARK-HOSTPORT-MASQ"), ("-X", "NETAVARK-AAAA"), ("-X", "NETAVARK_FORWARD")}
    nat = [words[0] for table, words in commands if table == "nat"]
    assert nat == sorted(nat, key="-D -F -X".split().index)


def test_shared_chains_stay_while_a_users_own_network_needs_them():
    users = SAVE.replace(":NETAVARK-AAAA", ":NETAVARK-BBBB - [0:0]\n:NETAVARK-AAAA").replace(
        "COMMIT\n*filter", "-A POSTROUTING -s 10.88.0.0/16 -j NETAVARK-BBBB\n-A NETAVARK-BBBB -d 10.88.0.0/16 -j ACCEPT\nCOMMIT\n*filter")
    commands = machine.leftover_rules(users, SUBNET)
    assert [words for _table, words in commands if words[0] == "-X"] == [["-X", "NETAVARK-AAAA"]]
    assert not any("10.88.0.0/16" in words or "FORWARD" == words[1] for _table, words in commands)
    assert machine.leftover_rules("", SUBNET) == []


def test_only_a_table_without_rules_is_empty():
    base = "table ip nat {\n\tchain POSTROUTING {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t}\n}\n"
    assert machine.empty_table(base)
    assert not machine.empty_table(base.replace("accept;\n", "accept;\n\t\tcounter packets 0 bytes 0 jump X\n"))


def test_only_monitors_of_this_lab_are_ended(tmp_path):
    paths = Paths(Path("/state"), Path("/cache"))
    for pid, parent, name, command in ((10, 1, "conmon", "conmon -n cp1 --exit-dir /run/ironrack-lab/libpod"), (11, 10, "systemd", "/lib/systemd/systemd"),
                                       (20, 1, "conmon", "conmon -n web --exit-dir /run/libpod"), (21, 20, "nginx", "nginx"),
                                       (30, 1, "less", "less /state/lab.json")):
        folder = tmp_path / str(pid)
        folder.mkdir()
        (folder / "stat").write_text(f"{pid} ({name}) S {parent} 0 0")
        (folder / "cmdline").write_bytes(command.replace(" ", "\0").encode())
    assert leftovers.lab_processes(paths, tmp_path) == [11, 10]


def test_the_hosts_weigh_more_than_what_runs_beside_them(tmp_path):
    shares = tmp_path / "cpu" / "ironrack-lab" / "cpu.shares"
    shares.parent.mkdir(parents=True)
    shares.write_text("1024\n")
    machine.favour_hosts(tmp_path)
    assert shares.read_text() == "20480\n"


def test_a_client_gets_the_share_of_a_balancer_where_hosts_have_a_cgroup(tmp_path):
    machine.stand_among_hosts(77, tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "cpu" / "ironrack-lab").mkdir(parents=True)
    (tmp_path / "cpu" / "ironrack-lab" / "cpu.shares").write_text("20480\n")
    machine.stand_among_hosts(77, tmp_path)
    client = tmp_path / "cpu" / "ironrack-lab" / "client"
    assert ((client / "cpu.shares").read_text(), (client / "cgroup.procs").read_text()) == ("8192\n", "77\n")


def test_where_a_process_shares_the_processors(tmp_path):
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text("9:name=systemd:/a\n4:memory:/b\n1:cpu,cpuacct:/c\n0::/\n")
    for folder in ("cpu/c", "memory/b", "a"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "cgroup.procs").write_text("")
    assert machine.stands(tmp_path, proc) == [tmp_path / "cpu" / "c" / "cgroup.procs"]
    (tmp_path / "cgroup.procs").write_text("")
    assert tmp_path / "cgroup.procs" in machine.stands(tmp_path, proc)


@pytest.mark.parametrize("cgroups, controllers, name, value", [("cpu/ironrack-lab/libpod-1", "cpu,cpuacct", "cpu.shares", "512\n"),
                                                               ("ironrack-lab/libpod-1", "", "cpu.weight", "50\n")])
def test_a_running_host_gets_another_share(tmp_path, cgroups, controllers, name, value):
    (tmp_path / "proc" / "5").mkdir(parents=True)
    (tmp_path / "proc" / "5" / "cgroup").write_text(f"9:name=systemd:/ironrack-lab/libpod-1/init.scope\n1:{controllers}:/ironrack-lab/libpod-1/init.scope\n")
    file = tmp_path / cgroups / name
    file.parent.mkdir(parents=True)
    file.write_text("1024\n")
    machine.weigh(5, 512, tmp_path, tmp_path / "proc")
    assert file.read_text() == value


def test_a_process_outside_of_the_lab_keeps_its_share(tmp_path):
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "cgroup").write_text("1:cpu:/user.slice/session.scope\n")
    (tmp_path / "cpu" / "user.slice" / "session.scope").mkdir(parents=True)
    (tmp_path / "cpu" / "user.slice" / "session.scope" / "cpu.shares").write_text("1024\n")
    machine.weigh(5, 2, tmp_path, tmp_path)
    assert (tmp_path / "cpu" / "user.slice" / "session.scope" / "cpu.shares").read_text() == "1024\n"
