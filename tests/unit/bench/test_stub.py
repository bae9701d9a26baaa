# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that answer at once: what they answer, the inventories that name them, and what is recorded of a run on them."""
from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile

import pytest
import yaml
from ansible_collections.ironrack.cluster.plugins.module_utils._files import payload
from ansible_collections.ironrack.cluster.plugins.plugin_utils._model.model import derive
from ansible_collections.ironrack.cluster.plugins.plugin_utils._preflight.bundle import bundle_problems
from ansible_collections.ironrack.cluster.tests.bench import answers, controller, floor, inventories, measure, recording, session, traffic
from ansible_collections.ironrack.cluster.tests.unit.site_tasks import ROLES, task_files

PKI = {"authorities": [{"name": "etcd-ca"}], "keypairs": [{"name": "sa"}], "certificates": [{"name": "admin"}]}
PLAYBOOK = """
- hosts: all
  gather_facts: false
  become: true
  vars: {ansible_pipelining: true}
  tasks:
    - name: asked
      ansible.builtin.ping: {data: pong}
"""


@pytest.fixture(name="release")
def release_file():
    path = os.path.join(measure.ROOT, "playbooks", "vars", "releases", controller.newest_release() + ".yml")
    with open(path, encoding="utf-8") as stream:
        return yaml.safe_load(stream)


@pytest.mark.parametrize("count", [7, 300, 1000])
def test_an_inventory_of_any_size_is_one_that_the_model_takes(count, release):
    content = inventories.inventory(count)["all"]
    groups = {group: list(part["hosts"]) for group, part in content["children"].items()}
    hosts = {}
    for part in content["children"].values():
        for host, own in part["hosts"].items():
            hosts.setdefault(host, {}).update(own or {})
    derived = derive(hosts, groups, dict(content["vars"]), {release["version"]: release})
    assert derived.problems == [] and len(derived.model["hosts"]) == count == len(hosts)


def test_an_inventory_without_a_worker_is_refused():
    with pytest.raises(ValueError):
        inventories.inventory(inventories.FIXED)


def test_the_weightless_bundle_is_whole(tmp_path, release):
    assert bundle_problems(inventories.write_bundle(str(tmp_path), release), release) == []


def test_a_module_is_read_from_what_the_controller_sends():
    sent = b"x = 1\n_ansiballz_main(\nansible_module='files',\nmodule_fqn='ansible_collections.ironrack.cluster.plugins.modules.files',\n" \
           b"params='{\"ANSIBLE_MODULE_ARGS\": {\"a\": \"it\\'s\"}}',\nzip_data='x',\n)\n"
    assert answers.asked(sent) == ("files", '{"ANSIBLE_MODULE_ARGS": {"a": "it\'s"}}')
    other = sent.replace(b"ironrack.cluster.plugins.modules.files", b"kubernetes.core.plugins.modules.k8s")
    assert answers.asked(other)[0] == "kubernetes.core.k8s"
    with pytest.raises(answers.Unanswered):
        answers.asked(b"#!/bin/sh\n")


def test_a_module_that_nobody_has_thought_of_is_no_success():
    with pytest.raises(answers.Unanswered, match="reboot"):
        answers.answer("reboot", {})


def test_every_module_of_the_site_has_an_answer():
    # Actions that never send a module.
    controllers = {"cluster_model", "cluster_summary", "preflight_verdict", "kube_apply"}
    used = {name for role in ROLES for path in task_files(role) for name in re.findall(r"^\s*ironrack\.cluster\.(\w+):", path.read_text(), re.MULTILINE)}
    used -= controllers | {"network_check"}
    assert len(used) > 10
    for module in used:
        assert answers.answer(module, {"keys": ["/a"]})["changed"] is False


def test_certificates_can_be_told_apart():
    files = answers.bundle_files(PKI)
    assert sorted(files) == ["admin.crt", "admin.key", "etcd-ca-chain.crt", "etcd-ca.crt", "etcd-ca.key", "sa.key", "sa.pub"]
    assert len(set(files.values())) == len(files)


