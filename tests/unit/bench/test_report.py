# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's verdicts, table, plot and command line: a figure that was not measured is never a pass."""
from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from ansible_collections.ironrack.cluster.tests.bench import __main__ as bench
from ansible_collections.ironrack.cluster.tests.bench import controller, measure, releases, report

FLOW = {"machine_to_hosts_mib": 540.0, "hosts_to_machine_mib": 1.0, "received_mib": 3000.0}


def size(hosts, site, bare, memory=60):
    """:param site: seconds of processor time; by the clock it took half of that on two cores."""
    return dict(controller.per_host(hosts, measure.Cost(site / 2, site, memory), measure.Cost(bare / 2, bare, memory)), results=20 * hosts)


def run(seconds, session="one", **more):
    return dict({"seconds": seconds, "session": session, "traffic": FLOW, "most_on_a_host": 18, "most_with_the_controller": 38}, **more)


def kept(results):
    return [verdict for _target, verdict, _figure in report.verdicts(results)]


def test_nothing_measured_is_no_pass():
    assert kept({}) == [None] * 9


@pytest.mark.parametrize("converge, session, expected", [(100, "one", True), (101, "one", False), (60, "two", None)])
def test_converge_is_compared_with_the_floor_of_its_own_session(converge, session, expected):
    assert kept({"floor": {"seconds": 50, "session": "one"}, "converge": run(converge, session)})[0] is expected


@pytest.mark.parametrize("seconds, expected", [(45.0, True), (45.1, False)])
def test_a_run_that_changes_nothing_has_a_bound(seconds, expected):
    assert kept({"noop": run(seconds)})[1] is expected


def test_growth_is_judged_for_the_whole_and_for_our_part():
    # The whole grows by a twentieth per host, our part of it by a half.
    results = {"controller": {"sizes": [size(300, 300.0, 270.0), size(1000, 1050.0, 900.0)]}}
    assert kept(results)[2:4] == [True, False]
    assert kept({"controller": {"sizes": [size(10, 3.0, 1.0), size(300, 300.0, 270.0)]}})[2:4] == [None, None]


def test_a_bare_playbook_that_took_longer_is_no_figure():
    assert kept({"controller": {"sizes": [size(300, 200.0, 270.0), size(1000, 1050.0, 900.0)]}})[3] is None


@pytest.mark.parametrize("large, expected", [(66, True), (67, False)])
def test_a_worker_costs_the_same_in_a_large_inventory(large, expected):
    assert kept({"add_worker": {"small": run(60, hosts=9), "large": run(large, hosts=189)}})[4] is expected


MEASURED = {"front": {"p50": 0.006, "p99": 0.03, "per_second": 400.0, "asked": 100}, "direct": {"p50": 0.005, "p99": 0.02, "per_second": 500.0, "asked": 100},
            "switch": 3.0, "nothing": 2.0, "between": 0.2, "detection": 18.0, "interval": 10}


@pytest.mark.parametrize("changed, expected", [
    ({}, [True] * 4), ({"front": {"p50": 0.0076, "p99": 0.03, "per_second": 374.0, "asked": 100}}, [False, False, True, True]),
    ({"switch": 4.1}, [True, True, False, True]), ({"detection": 30.1}, [True, True, True, False])])
def test_releases_are_judged_by_ratios(changed, expected):
    assert kept({"releases": dict(MEASURED, **changed)})[5:] == expected
    assert "1.20 (p50 6.0 and 5.0 ms, p99 30.0 and 20.0 ms at 100 requests a second)" in "\n".join(report.table({"releases": MEASURED}))


def test_the_middle_of_several_rounds_counts():
    rounds = [{"p50": 0.005, "p99": 0.02, "per_second": 90.0}, {"p50": 0.004, "p99": 0.09, "per_second": 100.0},
              {"p50": 0.009, "p99": 0.01, "per_second": 20.0}]
    assert releases.middle(rounds) == {"p50": 0.005, "p99": 0.02, "per_second": 90.0}


@pytest.mark.parametrize("counted", [{"sent": 0, "failed": 0}, {"sent": 100, "failed": 1, "start": 0, "end": 10, "seconds": {}}])
def test_what_failed_or_was_never_asked_is_no_figure(counted):
    with pytest.raises(measure.NotMeasured):
        releases.figures(counted)


