# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan keeps of results, counts, says and means."""
from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from ansible_collections.ironrack.cluster.plugins.plugin_utils._plan import meaning, record, text
from ansible_collections.ironrack.cluster.plugins.plugin_utils._plan.collect import collect
from ansible_collections.ironrack.cluster.plugins.plugin_utils._plan.html import page
from ansible_collections.ironrack.cluster.plugins.plugin_utils._plan.words import BY_ACTION, describe
from ansible_collections.ironrack.cluster.tests.unit.site_tasks import ROLES, SITE, task_files

ROOT = Path(__file__).resolve().parents[4]
SECRET = "correct horse battery staple"


def model(control_planes=("cp1", "cp2", "cp3"), balancers=("lb1", "lb2"), **changes):
    hosts = {name: {"name": name, "zone": "a", "is_control_plane": name in control_planes, "is_etcd": name in control_planes,
                    "is_load_balancer": name in balancers, "is_worker": name.startswith("gpu")}
             for name in (*balancers, *control_planes, "gpu1", "gpu2")}
    return dict({"name": "site", "kubernetes_version": "1.36.4", "limited": False, "hosts": hosts,
                 "groups": {"load_balancers": list(balancers), "control_plane": list(control_planes)},
                 "etcd": {"members": [{"name": name} for name in control_planes], "colocated": True}}, **changes)


def line(host, action, result=None, task="", **options):
    return record.entry(host, task or "role : %s" % action, "ironrack.cluster." + action, dict({"changed": True}, **result or {}), **options)


def etcd(host, action):
    return line(host, "etcd_member", {"action": action, "reasons": ["because"]})


def units(host, **actions):
    return line(host, "units", {"units": {
        name.replace("_", "-") + ".service": {"action": action, "reasons": [] if action == "none" else ["changed"]} for name, action in actions.items()}})


def view(**sick):
    return record.entry("cp1", "ask", "ironrack.cluster.etcd_cluster_info", {"changed": False, "reachable": True, "members": [
        {"name": name, "learner": False, "healthy": name not in sick, "error": sick.get(name, "")} for name in ("cp1", "cp2", "cp3")]})


def plan(*lines, of=None, **options):
    return dict(collect(of or model(), [{"outcome": "started"}, *lines], **options), made_at="2026-11-20 12:00:00 UTC")


def said(data, part):
    return " ".join(data[part])


# what is kept of a result ----------------------------------------------------------------------------------------------------------------

def test_only_what_the_plan_needs_is_kept():
    kept = line("cp1", "files", {"changed_paths": ["/etc/key"], "diff": [{"after": SECRET}], "invocation": {"module_args": {"payload": SECRET}}})
    assert kept["details"] == {"changed_paths": ["/etc/key"]}
    assert SECRET not in json.dumps(kept)
    assert record.entry("cp1", "t", "ansible.builtin.copy", {"changed": True, "content": SECRET})["details"] == {}


def test_what_changes_nothing_is_not_kept():
    assert line("cp1", "files", {"changed": False, "changed_paths": []}) is None
    assert line("cp1", "files", {"changed": False, "warnings": ["old"]})["warnings"] == ["old"]
    assert view()["outcome"] == record.SEEN


def test_the_journal_is_private_and_keeps_the_order(tmp_path):
    path = record.journal(str(tmp_path))
    assert record.read(path) is None
    for number in range(3):
        record.append(path, {"outcome": "changed", "number": number})
    assert [one["number"] for one in record.read(path)] == [0, 1, 2]
    assert Path(path).stat().st_mode & 0o777 == 0o600


def returned_by(name):
    source = (ROOT / "plugins" / "modules" / (name + ".py")).read_text()
    return yaml.safe_load(re.search(r'^RETURN = r"""\n(.*?)^"""', source, re.DOTALL | re.MULTILINE)[1]), source


@pytest.mark.parametrize("action", sorted(record.KEPT))
def test_what_is_kept_is_what_the_module_returns(action):
    assert set(record.KEPT[action]) <= set(returned_by(action.rpartition(".")[2])[0])


