# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords and the authority are rotated while clients go on, each with what it was given last and no more."""
from __future__ import annotations

import json
import ssl
import threading
import time

from ..common import OUTPUT, NotProved, compare, playbook, say
from ..releases.runs import Run
from . import api
from .handshakes import served_by
from .restart import invocations

ACCOUNT, INDEX = "lab-shipper", "lab-rotated"
FILE = OUTPUT / ("opensearch-account-%s.json" % ACCOUNT)
STAGES = ("begin", "switch", "finish")
MOST_KILLS = 160


def words(stage):
    """:returns: the words behind the playbook's name."""
    return ["-e", json.dumps({"opensearch_rotation_stage": stage, "opensearch_rotation_accounts": [{"name": ACCOUNT, "security_roles": ["all_access"]}]})]


def rotate(inventory, stage, record, *more):
    """:returns: (seconds, counts) of one stage."""
    return playbook(inventory, "opensearch_security_rotate", *words(stage), *more, record="opensearch-rotate-" + record)


def administrator():
    """:returns: (user, password) of the administrator, as the client host has them."""
    return "admin", api.PASSWORD.read_text().strip()


def login():
    """:returns: (user, password) of the account's file."""
    found = json.loads(FILE.read_text())
    return found["username"], found["password"]


class Client:
    """An application that writes to each node in turn, by a new connection each time, and knows what it was given last: an authority and a password.

    :param addresses: of the nodes.
    """

    def __init__(self, addresses):
        self._addresses = list(addresses)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.count, self.failures = 0, []
        self.told()

    def told(self):
        """Give it what is to be used now."""
        self._known = (login(), ssl.create_default_context(cafile=str(api.CA)))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._over.set()
        self._thread.join(60)

    def _run(self):
        while not self._over.wait(0.1):
            address = self._addresses[self.count % len(self._addresses)]
            user, context = self._known
            try:
                answer = api.ask(address, "PUT", "/%s/_doc/%d" % (INDEX, self.count), {"n": self.count}, user=user, tls=context)
                words = "" if answer.status == 201 else "%d %s" % (answer.status, answer.body)
            except OSError as error:
                words = repr(error)
            if words:
                self.failures.append("%s: %s" % (address, words[:200]))
            self.count += 1


def gets_in(addresses, user, authority):
    """:returns: for each node whether a client gets in that has a password and an authority, in PEM."""
    context = ssl.create_default_context(cadata=authority)
    found = []
    for address in addresses:
        try:
            found.append(api.ask(address, "GET", "/", user=user, tls=context).status == 200)
        except ssl.SSLError:
            found.append(False)
    return found


def expect(what, found, wanted):
    """Say a thing that holds. :raises NotProved: where it does not."""
    if found != wanted:
        raise NotProved("%s: %s, not %s" % (what, found, wanted))
    say("  " + what)


def stage(inventory, name):
    """One stage: a check run, the run, and once more. :returns: its seconds."""
    _check, counts = rotate(inventory, name, name + "-check", "--check")
    predicted = bool(counts["changed"])
    seconds, counts = rotate(inventory, name, name)
    if not counts["changed"] or not predicted:
        raise NotProved("%s changed %s, and its check run %s" % (name, counts["changed"], "something" if predicted else "nothing"))
    _again, counts = rotate(inventory, name, name + "-again")
    if counts["changed"]:
        raise NotProved("%s once more changed %s" % (name, counts["changed"]))
    return seconds


def account(inventory):
    """Have the account in use, with one user, and passwords alone rotated. :returns: what is known of it: its login."""
    alone = ["-e", json.dumps({"opensearch_rotation_parts": ["accounts", "administrator"]})]
    for name in ("begin", "finish"):
        _check, foretold = rotate(inventory, name, "account-%s-check" % name, "--check", *alone)
        _seconds, counts = rotate(inventory, name, "account-" + name, *alone)
        compare("the check run of passwords alone, %s," % name, foretold["changed"], counts["changed"])
    return login()


