# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other end of Alertmanager's webhook: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config."""
from __future__ import annotations

import http.server
import json
import threading
import time
from collections import namedtuple
from datetime import datetime

# One alert of one message. at, began: seconds since the epoch, of the message and of the alert. receiver: by which of Alertmanager's.
# status: firing or resolved.
Told = namedtuple("Told", "at began receiver status name severity labels")


class Receiver:
    """Listens inside of a ``with`` block. ``told`` holds what it was told, in the order of coming."""

    def __init__(self, host="127.0.0.1", port=0):
        self.told = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.told += [Told(time.time(), datetime.fromisoformat(alert["startsAt"]).timestamp(), body["receiver"], alert["status"],
                                       alert["labels"]["alertname"], alert["labels"].get("severity"), alert["labels"]) for alert in body["alerts"]]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments):
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer((host, port), Handler)
        self.url = "http://%s:%d/" % self._server.server_address[:2]

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind, error, trace):
        self._server.shutdown()
        self._server.server_close()
