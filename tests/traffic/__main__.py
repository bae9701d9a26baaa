# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a service and say which release answered, what failed and how streams ended.

    python3 -m tests.traffic --url http://10.77.0.11:8080 --url http://10.77.0.12:8080 --seconds 30 --candidate green
"""
from __future__ import annotations

import argparse
import json
import sys
import time

from . import client, tally


def options(argv):
    parser = argparse.ArgumentParser(prog="python3 -m tests.traffic", description=__doc__.splitlines()[0])
    parser.add_argument("--url", action="append", required=True, help="http(s)://HOST:PORT; several are asked by turns of workers")
    parser.add_argument("--host", help="what the service is called, where the URL has an address")
    parser.add_argument("--ca", metavar="FILE", help="authorities to trust")
    parser.add_argument("--path", default="/v1/models", help="what is read, where --tokens is not given")
    parser.add_argument("--tokens", type=int, help="ask for chat completions of so many tokens instead")
    parser.add_argument("--header", action="append", default=[], metavar="NAME:VALUE")
    parser.add_argument("--key-field", default=client.KEY_FIELD, help="header field with the client key (%(default)s)")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--keys", type=int, default=20000, help="client keys; a measured share is as exact as there are keys (%(default)s)")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--requests", type=int, help="end after so many, if that comes before --seconds")
    parser.add_argument("--rate", type=float, help="requests a second of all workers together, at most; as fast as they are answered where not given")
    parser.add_argument("--timeout", type=float, default=5.0)
    parser.add_argument("--streams", type=int, default=0, help="how many streams to keep open beside the requests")
    parser.add_argument("--stream-tokens", type=int, default=100)
    parser.add_argument("--stream-timeout", type=float, default=60.0)
    parser.add_argument("--candidate", help="say its share, and which keys went back from it")
    parser.add_argument("--json", metavar="OUT", help="write everything there")
    return parser.parse_args(argv)


def main(argv=None):
    """:returns: 1 where a request or a stream failed or a key went back from the candidate, else 0."""
    chosen = options(argv)
    fields = [tuple(part.strip() for part in header.split(":", 1)) for header in chosen.header]
    targets = [client.target(url, chosen.host, chosen.ca) for url in chosen.url]
    asked = client.chat(chosen.tokens, fields=fields, key_field=chosen.key_field) if chosen.tokens else client.get(chosen.path, fields, chosen.key_field)
    clients = client.Clients(targets, asked, chosen.workers, chosen.keys, chosen.rate, chosen.timeout, chosen.requests)
    running = [clients]
    if chosen.streams:
        held = client.chat(chosen.stream_tokens, stream=True, fields=fields, key_field=chosen.key_field)
        running.append(client.Streams(targets, held, chosen.streams, chosen.stream_timeout))
    for part in running:
        part.start()
    until = time.monotonic() + chosen.seconds
    while time.monotonic() < until and clients.is_alive():
        time.sleep(0.05)
    for part in running:
        part.stop()
    report = {"requests": dict(tally.summarise(clients.answers), connections=clients.connections)}
    report["streams"] = tally.summarise_streams(running[1].streams) if chosen.streams else None
    print(tally.paragraph(report["requests"], report["streams"]))
    bad = report["requests"]["failed"] + len(report["streams"]["failures"] if chosen.streams else ())
    if chosen.candidate:
        back = tally.went_back(clients.answers, chosen.candidate)
        report["candidate"] = dict(tally.share(clients.answers, chosen.candidate), went_back=back)
        print("%(percent).2f %% of %(answered)d answers and %(percent_of_keys).2f %% of %(keys)d keys are the candidate's." % report["candidate"],
              "%d keys went back from it." % len(back))
        bad += len(back)
    if chosen.json:
        with open(chosen.json, "w") as stream:
            json.dump(dict(report, answers=[answer._asdict() for answer in clients.answers],
                           held=[stream._asdict() for stream in running[1].streams] if chosen.streams else []), stream, indent=1)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
