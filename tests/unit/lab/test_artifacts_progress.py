# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from lab.artifacts import progress as subject
from lab.artifacts.errors import BuildError
from lab.artifacts.process import run
from lab.artifacts.progress import Progress, human_bytes, human_seconds
from lab.artifacts.store import Step


@pytest.fixture(name="clock")
def clock_fixture(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(subject.time, "monotonic", lambda: now[0])
    return now


def step(name, seconds):
    return Step(name, {}, lambda _out: None, seconds=seconds)


def test_a_line_at_start_and_end_and_an_estimate_that_learns(clock):
    said = []
    steps = [step("etcd", 60), step("kubernetes-1.36", 600)]
    progress = Progress(steps, said.append)
    progress.start(steps[0])
    clock[0] = 6.0  # a warm build cache: ten times as fast as the table
    progress.end(steps[0], 63_000_000)
    progress.start(steps[1])
    assert said[0] == "[1/2] etcd: building; about 11 min left in all"
    assert said[1] == "        etcd: 6.0 s, 63.0 MB"
    assert said[2] == "[2/2] kubernetes-1.36: building; about 3 min left in all"
    assert progress.timings["etcd"] == {"seconds": 6.0, "estimate": 60, "bytes": 63_000_000, "cached": False}


def test_cached_steps_cost_nothing():
    progress = Progress([], str)
    progress.cached(step("etcd", 60))
    assert progress.timings["etcd"]["cached"] is True


def test_numbers_for_people():
    assert human_seconds(0.2) == "1 s"
    assert human_seconds(89) == "89 s"
    assert human_seconds(600) == "10 min"
    assert human_bytes(12) == "12 B"
    assert human_bytes(1_605_794) == "1.6 MB"
    assert human_bytes(25 * 10**9) == "25.0 GB"


def test_a_failed_command_shows_itself_and_its_last_words():
    with pytest.raises(BuildError, match=r"`sh -c .*ended with 3:\nwhy"):
        run(["sh", "-c", "echo why >&2; exit 3"])


def test_a_missing_tool_names_prepare():
    with pytest.raises(BuildError, match="lab.artifacts prepare"):
        run(["no-such-tool-anywhere"])
