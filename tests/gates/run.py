# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the gates that a change has to pass, one after the other, and says what each one cost.

    make test             all of them but the long ones, and of the scenarios by turns one
    make long             the scenarios that it has no time for, those by turns among them
    make lint             one by its name
    make scenario NAME=x  one Molecule scenario on lab hosts

The Makefile provides the environment: ANSIBLE_COLLECTIONS_PATH (a root that holds this checkout under
ansible_collections/ironrack/cluster), IRONRACK_CACHE and, through IRONRACK_TEST_VENV and IRONRACK_DOCS_VENV, the two Python environments.
"""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ["IRONRACK_CACHE"])
TEST = Path(os.environ["IRONRACK_TEST_VENV"]) / "bin"
DOCS = Path(os.environ["IRONRACK_DOCS_VENV"]) / "bin"
COLLECTIONS = Path(os.environ["ANSIBLE_COLLECTIONS_PATH"])
LINKED = COLLECTIONS / "ansible_collections" / "ironrack" / "cluster"
# Seconds that each gate may take before it counts as broken: about three times its cold time on two cores.
LIMITS = {"unit": 1200, "lint": 600, "docs-lint": 600, "sanity": 1800, "importer": 600, "bundle": 3600, "prometheus": 600, "llm": 180, "molecule": 2700,
          "long": 7200}
SCENARIOS = ("default",)
# One of these in each run of `make test`, chosen by the number of commits, so that each has its turn within as many changes: a machine whose two
# cores and memory are shared with strangers takes twice the time of a quiet one, and all of them would not fit.
BY_TURNS = ("kills", "small", "own_parts", "etcd_apart")
# What `make test` has no time for: `make long`, before a release. Those by turns are part of it.
LONG = ("ipv6", "kills_everywhere", "kills_join", "changes", "encryption_late", "releases", "releases_long", "opensearch", "opensearch_upgrade",
        "opensearch_killed", "opensearch_dedicated", "whole")


class GateError(Exception):
    """A gate did not pass."""


def run(argv, cwd=ROOT, env=None, limit=600, output=None):
    """Run one command with a bound on its time.

    :param output: a file that takes what it prints; the terminal where None.
    :raises GateError: on an exit status other than 0, or when the time is up.
    """
    print("+ " + " ".join(str(word) for word in argv), flush=True)
    environment = {**os.environ, "PATH": "%s:%s" % (TEST, os.environ["PATH"]), **(env or {})}
    try:
        subprocess.run([str(word) for word in argv], cwd=cwd, env=environment, timeout=limit, check=True, stdout=output, stdin=subprocess.DEVNULL)
    except subprocess.CalledProcessError as error:
        raise GateError("%s ended with status %d" % (argv[0], error.returncode)) from error
    except subprocess.TimeoutExpired as error:
        raise GateError("%s was still running after %d s" % (argv[0], limit)) from error


def copy_of_the_tree(name):
    """Copy the tracked and new files to a path that ansible-test accepts (it refuses links).

    :returns: the copy's folder.
    """
    target = CACHE / name / "ansible_collections" / "ironrack" / "cluster"
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    wanted = {Path(path) for path in listed.stdout.decode().split("\0") if path and (ROOT / path).is_file()}
    if target.exists():
        for path in sorted(target.rglob("*"), reverse=True):
            inside = path.relative_to(target)
            if inside.parts[:2] == ("tests", "output") or path.is_dir():
                continue
            if inside not in wanted:
                path.unlink()
    for path in wanted:
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists() or copy.read_bytes() != (ROOT / path).read_bytes():
            shutil.copy2(ROOT / path, copy)
    return target


def unit():
    """Pure logic, argv cases, templates."""
    run([TEST / "python", "-m", "pytest", "-q", "-n", "2", "tests/unit"], cwd=LINKED, limit=LIMITS["unit"])


def lint():
    """yamllint over every YAML file, ansible-lint with its production profile and no exception."""
    run([TEST / "yamllint", "--strict", "."], limit=LIMITS["lint"])
    run([TEST / "ansible-lint", "--offline", "--profile", "production", "--strict"], cwd=LINKED, limit=LIMITS["lint"])


def docs_lint():
    """Module documentation, the changelog, the roles' tables, links between our pages."""
    # Beside this collection the linter may see what it depends on, and nothing else: every collection more costs it seconds.
    folder = CACHE / "docs" / "ansible_collections"
    packages = next(TEST.parent.glob("lib/python3.*/site-packages")) / "ansible_collections"
    for name, source in {"ironrack/cluster": ROOT, "kubernetes/core": packages / "kubernetes" / "core"}.items():
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(source)
    environment = {"PATH": "%s:%s" % (DOCS, os.environ["PATH"]), "ANSIBLE_COLLECTIONS_PATH": str(folder.parent)}
    run([DOCS / "antsibull-docs", "lint-collection-docs", "--plugin-docs", "."],
        cwd=folder / "ironrack" / "cluster", env=environment, limit=LIMITS["docs-lint"])
    run([TEST / "antsibull-changelog", "lint"], cwd=LINKED, limit=60)
    run([TEST / "python", "tests/gates/docs.py", "--check"], limit=60)


def every_python():
    """Modules are compiled and imported by every Python of the machine. pyenv's shims fail for versions that are not chosen, so its own folders come first.

    :returns: environment variables.
    """
    path = [str(TEST)]
    if shutil.which("pyenv"):
        root = Path(subprocess.run(["pyenv", "root"], check=True, capture_output=True, text=True).stdout.strip())
        path += [str(folder) for folder in sorted(root.glob("versions/3.*/bin"))]
    return {"PATH": ":".join([*path, os.environ["PATH"]])}


def sanity():
    """ansible-test sanity, without any ignore file."""
    if list((ROOT / "tests" / "sanity").glob("ignore*")):
        raise GateError("tests/sanity holds an ignore file: mend what it hides instead")
    stand_in = Path.home() / ".ansible" / "test" / "cache" / "get_pip_24_2.py"
    if not stand_in.exists():
        # ansible-test fetches get-pip.py from a site that a closed network does not reach; ensurepip does the same.
        stand_in.parent.mkdir(parents=True, exist_ok=True)
        stand_in.write_text(
            "import subprocess, sys\n"
            "subprocess.run([sys.executable, '-m', 'ensurepip'], check=True)\n"
            "packages = [word for word in sys.argv[1:] if not word.startswith('-')]\n"
            "subprocess.run([sys.executable, '-m', 'pip', 'install'] + packages, check=True)\n")
    run([TEST / "ansible-test", "sanity", "--color", "no", "--requirements", "--python", "default"],
        cwd=copy_of_the_tree("sanity"), env=every_python(), limit=LIMITS["sanity"])


