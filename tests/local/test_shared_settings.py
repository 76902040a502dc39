"""What the configuration of a shared engine may say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler_core.local.access.shared import BadConfiguration, SharedSettings, parse_shared


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("directory = ", "engine.toml is not TOML: Invalid value (at end of document)."),
        ("\ndirectories = '/x'\n", "engine.toml, line 2: 'directories' is no setting; did you mean directory?"),
        ("colour = 'red'\n", "line 1: 'colour' is no setting; there are directory, simulate, projects, policies"),
        ("directory = 'here'\n", "line 1: directory: an absolute path, not 'here'."),
        ("directory = 1\n", "line 1: directory: expected `str`, got `int`."),
        ("\n\nprojects = '/nowhere/projects.toml'\n", "line 3: there is no file /nowhere/projects.toml."),
        ("simulate = '2 GPUs'\n", "line 1: simulate: Simulated devices are written like 2xA100-80GB"),
        ("administrators = ['no-such-user']\n", "line 1: there is no user 'no-such-user'."),
        ("administrators = 'root'\n", "line 1: administrators: expected `array`, got `str`."),
        ("group = 'no-such-group'\n", "line 1: there is no group 'no-such-group'."),
        ("[watchdog]\nreadings = 0\n", "line 2: watchdog.readings: expected `int` >= 1."),
        ("[watchdog]\n\nreading = 1\n", "watchdog: object contains unknown field `reading`."),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BadConfiguration) as refused:
        parse_shared(text, "engine.toml")
    assert message in refused.value.message


def test_what_is_left_out_has_a_default() -> None:
    assert parse_shared("", "engine.toml") == SharedSettings(directory="/var/lib/jupyter-runai")
    settings = parse_shared("administrators = ['root']\n[watchdog]\nallowance_mib = 100\n", "engine.toml")
    assert (settings.administrators, settings.watchdog.allowance_mib) == (("root",), 100)


@pytest.mark.skipif(os.getuid() != 0, reason="a shared engine takes root")
@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        (None, 0o644, "engine.toml cannot be read"),
        ("", 0o666, "could be changed by others than root"),
        ("\ngroups = 1\n", 0o644, "engine.toml, line 2: 'groups' is no setting"),
        ("directory = '/tmp'\n", 0o644, "Others than root could put something in the place of /tmp"),
    ],
)
def test_a_daemon_that_may_not_be_says_why(meeting: Path, text: str | None, mode: int, message: str) -> None:
    path = meeting / "engine.toml"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    done = subprocess.run(
        [sys.executable, "-m", "jupyter_runai.cli", "engine", "--shared", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr
