# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of the counting clients' records: counts, shares, who went back, and that nothing measured is never a pass."""
from __future__ import annotations

import pytest
from ansible_collections.ironrack.cluster.tests.traffic import tally
from hypothesis import given
from hypothesis import strategies as st

Answer, Stream = tally.Answer, tally.Stream


def answered(key, issued, release="blue", status=200, lasted=0.1):
    return Answer(key, issued, issued + lasted, status, release, "" if status == 200 else "HTTP %d" % status)


class TestTally:
    def test_nothing_sent_is_no_success(self):
        for count in (tally.summarise, tally.summarise_streams):
            with pytest.raises(ValueError, match="nothing can be said"):
                count([])
        with pytest.raises(ValueError, match="no share can be said"):
            tally.share([Answer("a", 1, 2, 0, "", "refused")], "green")

    def test_counts_by_release_and_status(self):
        answers = [answered("a", 0), answered("b", 1, status=500), answered("a", 2, "green"), Answer("c", 3, 3.5, 0, "", "no connection: X")]
        summary = tally.summarise(answers)
        assert (summary["sent"], summary["failed"], summary["keys"]) == (4, 2, 3)
        assert summary["releases"] == {"": {0: 1}, "blue": {200: 1, 500: 1}, "green": {200: 1}}
        assert summary["errors"] == {"HTTP 500": 1, "no connection: X": 1}
        assert [(failure["offset"], failure["release"]) for failure in summary["failures"]] == [(1, "blue"), (3, "")]
        assert summary["longest_gap"] == 2.0
        assert "4 requests of 3 keys, 2 failed" in tally.paragraph(summary) and "no release: 1 x no answer." in tally.paragraph(summary)

    def test_latencies_are_ranks(self):
        answers = [answered("a", 0, lasted=number / 100) for number in range(1, 101)]
        assert tally.latency(answers, "blue") == {"p50": 0.5, "p99": 0.99, "max": 1.0}
        assert tally.latency(answers[:1], "blue") == {"p50": 0.01, "p99": 0.01, "max": 0.01}

    @given(st.lists(st.booleans(), min_size=1, max_size=60))
    def test_a_share_is_of_what_was_answered(self, by_candidate):
        answers = [answered("k%d" % (number % 7), number, "green" if candidate else "blue") for number, candidate in enumerate(by_candidate)]
        found = tally.share(answers + [Answer("x", 0, 1, 0, "", "lost")], "green")
        assert (found["answered"], found["candidate"]) == (len(by_candidate), sum(by_candidate))
        assert found["percent"] == pytest.approx(100 * sum(by_candidate) / len(by_candidate), abs=0.001)
        assert found["keys_candidate"] <= found["keys"] == min(7, len(by_candidate))

    def test_shares_by_step(self):
        answers = [answered("a", second, "green" if second >= 10 and second % 2 else "blue") for second in range(20)]
        found = tally.shares(answers, "green", [(0.0, 0), (10.0, 50)], 20.0, settle=2.0)
        assert [(part["weight"], part["percent"], part["off"], part["answered"]) for part in found] == [(0, 0.0, 0.0, 8), (50, 50.0, 0.0, 8)]
        assert [part["chance"] for part in found] == [0.0, 50.0]

    def test_few_keys_make_an_inexact_share(self):
        answers = [answered("k%d" % key, 0, "green" if key % 2 else "blue") for key in range(2000)]
        assert tally.shares(answers, "green", [(0.0, 50)], 1.0)[0]["chance"] == 1.118

    def test_who_went_back(self):
        answers = [answered("forth", 0), answered("forth", 1, "green"), answered("forth", 2, "green"),
                   answered("back", 0, "green"), answered("back", 1), answered("back", 2, "green"),
                   answered("lost", 0, "green"), Answer("lost", 1, 2, 0, "", "cut"), answered("never", 0)]
        assert tally.went_back(answers[::-1], "green") == ["back"]

    @given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
    def test_nobody_goes_back_where_weights_only_rise(self, keys):
        # A key is the candidate's as soon as the weight has passed its place.
        answers = [answered("k%d" % key, number, "green" if number >= 10 * key else "blue") for number, key in enumerate(keys)]
        assert tally.went_back(answers, "green") == []

    def test_streams_across_a_moment(self):
        streams = [Stream("a", 0, 1, 5, 200, "blue", 3, "complete", ""), Stream("b", 0, 0.0, 5, 503, "blue", 0, "error", "HTTP 503"),
                   Stream("c", 2, 2.5, 3, 200, "green", 1, "cut", "x"), Stream("d", 4, 4.5, 9, 200, "green", 1, "complete", "")]
        assert [one.key for one in tally.across(streams, 2.7)] == ["a", "c"]
        summary = tally.summarise_streams(streams, [2.7, 8])
        assert summary["ends"] == {"complete": 2, "cut": 1, "error": 1}
        assert summary["releases"]["green"] == {"complete": 1, "cut": 1, "error": 0}
        assert [part["ends"]["cut"] for part in summary["across"]] == [1, 0]
        assert [failure["key"] for failure in summary["failures"]] == ["b", "c"]
        assert summary["first_event"] == {"p50": 0.5, "p99": 1, "max": 1}
        assert tally.summarise_streams(streams[1:2])["first_event"] is None
        assert "2 were open at 2.700: 1 complete, 1 cut, 0 error." in tally.paragraph(tally.summarise([answered("a", 0)]), summary)
