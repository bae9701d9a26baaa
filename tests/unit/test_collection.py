# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as a whole: every part has what its kind has to have, and none of it knows the hosts that we try it on."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = {kind: sorted(path.stem for path in (ROOT / "plugins" / kind).glob("*.py") if path.stem != "__init__")
           for kind in ("action", "filter", "modules")}
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
HEADER = """\
# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
SOURCES = ("lab", "playbooks", "plugins", "roles", "tests/callbacks", "tests/faults", "tests/gates", "tests/real", "tests/scenarios", "tests/traffic",
           "tests/unit")
TESTS = "\n".join(path.read_text() for path in sorted((ROOT / "tests" / "unit").rglob("test_*.py")))
#: `lab` is a profile that anybody may choose; any other use of the word means this repository's own hosts.
PROFILE = re.compile(r"""["'(]lab["')]|, lab\]|(cluster_)?profile:? lab\b""")


def texts(*folders):
    """:returns: (path, text) of every text file below the folders."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path, path.read_text()


def is_tested(kind, name):
    """:returns: whether some unit test imports the plugin, or runs it in a play."""
    package = r"from ansible_collections\.ironrack\.cluster\.plugins\.%s" % kind
    return re.search(r"%s(\.%s import| import [^\n]*\b%s\b)|- ironrack\.cluster\.%s:" % (package, name, name, name), TESTS)


def test_the_lists_of_this_file_hold_something():
    assert all(PLUGINS.values()) and ROLES and TESTS


def test_every_module_is_in_the_action_group():
    group = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["cluster"]
    assert group == PLUGINS["modules"]


def test_every_action_documents_itself_as_a_module():
    assert set(PLUGINS["action"]) <= set(PLUGINS["modules"])


@pytest.mark.parametrize("kind, name", [(kind, name) for kind, names in PLUGINS.items() for name in names])
def test_every_plugin_has_a_unit_test(kind, name):
    # A module whose work is done by an action of its name has no code of its own.
    only_documentation = kind == "modules" and "\ndef main():" not in (ROOT / "plugins" / kind / (name + ".py")).read_text()
    assert only_documentation and name in PLUGINS["action"] or is_tested(kind, name)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_role_is_complete(role):
    assert (role / "README.md").read_text().startswith("# %s\n" % role.name)
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    info = yaml.safe_load((role / "meta" / "main.yml").read_text())["galaxy_info"]
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text()) or {}
    assert (info["license"], info["min_ansible_version"]) == ("GPL-3.0-or-later", "2.19.0")
    assert info["author"] and info["description"] and info["platforms"]
    assert not (role / "handlers").exists()
    for entry, spec in specs.items():
        assert spec["short_description"] and (role / "tasks" / (entry + ".yml")).exists()
        assert all(option["type"] and option["description"] for option in spec.get("options", {}).values())
    documented = {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}
    assert defaults == {name: option["default"] for name, option in documented.items() if "default" in option}


def test_no_role_takes_the_model_as_an_argument():
    # Ansible evaluates and copies every argument for each role of each host, and the model holds all hosts: the cost would be its square.
    specs = [yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"] for role in ROLES]
    assert len(specs) > 10
    assert [entry for spec in specs for entry, part in spec.items() if "cluster" in part.get("options", {})] == []


def test_playbooks_leave_the_judgement_of_role_options_to_the_model_and_do_read_it():
    # _model.yml judges them before any host is reached; a role that does it again costs a task for each of its hosts.
    imports = {path.name: [task[verb] for play in yaml.safe_load(path.read_text()) for task in play.get("tasks", ())
                           for verb in ("ansible.builtin.import_role", "ansible.builtin.include_role") if verb in task]
               for path in (ROOT / "playbooks").glob("*.yml")}
    assert sum(map(len, imports.values())) > 20
    assert [name for name, roles in imports.items() for role in roles if role.get("rolespec_validate") is not False] == []
    assert [name for name, roles in imports.items() if roles and "import_playbook: _model.yml" not in (ROOT / "playbooks" / name).read_text()] == []
    assert [path.name for path in (ROOT / "playbooks").glob("*.yml") for play in yaml.safe_load(path.read_text()) if "roles" in play] == []


def test_plugins_and_roles_do_not_know_the_lab():
    found = ["%s: %s" % (path.relative_to(ROOT), line.strip()) for path, text in texts("plugins", "roles")
             for line in text.splitlines() if re.search(r"\blabs?\b|10\.77\.0\.", PROFILE.sub("", line))]
    assert found == []


def test_every_python_file_starts_with_the_licence():
    sources = [(path, text) for path, text in texts(*SOURCES) if path.suffix == ".py"]
    assert len(sources) > 100
    assert [str(path) for path, text in sources if not re.sub(r"^#!.*\n", "", text).startswith(HEADER)] == []


def test_no_rule_of_a_linter_is_switched_off():
    assert list((ROOT / "tests").glob("sanity/ignore*")) + list(ROOT.glob(".ansible-lint-ignore")) == []
    # put together here, so that this line is no finding
    marks = re.compile("#" + r"\s*(noqa|pylint:\s*disable|yamllint\s+disable|nosec|type:\s*ignore)")
    found = ["%s: %s" % (path.relative_to(ROOT), line.strip()) for path, text in texts(*SOURCES, "molecule")
             for line in text.splitlines() if marks.search(line)]
    assert found == []
