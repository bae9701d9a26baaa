# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From figures to what a person reads: which targets are kept, a table, and a plot. Pure."""
from __future__ import annotations

from html import escape

#: Fresh converge against the floor; seconds of a run that changes nothing; a host's share at 1,000 hosts against that at 300, and what a worker
#: costs in a large inventory against a small one.
MOST_OF_FLOOR, MOST_NOOP, MOST_GROWTH = 2.0, 45.0, 1.1
SIZES_COMPARED = (300, 1000)
#: NGINX in front of pods against the pods alone; a switch against a call that finds nothing to do; seconds from a bad release's weight to weight 0.
MOST_P50, LEAST_THROUGHPUT, MOST_SWITCH, MOST_DETECTION = 1.5, 0.75, 2.0, 30.0


def verdicts(results):
    """Judge the figures.

    :param results: part of the benchmark -> its figures, each with the ``session`` that it is of.
    :returns: list of (target, kept or None where it was not measured, the figure in words).
    """
    return [_floor(results), _noop(results), *_growth(results), _worker(results), *_releases(results)]


def _floor(results):
    target = "fresh converge at most %.1f times the floor" % MOST_OF_FLOOR
    converge, floor = results.get("converge"), results.get("floor")
    if not converge or not floor:
        return target, None, "not measured"
    if converge["session"] != floor["session"]:
        return target, None, "floor and converge were measured in different sessions: run both in one"
    ratio = converge["seconds"] / floor["seconds"]
    return target, ratio <= MOST_OF_FLOOR, "%.2f (%.0f s and %.0f s)" % (ratio, converge["seconds"], floor["seconds"])


def _noop(results):
    target = "a run that changes nothing at most %.0f s" % MOST_NOOP
    noop = results.get("noop")
    return (target, noop["seconds"] <= MOST_NOOP, "%.1f s" % noop["seconds"]) if noop else (target, None, "not measured")


def _growth(results):
    small, large = SIZES_COMPARED
    sizes = {one["hosts"]: one for one in (results.get("controller") or {}).get("sizes", ())}
    for what, name in (("the controller's whole processor time", "site_per_host_ms"), ("our part of it", "own_per_host_ms")):
        target = "per host, %s at %d hosts at most %.1f times that at %d" % (what, large, MOST_GROWTH, small)
        if small not in sizes or large not in sizes:
            yield target, None, "not measured"
        elif sizes[small][name] <= 0:
            yield target, None, "nothing is left at %d hosts after the bare playbook is taken away: the machine was too busy" % small
        else:
            ratio = sizes[large][name] / sizes[small][name]
            yield target, ratio <= MOST_GROWTH, "%.2f (%.1f ms and %.1f ms)" % (ratio, sizes[large][name], sizes[small][name])


def _worker(results):
    target = "one more worker costs at most %.1f times as much in a large inventory" % MOST_GROWTH
    found = results.get("add_worker")
    if not found:
        return target, None, "not measured"
    small, large = found["small"], found["large"]
    ratio = large["seconds"] / small["seconds"]
    return target, ratio <= MOST_GROWTH, "%.2f (%.0f s among %d hosts and %.0f s among %d)" % (
        ratio, large["seconds"], large["hosts"], small["seconds"], small["hosts"])


def _releases(results):
    targets = ("p50 with NGINX in front at most %.1f times that of the pods alone" % MOST_P50,
               "throughput with NGINX in front at least %.2f times that of the pods alone" % LEAST_THROUGHPUT,
               "a switch of the traffic at most %.1f times a call that finds nothing to do" % MOST_SWITCH,
               "a release with 10 %% errors has weight 0 at most %.0f s after its first weight" % MOST_DETECTION)
    found = results.get("releases")
    if not found:
        return [(target, None, "not measured") for target in targets]
    front, direct = found["front"], found["direct"]
    slower, share = front["p50"] / direct["p50"], front["per_second"] / direct["per_second"]
    longer = found["switch"] / found["nothing"]
    return [
        (targets[0], slower <= MOST_P50, "%.2f (p50 %.1f and %.1f ms, p99 %.1f and %.1f ms at %d requests a second)" % (
            slower, 1000 * front["p50"], 1000 * direct["p50"], 1000 * front["p99"], 1000 * direct["p99"], front["asked"])),
        (targets[1], share >= LEAST_THROUGHPUT, "%.2f (%.0f and %.0f requests a second)" % (share, front["per_second"], direct["per_second"])),
        (targets[2], longer <= MOST_SWITCH, "%.2f (%.1f s and %.1f s, of it %.2f s from the first balancer to the last)" % (
            longer, found["switch"], found["nothing"], found["between"])),
        (targets[3], found["detection"] <= MOST_DETECTION, "%.1f s, %.1f intervals" % (found["detection"], found["detection"] / found["interval"]))]


