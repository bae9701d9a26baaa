#!/usr/bin/python
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_upstream
short_description: Have a load balancer split the requests of a service over its releases
version_added: "0.1.0"
author: "ironrack.cluster contributors (@ironrack)"
extends_documentation_fragment:
  - ironrack.cluster.nginx
description:
  - Writes one file for NGINX 1.28 or newer, has NGINX test it (a warning counts as an error) before it is put in place, reloads the unit and
    waits until new workers run it and no former worker takes connections any more.
  - Whether to reload is decided by comparing what the workers run with what is on disk, so that a run that was killed is finished by the next.
  - A release that had no traffic gets none before a pod of it has answered through its upstream. One that NGINX does not know yet is added
    without traffic first.
  - Refuses a generation that is older than the one on disk or in the workers, and other traffic under the same generation.
  - Where NGINX refuses the file at the reload, the former one is put back.
  - For as long as O(client_keepalive_min) after a reload, a connection that stood may carry one more request by the former split. Streams that
    are open go on.
attributes:
  check_mode:
    support: full
    description: Predicts without NGINX's own test, since the main configuration may not be there yet.
  diff_mode:
    support: full
    description: Shows the file before and after.
options:
  name:
    description: The service, a DNS label.
    type: str
    required: true
  state:
    description: Whether the balancer should know the service.
    type: str
    choices: [present, absent]
    default: present
  generation:
    description: The number of this traffic from the rollout's record. It only rises.
    type: int
    required: true
  releases:
    description: The releases that the balancer should know, those without traffic among them; at most 8. Needed with O(state=present).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: A DNS label. V(fallback) is taken.
        type: str
        required: true
      host:
        description: The DNS name of its headless Service, whose answer holds the ready pods.
        type: str
        required: true
      port:
        description: The port of its pods.
        type: int
        required: true
  stable:
    description: The release that gets what the candidate does not.
    type: str
  candidate:
    description: The release that is being brought in.
    type: str
  weight:
    description: The candidate's part of the clients, in whole percents.
    type: int
    default: 0
  serve:
    description: Who answers. V(nobody) is status 503 with Retry-After for all requests but those of testers.
    type: str
    choices: [releases, fallback, nobody]
    default: releases
  fallback:
    description:
      - Servers that take the requests with O(serve=fallback). The first takes them all, the others while it does not answer.
      - Without O(sticky_key) they are also the backup of each release while none of its pods can be reached.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: An address, or a DNS name that O(resolver) knows.
        type: str
        required: true
      port:
        description: A port.
        type: int
        required: true
  note:
    description:
      - Left in the head of the file, and given back by M(ironrack.cluster.nginx_upstream_info), such as who switched the service off and why.
      - At most 3000 bytes as JSON. No secrets.
    type: dict
    default: {}
  port:
    description: The TCP port that the service listens on.
    type: int
    default: 443
  server_names:
    description: The host names of the service. Services on the same port need different ones.
    type: list
    elements: str
    default: []
  certificate:
    description: The certificate chain, PEM, for TLS 1.3 and HTTP/2. Without it the service speaks plain HTTP/1.1.
    type: path
  certificate_key:
    description: Its key, PEM.
    type: path
  trusted_proxies:
    description: Networks of proxies in front, whose X-Forwarded-For is believed. Without any it is replaced.
    type: list
    elements: str
    default: []
  client_key:
    description:
      - What tells clients apart, for the split and for O(key_rate). One of V(address), V(header:NAME) and V(cookie:NAME).
      - A client without the header or cookie is known by its address.
    type: str
    default: address
  sticky_key:
    description:
      - Requests of the same key stay on one pod of their release, as long as its pods stay the same. Written like O(client_key).
      - Without it the pod with the fewest open requests is chosen.
    type: str
  address_family:
    description: What to listen on, and which addresses of pods to ask for.
    type: str
    choices: [ipv4, ipv6, both]
    default: ipv4
  resolver:
    description: Address and port of the DNS server on this host.
    type: str
    default: 127.0.0.1:5353
  connect_timeout_ms:
    description: Milliseconds that a pod's TCP connection may take before another pod is tried.
    type: int
    default: 300
  response_timeout:
    description: Seconds between two pieces of an answer.
    type: int
    default: 300
  tries:
    description:
      - Pods that one request is tried on, in all. A request that was sent and is not idempotent, such as a POST, is never tried again.
      - It has to be more than the pods of a release that one host may have. When a host is lost they are all asked again at the same moments, by one
        request, because none of them has any other.
    type: int
    default: 10
  max_fails:
    description: Failures within O(fail_timeout) after which a pod is left alone for as long.
    type: int
    default: 1
  fail_timeout:
    description: Seconds.
    type: int
    default: 2
  keepalive:
    description: Idle connections to pods that a worker keeps, for each release.
    type: int
    default: 32
  keepalive_idle:
    description: Seconds after which they are closed.
    type: int
    default: 2
  server_keepalive_idle:
    description: Seconds after which the pods close them by themselves. Has to be more than O(keepalive_idle).
    type: int
    default: 5
  client_keepalive_idle:
    description: Seconds after which an idle connection of a client is closed.
    type: int
    default: 75
  client_keepalive_min:
    description: Seconds that such a connection lives on after a reload.
    type: int
    default: 5
  client_rate:
    description: Requests a second from one address on this balancer, above which the answer is 429; 0 for no limit.
    type: int
    default: 0
  client_burst:
    description: Requests that may come at once all the same.
    type: int
    default: 0
  key_rate:
    description: The same for one O(client_key).
    type: int
    default: 0
  key_burst:
    description: Requests that may come at once all the same.
    type: int
    default: 0
  connections:
    description: Requests of all clients in flight on this balancer, above which the answer is 503; 0 for no limit.
    type: int
    default: 0
  retry_after:
    description: Seconds that refused clients are asked to wait; a quarter of them is told this, a quarter twice, half of them four times as long.
    type: int
    default: 2
  tester_header:
    description: A header by which O(tester_networks) may name the release that they want.
    type: str
  tester_networks:
    description: Networks whose clients may do so.
    type: list
    elements: str
    default: []
  mirror_release:
    description:
      - A release that gets copies of requests, whose answers are dropped.
      - The next request on a client's HTTP/1.1 connection, and the log line with its C(request_time), wait until the copy has ended. The times
        of pods in the log do not.
    type: str
  mirror_share:
    description: The part of the requests that is copied, in whole percents.
    type: int
    default: 0
  mirror_timeout:
    description: Seconds between two pieces of the answer to a copy, after which it is given up.
    type: int
    default: 10
  max_body_mb:
    description: MiB that the body of a request may have.
    type: int
    default: 16
  probe_path:
    description: A path that a pod answers with a status below 500 when it can be reached.
    type: str
    default: /health
  access_log:
    description:
      - The log, a JSON object for each request. C(/var/log/nginx/service-NAME.log) where left out.
      - Errors of the service stand beside it, in C(service-NAME-error.log).
      - The role ironrack.cluster.load_balancer rotates what is in C(/var/log/nginx), and ironrack.cluster.monitoring counts requests from the logs
        that C(monitoring_balancer_logs) matches. A log elsewhere is for the site to rotate and to name there; gates have no data otherwise.
    type: path
  config:
    description: NGINX's main configuration, which includes C(*.conf) of O(folder).
    type: path
    default: /etc/ironrack/nginx/nginx.conf
  nginx:
    description: Path of NGINX.
    type: path
    default: /usr/local/sbin/nginx
  pid_file:
    description: The file with the process ID of NGINX's master.
    type: path
    default: /run/ironrack-nginx.pid
  wait:
    description: Seconds that a reload may take until new workers run the configuration.
    type: int
    default: 30
  address_wait:
    description: Seconds that a release without traffic may take until a pod of it answers.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: A tenth of the clients meets the candidate
  ironrack.cluster.nginx_upstream:
    name: chat
    generation: 12
    port: 8443
    server_names: [chat.example.org]
    certificate: /etc/ironrack/chat.crt
    certificate_key: /etc/ironrack/chat.key
    releases:
      - {name: blue, host: chat-blue.llm.svc.cluster.local, port: 8080}
      - {name: green, host: chat-green.llm.svc.cluster.local, port: 8080}
    stable: blue
    candidate: green
    weight: 10
    client_key: header:X-Client-Id
  become: true