def test_the_stub_answers_and_records(tmp_path):
    (tmp_path / "record").mkdir()
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    inventory = inventories.write_inventory(str(tmp_path), 7, {"ansible_connection": "stub", "ansible_python_interpreter": "/usr/bin/python3"})
    (tmp_path / "ansible.cfg").touch()
    environment = dict(
        os.environ, HOME=str(tmp_path), ANSIBLE_CONFIG=str(tmp_path / "ansible.cfg"), ANSIBLE_LOCAL_TEMP=str(tmp_path / "tmp"),
        ANSIBLE_CONNECTION_PLUGINS=os.path.join(measure.ROOT, "tests", "bench", "connection_plugins"), STUB_RECORD=str(tmp_path / "record"),
        ANSIBLE_CALLBACK_PLUGINS=os.path.join(measure.ROOT, "tests", "bench", "callback_plugins"), ANSIBLE_CALLBACKS_ENABLED="task_times",
        TASK_TIMES_FILE=str(tmp_path / "times.json"))
    done = subprocess.run([os.path.join(os.path.dirname(sys.executable), "ansible-playbook"), "-i", inventory, str(tmp_path / "play.yml")],
                          env=environment, capture_output=True, text=True, check=False, cwd=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    records = sorted((tmp_path / "record").iterdir())
    assert len(records) == 7
    assert json.loads(records[0].read_text())["module"] == "ansible.modules.ping"
    assert [one[0::2] for one in json.loads((tmp_path / "times.json").read_text())] == [["PLAY all", 0], ["asked", 7]]


def call(module, **arguments):
    return module, arguments


def worker_steps():
    return recording.Steps([
        call("host_settings", users=[{"name": "etcd", "home": "/var/lib/etcd"}], modules=["overlay"], sysctl={"net.ipv4.ip_forward": 1}),
        call("files", payload=payload.pack([
            {"path": "/etc/ironrack", "state": "directory"}, {"path": "/etc/hosts", "block": "10.0.0.1 a\n"},
            {"path": "/etc/pki/admin.key", "content": answers.bundle_files(PKI)["admin.key"], "mode": "0600", "owner": "etcd"},
            {"path": "/etc/old", "state": "absent"}])),
        call("packages", names=["curl"], source_file="/etc/apt/sources.list.d/ironrack.list"),
        call("components", base_url="https://10.0.0.5:8443/files", ca_file="/etc/ca.crt", components={
            "kubernetes": {"version": "1.0", "files": [{"file": "kubelet", "unpack": False, "links": {"/usr/local/bin/kubelet": "kubelet"}}]},
            "cni": {"version": "2.0", "files": [{"file": "cni.tgz", "unpack": True, "links": {"/opt/cni/bin/bridge": "bridge"}}]}}),
        call("units", units=[{"name": "containerd.service"}, {"name": "nginx.service", "state": "stopped"}]),
        call("image_preload", images=["registry.k8s.io/pause:3"]),
        call("kubeadm_node", documents=[{"kind": "JoinConfiguration"}], endpoint="10.0.0.10:6443"),
        call("units", units=[{"name": "kubelet.service"}]),
        call("something_else", anything=1)])


def is_bash(script):
    return subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_what_was_recorded_becomes_scripts():
    steps = worker_steps()
    assert (steps.units, steps.late_units, steps.endpoint) == (["containerd.service"], ["kubelet.service"], "10.0.0.10:6443")
    base, services, join = steps.base(), steps.services(), steps.kubeadm("join")
    assert is_bash(base) and is_bash(services) and is_bash(join)
    for words in ("useradd --system --home-dir /var/lib/etcd", "rm -rf -- /etc/old", "modprobe overlay", "echo 1 > /proc/sys/net/ipv4/ip_forward",
                  "--cacert /etc/ca.crt https://10.0.0.5:8443/files/kubelet -o /opt/ironrack/kubernetes/1.0/kubelet",
                  "cni.tgz | tar xz --no-same-owner -C /opt/ironrack/cni/2.0", "ln -sfn /opt/ironrack/cni/2.0/bridge /opt/cni/bin/bridge"):
        assert words in base
    assert base.index("useradd") < base.index("tar x") and "etcd.service" not in services
    assert "images pull --hosts-dir /etc/containerd/certs.d registry.k8s.io/pause:3" in services and "io.cri-containerd.pinned=pinned" in services
    assert join.index("kubeadm join") < join.index("kubelet.service")


def test_an_archive_has_the_real_certificates_and_the_owners():
    files = answers.bundle_files(PKI)
    with tarfile.open(fileobj=io.BytesIO(worker_steps().archive({files["admin.key"]: "secret\n"}))) as tar:
        entries = {entry.name: entry for entry in tar}
        key = entries["etc/pki/admin.key"]
        assert (tar.extractfile(key).read(), key.mode, key.uname) == (b"secret\n", 0o600, "etcd")
        assert entries["etc/ironrack"].isdir() and "etc/old" not in entries
        block = tar.extractfile(entries[recording.ETC_HOSTS_BLOCK.lstrip("/")]).read()
    assert block == b"# BEGIN ironrack.cluster\n10.0.0.1 a\n# END ironrack.cluster\n"


def test_all_members_of_etcd_are_founded_at_once():
    steps = recording.Steps([call("etcd_member", members=[{"name": "a", "peer_url": "https://a:2380"}, {"name": "b", "peer_url": "https://b:2380"}],
                                  token="t")])
    with tarfile.open(fileobj=io.BytesIO(steps.archive({}))) as tar:
        assert b"ETCD_INITIAL_CLUSTER=a=https://a:2380,b=https://b:2380\n" in tar.extractfile("etc/etcd/initial.env").read()
    assert "systemctl restart etcd.service" in steps.services()


def test_a_failure_beside_others_is_not_lost():
    script = "\n".join(["set -eu"] + recording.in_parallel(["true", "exit 7", "true"]) + ["echo reached"])
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "")
    assert recording.in_parallel([]) == []


