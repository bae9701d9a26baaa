# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the parts of the documentation that are made from code, and checks what is not.

    tests/gates/docs.py          writes each role's table of variables, docs/variables.md and docs/changes.md
    tests/gates/docs.py --check  changes nothing; fails where a page is stale, or names or links to what is not there
"""
from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
MARK = "<!-- table generated from meta/argument_specs.yml -->"
# Not an argument of any role: Ansible would put the whole model together anew for each role of each host.
MODEL = "Besides these it reads `cluster`, the registered result of `ironrack.cluster.cluster_model`."
VARIABLES_MARK = "<!-- table generated from plugins/plugin_utils/_model/variables.py -->"
CHANGES_MARK = "<!-- tables generated from plugins/plugin_utils/_model/changes.py -->"
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
NAME = re.compile(r"(?<![\w/.-])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w/.*-])")
#: The guide to the names of another project: the first cell of a row holds theirs.
FOREIGN = "from-kubespray.md"


def cell(value):
    """:returns: a value as the text of one table cell."""
    if isinstance(value, list):
        value = " ".join(str(part) for part in value)
    return re.sub(r"\s+", " ", str(value)).strip().replace("|", "\\|")


def default_of(option):
    """:returns: how an option's default is shown."""
    if option.get("required"):
        return "required"
    return "`%s`" % json.dumps(option["default"]) if "default" in option else ""


def rows(options, prefix=""):
    """:returns: a line of a Markdown table for each option, and below it one for each option of what it holds."""
    lines = []
    for name, option in options.items():
        kind = option.get("type", "str")
        if option.get("elements"):
            kind += " of " + option["elements"]
        meaning = cell(option.get("description", ""))
        if option.get("choices"):
            meaning += " One of " + ", ".join("`%s`" % choice for choice in option["choices"]) + "."
        lines.append("| `%s` | %s | %s | %s |" % (prefix + name, kind, cell(default_of(option)), meaning))
        lines += rows(option.get("options") or {}, "%s%s%s." % (prefix, name, "[]" if option.get("elements") else ""))
    return lines


def table(options):
    """:returns: a Markdown table of an argument spec's options."""
    return "\n".join(["| variable | type | default | meaning |", "| --- | --- | --- | --- |"] + rows(options))


def role_page(role):
    """:returns: what a role's README has to be: the prose by hand, then the table from its argument_specs."""
    page = role / "README.md"
    prose = page.read_text().split(MARK)[0].rstrip() if page.exists() else "# %s" % role.name
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    parts = [prose, "", MARK, "", MODEL, ""]
    for entry, spec in specs.items():
        if len(specs) > 1:
            parts += ["## %s" % entry, "", cell(spec.get("short_description", "")) + ".", ""]
        options = spec.get("options") or {}
        parts += [table(options) if options else "This entry point has no variables of its own.", ""]
    return "\n".join(parts).rstrip() + "\n"


def variables_page():
    """:returns: what docs/variables.md has to be, from the model's own list of variables."""
    variables = runpy.run_path(str(ROOT / "plugins" / "plugin_utils" / "_model" / "variables.py"))["VARIABLES"]
    page = ROOT / "docs" / "variables.md"
    lines = [page.read_text().split(VARIABLES_MARK)[0].rstrip(), "", VARIABLES_MARK, "",
             "| variable | set for | type | default | meaning |", "| --- | --- | --- | --- | --- |"]
    for variable in variables:
        default = "`%s`" % json.dumps(variable.default) if variable.default is not None else ""
        lines.append("| `%s` | %s | %s | %s | %s |" % (variable.name, variable.scope, variable.type, default, cell(variable.description)))
    return "\n".join(lines) + "\n"


def changes_page():
    """:returns: what docs/changes.md has to be: what a change of each variable does to a built cluster."""
    known = runpy.run_path(str(ROOT / "plugins" / "plugin_utils" / "_model" / "changes.py"))
    page = ROOT / "docs" / "changes.md"
    lines = [page.read_text().split(CHANGES_MARK)[0].rstrip(), "", CHANGES_MARK]
    for title, rows in (
            ("Variables of the cluster and its hosts", [("`%s`" % name, *told) for name, told in known["CLUSTER"].items()]),
            ("Variables of the roles", [("`%s`" % name, *told) for name, told in known["ROLES"].items()]),
            ("Hosts and groups", known["HOSTS"])):
        lines += ["", "## %s" % title, "", "| change of | on a built cluster | how, or why not |", "| --- | --- | --- |"]
        lines += ["| %s | %s | %s |" % (what, outcome, cell(how)) for what, outcome, how in rows]
    return "\n".join(lines) + "\n"