def test_every_action_of_the_site_that_can_change_something_has_its_words():
    sources = [path.read_text() for role in ROLES for path in task_files(role)]
    sources += [path.read_text() for path in (ROOT / "playbooks" / "_model.yml", *SITE)]
    used = set(re.findall(r"^\s+ironrack\.cluster\.(\w+):", "\n".join(sources), re.MULTILINE))
    assert len(used) > 12 and len(SITE) > 1
    silent = sorted(name for name in used if "ironrack.cluster." + name not in BY_ACTION)
    for name in silent:
        action = ROOT / "plugins" / "action" / (name + ".py")
        source = returned_by(name)[1] + (action.read_text() if action.exists() else "")
        claims = re.findall(r'changed["\']?[=:] ?([\w(]+)', source)
        assert claims and set(claims) <= {"False"}, name


# what a change is in words ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("action, result, words, item", [
    ("packages", {"installed": ["chrony"]}, "1 package would be installed", "chrony"),
    ("files", {"changed_paths": ["/a", "/b"]}, "2 files, folders or links would change", "/a"),
    ("components", {"installed": ["etcd 3.6"], "switched": {"/bin/etcd": {"before": "/opt/3.5", "after": "/opt/3.6"}}},
     "1 component version would be installed and 1 link switched", "/bin/etcd: /opt/3.6, was /opt/3.5"),
    ("host_settings", {"before": {"sysctl x": "0"}, "after": {"sysctl x": "1"}}, "1 setting of the running system would change", "sysctl x: 1, was 0"),
    ("units", {"units": {"a.service": {"action": "restart", "reasons": ["/a changed"]}, "b.service": {"action": "none", "reasons": ["to be enabled at boot"]},
                         "c.service": {"action": "none", "reasons": []}}},
     "1 unit would restart, 1 unit would only be enabled or disabled", "a.service restarts (/a changed)"),
    ("etcd_member", {"action": "join", "reasons": ["it is not listed"]}, "etcd takes this host in: as a learner first, then as a voting member",
     "it is not listed"),
    ("kubeadm_node", {"action": "init", "reason": "there is none"}, "kubeadm init creates the cluster on this host", "there is none"),
    ("kubeadm_node", {"action": "roll_out", "reason": "x", "rollout": {"steps": ["the kubelet restarts"], "files": ["/var/lib/kubelet/config.yaml"]}},
     "the node gets its changed configuration", "/var/lib/kubelet/config.yaml"),
    ("kube_nodes", {"nodes": {"gpu1": ["label zone=b, was a"]}}, "labels or taints of 1 node would change", "gpu1: label zone=b, was a"),
    ("kube_apply", {"objects": ["Namespace/a"]}, "1 object of the cluster would be created or changed", "Namespace/a"),
    ("web_login", {"changed_paths": ["/w"]}, "the login of Prometheus and Alertmanager would be written", "/w"),
    ("kubeconfig", {"path": "/k"}, "the administrator's kubeconfig would be written", "/k"),
    ("opensearch_cluster_settings", {"changed_settings": {"cluster.a": 2}}, "1 setting of OpenSearch's cluster would change", "cluster.a: 2"),
    ("opensearch_cluster_settings", {"changed_settings": {"cluster.a": None}}, "1 setting of OpenSearch's cluster would change",
     "cluster.a: back to its default"),
    ("image_preload", {"pulled": ["pause"]}, "1 image would be pulled in the background", "pause"),
    ("mirror_images", {"pushed": []}, "all images of the bundle would be pushed into the mirror's registry", None),
    ("mirror_sync", {"sent": ["a"], "removed": ["b"], "bytes": 3 << 20}, "1 file of the bundle (3 MiB) would be sent and 1 file removed", "remove b"),
    ("kubeadm_token", {}, "a bootstrap token would be made for the nodes that are missing", None),
    ("pki_bundle", {"censored": "hidden"}, "1 certificate or keys would be issued, renewed or imported", "sa: it is missing"),
])
def test_a_change_has_words_and_names(action, result, words, item):
    told = describe(line("cp1", action, result), [{"name": "sa", "reason": "it is missing"}])
    assert told["words"] == words
    assert item in told["items"] or item is None and told["items"] == []


