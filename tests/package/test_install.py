"""The package as people get it: a wheel without Node, and Binder's build from a clean checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.package.conftest import Environment

ROOT = Path(__file__).parents[2]
DECIDED = {
    "anywidget",
    "cloudpickle",
    "ipython",
    "ipywidgets",
    "jupyter-client",
    "jupyter-server",
    "msgspec",
    "numpy",
    "nvidia-ml-py",
    "prometheus-client",
    "tornado",
    "traitlets",
}


def test_dependencies_are_those_that_were_decided() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {dependency.partition(">")[0] for dependency in project["dependencies"]} == DECIDED


@pytest.mark.timeout(900)
def test_a_wheel_installs_without_node_and_both_extensions_are_enabled(
    environment: Environment, tmp_path: Path
) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "jupyter_runai/labextension/static/style.js" in names
    assert {"jupyter_runai/widgets/static/elements.js", "jupyter_runai/widgets/static/widgets.css"} < set(names)
    assert not any(name.startswith(("tests/", "benchmarks/", "labextension/")) for name in names)
    assert shutil.which("node", path=str(environment.bin)) is None
    environment.run("pip", "install", "--quiet", f"{wheel}[lab]")
    server = environment.run("jupyter", "server", "extension", "list")
    assert "jupyter_runai enabled" in plain(server)
    assert "jupyter_runai 0.1.0 OK" in plain(server)
    assert "jupyter-runai v0.1.0 enabled OK" in plain(environment.run("jupyter", "labextension", "list"))
    assert "run a cell on half a device" in environment.run("jupyter", "runai", "help", RUNAI_ENGINE_DIR=str(tmp_path))


@pytest.mark.timeout(1200)
def test_binder_builds_from_a_clean_checkout_and_runs_the_demo(environment: Environment, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, files):
        source = ROOT / os.fsdecode(name)
        if source.exists():
            target = checkout / os.fsdecode(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    node = shutil.which("node")
    assert node is not None
    system = f"{Path(node).parent}:/usr/bin:/bin"
    said = environment.run("bash", "binder/postBuild", path=system, cwd=checkout)
    assert "No broken requirements found" in said
    assert "jupyter-runai v0.1.0 enabled OK" in plain(said)
    engine = tmp_path / "engine"
    started = environment.run(
        "bash", "binder/start", "python", "binder/run_demo.py", path=system, cwd=checkout, RUNAI_ENGINE_DIR=str(engine)
    )
    assert "This engine now has simulated devices: 2xA100-80GB" in started
    assert_demo(started)
    (engine / "daemon.lock").unlink()


@pytest.mark.timeout(300)
def test_the_demo_notebook_shows_what_it_promises() -> None:
    demo = subprocess.run(
        [sys.executable, ROOT / "binder" / "run_demo.py"], capture_output=True, text=True, check=False, timeout=250
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert_demo(demo.stdout)


def assert_demo(said: str) -> None:
    """Both workloads held half of one device, the third was refused, nothing is left running."""
    ran = said.partition("What ran where:")[2]
    rows = {line.split()[0]: line for line in ran.strip().splitlines()}
    assert rows["search"].endswith("0.5 of simulated A100 80GB #0")
    assert rows["digits"].endswith("0.5 of simulated A100 80GB #0")
    assert "completed" in rows["digits"]
    assert "nowhere" in rows["too-big"]
    assert "search  " in said
    assert "model ← SVC" in said
    assert "asks for 64 devices" in said
    assert "the engine is stopped" in said


def plain(text: str) -> str:
    """Without colours, white space folded."""
    for code in ("\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[0m"):
        text = text.replace(code, "")
    return " ".join(text.split())