- name: The service is switched off, and says so
  ironrack.cluster.nginx_upstream:
    name: chat
    generation: 13
    releases:
      - {name: blue, host: chat-blue.llm.svc.cluster.local, port: 8080}
    stable: blue
    serve: nobody
  become: true
"""

RETURN = r"""
action:
  description: What was done, or would be. One of V(none), V(reload) and V(remove).
  returned: success
  type: str
reasons:
  description: Why.
  returned: success
  type: list
  elements: str
added:
  description: Releases that were added without traffic first, and got theirs when a pod had answered.
  returned: success
  type: list
  elements: str
before:
  description: What the workers ran; null where they knew nothing of the service. C(weight) is the candidate's in percent, C(weights) those by release.
  returned: success
  type: dict
  sample:
    generation: 11
    serve: releases
    stable: blue
    candidate: ""
    weight: 0
    weights: {blue: 100}
    releases: {blue: "chat-blue.llm.svc.cluster.local:8080"}
after:
  description: What they run now, or would.
  returned: success
  type: dict
problems:
  description: Everything that is wrong with the options, one sentence each.
  returned: when the options cannot be meant
  type: list
  elements: str
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ironrack.cluster.plugins.module_utils._common.cli import Cli
from ansible_collections.ironrack.cluster.plugins.module_utils._common.errors import conclude
from ansible_collections.ironrack.cluster.plugins.module_utils._common.lock import RUN_DIR, locked
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.balancer import Balancer
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.client import Nginx
from ansible_collections.ironrack.cluster.plugins.module_utils._nginx.traffic import parse
from ansible_collections.ironrack.cluster.plugins.module_utils._systemd.client import Systemd