def rollout(host, *files):
    return line(host, "kubeadm_node", {"action": "roll_out", "rollout": {"steps": ["s"], "files": list(files), "open": True}})


def test_a_rollout_says_who_restarts_and_in_which_order():
    manifests = ["/etc/kubernetes/manifests/kube-%s.yaml" % name for name in ("apiserver", "scheduler")]
    kubelet = ["/var/lib/kubelet/config.yaml", "/var/lib/kubelet/kubeadm-flags.env"]
    data = plan(rollout("cp1", *manifests, *kubelet), rollout("cp2", *manifests), rollout("gpu1", *kubelet), rollout("gpu2", *kubelet))
    assert data["counts"]["restarts"] == 3 + 2 + 1 + 1
    assert "The API servers of cp1, cp2 restart one at a time" in said(data, "traffic")
    assert "On 2 workers the kubelet restarts in batches" in said(data, "traffic")
    means = {one["name"]: one["means"] for one in data["hosts"]}
    assert [words.split(" restarts")[0] for words in means["cp1"]] == ["The API server", "The scheduler", "The kubelet"]
    assert "the API does not answer" in said(plan(rollout("cp1", *manifests), of=model(("cp1",))), "traffic")
    assert "cp1 get their configuration one at a time" in said(plan(rollout("cp1", *kubelet)), "traffic")


def test_a_task_of_the_site_is_counted_and_named():
    data = plan(record.entry("gpu1", "hook : Tune the NIC", "ansible.builtin.command", {"changed": True}))
    assert data["changed"] == [["gpu1", "hook : Tune the NIC"]]
    assert "a task of the site's own would change something (Tune the NIC)" in "\n".join(text.lines(data))


# the plan as data ------------------------------------------------------------------------------------------------------------------------

def test_pairs_are_those_of_the_run_and_hosts_have_their_own_changes():
    data = plan(line("cp1", "files", {"changed_paths": ["/a"]}, task="a : write"), line("cp1", "files", {"changed_paths": ["/b"]}, task="a : write"),
                line("lb1", "kube_apply", {"objects": ["Namespace/a"]}, task="apply", delegate="localhost"))
    assert data["changed"] == [["cp1", "a : write"], ["lb1", "apply"]]
    hosts = {one["name"]: one for one in data["hosts"]}
    assert [change["items"] for change in hosts["cp1"]["changes"]] == [["/a"], ["/b"]]
    assert hosts["lb1"]["changes"] == [] and [one["where"] for one in data["shared"]] == ["localhost"]
    assert (data["verdict"], data["counts"]["changes"], data["counts"]["hosts"]) == ("changes", 2, 1)
    json.dumps(data)


def test_nothing_would_change():
    data = plan(view())
    assert (data["verdict"], data["changed"], data["shared"]) == ("nothing", [], [])
    told = "\n".join(text.lines(data))
    assert "nothing would change." in told and "Nothing would change on lb1, lb2, cp1, cp2, cp3, gpu1, gpu2." in told
    assert data["quorum"] == ["No etcd member restarts, joins or leaves: quorum is as it was."]
    assert data["traffic"] == ["No service of a host is restarted, reloaded or stopped."]


def test_a_host_that_failed_makes_the_plan_incomplete_and_is_not_called_unchanged():
    data = plan(line("gpu1", "files", {"msg": "no route to host"}, outcome=record.FAILED))
    assert (data["verdict"], data["counts"]["unknown"]) == ("incomplete", 1)
    told = "\n".join(text.lines(data))
    assert "NOT WHOLE" in told and "no route to host" in told
    assert "gpu1" not in told.split("Nothing would change on")[1].split("\n\n")[0]


