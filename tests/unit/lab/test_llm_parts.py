# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The served application's pure parts: settings, switches, metrics, what is inside of answers, the model's file."""
from __future__ import annotations

import asyncio
import json
import math
import random
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.llm import answers, control, faults, metrics, random_model, settings, values

README = Path(settings.__file__).with_name("README.md").read_text()


def read(model, **given):
    return settings.read({"LLM_RELEASE": "blue", "LLM_MODEL": str(model), **given})


@pytest.fixture(name="model")
def model_fixture(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"")
    return path


class TestSettings:
    def test_little_has_to_be_said(self, model):
        found = read(model, PATH="/bin")
        assert (found.release, found.service, found.listen, found.control) == ("blue", "llm", ("0.0.0.0", 8080), ("127.0.0.1", 8081))
        assert found.pod and found.faults == faults.Faults()

    def test_faults_can_be_there_from_the_start(self, model):
        found = read(model, LLM_FAULT_ERROR_SHARE="0.1", LLM_FAULT_NEVER_READY="true").faults
        assert found == faults.Faults(error_share=0.1, never_ready=True)

    def test_all_reasons_at_once(self, tmp_path):
        with pytest.raises(values.Refused) as refused:
            settings.read({"LLM_RELEASE": "Blue", "LLM_MODEL": str(tmp_path / "no"), "LLM_LISTEN": "::1:80", "LLM_SLOTS": "1.5", "LLM_IDLE": "nan",
                           "LLM_TYPO": "1", "LLM_FAULT_HANG_SHARE": "-1", "LLM_METRIC_COST": "a", "LLM_METRIC_BREAKER": "a", "LLM_PRICE": "many"})
        said = "\n".join(refused.value.reasons)
        assert len(refused.value.reasons) == 9
        for name in ("LLM_RELEASE", "LLM_MODEL", "LLM_LISTEN", "LLM_SLOTS", "LLM_IDLE", "LLM_TYPO", "LLM_FAULT_HANG_SHARE", "called a", "LLM_PRICE"):
            assert name in said

    def test_what_kubernetes_says_of_services_is_none_of_ours(self, model):
        read(model, LLM_SERVICE_HOST="10.0.0.1", LLM_PORT="tcp://10.0.0.1:80", LLM_PORT_80_TCP_ADDR="10.0.0.1", LLM_BLUE_SERVICE_PORT_HTTP="80")

    def test_no_variable_looks_like_a_service(self):
        names = [settings.PREFIX + name.upper() for name in settings.VARIABLES] + [settings.FAULT_PREFIX + name.upper() for name in faults.READERS]
        assert [name for name in names if settings.LINK.fullmatch(name)] == []

    @pytest.mark.parametrize("text, wanted", [("0.0.0.0:80", ("0.0.0.0", 80)), ("[::]:8080", ("::", 8080)), ("name:0", ("name", 0))])
    def test_addresses(self, text, wanted):
        assert values.address(text) == wanted

    @pytest.mark.parametrize("text", ["", ":80", "a", "a:", "a:x", "a:70000", "::1:80", "[a]:80", "[::1]"])
    def test_what_is_no_address(self, text):
        with pytest.raises(ValueError):
            values.address(text)

    @pytest.mark.parametrize("listens, asked", [("0.0.0.0:81", ("127.0.0.1", 81)), ("[::]:81", ("::1", 81)), ("10.0.0.1:81", ("10.0.0.1", 81))])
    def test_where_the_switches_of_this_host_are(self, listens, asked):
        assert settings.control_address({"LLM_CONTROL": listens}) == asked
        with pytest.raises(values.Refused):
            settings.control_address({"LLM_CONTROL": "x"})

    def test_the_readme_has_every_setting_with_its_default(self):
        for name, (_reader, default) in settings.VARIABLES.items():
            assert re.search(r"^\| `LLM_%s` \| %s \|" % (name.upper(), re.escape("`%s`" % default if default else "")), README, re.MULTILINE), name
        for name in faults.READERS:
            assert re.search(r"^\| `%s` \|" % name, README, re.MULTILINE), name