def pages():
    """:returns: (path, wanted text) of every generated page."""
    found = [(role / "README.md", role_page(role)) for role in sorted((ROOT / "roles").iterdir()) if role.is_dir()]
    if not found:
        raise SystemExit("roles/ holds no role: the check would pass on nothing")
    return found + [(ROOT / "docs" / "variables.md", variables_page()), (ROOT / "docs" / "changes.md", changes_page())]


def dead_links():
    """:returns: a sentence for each relative link of a page that leads nowhere."""
    problems = []
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "roles").glob("*/README.md"), *(ROOT / "lab").glob("*.md")]:
        for target in LINK.findall(page.read_text()):
            if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists():
                problems.append("%s links to %s, which is not there" % (page.relative_to(ROOT), target))
    return problems


def known_names():
    """:returns: every variable that a person can set: the model's, the roles', and those that playbooks read themselves."""
    variables = runpy.run_path(str(ROOT / "plugins" / "plugin_utils" / "_model" / "variables.py"))["VARIABLES"]
    names = {variable.name for variable in variables}
    for specs in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        for spec in yaml.safe_load(specs.read_text())["argument_specs"].values():
            names.update(spec.get("options") or {})
    for playbook in (ROOT / "playbooks").glob("*.yml"):
        names.update(re.findall(r"\b([a-z]+(?:_[a-z]+)+) \| default\(", playbook.read_text()))
    return names


def named_otherwise():
    """:returns: names that pages may use beside variables: plugins, roles, groups, scenarios of the tests, conditions of health."""
    names = {path.stem for path in (ROOT / "plugins").glob("*/*.py")}
    names |= set(runpy.run_path(str(ROOT / "plugins" / "plugin_utils" / "_model" / "variables.py"))["GROUPS"])
    names |= {path.name for folder in ("roles", "molecule") for path in (ROOT / folder).iterdir() if path.is_dir()}
    for module in (ROOT / "plugins" / "module_utils" / "_health").glob("*.py"):
        names.update(re.findall(r"(?m)^def (\w+)\(seen, expected\)", module.read_text()))
        names.update(part + "_ready" for part in re.findall(r"daemon_set_condition\(\"(\w+)\"\)", module.read_text()))
    return names


def unknown_names():
    """:returns: a sentence for each variable, plugin or playbook that a page names and that is not there."""
    variables, others, problems = known_names(), named_otherwise(), set()
    playbooks = {path.stem for path in (ROOT / "playbooks").glob("[a-z]*.yml")}
    # The first word of a name says whose it is: cluster_, a role's, a playbook's.
    ours = tuple(name + "_" for name in {"cluster"} | playbooks | {role.name for role in (ROOT / "roles").iterdir() if role.is_dir()})
    for page in (ROOT / "docs").rglob("*.md"):
        text = page.read_text()
        if page.name == FOREIGN:
            text = re.sub(r"(?m)^\|[^|]*\|", "", text)
        for code in CODE.findall(text):
            absent = [name for name in re.findall(r"ironrack\.cluster\.([a-z_]+)", code) if name not in playbooks | others]
            absent += [name for name in NAME.findall(code) if name.startswith(ours) and name not in variables | others | playbooks]
            problems.update("%s names %s, which is not there" % (page.relative_to(ROOT), name) for name in absent)
    return sorted(problems)


def main(check):
    """:returns: the exit status."""
    problems = []
    for path, wanted in pages():
        if path.exists() and path.read_text() == wanted:
            continue
        if check:
            problems.append("%s is stale: run tests/gates/docs.py" % path.relative_to(ROOT))
        else:
            path.write_text(wanted)
            print("wrote %s" % path.relative_to(ROOT))
    problems += dead_links() + unknown_names()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