def test_workloads_are_those_that_roll_out():
    assert recording.workloads([{"kind": "Service", "metadata": {"name": "a"}},
                                {"kind": "DaemonSet", "metadata": {"name": "b", "namespace": "c"}}]) == [("c", "daemonset/b")]


def test_one_host_and_no_other_has_a_part():
    steps = {"a": recording.Steps([call("mirror_sync", root="/srv")]), "b": recording.Steps([])}
    assert floor.one(steps, "bundle_root") == ("a", "/srv")
    with pytest.raises(measure.NotMeasured, match="2 hosts have bundle_root"):
        floor.one(dict(steps, b=steps["a"]), "bundle_root")


def test_phases_add_up():
    times = iter([10.0, 10.0, 12.0, 15.5])
    phases = floor.Phases(lambda: next(times))
    phases.done("first")
    phases.done("second")
    assert phases.seconds == {"first": 2.0, "second": 3.5} and phases.total() == 5.5


def test_images_are_pushed_by_the_names_that_nodes_ask_for(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {
        "images/flannel.tar": {"image": "ghcr.io/flannel-io/flannel", "tag": "v1"}, "files/etcd.tar.gz": {}}}))
    script = floor.push_images(str(tmp_path), "/srv")
    assert "crane push --insecure /srv/images/flannel.tar 127.0.0.1:5001/flannel-io/flannel:v1" in script and "etcd" not in script and is_bash(script)


def test_bytes_are_counted_at_the_bridge(tmp_path):
    for device, received, sent in (("br0", 10, 20), ("veth1", 1, 2 ** 20), ("veth2", 1, 3 * 2 ** 20)):
        (tmp_path / device / "statistics").mkdir(parents=True)
        (tmp_path / device / "statistics" / "rx_bytes").write_text("%d\n" % received)
        (tmp_path / device / "statistics" / "tx_bytes").write_text("%d\n" % sent)
    for port in ("veth1", "veth2"):
        (tmp_path / "br0" / "brif" / port).mkdir(parents=True)
    before = traffic.read("br0", str(tmp_path))
    assert before == (20, 10, 4 * 2 ** 20)
    assert traffic.between(traffic.Traffic(0, 0, 0), before) == {"machine_to_hosts_mib": 0.0, "hosts_to_machine_mib": 0.0, "received_mib": 4.0}


def test_a_padded_inventory_is_the_lab_with_more_workers(tmp_path):
    lab = os.path.join(measure.ROOT, "inventories", "lab")
    folder = session.padded(lab, str(tmp_path))
    with open(os.path.join(folder, "hosts.yml"), encoding="utf-8") as stream:
        workers = yaml.safe_load(stream)["all"]["children"]["workers"]["children"]["gpu_workers"]["hosts"]
    assert len(workers) == 3 + session.ABSENT and workers["absent179"]["ansible_host"] == "10.77.0.239" and session.WORKER in workers
    assert os.path.isfile(os.path.join(folder, "group_vars", "all", "cluster.yml"))