def test_figures_of_one_round():
    counted = {"sent": 500, "failed": 0, "start": 100.0, "end": 110.0, "seconds": {"v1": {"p50": 0.004, "p99": 0.02, "max": 0.1}}}
    assert releases.figures(counted) == {"p50": 0.004, "p99": 0.02, "per_second": 50.0}


def test_the_table_says_every_verdict_and_run():
    results = {"floor": {"seconds": 50, "session": "one", "traffic": FLOW}, "converge": run(120), "noop": run(40),
               "add_worker": {"small": run(60, hosts=9), "large": run(61, hosts=189), "session": "one"},
               "controller": {"sizes": [size(10, 3.0, 1.0)]}}
    text = "\n".join(report.table(results))
    assert "| 2.40 (120 s and 50 s) | NOT KEPT |" in text and "| 40.0 s | kept |" in text
    assert "| floor | 50 |  | 540 / 3000 |" in text and "| one worker joins, 189 hosts | 61 | 18 / 38 |" in text
    assert "| 10 | 1.5 | 0.5 | 200 | 3.0 | 300.0 | 200.0 | 60 |" in text
    assert report.table({})[0].startswith("| target")


def test_the_plot_is_an_image_of_all_sizes():
    image = ElementTree.fromstring(report.plot([size(10, 3.0, 1.0), size(100, 25.0, 9.0)]))
    assert len(image.findall("{http://www.w3.org/2000/svg}circle")) == 4
    with pytest.raises(ValueError):
        report.plot([])


def test_the_bare_playbook_has_as_many_tasks_as_a_host_ran():
    play = controller.bare_playbook(231, 10)[0]
    assert len(play["tasks"]) == 23 and play["hosts"] == "all"
    assert len(controller.bare_playbook(1, 100)[0]["tasks"]) == 1


def test_our_part_is_the_difference():
    found = size(100, 50.0, 30.0)
    assert (found["site_per_host_ms"], found["bare_per_host_ms"], found["own_per_host_ms"]) == (500.0, 300.0, 200.0)


def test_figures_are_written_between_their_marks(tmp_path):
    (tmp_path / "benchmarks.md").write_text("# B\n\n%s\n\nold\n\n%s\n\nprose\n" % (bench.BEGIN, bench.END))
    bench.write_docs({"controller": {"sizes": [size(10, 3.0, 1.0)]}}, str(tmp_path))
    text = (tmp_path / "benchmarks.md").read_text()
    assert "old" not in text and text.startswith("# B\n") and text.endswith("\n\nprose\n") and "| 10 | 1.5 |" in text
    assert (tmp_path / "benchmarks.svg").exists()


def test_parts_of_earlier_sessions_stay(tmp_path, monkeypatch, capsys):
    (tmp_path / "bench.json").write_text(json.dumps({"noop": run(50)}))
    monkeypatch.setattr(controller, "measure_all", lambda folder, sizes, forks: [size(count, 3.0, 1.0) for count in sizes])
    assert bench.main(["--output", str(tmp_path), "--sizes", "10,20", "controller"]) == 0
    results = json.loads((tmp_path / "bench.json").read_text())
    assert results["noop"]["seconds"] == 50 and [one["hosts"] for one in results["controller"]["sizes"]] == [10, 20]
    assert "NOT KEPT     a run that changes nothing at most 45 s: 50.0 s" in capsys.readouterr().out


def test_a_part_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SystemExit):
        bench.main(["--output", str(tmp_path), "flor"])


def test_a_run_that_fails_is_no_figure(tmp_path):
    with pytest.raises(measure.NotMeasured, match="status 3.*\n.*the reason"):
        measure.run(["sh", "-c", "echo the reason; exit 3"], tmp_path / "log")
    with pytest.raises(measure.NotMeasured, match="still running"):
        measure.run(["sleep", "60"], tmp_path / "log", limit=0)


def test_a_run_says_what_it_cost(tmp_path):
    cost = measure.run(["sh", "-c", "sleep 0.2; echo $WORD"], tmp_path / "log", {"WORD": "said"})
    assert cost.seconds >= 0.2 and cost.memory_mib >= 0 and (tmp_path / "log").read_text() == "said\n"
