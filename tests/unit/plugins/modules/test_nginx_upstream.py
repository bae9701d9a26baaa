# Copyright (c) 2026, ironrack.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules of HTTP upstreams as Ansible calls them, with small programs in the places of systemctl and NGINX."""
from __future__ import annotations

import json
import os

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ironrack.cluster.plugins.modules import nginx_upstream, nginx_upstream_info


def call(capsys, module, **args):
    with patch_module_args(args), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def args(tmp_path, monkeypatch):
    for name, text in (("systemctl", "echo ActiveState=inactive"), ("nginx", 'echo "$@" >> %s/tested' % tmp_path)):
        (tmp_path / name).write_text("#!/bin/sh\n%s\n" % text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "http.d").mkdir()
    (tmp_path / "nginx.conf").write_text("include %s/http.d/*.conf;\n" % tmp_path)
    monkeypatch.setenv("PATH", "%s:%s" % (tmp_path, os.environ["PATH"]))
    monkeypatch.setattr(nginx_upstream, "RUN_DIR", str(tmp_path / "run"))
    return dict(name="web", generation=3, stable="blue", releases=[{"name": "blue", "host": "blue.test", "port": 80}], folder=str(tmp_path / "http.d"),
                config=str(tmp_path / "nginx.conf"), nginx=str(tmp_path / "nginx"), pid_file=str(tmp_path / "pid"))


def test_bad_input_is_refused_with_all_reasons_before_anything(capsys, args, tmp_path):
    result = call(capsys, nginx_upstream, **dict(args, weight=5, stable="red", port=0))
    assert result["failed"] and len(result["problems"]) == 3
    assert not (tmp_path / "tested").exists() and not os.listdir(args["folder"])


def test_a_check_run_predicts_and_leaves_the_host_alone(capsys, args, tmp_path):
    result = call(capsys, nginx_upstream, _ansible_check_mode=True, _ansible_diff=True, **args)
    assert result["changed"] and result["after"]["weights"] == {"blue": 100} and "upstream web.blue" in result["diff"]["after"]
    assert not (tmp_path / "tested").exists() and not os.listdir(args["folder"]) and not (tmp_path / "run").exists()


def test_without_nginx_running_the_file_is_written_and_the_module_fails(capsys, args, tmp_path):
    assert "does not run on this host" in call(capsys, nginx_upstream, **args)["msg"]
    assert "-t -c" in (tmp_path / "tested").read_text() and os.listdir(args["folder"]) == ["web.conf"]
    (tmp_path / "http.d" / "foreign.conf").write_text("server {}")
    info = call(capsys, nginx_upstream_info, folder=args["folder"])
    (tmp_path / "http.d" / "foreign.conf").unlink()
    assert list(info["services"]) == ["web"]
    assert info["alive"] is False and info["services"]["web"]["disk"]["generation"] == 3
    assert info["services"]["web"]["intact"] and not info["services"]["web"]["in_step"]
    older = call(capsys, nginx_upstream, **dict(args, generation=2))
    assert older["failed"] and older["generation"] == 2 and older["present"] == 3
    assert call(capsys, nginx_upstream, **dict(args, generation=4, state="absent"))["action"] == "remove"
    assert os.listdir(args["folder"]) == []
    assert not call(capsys, nginx_upstream, **dict(args, generation=4, state="absent"))["changed"]


@pytest.mark.parametrize("script, words", [("echo 'nginx: [warn] twice' >&2", r"[warn] twice"), ("echo 'nginx: [emerg] no' >&2; exit 1", "[emerg] no")])
def test_a_warning_is_an_error(capsys, args, tmp_path, script, words):
    (tmp_path / "nginx").write_text("#!/bin/sh\n%s\n" % script)
    result = call(capsys, nginx_upstream, **args)
    assert words in result["msg"] and "not put in place" in result["msg"] and not os.listdir(args["folder"])


def test_a_main_configuration_that_does_not_include_the_folder_is_refused(capsys, args, tmp_path):
    (tmp_path / "nginx.conf").write_text("events {}\n")
    assert "0 times, expected once" in call(capsys, nginx_upstream, **args)["msg"]


def test_info_of_a_host_without_any(capsys, args):
    assert call(capsys, nginx_upstream_info, folder=args["folder"] + "/none")["services"] == {}
    assert call(capsys, nginx_upstream_info, folder=args["folder"], name="web")["services"]["web"]["disk"] is None
