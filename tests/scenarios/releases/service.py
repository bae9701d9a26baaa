# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service that is released: what the inventory says of it, what the API has of it, what its balancers serve."""
from __future__ import annotations

import http.client
import json
import os
import subprocess
import time

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from ...traffic.client import target

from ..common import OUTPUT, ROOT, NotProved, hosts_of
from ..operate import KUBECONFIG

NAME, NAMESPACE = "chat", "inference"
SERVICE_LABEL, RELEASE_LABEL = "ironrack.cluster/service", "ironrack.cluster/release"
SELECTOR = "%s=%s" % (SERVICE_LABEL, NAME)
#: Where a balancer says what its running workers have, and under which Host.
STATUS_PORT, STATUS_HOST = 8080, "%s.upstream.ironrack" % NAME
#: Releases without a fault. The one that is not stable is the next candidate.
GOOD = ("v1", "v2")
ASK = 10


class Unanswered(NotProved):
    """The API did not answer."""


def balancers(inventory):
    """:returns: {name: address} of the load balancers. :raises NotProved: where there are not two."""
    found = {name: entry["address"] for name, entry in sorted(hosts_of(inventory).items()) if "load_balancers" in entry["groups"]}
    if len(found) < 2:
        raise NotProved("%s has %d load balancers, and two are needed" % (inventory, len(found)))
    return found


def variable(inventory, host, name, values=None):
    """:param values: variables that are given with -e.

    :returns: what a variable of a host comes to, templates and all.
    """
    environment = dict(os.environ, ANSIBLE_CALLBACK_RESULT_FORMAT="json", ANSIBLE_NOCOLOR="1", ANSIBLE_FORCE_COLOR="false")
    done = subprocess.run(["ansible", host, "-i", str(inventory), "-m", "ansible.builtin.debug", "-a", "var=" + name, "-e", json.dumps(values or {})],
                          cwd=ROOT, env=environment, check=True, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    return json.loads(done.stdout[done.stdout.index("{"):])[name]


def described(inventory, values=None):
    """:returns: the service's description, see :func:`variable`."""
    return next(service for service in variable(inventory, next(iter(balancers(inventory))), "llm_services", values) if service["name"] == NAME)


def targets(addresses, port):
    """:returns: what clients are pointed at: each balancer's own address."""
    return [target("http://%s:%d" % (address, port), NAME) for address in addresses]


# balancers -----------------------------------------------------------------------------------------------------------------------------


def running(address, timeout=1.0):
    """:returns: the status that a balancer's running workers have of the service, None where they know nothing of it.

    :raises OSError: where it does not answer.
    """
    # A connection that is kept would stay with a worker of before the reload.
    connection = http.client.HTTPConnection(address, STATUS_PORT, timeout=timeout)
    try:
        connection.request("GET", "/upstream.json", headers={"Host": STATUS_HOST, "Connection": "close"})
        answer = connection.getresponse()
        body = answer.read()
        return json.loads(body) if answer.status == 200 else None
    except (http.client.HTTPException, ValueError) as error:
        raise OSError("no status: %s" % error) from error
    finally:
        connection.close()


def served(inventory):
    """:returns: {balancer: (generation, weights)}. :raises NotProved: where one does not answer."""
    found = {}
    for name, address in balancers(inventory).items():
        try:
            status = running(address, ASK)
        except OSError as error:
            raise NotProved("%s does not say what it serves: %s" % (name, error)) from error
        found[name] = (status["generation"], status["weights"]) if status else (None, {})
    return found


# the API -------------------------------------------------------------------------------------------------------------------------------


def _ask(call, *arguments, **options):
    try:
        return call(*arguments, _request_timeout=ASK, **options)
    except ApiException as error:
        if error.status == 404:
            return None
        if error.status == 429 or error.status < 500:
            raise
        raise Unanswered(str(error.status)) from error
    except (HTTPError, OSError) as error:
        raise Unanswered(type(error).__name__) from error


def _api(kind):
    configuration = client.Configuration()
    # By itself it asks three times more, and a step that waits for an API to be silent waits four times as long.
    configuration.retries = 1
    config.load_kube_config(config_file=str(KUBECONFIG), client_configuration=configuration)
    return kind(client.ApiClient(configuration))


def core():
    """:returns: the API of pods and nodes."""
    return _api(client.CoreV1Api)


def record():
    """:returns: the record of the service's rollouts with its history, {} where there is none. :raises Unanswered: where no API answers."""
    found = _ask(core().read_namespaced_config_map, "rollout-%s" % NAME, NAMESPACE)
    if found is None or "record" not in (found.data or {}):
        return {}
    return dict(json.loads(found.data["record"]), history=[json.loads(line) for line in found.data.get("history", "").splitlines()])


def entries(reason):
    """:returns: the entries of the record's history that have a reason."""
    return [entry for entry in record().get("history", []) if reason in entry.get("why", "")]


def doing(known):
    """:returns: the kind of the intent that is on record, with its phase and the candidate's weight; None where there is none."""
    rollout = known.get("rollout")
    if not rollout or not rollout["pending"]:
        return None
    return rollout["plan"][rollout["phase"]][rollout["position"]]["kind"]


def lease():
    """:returns: the Lease that is the lock, None where there is none."""
    return _ask(_api(client.CoordinationV1Api).read_namespaced_lease, "rollout-%s" % NAME, NAMESPACE)


def deployments():
    """:returns: {release: {"replicas", "ready"}}; one that was rolled out by zones has a Deployment in each."""
    listed = _ask(_api(client.AppsV1Api).list_namespaced_deployment, NAMESPACE, label_selector=SELECTOR)
    found = {}
    for one in listed.items if listed else []:
        seen = found.setdefault(one.metadata.labels[RELEASE_LABEL], {"replicas": 0, "ready": 0})
        seen["replicas"] += one.spec.replicas or 0
        seen["ready"] += one.status.ready_replicas or 0
    return found


def pods(release=None):
    """:returns: the objects of the service's pods that are not on their way out, of one release or of all."""
    selector = SELECTOR + (",%s=%s" % (RELEASE_LABEL, release) if release else "")
    found = _ask(core().list_namespaced_pod, NAMESPACE, label_selector=selector)
    return [pod for pod in (found.items if found else []) if pod.metadata.deletion_timestamp is None]


def is_ready(pod):
    """:returns: whether a pod is Ready."""
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions or [])


def stable():
    """:returns: the release that has the traffic by the record, or the first one where nothing was ever rolled out."""
    return record().get("stable") or GOOD[0]


def next_release():
    """:returns: (stable, a good release that is not it)."""
    now = stable()
    return now, next(name for name in GOOD if name != now)


def state(inventory):
    """:returns: what :func:`.verdicts.clean` judges."""
    return {"record": record(), "pods": deployments(), "balancers": served(inventory)}


def until(what, seconds, condition, interval=0.5):
    """Wait for something. An API that does not answer is no answer.

    :param condition: returns what was waited for, or something that is not true.
    :raises NotProved: names it, where it does not come in time.
    """
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            found = condition()
            if found:
                return found
            last = found
        except (Unanswered, OSError) as error:
            last = error
        time.sleep(interval)
    raise NotProved("%s did not come within %d s; last seen: %r" % (what, seconds, last))


def proved(problems, what):
    """:raises NotProved: with all the problems, where there are any."""
    found = [problem for part in problems for problem in part]
    if found:
        raise NotProved("%s:\n  %s" % (what, "\n  ".join(found)))


def keep(name, content):
    """Write figures beside the lab's state, for whoever wants more than a line."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / ("release-%s.json" % name)).write_text(json.dumps(content, indent=1, default=str))
