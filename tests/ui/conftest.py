"""`make lab` as a person gets it, on a folder of its own, and a real browser in front of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
import stamina
from playwright.sync_api import Error, Page, expect, sync_playwright

from jupyter_runai.client import Client
from scheduler_core.workload import DEFAULT_QUEUE
from tests.helpers import outcome, stop_everything

ROOT = Path(__file__).parents[2]
LONGEST_WAIT_MS = 60_000
LONGEST_END_S = 20
TOKEN = "test"  # noqa: S105 (of the tests' own servers)
USUAL = ("config/lab", "notebooks")
"""What people change of a lab by using it."""

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
                break
        else:
            raise AssertionError(f"make lab did not start:\n{self.said}")
        if not (folder / "usual").exists():
            for name in USUAL:
                shutil.copytree(folder / name, folder / "usual" / name)

    def clean(self) -> None:
        """Make it what it was: nothing runs, nothing is known, nothing is remembered."""
        for kernel in self._asked("GET", "kernels"):
            self._asked("DELETE", f"kernels/{kernel['id']}")
        for name in ("projects.toml", "policies.yaml"):
            (self.folder / "engine" / name).unlink(missing_ok=True)
        forget_all(Client())
        shutil.rmtree(self.folder / "data" / "kernels", ignore_errors=True)
        for name in USUAL:
            shutil.rmtree(self.folder / name)
            shutil.copytree(self.folder / "usual" / name, self.folder / name)

    # The server says where it runs a moment before it listens.
    @stamina.retry(on=URLError, attempts=100, timeout=60, wait_max=0.5)
    def _asked(self, method: str, path: str) -> Any:
        headers = {"Authorization": f"token {TOKEN}"}
        request = Request(f"{self.url}/api/{path}", method=method, headers=headers)  # noqa: S310
        with urlopen(request) as answer:  # noqa: S310
            return json.loads(answer.read() or "null")


@contextmanager
def started(folder: Path) -> Iterator[Lab]:
    """`make lab`; its engine ends with it."""
    with served(folder) as lab:
        yield lab
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNAI_ENGINE_DIR", str(folder / "engine"))
        stop_everything()


@contextmanager
def served(folder: Path, port: int = 0, token: str = TOKEN) -> Iterator[Lab]:
    """`make lab`, with a token that the browser knows and without opening one; its engine goes on."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    # A port that is free when a kernel is given it can be taken once it binds it; a file's name is its own.
    options = f"--no-browser --ServerApp.port={port} --IdentityProvider.token={token} --KernelManager.transport=ipc"
    process = subprocess.Popen(
        ["make", "lab", f"LAB={folder}", f"LAB_OPTIONS={options}"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
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


@contextmanager
def short_folder() -> Iterator[Path]:
    """An empty folder whose sockets have short names."""
    folder = Path(tempfile.mkdtemp(prefix="runai-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_lab() -> Iterator[Lab]:
    """One for all tests that leave the server as it is."""
    with short_folder() as folder, started(folder) as lab:
        yield lab


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """What the page shows where a test has failed."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.failed and isinstance(page, Page):
        with suppress(Error):
            report.sections.append(("Page", page.locator("body").inner_text(timeout=1000)))
    return report


@pytest.fixture
def lab(shared_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """JupyterLab as it starts; what a former test left is gone."""
    monkeypatch.setenv("RUNAI_ENGINE_DIR", str(shared_lab.folder / "engine"))
    shared_lab.clean()
    return shared_lab


@pytest.fixture
def page(lab: Lab) -> Iterator[Page]:
    """JupyterLab as it opens."""
    with browser_page() as page:
        open_lab(page, lab)
        yield page


@contextmanager
def browser_page() -> Iterator[Page]:
    """An empty page of a browser of its own."""
    browser = next(found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=list(FLAGS))
        page = chromium.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(LONGEST_WAIT_MS)
        expect.set_options(timeout=LONGEST_WAIT_MS)
        yield page
        chromium.close()


# The server says where it runs a moment before it listens.
@stamina.retry(on=Error, attempts=20, timeout=20)
def open_lab(page: Page, lab: Lab, token: str = TOKEN) -> None:
    page.goto(f"{lab.url}/lab?token={token}")


def forget_all(client: Client) -> None:
    """End and delete all workloads, and wait until there is no project any more."""
    for workload in client.list():
        if not workload.has_ended:
            client.stop(workload.id)
            outcome(client, workload.id)
        client.delete(workload.id, purge=True)
    until_no_projects(client)


@stamina.retry(on=AssertionError, attempts=100, timeout=30)
def until_no_projects(client: Client) -> None:
    assert {queue.name for queue in client.queues()} == {DEFAULT_QUEUE}


# What is written holds within a second.
@stamina.retry(on=AssertionError, attempts=100, timeout=30)
def until_projects(client: Client, *names: str) -> None:
    assert set(names) <= {queue.name for queue in client.queues()}


def until_ready(page: Page, kernel: str = "Python 3 (ipykernel)") -> None:
    """Cells that are run before their kernel is there are not run at all."""
    expect(page.get_by_role("button", name=f"{kernel} | Idle")).to_be_visible()


def turn_dark(page: Page) -> None:
    """Change to the dark theme."""
    page.get_by_text("Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).click()
    page.get_by_text("JupyterLab Dark", exact=True).click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    expect(page.locator("#jupyterlab-splash")).to_be_hidden()