class TestFaults:
    def test_a_server_has_none(self):
        assert faults.Switches(faults.Faults(), random.Random(1)).plan() == faults.Plan(False, 0.0, False, False, False, 0.0)

    @given(share=st.sampled_from([0.0, 0.1, 0.5, 1.0]), seed=st.integers(0, 50))
    def test_shares_are_kept(self, share, seed):
        switches = faults.Switches(faults.Faults(error_share=share), random.Random(seed))
        hits = sum(switches.plan().error for _turn in range(2000))
        # Six standard deviations: of ten thousand million runs one fails.
        assert abs(hits - 2000 * share) <= 6 * math.sqrt(2000 * share * (1 - share))

    def test_latency_has_a_share_of_its_own(self):
        switches = faults.Switches(faults.Faults(latency_seconds=2.0, latency_share=0.5), random.Random(3))
        assert {switches.plan().delay for _turn in range(50)} == {0.0, 2.0}

    def test_a_change_is_whole_or_not_at_all(self):
        before = faults.Faults(error_share=0.5)
        assert faults.changed(before, {"hang_share": 1, "never_ready": True, "breaker_open": "FALSE"}) == before._replace(hang_share=1.0, never_ready=True)
        with pytest.raises(values.Refused) as refused:
            faults.changed(before, {"hang_share": 1, "error_share": 1.1, "never_ready": "yes", "other": 1})
        assert len(refused.value.reasons) == 3

    def test_watchers_hear_of_each_change(self):
        switches, heard = faults.Switches(faults.Faults()), []
        switches.watch(lambda: heard.append(switches.faults.error_share))
        switches.turn(faults.Faults(error_share=0.5))
        assert heard == [0.5]

    def test_words_that_are_no_fault(self):
        with pytest.raises(values.Refused, match="expected NAME=VALUE, or none alone"):
            control.turn("127.0.0.1", 9, ["none", "error_share=1"])


class TestMetrics:
    def counted(self):
        return metrics.Metrics("cost", "hits", "misses", "breaker")

    def test_everything_is_there_before_the_first_request(self):
        text = self.counted().text()
        assert 'llm_requests_total{kind="plain",status="200"} 0\n' in text
        assert 'llm_request_duration_seconds_bucket{kind="stream",le="+Inf"} 0\n' in text
        for name in ("cost", "hits", "misses", "breaker", "llm_open_streams"):
            assert "\n%s 0\n" % name in text

    @given(st.lists(st.floats(0, 100), max_size=30))
    def test_a_histogram_sums_up(self, observed):
        histogram = metrics.Histogram("h", "text")
        histogram.prepare()
        for seconds in observed:
            histogram.observe(seconds)
        found = dict(line.rsplit(" ", 1) for line in histogram.lines() if not line.startswith("#"))
        for bound in metrics.BUCKETS:
            assert int(found['h_bucket{le="%s"}' % metrics._number(bound)]) == sum(seconds <= bound for seconds in observed)
        assert int(found["h_count"]) == int(found['h_bucket{le="+Inf"}']) == len(observed)
        assert float(found["h_sum"]) == pytest.approx(sum(observed))

    def test_labels_are_escaped(self):
        family = metrics.Family("f", "gauge", "text")
        family.set(1.5, name='a"b\\c\nd')
        assert list(family.lines())[-1] == 'f{name="a\\"b\\\\c\\nd"} 1.5'

    def test_memory_is_the_process_own(self):
        assert 10 * 2**20 < metrics.resident_bytes() < 10 * 2**30


EVENTS = [b'data: {"choices":[{"delta":{"role":"assistant","content":null}}]}\n\n', b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n',
          b'data: {"choices":[{"delta":{}}],"timings":{"cache_n":3,"prompt_n":5,"predicted_n":2}}\n\n', b"data: [DONE]\n\n"]


