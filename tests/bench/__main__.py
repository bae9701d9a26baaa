# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what the playbooks cost. `make bench` runs all parts; each runs by itself as well:

    python -m tests.bench [--inventory FOLDER] [--output FOLDER] [--sizes 10,100] [--write-docs] [PART ...]

floor        fresh lab hosts, and only what cannot be left out on the way to the cluster; its end is checked from outside
converge     fresh lab hosts, and site.yml
noop         site.yml on the cluster that stands
add-worker   a worker leaves and joins again: in the lab's inventory, and in one with 180 hosts more that are only written
controller   site.yml on 10, 100, 300 and 1,000 hosts that are stubbed, less a bare playbook of the same task count; needs no lab
releases     only where it is named, on the running lab of inventories/lab-releases with its service: NGINX in front of pods, switches, a detection

floor and converge take a running lab down. Figures are merged into bench.json of the output folder; a ratio is made of one session only.
"""
from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time

from . import controller, measure, report

PARTS = ("floor", "converge", "noop", "add-worker", "controller")
#: Not among all parts: it has another lab.
APART = ("releases",)
DOCS = os.path.join(measure.ROOT, "docs")
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def parser():
    """:returns: the command line's parser."""
    options = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("parts", nargs="*", metavar="PART", help="what to measure; all where none is named")
    options.add_argument("--inventory", default=os.path.join("inventories", "lab"), metavar="FOLDER", help="of the lab (default: %(default)s)")
    options.add_argument("--output", default=os.path.join(measure.ROOT, "tests", "output", "bench"), metavar="FOLDER",
                         help="for bench.json, bench.svg and the logs (default: tests/output/bench)")
    options.add_argument("--sizes", default=",".join(map(str, controller.SIZES)), metavar="N,N", help="of part controller (default: %(default)s)")
    options.add_argument("--forks", type=int, default=controller.FORKS, metavar="N", help="of part controller (default: %(default)s)")
    options.add_argument("--write-docs", action="store_true", help="put table and plot into docs/")
    return options


def run(parts, options, results, session_name):
    """Measure, and put what was measured into ``results``, part by part."""
    for part in parts:
        if part == "controller":
            sizes = [int(size) for size in options.sizes.split(",")]
            found = {"sizes": controller.measure_all(options.output, sizes, options.forks)}
        elif part == "releases":
            from . import releases  # a cluster's needs, as below
            found = releases.measure_all(options.inventory)
        else:
            from .session import Session  # the lab's needs (podman, a kubeconfig) are not those of part controller
            cache = os.environ.get("IRONRACK_CACHE", "/var/cache/ironrack")
            lab = Session(options.inventory, options.output, os.path.join(cache, "bundle", controller.newest_release()))
            found = getattr(lab, part.replace("-", "_"))()
        results[part.replace("-", "_")] = dict(found, session=session_name, load_before=os.getloadavg()[0])
        save(options.output, results)
        print("%s: %s" % (part, json.dumps(results[part.replace("-", "_")])), flush=True)


def load(folder):
    """:returns: the results of earlier sessions."""
    try:
        with open(os.path.join(folder, "bench.json"), encoding="utf-8") as stream:
            return json.load(stream)
    except FileNotFoundError:
        return {}


def save(folder, results):
    """Write bench.json, and bench.svg where the controller was measured."""
    results["machine"] = {"cores": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()}
    with open(os.path.join(folder, "bench.json"), "w", encoding="utf-8") as stream:
        json.dump(results, stream, indent=1)
    if results.get("controller"):
        with open(os.path.join(folder, "bench.svg"), "w", encoding="utf-8") as stream:
            stream.write(report.plot(results["controller"]["sizes"]))


def write_docs(results, folder=DOCS):
    """Put the table between its marks in benchmarks.md, and the plot beside it."""
    path = os.path.join(folder, "benchmarks.md")
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("%s%s\n\n%s\n\n%s%s" % (before, BEGIN, "\n".join(report.table(results)), END, after))
    if results.get("controller"):
        with open(os.path.join(folder, "benchmarks.svg"), "w", encoding="utf-8") as stream:
            stream.write(report.plot(results["controller"]["sizes"]))


def main(argv=None):
    """:returns: the exit status: 0 where everything asked for was measured, whatever the figures say."""
    options = parser().parse_args(argv)
    unknown = [part for part in options.parts if part not in PARTS + APART]
    if unknown:
        parser().error("%s: no such part; there are %s" % (", ".join(unknown), ", ".join(PARTS + APART)))
    os.makedirs(options.output, exist_ok=True)
    results = load(options.output)
    status = 0
    try:
        run(options.parts or PARTS, options, results, time.strftime("%Y-%m-%dT%H:%M:%S"))
    except measure.NotMeasured as error:
        print("NOT MEASURED: %s" % error, file=sys.stderr)
        status = 1
    for target, kept, figure in report.verdicts(results):
        print("%-12s %s: %s" % (report.word(kept), target, figure))
    if options.write_docs and not status:
        write_docs(results)
    return status


if __name__ == "__main__":
    sys.exit(main())
