# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon that counts a balancer's logs: what a line says, and that no line is lost or counted twice."""
from __future__ import annotations

import importlib.util
import json
import math
import pathlib
import re
import sys
import threading
import urllib.error
import urllib.request

import pytest

SOURCE = pathlib.Path(__file__).parents[3] / "roles" / "monitoring" / "files" / "balancer_exporter"


def load(name):
    spec = importlib.util.spec_from_file_location("balancer_exporter_main" if name == "__main__" else name, SOURCE / (name + ".py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


counters, entries, logs = load("balancer_counters"), load("balancer_entries"), load("balancer_logs")
exporter = load("__main__")

POD, OTHER = "10.244.1.2:8080", "10.244.2.3:8080"
BOUNDS = [0.1, 0.5, 2, 5]


def line(**changes):
    """:returns: one line of an access log, as NGINX writes it."""
    fields = dict(
        time="1795312800.123", service="chat", generation="7", release="v1", direct="0", remote_addr="192.0.2.9", method="POST", host="chat.example.com",
        path="/v1/chat/completions", protocol="HTTP/2.0", status="200", bytes_sent="512", request_time="0.300", completion="OK", upstream_addr=POD,
        upstream_status="200", upstream_connect_time="0.001", upstream_header_time="0.250", upstream_response_time="0.299", limit_req="", limit_conn="",
        connection="45", request_id="a1", traceparent="", content_type="application/json")
    return json.dumps(dict(fields, **changes))


def broken(connection="45", pod=POD, what="upstream prematurely closed connection", more=""):
    return ('2026/11/28 05:00:00 [error] 123#123: *%s %s while reading upstream, client: 192.0.2.9, server: , request: "POST /v1/chat HTTP/1.1", '
            '%supstream: "http://%s/v1/chat", host: "x"' % (connection, what, more, pod))


def judged(breaks=False, patience=5.0, **changes):
    return entries.request_of(json.loads(line(**changes)), breaks, patience)


STREAM = {"content_type": "text/event-stream; charset=utf-8", "request_time": "61.0"}


@pytest.mark.parametrize("changes, tries", [
    ({}, ["200"]),
    ({"upstream_addr": POD + ", " + OTHER, "upstream_status": "502, 200"}, ["502", "200"]),
    ({"upstream_addr": POD + " : " + OTHER, "upstream_status": "502 : 200"}, ["502", "200"]),
    ({"upstream_addr": POD, "upstream_status": "-", "status": "502"}, ["none"]),
    ({"upstream_addr": POD + ", " + OTHER, "upstream_status": "504, -", "status": "499", "completion": ""}, ["504", "499"]),
    ({"upstream_addr": "", "upstream_status": "", "upstream_header_time": "", "upstream_response_time": "", "status": "429"}, []),
    ({"upstream_addr": "chat.v1", "upstream_status": "502", "upstream_header_time": "-", "status": "502"}, ["502"]),
    ({"upstream_addr": "[fd00::1]:8080, [fd00::2]:8080", "upstream_status": "502, 200"}, ["502", "200"]),
])
def test_each_try_has_its_status(changes, tries):
    assert judged(**changes).tries == tries


def test_a_broken_answer_is_told_by_its_last_try():
    request = judged(breaks=True, **STREAM)
    assert (request.tries, request.completion, request.stream, request.duration) == (["broken"], "broken", True, None)
    assert judged(breaks=True, upstream_status="502, 200").tries == ["502", "broken"]


@pytest.mark.parametrize("changes, duration", [
    ({}, 0.3), (STREAM, None), ({"status": "504", "upstream_status": "504", "upstream_header_time": "-", "request_time": "60.0"}, 60.0),
    # refused without a try, and left early: neither says how fast the release is
    ({"status": "429", "upstream_status": "", "upstream_header_time": ""}, None),
    ({"status": "499", "completion": "", "upstream_status": "-", "upstream_header_time": "-", "request_time": "1.0"}, None),
    ({"status": "499", "completion": "", "upstream_status": "-", "upstream_header_time": "-", "request_time": "8.0"}, math.inf),
    ({"completion": "", "request_time": "8.0"}, None), ({"request_time": "-"}, None)])
def test_how_long_a_request_took(changes, duration):
    assert judged(**changes).duration == duration


def test_the_first_byte_comes_after_the_tries_before():
    request = judged(upstream_status="502, 200", upstream_header_time="-, 0.250", upstream_response_time="0.200, 0.300")
    assert request.first_byte == pytest.approx(0.45)
    assert judged(upstream_header_time="-").first_byte is None and judged(**STREAM).first_byte == 0.25


@pytest.mark.parametrize("text, found", [
    (broken(), ("45", POD)),
    (broken(what="upstream timed out (110: Connection timed out)"), ("45", POD)),
    (broken(what="recv() failed (104: Connection reset by peer)", pod="[fd00::1]:8080"), ("45", "[fd00::1]:8080")),
    (broken(more='subrequest: "/.ironrack/mirror", '), None),
    (broken().replace("while reading upstream", "while reading response header from upstream"), None),
    ("2026/11/28 05:00:00 [error] 1#1: *7 no live upstreams while connecting to upstream, client: x", None), ("", None)])
def test_only_answers_that_broke_off_are_breaks(text, found):
    assert entries.break_of(text) == found


class Site:
    """A balancer's folder of logs."""

    def __init__(self, folder):
        self.folder = folder
        self.access, self.errors = folder / "service-chat.log", folder / "service-chat-error.log"
        self.config = {"buckets": BOUNDS, "logs": [str(folder / "service-*.log")], "grace": 60, "state": str(folder / "state.json"), "patience": 5.0,
                       "configurations": str(folder / "*.conf"), "stub_status": "http://127.0.0.1:9/", "address": "127.0.0.1", "port": 0}
        self.exporter = exporter.Exporter(self.config)

    def write(self, *lines, path=None, end="\n"):
        with (path or self.access).open("a") as stream:
            stream.write("".join(text + end for text in lines))

    def restart(self, killed=False):
        if not killed:
            self.exporter.save(1.0)
        self.exporter = exporter.Exporter(self.config)

    def read(self, now=1.0):
        self.exporter.poll(now)
        return dict(text.rsplit(" ", 1) for text in self.exporter.counters.lines() if not text.startswith("#"))

    def tries(self, status="200", release="v1", now=1.0):
        return int(self.read(now)['ironrack_upstream_tries_total{status="%s",service="chat",release="%s"}' % (status, release)])


@pytest.fixture(name="site")
def site_fixture(tmp_path):
    return Site(tmp_path)


def test_lines_become_counters(site):
    site.write(line(), line(status="502", upstream_status="502, 502"), line(**STREAM), line(direct="1", status="500"), "{broken json", line(release=""))
    site.write("2026/11/28 05:00:00 [error] 1#1: anything", path=site.errors)
    found = site.read()
    assert found['ironrack_requests_total{status="200",completion="complete",service="chat",release="v1"}'] == "2"
    assert found['ironrack_upstream_tries_total{status="502",service="chat",release="v1"}'] == "2"
    assert found['ironrack_streams_total{completion="complete",service="chat",release="v1"}'] == "1"
    assert found['ironrack_direct_requests_total{status="500",service="chat",release="v1"}'] == "1"
    assert found['ironrack_requests_total{status="200",completion="complete",service="chat",release="none"}'] == "1"
    assert [found['ironrack_log_lines_total{result="%s"}' % kind] for kind in ("counted", "error", "unreadable")] == ["5", "1", "1"]


def test_a_release_has_zeros_before_its_first_request(site):
    status = {"service": "chat", "generation": 4, "releases": [{"name": "v1"}, {"name": "v2"}], "weights": {"v1": 100}}
    (site.folder / "chat.conf").write_text(exporter.MARK + json.dumps(status) + "\nupstream {}\n")
    (site.folder / "other.conf").write_text("# not ours\n")
    found = site.read()
    for release in ("v1", "v2"):
        for kind in ("200", "499", "502", "none", "broken"):
            assert found['ironrack_upstream_tries_total{status="%s",service="chat",release="%s"}' % (kind, release)] == "0"
        assert found['ironrack_request_duration_seconds_bucket{service="chat",release="%s",le="+Inf"}' % release] == "0"
    text = site.exporter.text()
    assert 'ironrack_balancer_generation{service="chat"} 4\n' in text and "ironrack_nginx_up 0\n" in text
    assert 'ironrack_balancer_weight_percent{service="chat",release="v2"} 0\n' in text


def test_histograms_are_cumulative_and_have_a_bucket_for_each_bound(site):
    site.write(*[line(request_time=str(took)) for took in (0.1, 0.3, 2.0, 9.0)])
    site.write(line(status="499", completion="", upstream_status="-", upstream_header_time="-", request_time="6.0"))
    found = site.read()
    buckets = [found['ironrack_request_duration_seconds_bucket{service="chat",release="v1",le="%s"}' % le] for le in ("0.1", "0.5", "2", "5", "+Inf")]
    assert buckets == ["1", "2", "3", "3", "5"]
    assert found['ironrack_request_duration_seconds_count{service="chat",release="v1"}'] == "5"


def test_the_error_log_says_which_answer_broke_off(site):
    site.write(line(connection="44"), line(**STREAM), line(connection="46", release="v2", upstream_addr=OTHER))
    site.write(broken(), path=site.errors)
    found = site.read()
    assert found['ironrack_upstream_tries_total{status="broken",service="chat",release="v1"}'] == "1"
    assert found['ironrack_streams_total{completion="broken",service="chat",release="v1"}'] == "1"
    assert found['ironrack_upstream_tries_total{status="200",service="chat",release="v1"}'] == "1"
    assert found['ironrack_upstream_tries_total{status="broken",service="chat",release="v2"}'] == "0"
    # one word is for one request
    site.write(line(**STREAM))
    assert site.tries("broken") == 1


def test_the_word_on_a_request_may_come_before_it(site):
    site.write(broken(), path=site.errors)
    site.read()
    site.write(line(**STREAM))
    assert site.tries("broken") == 1


def test_a_line_counts_once_it_is_whole(site):
    text = line()
    site.write(text[:40], end="")
    assert "ironrack_requests_total" not in str(site.read())
    site.write(text[40:])
    assert site.tries() == 1 and site.tries() == 1


def test_a_rotation_loses_nothing(site):
    site.write(line())
    assert site.tries() == 1
    site.write(line())
    old = site.access.rename(site.folder / "service-chat.log.1")
    # NGINX writes to the old file until it is told, and its old workers after that
    site.write(line(), path=old)
    assert site.tries(now=2.0) == 3
    site.write(line())
    site.write(line(), path=old)
    assert site.tries(now=3.0) == 5
    # nobody writes to it any more, and it goes
    old.unlink()
    assert site.tries(now=100.0) == 5 and len(site.exporter.logs.followers) == 1
    site.write(line())
    assert site.tries(now=101.0) == 6


def test_a_restart_goes_on_where_it_was(site):
    site.write(line())
    assert site.tries() == 1
    site.restart()
    assert site.tries() == 1
    site.write(line())
    site.access.rename(site.folder / "service-chat.log.1")
    site.write(line(), line())
    site.restart()
    assert site.tries() == 4


def test_after_a_kill_the_same_lines_are_counted_again_and_none_twice(site):
    site.write(line())
    site.read()
    site.exporter.save(1.0)
    site.write(line(), line())
    assert site.tries() == 3
    site.restart(killed=True)
    assert site.tries() == 3


@pytest.mark.parametrize("end", ("\u2028", "\x85", "\x0c", "\x1c"))
def test_no_client_can_write_an_entry_or_hide_one(site, end):
    forged = line(release="v2", status="500", upstream_status="500")
    site.write("2026/11/28 05:00:00 [error] 1#1: *7 too large a body, request: \"POST / HTTP/1.1\", referrer: \"%s%s%s\"" % (end, forged, end), forged,
               path=site.errors)
    site.write(json.dumps(dict(json.loads(line()), path="/a" + end + "b"), ensure_ascii=False))
    found = site.read()
    assert not [name for name in found if 'release="v2"' in name]
    assert found['ironrack_requests_total{status="200",completion="complete",service="chat",release="v1"}'] == "1"


def test_what_breaks_has_a_nought_before_it(site):
    site.write(line())
    assert site.read()['ironrack_requests_total{status="200",completion="broken",service="chat",release="v1"}'] == "0"


def test_a_log_that_is_gone_is_told(site):
    site.write(line())
    site.read()
    site.exporter.save(1.0)
    site.access.unlink()
    site.restart(killed=True)
    assert site.read()["ironrack_log_files_lost_total"] == "1"


def test_a_log_that_is_emptied_in_place_is_read_from_its_beginning(site):
    site.write(line(), line())
    assert site.tries() == 2
    site.access.write_text("")
    site.write(line(time="1795312900.000"))
    assert site.tries() == 3


def test_a_broken_state_begins_anew(site):
    site.write(line())
    site.read()
    site.exporter.save(1.0)
    pathlib.Path(site.config["state"]).write_text("{")
    site.restart(killed=True)
    assert site.tries() == 1


def test_other_bounds_begin_the_histograms_anew_and_nothing_else(site):
    site.write(line())
    site.read()
    site.exporter.save(1.0)
    site.config["buckets"] = [1, 2]
    site.restart(killed=True)
    site.write(line())
    found = site.read()
    assert found['ironrack_request_duration_seconds_count{service="chat",release="v1"}'] == "1"
    assert site.tries() == 2


def test_long_logs_are_read_in_parts(site, monkeypatch):
    monkeypatch.setattr(logs, "CHUNK", 2000)
    site.write(*[line(request_id=str(number)) for number in range(200)])
    site.write("x" * 5000)
    site.write(line())
    assert site.tries() == 201


def test_it_answers_scrapes(site):
    site.write(line(path='/a"b\\c'))
    server = exporter.server_of(site.exporter, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = "http://127.0.0.1:%d" % server.server_address[1]
        with urllib.request.urlopen(url + "/metrics", timeout=5) as answer:
            text = answer.read().decode()
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert re.search(r"^ironrack_requests_total\{[^}]*\} 1$", text, re.MULTILINE)
        assert all(re.fullmatch(r'#.*|[a-z_]+(\{([a-z]+="[^"\n]*",?)+\})? [0-9.e+-]+', row) for row in text.splitlines())
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(url + "/", timeout=5)
    finally:
        server.shutdown()
        server.server_close()


def test_settings_and_unit_name_what_the_role_lays_down():
    names = {path.name for path in SOURCE.glob("*.py")}
    listed = (SOURCE.parents[1] / "vars" / "main.yml").read_text()
    assert len(names) == 4 and all(listed.count("src: balancer_exporter/%s}" % name) == 1 for name in names)