class TestAnswers:
    @given(st.lists(st.integers(1, 60)))
    def test_events_are_whole_however_they_come(self, sizes):
        async def pieces():
            rest = b"".join(EVENTS)
            for size in sizes:
                yield rest[:size]
                rest = rest[size:]
            yield rest

        async def collect():
            return [event async for event in answers.events(pieces())]

        assert asyncio.run(collect()) == EVENTS

    def test_an_event_that_breaks_off_comes_as_it_is(self):
        async def pieces():
            yield b"data: a\n\ndata: b"

        async def collect():
            return [event async for event in answers.events(pieces())]

        assert asyncio.run(collect()) == [b"data: a\n\n", b"data: b"]

    def test_finds_the_first_token_and_the_usage(self):
        documents = [answers.event_document(event) for event in EVENTS]
        assert [answers.has_token(document) for document in documents] == [False, True, False, False]
        assert [answers.usage(document) for document in documents] == [None, None, answers.Usage(8, 2, 3), None]

    @pytest.mark.parametrize("cached, hit", [(0, False), (3, False), (4, True), (8, True)])
    def test_half_a_prompt_is_a_hit(self, cached, hit):
        assert answers.Usage(8, 1, cached).cache_hit is hit

    @pytest.mark.parametrize("data", [b"", b"[1]", b"{", b"\xff", b"null"])
    def test_what_is_no_object_is_empty(self, data):
        assert answers.document(data) == {}

    def test_spoils_every_text_and_nothing_else(self):
        whole = {"id": 1, "choices": [{"message": {"role": "assistant", "content": "right"}}, {"text": "right"}]}
        assert answers.spoiled(whole) == {"id": 1, "choices": [{"message": {"role": "assistant", "content": "wrong"}}, {"text": "wrong"}]}
        spoiled = [answers.spoiled_event(event) for event in EVENTS]
        assert json.loads(spoiled[1][6:]) == {"choices": [{"delta": {"content": "wrong"}}]} and spoiled[3] == EVENTS[3]
        assert answers.event_document(spoiled[0]) == answers.event_document(EVENTS[0])


class TestRandomModel:
    def test_the_same_shape_makes_the_same_file(self, tmp_path):
        for name in ("a", "b"):
            random_model.write(tmp_path / name, random_model.Shape(width=16, layers=1, heads=2, hidden=16))
        random_model.write(tmp_path / "c", random_model.Shape(width=16, layers=1, heads=2, hidden=16, seed=8))
        a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
        assert a == b != c and len(a) == len(c)

    def test_the_file_is_as_long_as_its_tensors(self, tmp_path):
        shape = random_model.Shape(width=16, layers=3, heads=2, hidden=24)
        random_model.write(tmp_path / "m", shape)
        data = (tmp_path / "m").read_bytes()
        magic, version, tensors, metadata = struct.unpack("<4sIQQ", data[:24])
        assert (magic, version, metadata) == (b"GGUF", 3, len(random_model._metadata(shape)))
        assert tensors == 3 + 9 * shape.layers
        numbers = sum(math.prod(dimensions) for dimensions in random_model._tensors(shape).values())
        assert 4 * numbers < len(data) < 4 * numbers + 20000 and len(data) % random_model.ALIGNMENT == 0

    def test_weights_have_their_deviation(self):
        weights = struct.unpack("<10000f", random_model._weights("x.weight", (100, 100), random.Random(1)))
        assert math.sqrt(sum(number * number for number in weights) / 10000) == pytest.approx(random_model.DEVIATION, rel=0.05)
        assert set(struct.unpack("<5f", random_model._weights("a_norm.weight", (5,), random.Random(1)))) == {1.0}

    def test_all_but_words_is_muted(self):
        kinds = random_model.vocabulary()[1]
        output = struct.unpack("<%df" % (8 * len(kinds)), random_model._weights("output.weight", (8, len(kinds)), random.Random(1)))
        assert [number == 0 for number in output[::8]] == [kind == random_model.NORMAL for kind in kinds]
        assert set(struct.unpack("<4f", random_model._weights("blk.0.ffn_down.weight", (4, 2), random.Random(1))[:16])) == {0.0}

    def test_every_byte_is_a_token(self):
        tokens, kinds = random_model.vocabulary()
        assert len(tokens) == len(kinds) == len(set(tokens)) and len(tokens) % 32 == 0
        assert kinds.count(random_model.BYTE) == 256

    @pytest.mark.parametrize("shape, reason", [(dict(width=10, heads=4), "multiple of twice the 4 heads"),
                                               (dict(layers=0, hidden=-1), "layers is 0.*hidden is -1")])
    def test_shapes_that_no_model_has(self, tmp_path, shape, reason):
        with pytest.raises(ValueError, match=reason):
            random_model.write(tmp_path / "m", random_model.Shape(**shape))
        assert not (tmp_path / "m").exists()