def word(kept):
    """:returns: a verdict in words."""
    return {True: "kept", False: "NOT KEPT", None: "not measured"}[kept]


def table(results):
    """:returns: the lines of docs/benchmarks.md that hold figures."""
    lines = ["| target | figure | |", "| --- | --- | --- |"]
    lines += ["| %s | %s | %s |" % (target, figure if kept is not None or figure != "not measured" else "", word(kept))
              for target, kept, figure in verdicts(results)]
    runs = [(name, results[key]) for name, key in (("floor", "floor"), ("fresh converge", "converge"), ("second run", "noop")) if results.get(key)]
    runs += [("one worker joins, %d hosts" % one["hosts"], one) for one in (results.get("add_worker") or {}).values() if isinstance(one, dict)]
    if runs:
        lines += ["", "| run | s | executed on a host / with the controller's | MiB to the hosts / among all |", "| --- | --- | --- | --- |"]
        lines += ["| %s | %.0f | %s | %.0f / %.0f |" % (
            name, one["seconds"], "%d / %d" % (one["most_on_a_host"], one["most_with_the_controller"]) if "most_on_a_host" in one else "",
            one["traffic"]["machine_to_hosts_mib"], one["traffic"]["received_mib"]) for name, one in runs]
    sizes = (results.get("controller") or {}).get("sizes", ())
    if sizes:
        lines += ["", "| hosts | site.yml, s | bare playbook, s | results | site.yml, processor s | per host, processor ms | of it ours, ms "
                  "| largest process, MiB |",
                  "| --- | --- | --- | --- | --- | --- | --- | --- |"]
        lines += ["| %d | %.1f | %.1f | %d | %.1f | %.1f | %.1f | %d |" % (
            one["hosts"], one["site_s"], one["bare_s"], one["results"], one["site_cpu_s"], one["site_per_host_ms"], one["own_per_host_ms"],
            one["memory_mib"]) for one in sizes]
    return lines


WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 360, 70, 50, 30


def plot(sizes):
    """:returns: an SVG of the controller's time per host over the number of hosts, site.yml and the bare playbook.

    :raises ValueError: where there is nothing to draw.
    """
    if not sizes:
        raise ValueError("no size was measured")
    highest = max(one["site_per_host_ms"] for one in sizes) * 1.1
    step = (WIDTH - LEFT - 30) / max(1, len(sizes) - 1)

    def place(number, value):
        return "%.1f,%.1f" % (LEFT + number * step, HEIGHT - BOTTOM - value / highest * (HEIGHT - BOTTOM - TOP))

    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (WIDTH, HEIGHT),
             '<rect width="100%" height="100%" fill="#ffffff"/>']
    for tick in range(5):
        value = highest * tick / 4
        y = place(0, value).split(",")[1]
        parts.append('<line x1="%d" y1="%s" x2="%d" y2="%s" stroke="#dddddd"/>' % (LEFT, y, WIDTH - 20, y))
        parts.append('<text x="%d" y="%s" text-anchor="end" fill="#333333">%.0f</text>' % (LEFT - 8, y, value))
    for number, one in enumerate(sizes):
        parts.append('<text x="%.1f" y="%d" text-anchor="middle" fill="#333333">%d hosts</text>' % (LEFT + number * step, HEIGHT - BOTTOM + 20, one["hosts"]))
    for row, (name, key, colour) in enumerate((("site.yml", "site_per_host_ms", "#0b6e4f"), ("bare playbook", "bare_per_host_ms", "#b3541e"))):
        points = [place(number, one[key]) for number, one in enumerate(sizes)]
        parts.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (" ".join(points), colour))
        parts += ['<circle cx="%s" cy="%s" r="3" fill="%s"/>' % (*point.split(","), colour) for point in points]
        parts.append('<text x="%d" y="%d" text-anchor="end" fill="%s">%s</text>' % (WIDTH - 24, TOP + 16 * row, colour, escape(name)))
    parts.append('<text x="%d" y="%d" fill="#333333">milliseconds of processor time of the controller per host, hosts stubbed</text>' % (LEFT, TOP - 12))
    return "\n".join(parts + ["</svg>", ""])