def importer():
    """The collection builds, and Galaxy's importer takes it."""
    folder = CACHE / "importer"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run([TEST / "ansible-galaxy", "collection", "build", "--output-path", folder], cwd=copy_of_the_tree("sanity"), limit=120)
    (folder / "importer.cfg").write_text("[galaxy-importer]\nRUN_ANSIBLE_TEST = False\nANSIBLE_LOCAL_TMP = %s\nCHECK_REQUIRED_TAGS = True\n" % (folder / "tmp"))
    (folder / "tmp").mkdir()
    archive = next(folder.glob("*.tar.gz"))
    log = folder / "importer.log"
    with log.open("w") as output:
        process = subprocess.run([TEST / "python", "-m", "galaxy_importer.main", archive], cwd=folder, timeout=LIMITS["importer"],
                                 env=dict(os.environ, PATH="%s:%s" % (TEST, os.environ["PATH"]), GALAXY_IMPORTER_CONFIG=str(folder / "importer.cfg")),
                                 stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    text = log.read_text()
    bad = [line for line in text.splitlines() if "WARNING" in line or "ERROR" in line]
    print(text[-2000:])
    if process.returncode or bad or "Importer processing completed successfully" not in text:
        raise GateError("galaxy-importer: status %d, %s" % (process.returncode, bad or "no word of success"))


def bundle():
    """The bundle of binaries, images and packages, and the machine's packages to make it."""
    run(["make", "prepare", "bundle"], limit=LIMITS["bundle"])


def etcd():
    """The etcd modules against real etcd processes on loopback addresses, with the bundle's binaries."""
    binaries = CACHE / "etcd-for-tests"
    shutil.rmtree(binaries, ignore_errors=True)
    binaries.mkdir(parents=True)
    archive = next((CACHE / "bundle").glob("*/files/etcd-*.tar.gz"))
    run(["tar", "-xzf", archive, "-C", binaries, "--strip-components=1"])
    run([TEST / "python", "-m", "pytest", "-q", "tests/real/test_etcd.py"], cwd=LINKED, env={"IRONRACK_ETCD_BIN": str(binaries)}, limit=LIMITS["unit"])


def nginx():
    """The upstream module against the bundle's NGINX, with a DNS server and pods on loopback addresses."""
    folder = CACHE / "nginx-for-tests"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = next((CACHE / "bundle").glob("*/files/nginx-*.tar.gz"))
    run(["tar", "-xzf", archive, "-C", folder, "--strip-components=1"])
    run([TEST / "python", "-m", "pytest", "-q", "tests/real/test_nginx.py", "tests/real/test_nginx_requests.py", "tests/real/test_nginx_dashboards.py"],
        cwd=LINKED, env={"IRONRACK_NGINX": str(folder / "sbin" / "nginx")}, limit=LIMITS["unit"])


def prometheus():
    """Gates, error budgets, rules and routes against real programs on loopback addresses: Debian's Prometheus and Alertmanager, unpacked, not installed."""
    folder = CACHE / "prometheus-for-tests"
    program = folder / "usr" / "bin" / "prometheus"
    if not program.exists() or not program.with_name("amtool").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        run(["apt-get", "-oAPT::Sandbox::User=root", "download", "prometheus", "prometheus-alertmanager"], cwd=folder, limit=300)
        for package in folder.glob("*.deb"):
            run(["dpkg-deb", "--extract", package, folder], limit=60)
    run([TEST / "python", "-m", "pytest", "-q", "tests/real/test_prometheus.py", "tests/real/test_monitoring.py"], cwd=LINKED,
        env={"IRONRACK_PROMETHEUS_BIN": str(program.parent)}, limit=LIMITS["prometheus"])


def llm():
    """The application that releases are tried on: its real server with a random model, its switches and its drains."""
    folders = {}
    for name in ("llm-wheel", "llm-image"):
        said = CACHE / (name + ".txt")
        with said.open("w") as output:
            run([TEST / "python", "-m", "lab.artifacts", "tool", name], limit=LIMITS["unit"], output=output)
        folders["IRONRACK_%s" % name.upper().replace("-", "_")] = said.read_text().splitlines()[-1]
    run([TEST / "python", "-m", "pytest", "-q", "tests/real/test_llm.py"], cwd=LINKED, env=folders, limit=LIMITS["llm"])


def molecule(scenario):
    """One scenario on lab hosts."""
    reasons = CACHE / "reasons"
    reasons.unlink(missing_ok=True)
    try:
        run([TEST / "molecule", "test", "--scenario-name", scenario], cwd=LINKED, limit=LIMITS["long" if scenario in LONG else "molecule"],
            env={"MOLECULE_PROJECT_DIRECTORY": str(LINKED), "ANSIBLE_FORKS": "20", "IRONRACK_REASONS": str(reasons)})
    except GateError as error:
        raise GateError("%s\n%s" % (error, reasons.read_text() if reasons.exists() else "no step said why: see above")) from error


GATES = {"unit": unit, "lint": lint, "docs-lint": docs_lint, "sanity": sanity, "importer": importer, "bundle": bundle, "etcd": etcd,
         "nginx": nginx, "prometheus": prometheus, "llm": llm}


def chosen(name):
    """:returns: the (name, callable) pairs that a word of the command line stands for."""
    if name == "all":
        return list(GATES.items()) + scenarios(SCENARIOS + (turn(commits()),))
    if name == "long":
        return scenarios(BY_TURNS + LONG)
    if name.startswith("molecule:"):
        return scenarios([name.split(":", 1)[1]])
    if name not in GATES:
        raise SystemExit("no gate is called %r; there are: all, long, molecule:SCENARIO, %s" % (name, ", ".join(GATES)))
    return [(name, GATES[name])]


def turn(number):
    """:returns: the scenario whose turn it is after so many commits."""
    return BY_TURNS[number % len(BY_TURNS)]


def commits():
    """:returns: how many commits lead to this tree."""
    return int(subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def scenarios(names):
    """:returns: the (name, callable) pairs of Molecule scenarios."""
    return [("molecule:" + name, lambda name=name: molecule(name)) for name in names]


def main(names):
    """Run the gates named; the first that fails ends the run, since what follows is dearer.

    :returns: the exit status.
    """
    passed = []
    for name, gate in [pair for word in names for pair in chosen(word)]:
        print("\n== %s" % name, flush=True)
        started = time.monotonic()
        try:
            gate()
        except (GateError, subprocess.SubprocessError, OSError) as error:
            print("\nFAILED %s after %.0f s: %s" % (name, time.monotonic() - started, error))
            print("%d passed, 1 failed" % len(passed))
            return 1
        passed.append(name)
        print("== %s passed in %.0f s" % (name, time.monotonic() - started), flush=True)
    print("\n%d passed, 0 failed" % len(passed))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["all"]))
