# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warm-up requests: each pod of a release is asked by its own address, and has to answer each of them with a status 2xx.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from .._common.http import HttpClient, HttpError
from .._release.observation import INCONCLUSIVE, PASS

#: Pods that are asked at the same time.
MOST = 16


def ask(pod, port, wish, http):
    """:returns: why a pod is not warm, in words; empty where it answered each request.

    :param pod: its name and address.
    :param wish: warm_up of the service's description.
    """
    address = "[%s]" % pod["address"] if ":" in pod["address"] else pod["address"]
    url = "http://%s:%d%s" % (address, port, wish["path"])
    body = wish["body"].encode() if wish.get("body") is not None else None
    headers = {"Content-Type": "application/json"} if body is not None else {}
    for _number in range(wish["requests"]):
        try:
            answer = http.request(wish["method"], url, body, headers)
        except HttpError as error:
            return "%s: %s" % (pod["name"], error)
        if not 200 <= answer.status < 300:
            return "%s answered %d to %s" % (pod["name"], answer.status, wish["path"])
    return ""


def warm_up(pods, port, wish):
    """Ask all pods.

    :param pods: name and address each.
    :returns: (verdict, why). What does not answer now may at the next look: nothing is a failure here.
    """
    if not pods:
        return INCONCLUSIVE, "there is no ready pod to ask"
    http = HttpClient(timeout=wish["timeout"])
    with ThreadPoolExecutor(max_workers=MOST) as pool:
        cold = [why for why in pool.map(lambda pod: ask(pod, port, wish, http), pods) if why]
    if cold:
        return INCONCLUSIVE, "%d of %d pods are not warm, such as %s" % (len(cold), len(pods), cold[0])
    return PASS, "%d pods answered %d requests each" % (len(pods), wish["requests"])


def together(answers):
    """What several hosts that asked the same pods come to: one that reached them all is enough. Pure.

    :param answers: (verdict, why) each.
    """
    for verdict, why in answers:
        if verdict == PASS:
            return verdict, why
    return INCONCLUSIVE, "; ".join(sorted({why for _verdict, why in answers})) or "nobody could ask the pods"
