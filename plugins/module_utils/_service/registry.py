# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a registry whether it has an image. It decides nothing.

This is a private module_utils package: it may change in any release.
"""
from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

from .._common.http import HttpClient
from . import images


class Registry:
    """Registries over HTTPS.

    :param ca_file: PEM file of their CA; the system's where None.
    :param username: for registries that ask; password: its.
    :param timeout: seconds for one request.
    """

    def __init__(self, ca_file=None, username=None, password=None, timeout=10):
        self._http = HttpClient(ca_file=ca_file, timeout=timeout)
        self._basic = {}
        if username:
            self._basic = {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (username, password or "")).encode()).decode()}

    def status(self, image):
        """:returns: the status of the registry's answer for an image's manifest. :raises HttpError: where no answer came."""
        url, headers = "https://%s%s" % (image.registry, images.manifest_path(image)), {"Accept": images.MANIFESTS}
        answer = self._http.request("HEAD", url, headers=dict(headers, **self._basic))
        asked = {name.lower(): value for name, value in answer.headers.items()}.get("www-authenticate")
        wanted = images.challenge(asked) if answer.status == 401 else None
        if not wanted:
            return answer.status
        token = self._token(wanted, image)
        if not token:
            return answer.status
        return self._http.request("HEAD", url, headers=dict(headers, Authorization="Bearer " + token)).status

    def _token(self, wanted, image):
        query = {"scope": wanted.get("scope") or "repository:%s:pull" % image.path}
        if wanted.get("service"):
            query["service"] = wanted["service"]
        if not wanted["realm"].startswith("https://"):
            return ""  # the account's password would go there in the clear
        answer = self._http.request("GET", "%s?%s" % (wanted["realm"], urlencode(query)), headers=self._basic)
        if answer.status != 200:
            return ""
        try:
            content = json.loads(answer.body)
        except ValueError:
            return ""
        return content.get("token") or content.get("access_token") or ""
