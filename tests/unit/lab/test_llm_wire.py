# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages on the wire: whatever the pieces in which they come, and wherever they break off."""
from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.llm import wire


def read(data, answer=True, sizes=()):
    """Feed the bytes in pieces of these sizes, then the end. :returns: (head, body)."""

    async def work():
        reader = asyncio.StreamReader(limit=wire.LIMIT)
        rest = data
        for size in sizes:
            reader.feed_data(rest[:size])
            rest = rest[size:]
            await asyncio.sleep(0)
        reader.feed_data(rest)
        reader.feed_eof()
        head = await wire.read_head(reader)
        return head, await wire.whole(reader, head, answer, 100000)

    return asyncio.run(work())


def answer(body, *fields):
    return wire.message("HTTP/1.1 200 OK", fields, body)


class TestHead:
    def test_names_are_lower_case_and_values_bare(self):
        head, body = read(b"GET /a?b HTTP/1.1\r\nHost: x\r\nX-Two:  a b \r\n\r\n", answer=False)
        assert head.request() == ("GET", "/a?b") and head.get("x-two") == "a b" and head.get("none", "?") == "?" and body == b""

    @pytest.mark.parametrize("first, option, keeps", [("HTTP/1.1 200 OK", "", True), ("HTTP/1.1 200 OK", "Close", False),
                                                      ("HTTP/1.0 200 OK", "", False), ("HTTP/1.0 200 OK", "Keep-Alive", True)])
    def test_whether_a_connection_is_kept(self, first, option, keeps):
        assert wire.Head(first, (("connection", option),)).keeps_alive() is keeps

    @pytest.mark.parametrize("data, error", [(b"", wire.Closed), (b"HTTP/1.1 200", wire.Cut), (b"HTTP/1.1 200 OK\r\nno field\r\n\r\n", wire.Malformed),
                                             (b"x" * 70000 + b"\r\n\r\n", wire.Malformed), (b"SPDY/3 200 OK\r\n\r\n", wire.Malformed)])
    def test_what_is_no_head(self, data, error):
        with pytest.raises(error):
            read(data)

    @pytest.mark.parametrize("first", ["GET /", "GET / b HTTP/1.1", "HTTP/1.1 200 OK"])
    def test_what_is_no_request(self, first):
        with pytest.raises(wire.Malformed):
            wire.Head(first, ()).request()


class TestBody:
    @given(pieces=st.lists(st.binary(min_size=1, max_size=50)), sizes=st.lists(st.integers(1, 40)))
    def test_chunks_come_back_together(self, pieces, sizes):
        data = answer(b"".join(map(wire.chunk, pieces)) + wire.LAST_CHUNK, ("Transfer-Encoding", "chunked"))
        assert read(data, sizes=sizes)[1] == b"".join(pieces)

    @given(body=st.binary(max_size=200), sizes=st.lists(st.integers(1, 40)))
    def test_a_length_counts(self, body, sizes):
        assert read(answer(body + b"another message", ("Content-Length", str(len(body)))), sizes=sizes)[1] == body

    @given(pieces=st.lists(st.binary(min_size=1, max_size=20), min_size=1), share=st.floats(0, 1, exclude_max=True))
    def test_wherever_a_chunked_body_breaks_off_it_is_cut(self, pieces, share):
        head = answer(b"", ("Transfer-Encoding", "chunked"))
        body = b"".join(map(wire.chunk, pieces)) + wire.LAST_CHUNK
        with pytest.raises(wire.Cut):
            read(head + body[:int(len(body) * share)])

    def test_a_body_that_is_shorter_than_its_length_is_cut(self):
        with pytest.raises(wire.Cut):
            read(answer(b"abc", ("Content-Length", "4")))

    def test_an_answer_may_last_to_the_end_of_its_connection(self):
        assert read(answer(b"abc"))[1] == b"abc"
        assert read(b"POST / HTTP/1.1\r\n\r\nabc", answer=False)[1] == b""

    @pytest.mark.parametrize("status", [204, 304])
    def test_an_answer_without_a_body(self, status):
        assert read(b"HTTP/1.1 %d X\r\n\r\nabc" % status)[1] == b""

    @pytest.mark.parametrize("data, field", [(b"-1\r\n", "chunked"), (b"0x1\r\n", "chunked"), (b"\r\n", "chunked"), (b"1\r\nab\r\n", "chunked"),
                                             (b"1" * 70000, "chunked")])
    def test_what_is_no_chunk(self, data, field):
        with pytest.raises(wire.Malformed):
            read(answer(data, ("Transfer-Encoding", field)))

    def test_a_length_that_is_none(self):
        with pytest.raises(wire.Malformed):
            read(answer(b"abc", ("Content-Length", "-3")))

    def test_a_body_above_the_limit(self):
        with pytest.raises(wire.TooLong, match="more than 100000 bytes"):
            read(answer(bytes(100001)))
        with pytest.raises(wire.TooLong, match="a body of 100001 bytes"):
            read(answer(b"", ("Content-Length", "100001")))
