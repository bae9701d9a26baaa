# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unfit hosts, produced on the lab: preflight.yml names every fault of every host at once, touches none, and is content when all are mended.

``host-faults`` needs fresh hosts, ``host-faults-built`` a built cluster. Faults that exclude each other come in several rounds; one listing of
every file before the first round and one after the last mending prove that nothing was left behind, by preflight or by the test.
"""
from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections import namedtuple
from contextlib import ExitStack, contextmanager

from .common import OUTPUT, NotProved, attempt, hosts_of, on, say
from .files import everything, nothing_changed
from .kill_points import failures
from .operate import lab

#: check: the name in brackets behind each problem. words: what the problem has to say besides.
Told = namedtuple("Told", "host check words")
#: on: the host. make, mend: shell commands of root; mend is empty where another fault's mending, or a restart, does it. told: [Told].
Fault = namedtuple("Fault", "on make mend told")

#: At least so many kinds of finding have to be produced.
KINDS = 12
UNREACHABLE = "unreachable"
# What the verdict calls the controller's part.
BUNDLE = "the bundle"
CAP_SYS_RESOURCE = 24
# A program that listens on a port, as systemd would run somebody's service.
LISTENER = ("systemd-run --quiet --collect --unit=lab-port-{port} python3 -c "
            "\"import socket, time; taken = socket.socket(); taken.bind(('', {port})); taken.listen(); time.sleep(3600)\"")
KUBELET_CONF = "mkdir -p /etc/kubernetes && printf 'clusters:\\n- cluster:\\n    server: https://%s\\n' > /etc/kubernetes/kubelet.conf"
MANIFEST = ("mkdir -p /etc/kubernetes/manifests && printf 'spec:\\n  containers:\\n  - image: registry.k8s.io/kube-apiserver:v%s\\n' "
            "> /etc/kubernetes/manifests/kube-apiserver.yaml")
SITE_CA = ("mkdir -p /etc/site && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 "
           "-subj '/CN=site authority' -keyout /etc/site/ca.key -out /etc/site/ca.crt 2>/dev/null")
NO_SUDO = ("mv /etc/sudoers.d/operator /etc/lab-sudoers && printf '#!/bin/sh\\nmv /etc/lab-sudoers /etc/sudoers.d/operator\\nrm /usr/local/sbin/lab-mend\\n' "
           "> /usr/local/sbin/lab-mend && chmod 755 /usr/local/sbin/lab-mend && printf 'operator ALL=(ALL:ALL) NOPASSWD: /usr/local/sbin/lab-mend\\n' "
           "> /etc/lab-sudoers-less && chmod 440 /etc/lab-sudoers-less && mv /etc/lab-sudoers-less /etc/sudoers.d/operator")
#: What mends that one is run by itself: root is not to be had for anything else.
SUDO_BACK = "/usr/local/sbin/lab-mend"


def problems(text, places):
    """Read the text of a verdict.

    :param places: what a problem may be told of: the hosts, and what the controller has.
    :returns: [(host, check, problem)]; the check of a host that does not answer is "unreachable".
    """
    found, host = [], ""
    for line in text.splitlines():
        entry = line.startswith("  - ")
        if line[-1:] == ":" and line[:-1] in places:
            host = line[:-1]
        elif entry:
            found.append([host, line[4:]])
        elif found and host:
            found[-1][1] += " " + line.strip()  # what a host said may have several lines
    return [(host, _check(problem), problem) for host, problem in found]


def _check(problem):
    if problem.startswith("it cannot be reached"):
        return UNREACHABLE
    named = re.search(r"\[(\w+)\]\. Expected: ", problem)
    return named.group(1) if named else ""


def judged(found, wanted, allowed=()):
    """Compare what was told with what was produced.

    :param found: what :func:`problems` gives.
    :param wanted: [Told].
    :param allowed: checks that may be told besides.
    :returns: a line for each that is missing, and for each that nobody produced.
    """
    left, lines = list(found), []
    for one in wanted:
        fits = next((entry for entry in left if entry[:2] == (one.host, one.check) and all(word in entry[2] for word in one.words)), None)
        if fits:
            left.remove(fits)
        else:
            lines.append("not told: %s on %s, with %s" % (one.check, one.host, ", ".join(one.words) or "any words"))
    return lines + ["told, and nobody produced it: %s: %s" % (host, problem) for host, check, problem in left if check not in allowed]


def fresh_faults(plane, worker, mirror, server, files_limited):
    """Everything at once that leaves a host able to answer.

    :param plane: a control plane that is an etcd member too. worker, mirror: a host of each.
    :param server: host:port of this cluster's API.
    :param files_limited: whether a host's limit of open files can be lowered there.
    :returns: [Fault].
    """
    etc = "rm -r /etc/kubernetes"
    found = [
        Fault(plane, LISTENER.format(port=2379), "systemctl stop lab-port-2379", [Told(plane, "free_ports", ("port 2379 is held by python3",))]),
        Fault(plane, "mkdir -p /var/lib/etcd/member", "rmdir /var/lib/etcd/member", [Told(plane, "foreign_etcd", ("/var/lib/etcd/member holds data",))]),
        Fault(plane, "%s && %s && touch /etc/kubernetes/manifests/etcd.yaml" % (KUBELET_CONF % server, MANIFEST % "1.34.9"), etc, [
            Told(plane, "foreign_etcd", ("static pod",)), Told(plane, "version", ("API server is 1.34.9", "2 minors away")),
            Told(mirror, "lost_authorities", (plane,))]),
        Fault(plane, "mount -t tmpfs -o size=64m lab-small /opt", "umount /opt", [Told(plane, "disk", ("/opt has 64 MiB",))]),
        Fault(worker, LISTENER.format(port=10250), "systemctl stop lab-port-10250", [Told(worker, "free_ports", ("port 10250 is held by python3",))]),
        Fault(worker, KUBELET_CONF % "198.51.100.1:6443", etc, [Told(worker, "foreign_cluster", ("the cluster at 198.51.100.1:6443",))]),
        Fault(worker, "mkdir -p /opt/lab/1.36.4 && touch /opt/lab/1.36.4/kubelet && ln -s /opt/lab/1.36.4/kubelet /usr/local/bin/kubelet",
              "rm -r /usr/local/bin/kubelet /opt/lab", [Told(worker, "version_skew", ("kubelet runs 1.36", "API server 1.34"))]),
        Fault(worker, "cp /usr/bin/sleep /usr/local/bin/dockerd && systemd-run --quiet --collect --unit=docker /usr/local/bin/dockerd infinity",
              "systemctl stop docker; rm /usr/local/bin/dockerd", [Told(worker, "container_runtime", ("docker is running",))]),
        Fault(worker, "cp -p /etc/machine-id /etc/lab-machine-id && echo {id} > /etc/machine-id", "mv /etc/lab-machine-id /etc/machine-id", [
            Told(worker, "same_machine", (plane,)), Told(plane, "same_machine", (worker,))]),
        # The address itself is in an inventory beside the lab's.
        Fault(worker, "true", "", [Told(worker, "own_address", ("10.77.0.99 is none of its addresses",))]),
        Fault(mirror, "mv /usr/bin/openssl /usr/bin/lab-openssl", "mv /usr/bin/lab-openssl /usr/bin/openssl", [Told(mirror, "openssl", ("no openssl",))]),
    ]
    if files_limited:
        # Nobody may raise it again: mended when the host is started anew, which the round of unreachable hosts does.
        found.append(Fault(worker, "prlimit --pid 1 --nofile=4096:4096", "", [Told(worker, "file_handles", ("a service may open 4096 files",))]))
    return found


def mute_faults(plane, worker, mirror):
    """Hosts that answer, and on which the probe cannot run; and an authority of the site's with another one's key.

    :returns: [Fault].
    """
    return [
        Fault(plane, NO_SUDO, SUDO_BACK, [Told(plane, "probe", ("the probe cannot run", "sudo"))]),
        Fault(worker, "mv /usr/bin/python3 /usr/bin/lab-python3", "mv /usr/bin/lab-python3 /usr/bin/python3", [
            Told(worker, "probe", ("the probe cannot run", "python3"))]),
        Fault(mirror, "%s && openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out /etc/site/ca.key 2>/dev/null" % SITE_CA,
              "rm -r /etc/site", [Told(mirror, "authorities", ("the key /etc/site/ca.key does not belong to /etc/site/ca.crt",))]),
    ]


OWN_AUTHORITY = json.dumps({"cluster_pki_kubernetes_ca": {"cert": "/etc/site/ca.crt", "key": "/etc/site/ca.key"}})


def as_root(host, command):
    """Run a shell command of root on a host. :returns: what it printed. :raises NotProved: with what it said, where it failed."""
    try:
        return on(host, "sudo", "sh", "-c", shlex.quote(command))
    except subprocess.CalledProcessError as error:
        raise NotProved("%s: %s: %s" % (host, command, error.stderr)) from error


@contextmanager
def produced(faults):
    """The faults are there inside of this block, and mended behind it whatever happens, the last one first."""
    with ExitStack() as mending:
        for fault in faults:
            if fault.mend == SUDO_BACK:
                mending.callback(on, fault.on, "sudo", SUDO_BACK)
            elif fault.mend:
                mending.callback(as_root, fault.on, fault.mend)
            as_root(fault.on, fault.make)
        yield


def refused(inventory, record, wanted, *words, allowed=()):
    """Run preflight.yml, which has to refuse with every problem that is wanted, and change nothing.

    :param wanted: [Told].
    :raises NotProved: with what is missing or too much.
    """
    status, seconds, counts, followed, log = attempt(inventory, "preflight", *words, record=record)
    if not status:
        raise NotProved("%s: preflight let it pass" % record)
    if counts is None or counts["changed"]:
        raise NotProved("%s: preflight changed: %s" % (record, counts and counts["changed"]))
    failed = failures(followed)
    if len(failed) != 1:
        raise NotProved("%s: %d tasks failed, and one has to say everything: %s; see %s" % (record, len(failed), failed, log))
    told = problems(failed[0][2], [*hosts_of(inventory), BUNDLE])
    lines = judged(told, wanted, allowed)
    if lines:
        raise NotProved("%s:\n  %s\nIt said:\n%s" % (record, "\n  ".join(lines), failed[0][2]))
    say("  %s: refused in %.0f s with %d problems of %d hosts at once, changed=0: %s" % (
        record, seconds, len(told), len({host for host, _check_name, _text in told}), ", ".join(sorted({check for _host, check, _text in told}))))
    return {one.check for one in wanted}


def _roles(inventory):
    """:returns: (a control plane, a worker, the mirror, {host: {address, groups}})."""
    hosts = hosts_of(inventory)

    def last(group):
        return sorted(name for name, entry in hosts.items() if group in entry["groups"])[-1]

    return last("control_plane"), last("workers"), last("mirror"), hosts


def may_raise(status):
    """:returns: whether a host's services may raise their own limits, from /proc/1/status: preflight then asks the kernel's own limit."""
    held = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status, re.M)
    return bool(held and int(held.group(1), 16) >> CAP_SYS_RESOURCE & 1)


def host_faults(inventory):
    """Every kind of fault that the lab can produce on fresh hosts, in as few rounds as they allow."""
    begun = time.monotonic()
    plane, worker, mirror, hosts = _roles(inventory)
    for host in (plane, worker, mirror):
        if as_root(host, "ls -d /etc/kubernetes /etc/ironrack 2>/dev/null || true").split():
            raise NotProved("%s is not fresh: host-faults needs hosts on which nothing was built" % host)
    before = everything(inventory)
    kinds = set()

    other = OUTPUT / "other-address.yml"
    OUTPUT.mkdir(parents=True, exist_ok=True)
    other.write_text(json.dumps({"all": {"hosts": {worker: {"cluster_node_address": "10.77.0.99"}}}}))
    files_limited = not may_raise(on(worker, "cat", "/proc/1/status"))
    if not files_limited:
        say("  the machine lets its hosts raise their limits: too few file handles cannot be produced here")
    machine_id = on(plane, "cat", "/etc/machine-id").strip()
    faults = [fault._replace(make=fault.make.replace("{id}", machine_id))
              for fault in fresh_faults(plane, worker, mirror, hosts[plane]["address"] + ":6443", files_limited)]
    with produced(faults):
        kinds |= refused(inventory, "host-faults-at-once", [told for fault in faults for told in fault.told], "-i", str(other))

    k3s = Fault(worker, "mkdir -p /etc/rancher/k3s && touch /etc/rancher/k3s/k3s.yaml", "rm -r /etc/rancher", [
        Told(worker, "foreign_cluster", ("/etc/rancher/k3s/k3s.yaml is there",))])
    # The newer cluster's own address, so that only its version stands against it.
    newer = Fault(plane, "%s && %s" % (KUBELET_CONF % (hosts[plane]["address"] + ":6443"), MANIFEST % "1.37.0"), "rm -r /etc/kubernetes", [
        Told(plane, "version", ("1.36.4 would be a downgrade",)), Told(mirror, "lost_authorities", (plane,))])
    faults = [newer, k3s]
    if files_limited:
        faults.append(Fault(worker, "true", "", [Told(worker, "file_handles", ("4096 files",))]))
    with produced(faults):
        kinds |= refused(inventory, "host-faults-others", [told for fault in faults for told in fault.told])

    faults = mute_faults(plane, worker, mirror)
    with produced(faults):
        kinds |= refused(inventory, "host-faults-mute", [told for fault in faults for told in fault.told], "-e", OWN_AUTHORITY)

    port = Fault(plane, LISTENER.format(port=6443), "systemctl stop lab-port-6443", [Told(plane, "free_ports", ("port 6443 is held by python3",))])
    with produced([port]):
        lab(inventory, "kill", worker)
        lab(inventory, "cut", mirror)
        try:
            kinds |= refused(inventory, "host-faults-unreachable", [*port.told, Told(worker, UNREACHABLE, ()), Told(mirror, UNREACHABLE, ())])
        finally:
            lab(inventory, "start", worker)
            lab(inventory, "start", mirror)

    kinds |= refused(inventory, "host-faults-limit", [
        Told(worker, "left_out", ("--limit leaves out", plane, "no API server answers")), Told(worker, "left_out", ("--limit leaves out %s" % mirror,))],
        "--limit", worker)

    status, seconds, counts, followed, _log = attempt(inventory, "preflight", record="host-faults-mended")
    if status or counts["changed"]:
        raise NotProved("all faults are mended, and preflight ends with status %d: %s" % (status, failures(followed)))
    nothing_changed("preflight", before, everything(inventory))
    if len(kinds) < KINDS:
        raise NotProved("only %d kinds of faults were produced: %s" % (len(kinds), ", ".join(sorted(kinds))))
    say("host faults: %d kinds produced on real hosts and refused with their message: %s. Mended, preflight passes in %.0f s; no file of %d hosts "
        "differs. %.0f s in all" % (len(kinds), ", ".join(sorted(kinds)), seconds, len(before), time.monotonic() - begun))


def host_faults_built(inventory):
    """What stands against a run on a cluster that runs: an older version, an authority that is not the hosts' own, a foreign runtime."""
    begun = time.monotonic()
    plane, worker, mirror, _hosts = _roles(inventory)
    downgrade = ("1.36.4", "1.35.4 would be a downgrade")
    faults = [
        Fault(mirror, SITE_CA, "rm -r /etc/site", [Told(mirror, "authorities", ("the store holds another one than /etc/site/ca.crt",))]),
        Fault(worker, "cp /usr/bin/sleep /usr/local/bin/dockerd && systemd-run --quiet --collect --unit=docker /usr/local/bin/dockerd infinity",
              "systemctl stop docker; rm /usr/local/bin/dockerd", [
                  Told(worker, "container_runtime", ("docker is running",)), Told(worker, "version", ("its kubelet", *downgrade)),
                  Told(plane, "version", ("its API server", *downgrade)), Told(plane, "version", ("its kubelet", *downgrade))]),
    ]
    with produced(faults):
        # The bundle of the older release need not be there.
        refused(inventory, "host-faults-built", [told for fault in faults for told in fault.told], "-e", OWN_AUTHORITY,
                "-e", "cluster_kubernetes_version=1.35.4", allowed=("bundle",))
    status, seconds, counts, followed, _log = attempt(inventory, "preflight", record="host-faults-built-mended")
    if status or counts["changed"]:
        raise NotProved("all faults are mended, and preflight ends with status %d: %s" % (status, failures(followed)))
    say("faults of a built cluster: refused with their messages, changed=0; mended, preflight passes in %.0f s; %.0f s in all" % (
        seconds, time.monotonic() - begun))