SPEC = dict(
    name=dict(type="str", required=True),
    state=dict(type="str", choices=["present", "absent"], default="present"),
    generation=dict(type="int", required=True),
    releases=dict(type="list", elements="dict", default=[], options=dict(
        name=dict(type="str", required=True), host=dict(type="str", required=True), port=dict(type="int", required=True))),
    stable=dict(type="str"),
    candidate=dict(type="str"),
    weight=dict(type="int", default=0),
    serve=dict(type="str", choices=["releases", "fallback", "nobody"], default="releases"),
    fallback=dict(type="list", elements="dict", default=[], options=dict(host=dict(type="str", required=True), port=dict(type="int", required=True))),
    note=dict(type="dict", default={}),
    port=dict(type="int", default=443),
    server_names=dict(type="list", elements="str", default=[]),
    certificate=dict(type="path"),
    certificate_key=dict(type="path", no_log=False),
    trusted_proxies=dict(type="list", elements="str", default=[]),
    client_key=dict(type="str", default="address", no_log=False),
    sticky_key=dict(type="str", no_log=False),
    address_family=dict(type="str", choices=["ipv4", "ipv6", "both"], default="ipv4"),
    resolver=dict(type="str", default="127.0.0.1:5353"),
    connect_timeout_ms=dict(type="int", default=300),
    response_timeout=dict(type="int", default=300),
    tries=dict(type="int", default=10),
    max_fails=dict(type="int", default=1),
    fail_timeout=dict(type="int", default=2),
    keepalive=dict(type="int", default=32),
    keepalive_idle=dict(type="int", default=2),
    server_keepalive_idle=dict(type="int", default=5),
    client_keepalive_idle=dict(type="int", default=75),
    client_keepalive_min=dict(type="int", default=5),
    client_rate=dict(type="int", default=0),
    client_burst=dict(type="int", default=0),
    key_rate=dict(type="int", default=0, no_log=False),
    key_burst=dict(type="int", default=0, no_log=False),
    connections=dict(type="int", default=0),
    retry_after=dict(type="int", default=2),
    tester_header=dict(type="str"),
    tester_networks=dict(type="list", elements="str", default=[]),
    mirror_release=dict(type="str"),
    mirror_share=dict(type="int", default=0),
    mirror_timeout=dict(type="int", default=10),
    max_body_mb=dict(type="int", default=16),
    probe_path=dict(type="str", default="/health"),
    access_log=dict(type="path"),
    config=dict(type="path", default="/etc/ironrack/nginx/nginx.conf"),
    folder=dict(type="path", default="/etc/ironrack/nginx/http.d"),
    nginx=dict(type="path", default="/usr/local/sbin/nginx"),
    unit=dict(type="str", default="ironrack-nginx.service"),
    pid_file=dict(type="path", default="/run/ironrack-nginx.pid"),
    health_url=dict(type="str", default="http://127.0.0.1:8080"),
    wait=dict(type="int", default=30),
    address_wait=dict(type="int", default=60),
)


def run(module):
    """:returns: the module's result. :raises IronrackError: where the traffic must not change, or did not in time."""
    params = module.params
    cli = Cli(module)
    balancer = Balancer(Nginx(cli, Systemd(cli), params), params["wait"], params["address_wait"])

    def work():
        if params["state"] == "absent":
            return balancer.remove(params["name"], params["generation"], module.check_mode)
        return balancer.converge(traffic, module.check_mode)

    traffic = parse(params) if params["state"] == "present" else None
    if module.check_mode:
        result = work()
    else:
        # Two runs at a time would each judge the other's file; all services share one NGINX, and its test reads all their files.
        os.makedirs(RUN_DIR, mode=0o755, exist_ok=True)
        with locked(os.path.join(RUN_DIR, "nginx.lock"), params["wait"]):
            result = work()
    path = os.path.join(params["folder"], params["name"] + ".conf")
    diff = dict(before_header=path, after_header=path, before=result.pop("former"), after=result.pop("wanted"))
    return dict(result, diff=diff)


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    conclude(module, lambda: run(module))


if __name__ == "__main__":
    main()
