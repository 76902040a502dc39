"""`make lab` as a person gets it, on a folder of its own, and a real browser in front of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
from playwright.sync_api import Error, Page, expect, sync_playwright

from jupyter_runai.client import Client
from tests.helpers import stop_everything

ROOT = Path(__file__).parents[2]
LONGEST_WAIT_MS = 60_000
LONGEST_END_S = 20
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Lab:
    """A running JupyterLab."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.said = ""
        assert process.stdout is not None
        for line in process.stdout:
            self.said += line
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                self.url = found[0]
                return
        raise AssertionError(f"make lab did not start:\n{self.said}")


@pytest.fixture
def lab_folder() -> Iterator[Path]:
    """Where the lab lives; a test may put something there before it starts."""
    folder = Path(tempfile.mkdtemp(prefix="runai-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def lab(lab_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """`make lab`, with a token that the browser knows and without opening one."""
    folder = lab_folder
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    process = subprocess.Popen(
        ["make", "lab", f"LAB={folder}", "LAB_OPTIONS=--no-browser --ServerApp.port=0 --IdentityProvider.token=test"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    monkeypatch.setenv("RUNAI_ENGINE_DIR", str(folder / "engine"))
    try:
        yield Lab(folder, process)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.communicate(timeout=LONGEST_END_S)
        except subprocess.TimeoutExpired:
            # Ended within seconds of opening a file, JupyterLab waits for ever for an idle thread of anyio's.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        stop_everything()


@pytest.fixture
def page(lab: Lab) -> Iterator[Page]:
    """JupyterLab as it opens."""
    browser = next(found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=list(FLAGS))
        page = chromium.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(LONGEST_WAIT_MS)
        expect.set_options(timeout=LONGEST_WAIT_MS)
        _open(page, f"{lab.url}/lab?token=test")
        yield page
        chromium.close()


# The server says where it runs a moment before it listens.
@stamina.retry(on=Error, attempts=20, timeout=20)
def _open(page: Page, url: str) -> None:
    page.goto(url)


# What is written holds within a second.
@stamina.retry(on=AssertionError, attempts=100, timeout=30)
def until_projects(client: Client, *names: str) -> None:
    assert set(names) <= {queue.name for queue in client.queues()}


def turn_dark(page: Page) -> None:
    """Change to the dark theme."""
    page.get_by_text("Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).click()
    page.get_by_text("JupyterLab Dark", exact=True).click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    expect(page.locator("#jupyterlab-splash")).to_be_hidden()