def test_a_limited_plan_says_so_and_is_silent_about_the_others():
    data = plan(of=model(limited=True), covered=["gpu1"])
    assert [one["name"] for one in data["hosts"]] == ["gpu1"]
    assert "part of the hosts (--limit): gpu1" in "\n".join(text.lines(data))
    assert "--limit" not in "\n".join(text.lines(plan()))


def test_what_was_really_done_is_shouted():
    data = plan(line("gpu1", "files", {"changed_paths": ["/a"]}, check_mode=False), line("gpu2", "files", {"changed_paths": ["/a"]}))
    assert [change["really"] for one in data["hosts"] for change in one["changes"]] == [True, False]
    assert "\n".join(text.lines(data)).count("REALLY DONE") == 1


# what it means ---------------------------------------------------------------------------------------------------------------------------

def test_etcd_restarts_keep_quorum_one_at_a_time():
    data = plan(view(), etcd("cp1", "restart"), etcd("cp2", "restart"))
    assert "etcd restarts on cp1, cp2, one member at a time: 2 of 3 stay and 2 are needed" in said(data, "quorum")
    assert "While the member restarts it refuses new connections" in said(data, "quorum") and "the run refuses" not in said(data, "quorum")
    assert data["counts"]["restarts"] == 2
    lonely = model()
    lonely["groups"]["control_plane"] = ["cp1"]
    assert "It is the only one" in said(plan(view(), etcd("cp1", "restart"), of=lonely), "quorum")


def test_a_sick_member_stops_the_restart_of_the_others_and_not_its_own():
    sentences = said(plan(view(cp3="timed out"), etcd("cp1", "restart"), etcd("cp3", "restart")), "quorum")
    assert "refuses to restart etcd on cp1, because of cp3 (timed out)" in sentences
    assert "refuses to restart etcd on cp3" not in sentences


def test_nobody_answering_is_said():
    assert "No member answered just now" in said(plan(etcd("cp1", "restart")), "quorum")


@pytest.mark.parametrize("names, words", [
    (("cp1",), "neither etcd nor the API answers"), (("cp1", "cp2"), "two members and cannot spare one"),
    (("a", "b", "c", "d", "cp1"), "4 of 5 stay and 3 are needed")])
def test_quorum_by_the_size_of_the_cluster(names, words):
    assert words in said(plan(etcd("cp1", "restart"), of=model(control_planes=names)), "quorum")


def test_members_come_and_a_cluster_is_founded():
    assert "A new etcd cluster of 3 is founded (cp1, cp2); it needs 2 of them, so it can lose 1." in said(
        plan(etcd("cp1", "bootstrap"), etcd("cp2", "bootstrap")), "quorum")
    joins = plan(view(), etcd("cp4", "join"), of=model(control_planes=("cp1", "cp2", "cp3", "cp4")))
    assert "from 3 to 4 voting members, of which 3 are needed" in said(joins, "quorum")
    assert "refuses to add a member, because of cp2 (gone)" in said(plan(view(cp2="gone"), etcd("cp4", "join")), "quorum")
    assert "comes back" in said(plan(view(), etcd("cp2", "start")), "quorum")
    assert "No etcd member" in said(plan(view(), etcd("cp2", "none")), "quorum")


def test_a_reload_cuts_nothing_and_a_restart_does():
    reload = plan(units("lb1", ironrack_nginx="reload"))
    assert "NGINX reloads: no connection is cut" in reload["hosts"][0]["means"][0]
    assert said(reload, "traffic") == "NGINX reloads on lb1: no established connection is cut."
    one = plan(units("lb1", ironrack_nginx="restart"))
    assert "every connection through this balancer is cut" in one["hosts"][0]["means"][0]
    assert said(one, "traffic") == "NGINX restarts on lb1; lb2 stays as it is."
    both = plan(units("lb1", ironrack_nginx="restart"), units("lb2", ironrack_nginx="restart"))
    assert "may not answer" in said(both, "traffic") and "--limit lb1" in said(both, "traffic")
    assert both["counts"]["restarts"] == 2 and reload["counts"]["reloads"] == 1