def opensearch_rotate(inventory):
    """Under an application and with everything that it has from before: nothing it asks fails; behind the last stage nothing old gets in."""
    nodes = api.nodes(inventory)
    addresses = list(nodes.values())
    first = addresses[0]
    api.ask(first, "DELETE", "/" + INDEX)
    api.well(first, "PUT", "/" + INDEX, {"settings": {"number_of_shards": 1, "number_of_replicas": 1}})
    old_user, old, old_password = account(inventory), api.CA.read_text(), administrator()
    took, before = [], invocations(nodes)
    with Client(addresses) as client:
        time.sleep(2)
        took.append(stage(inventory, "begin"))
        both = api.CA.read_text()
        expect("both authorities are in the clients' file, and both users get in at each node, by either file",
               [gets_in(addresses, user, file) for user in (old_user, login()) for file in (old, both)], [[True] * len(addresses)] * 4)
        if old_user == login():
            raise NotProved("the account's file names the user that it did")
        client.told()
        expect("the administrator has the password that he had", (administrator(), gets_in(addresses, old_password, both)),
               (old_password, [True] * len(addresses)))
        took.append(stage(inventory, "switch"))
        expect("who has both goes on, also with the old password; who has the old one alone knows no node any more",
               [gets_in(addresses, old_user, file) for file in (both, old)], [[True] * len(addresses), [False] * len(addresses)])
        client.told()
        took.append(stage(inventory, "finish"))
        new = api.CA.read_text()
        time.sleep(2)
    expect("of %d requests of the application, to each node in turn, none failed" % client.count, client.failures[:3], [])
    expect("the old password gets in nowhere, the new one everywhere",
           [gets_in(addresses, user, new) for user in (old_user, login())], [[False] * len(addresses), [True] * len(addresses)])
    expect("so do the administrator's",
           [gets_in(addresses, user, new) for user in (old_password, administrator())], [[False] * len(addresses), [True] * len(addresses)])
    expect("all ports of all nodes show certificates of the new authority alone", served_by(addresses, new), [True] * 2 * len(addresses))
    expect("documents: all that were written", (api.well(first, "POST", "/%s/_refresh" % INDEX), api.well(first, "GET", "/%s/_count" % INDEX)["count"])[1],
           client.count)
    expect("no node was restarted", invocations(nodes), before)
    playbook(inventory, "validate", record="opensearch-rotate-validate")
    _site, counts = playbook(inventory, "site", record="opensearch-rotate-site")
    expect("the site changes nothing of it", counts["changed"], [])
    say("opensearch-rotate: %s; %d requests of an application, 0 failed" % (
        ", ".join("%s %.0f s" % pair for pair in zip(STAGES, took)), client.count))


def killed_next(inventory, name, number, hit):
    """Run a stage up to its first task that no run was killed at, and kill it there. :returns: whether there was one."""
    with Run(inventory, "opensearch_security_rotate", "opensearch-rotate-%s-%02d" % (name, number), words(name)) as run:
        while run.alive():
            ahead = next(((name, step.name, step.number) for step in run.steps() if (name, step.name, step.number) not in hit), None)
            if ahead and run.alive():
                run.kill()
                hit.append(ahead)
                return True
            time.sleep(0.02)
        if run.wait().status:
            raise NotProved("run %d of %s failed: %s" % (number, name, run.tail()))
    return False


def opensearch_rotate_killed(inventory):
    """Whoever rotates is killed at each task of each stage: the same command brings it to its end, and no request fails."""
    nodes = api.nodes(inventory)
    addresses = list(nodes.values())
    api.ask(addresses[0], "DELETE", "/" + INDEX)
    api.well(addresses[0], "PUT", "/" + INDEX, {"settings": {"number_of_shards": 1, "number_of_replicas": 1}})
    old_user, old_password, hit, begun = account(inventory), administrator(), [], time.monotonic()
    with Client(addresses) as client:
        for name in STAGES:
            while killed_next(inventory, name, len(hit) + 1, hit):
                if len(hit) == MOST_KILLS:
                    raise NotProved("after %d kills there is still a task that none was at: %s" % (len(hit), hit[-1]))
            _again, counts = rotate(inventory, name, name + "-behind")
            if counts["changed"]:
                raise NotProved("%s, killed at each task and run to its end, still changes %s" % (name, counts["changed"]))
            client.told()
        time.sleep(2)
    seconds, new = time.monotonic() - begun, api.CA.read_text()
    expect("of %d requests none failed" % client.count, client.failures[:3], [])
    old, now = (old_user, old_password), (login(), administrator())
    expect("one authority is left, and one password of each", ([gets_in(addresses, user, new) for user in old + now], new.count("BEGIN CERTIFICATE")),
           ([[False] * len(addresses)] * 2 + [[True] * len(addresses)] * 2, 1))
    expect("all ports show certificates of it", served_by(addresses, new), [True] * 2 * len(addresses))
    say("opensearch-rotate-killed: killed at %d tasks (%s), and run again each time, %.0f s; %d requests of an application, 0 failed" % (
        len(hit), ", ".join("%s: %d" % (name, sum(stage_ == name for stage_, _task, _number in hit)) for name in STAGES), seconds, client.count))
