"""A Jupyter server that goes and comes again, and a login that is none any more: what is known stays, and goes on."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, running, spec, stop_everything, until
from tests.ui.conftest import browser_page, open_lab, served, short_folder
from tests.ui.shots import shoot

FIRST, SECOND = "first", "second"
"""Tokens of servers."""

LOST = re.compile(r"as of \d\d:\d\d:\d\d, reconnecting")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A lab's own, whose engine outlives its server."""
    with short_folder() as folder:
        monkeypatch.setenv("RUNAI_ENGINE_DIR", str(folder / "engine"))
        yield folder
        stop_everything()


@pytest.fixture
def port() -> int:
    """One that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found: int = free.getsockname()[1]
        return found


def show_all(page: Page) -> str:
    """Submit something, and look at it in the panel, in the table and in its details; its id."""
    client = Client()
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="steady", grace_s=0))
    until(client, workload.id, running)
    panel = page.get_by_role("region", name="GPU", exact=True)
    panel.get_by_role("button", name="steady", exact=True).click()
    expect(page.locator(".jp-Runai-details").get_by_role("log")).to_contain_text("up")
    panel.get_by_role("button", name="All workloads").click()
    expect(page.locator(".jp-Runai-table").get_by_role("row", name=re.compile("steady"))).to_be_visible()
    return workload.id


def check_kept(page: Page, said: str) -> None:
    """What was known is there, greyed and with its time, and a line says what is so."""
    panel, table = page.locator(".jp-Runai-panel"), page.locator(".jp-Runai-table")
    for view in (panel, table):
        expect(view.get_by_role("status").first).to_have_text(LOST)
        expect(view.get_by_text(said)).to_be_visible()
    expect(panel.locator('.jp-mod-stale .jp-Runai-workload[data-state="running"]')).to_contain_text("steady")
    expect(table.locator('.jp-mod-stale [data-state="running"]')).to_contain_text("steady")


def close(dialog: Locator) -> None:
    """JupyterLab says in its own words what of its own is away, of the server and of a kernel, one after another."""
    dialog.locator(".jp-Dialog-footer").get_by_role("button").last.click()


def check_live(page: Page, workload_id: str) -> None:
    """All is as if nothing had been."""
    for view in (".jp-Runai-panel", ".jp-Runai-table"):
        expect(page.locator(view).get_by_role("status").first).to_have_text("live")
    expect(page.locator(".jp-mod-stale")).to_have_count(0)
    Client().stop(workload_id)
    expect(page.locator(".jp-Runai-table [data-state='stopped']")).to_contain_text("steady")


def test_a_server_that_restarts_is_waited_for(folder: Path, port: int) -> None:
    with browser_page() as page:
        with served(folder, port) as lab:
            open_lab(page, lab)
            workload = show_all(page)
        check_kept(page, "No connection to the Jupyter server")
        shoot(page, "server-away")
        with served(folder, port):
            check_live(page, workload)


def test_a_login_that_has_expired_is_told_and_made_again(folder: Path, port: int) -> None:
    with browser_page() as page:
        with served(folder, port, token=FIRST) as lab:
            open_lab(page, lab, FIRST)
            workload = show_all(page)
        (folder / "runtime" / "jupyter_cookie_secret").unlink()
        with served(folder, port, token=SECOND):
            check_kept(page, "You are not logged in to this Jupyter server, or not any more.")
            shoot(page, "login-expired")
            said_by_lab = page.get_by_role("dialog")
            page.add_locator_handler(said_by_lab, close, no_wait_after=True)
            with page.expect_popup() as opened:
                page.locator(".jp-Runai-panel").get_by_role("link", name="Log in again").click()
            # Behind another page nothing can be clicked, and nothing need be.
            page.remove_locator_handler(said_by_lab)
            opened.value.get_by_role("textbox").first.fill(SECOND)
            opened.value.keyboard.press("Enter")
            opened.value.locator("#jp-runai-panel").wait_for(state="attached")
            check_live(page, workload)