def test_nodes_restart_together_and_are_not_drained():
    assert "On 2 nodes containerd restarts in one task" in said(plan(units("gpu1", containerd="restart"), units("gpu2", containerd="restart")), "traffic")
    alone = plan(units("gpu1", containerd="restart"))
    assert "no service restarts on several hosts at once" in said(alone, "traffic")
    assert [one["means"] for one in alone["hosts"] if one["name"] == "gpu1"] == [
        ["containerd restarts: running containers stay; none is started or stopped meanwhile."]]


def test_nobody_is_served_before_there_is_a_cluster():
    data = plan(line("cp1", "kubeadm_node", {"action": "init", "reason": "none"}), units("lb1", ironrack_nginx="start"))
    assert data["traffic"] == ["There is no cluster yet: nobody is served, and nothing is interrupted."]
    joined = plan(line("cp3", "kubeadm_node", {"action": "join"}), line("gpu1", "kubeadm_node", {"action": "join"}))
    assert "The API servers of cp3 are new" in said(joined, "traffic")


def test_a_unit_that_nobody_knows_is_not_called_harmless():
    data = plan(units("gpu1", site_agent="restart", other="stop"))
    assert [one["means"] for one in data["hosts"] if one["name"] == "gpu1"] == [[
        "site-agent.service restarts. Nothing takes traffic away from it first.", "other.service stops. Nothing takes traffic away from it first."]]


def test_every_unit_of_the_roles_has_its_cost():
    sources = "\n".join(path.read_text() for role in ROLES for part in ("vars", "tasks") for path in sorted((role / part).glob("main.yml")))
    entries = re.findall(r"^ +- name: ([\w-]+\.service)\n(.*?)(?=^ *- |^\S|\Z)", sources, re.DOTALL | re.MULTILINE)
    wanted = {(name, "restart") for name, _rest in entries}
    assert len(wanted) > 7
    reloaded = set(re.findall(r"name: ([\w-]+\.service)\n(?:(?! *- name:).*\n)*? +reload_watch:", sources))
    assert len(reloaded) == 6
    assert sorted((wanted | {(name, "reload") for name in reloaded}) - set(meaning.COSTS)) == []
    assert {name for name, _action in meaning.COSTS} <= {name for name, _rest in entries}


# how it is said --------------------------------------------------------------------------------------------------------------------------

def test_a_rack_of_workers_is_one_paragraph():
    hosts = {"gpu%03d" % number: {"name": "gpu%03d" % number, "is_worker": True} for number in range(300)}
    data = plan(*[line(name, "files", {"changed_paths": ["/etc/%d" % number for number in range(40)]}) for name in hosts], of=model(hosts=hosts))
    told = text.lines(data)
    assert len(told) < 40 and max(map(len, told)) <= text.WIDTH
    words = " ".join(" ".join(told).split())
    assert "and 289 more (worker)" in words and "and 34 more" in words
    assert "/etc/39" not in words and "/etc/39" in page(data)


class Balance(HTMLParser):
    """Checks that every element is closed in its order, and notes what the page would load."""

    def __init__(self):
        super().__init__()
        self.open, self.loaded = [], []

    def handle_starttag(self, tag, attrs):
        self.loaded += [value for name, value in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_loads_nothing_and_escapes():
    data = plan(line("gpu1", "files", {"changed_paths": ["/etc/<b>"], "warnings": ["<i>"]}), units("lb1", ironrack_nginx="reload"), etcd("cp1", "restart"),
                line("gpu2", "files", {"msg": "<script>"}, outcome=record.FAILED), line("lb1", "kubeadm_token", delegate="localhost"))
    shown = page(data)
    balance = Balance()
    balance.feed(shown)
    assert balance.open == [] and balance.loaded == []
    assert "<script" not in shown and "<b>/etc" not in shown and "/etc/&lt;b&gt;" in shown and "&lt;i&gt;" in shown
    for words in ("Not the whole plan", "Quorum", "Traffic", "Host by host", "The cluster as a whole", "What that means", "Nothing would change on"):
        assert words in shown
    assert "Nothing would change" in page(plan()) and "Host by host" not in page(plan())
