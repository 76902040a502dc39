"""The table of all workloads in JupyterLab: filter, order, act, undo, by mouse and by keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, Response, expect

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until
from tests.ui.conftest import Lab
from tests.ui.shots import shoot


def open_table(page: Page) -> None:
    panel = page.get_by_role("region", name="GPU", exact=True)
    panel.get_by_role("button", name="All workloads").click()
    expect(page.get_by_role("grid", name="Workloads")).to_be_visible()


def test_the_table_shows_filters_orders_and_acts(lab: Lab, page: Page) -> None:
    client = Client()
    first = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="first", grace_s=0))
    second = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="second", grace_s=0))
    waiting = client.submit(spec(UNTIL_STOPPED, gpu=2, name="waiting", grace_s=0))
    done = client.submit(spec("print('x')", name="done"))
    outcome(client, done.id)
    for each in (first, second):
        until(client, each.id, running)
    open_table(page)
    grid = page.get_by_role("grid", name="Workloads")
    names = grid.locator(".jp-Runai-workloadName")
    expect(names).to_have_text(["done", "waiting", "second", "first"])
    expect(grid.get_by_role("row", name=re.compile("second"))).to_contain_text("simulated A100 80GB #0")
    expect(grid.get_by_role("row", name=re.compile("waiting"))).to_contain_text("not enough free")
    shoot(page, "table")

    page.get_by_role("searchbox", name="Filter").fill("state:running")
    expect(names).to_have_text(["second", "first"])
    grid.get_by_role("button", name="Workload", exact=True).click()
    expect(names).to_have_text(["first", "second"])
    page.get_by_role("checkbox", name="Select all that are shown").check()
    page.get_by_role("button", name="Suspend (2)").click()
    expect(names).to_have_count(0)
    page.get_by_role("searchbox", name="Filter").fill("")
    expect(grid.locator('[data-state="suspended"]')).to_have_count(2)
    expect(grid.get_by_role("row", name=re.compile("waiting"))).to_have_attribute("data-state", "running")

    page.get_by_label("Group by").select_option(label="State")
    expect(grid.get_by_role("button", name="suspended 2")).to_be_visible()
    grid.get_by_role("checkbox", name="Select first").check()
    shoot(page, "table-groups")
    page.get_by_role("button", name="Resume (1)").click()
    expect(grid.get_by_role("row", name=re.compile("first"))).to_have_attribute("data-state", "pending")
    client.stop(waiting.id)
    client.stop(second.id)
    expect(grid.get_by_role("row", name=re.compile("first"))).to_have_attribute("data-state", "running")

    with page.expect_download() as saved:
        page.get_by_role("button", name="Export CSV").click()
    lines = Path(saved.value.path()).read_text().splitlines()
    assert lines[0].startswith("Workload,State,Type,Project")
    assert len(lines) == 5


def test_the_layout_of_the_table_is_remembered(lab: Lab, page: Page) -> None:
    Client().submit(spec("print('x')", name="only"))
    open_table(page)
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("checkbox", name="Type").uncheck()
    page.get_by_role("button", name="Move State to the left").click()
    shoot(page, "table-columns")
    page.keyboard.press("Escape")
    grid = page.get_by_role("grid", name="Workloads")
    grid.get_by_role("button", name="State").press("Shift+ArrowRight")
    titles = grid.locator(".jp-Runai-columnButton .jp-Runai-name")
    expect(titles.nth(0)).to_have_text("State")
    expect(titles.nth(2)).to_have_text("Project")
    # The application saves its state a moment after the last change, and for other reasons before.
    with page.expect_response(saves_width_of("queue")):
        grid.get_by_role("button", name="Project").press("Shift+ArrowRight")
    page.reload()
    grid = page.get_by_role("grid", name="Workloads")
    titles = grid.locator(".jp-Runai-columnButton .jp-Runai-name")
    expect(titles.nth(0)).to_have_text("State")
    expect(titles.nth(2)).to_have_text("Project")


def saves_width_of(column: str) -> Callable[[Response], bool]:
    def saves(answer: Response) -> bool:
        if "/lab/api/workspaces" not in answer.url or answer.request.method != "PUT":
            return False
        state = json.loads(answer.request.post_data or "{}")["data"]
        return column in state.get("jupyter-runai:table", {}).get("sizing", {})

    return saves


def test_the_table_by_keyboard_alone(lab: Lab, page: Page) -> None:
    client = Client()
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="steady", grace_s=0))
    until(client, workload.id, running)
    open_table(page)
    grid = page.get_by_role("grid", name="Workloads")
    page.get_by_role("button", name="Export CSV").focus()
    tab_to(page, "Tab", grid.get_by_role("checkbox", name="Select all that are shown"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Stop (1)")).to_be_visible()
    tab_to(page, "Shift+Tab", page.get_by_role("button", name="Stop (1)"))
    page.keyboard.press("Enter")
    expect(grid.locator('[data-state="stopped"]')).to_have_count(1)


def tab_to(page: Page, key: str, wanted: Locator) -> None:
    """Press a key until the focus has come to what is wanted; a few stops lie between."""
    for _ in range(8):
        page.keyboard.press(key)
        if wanted.evaluate("element => element === document.activeElement"):
            return
    expect(wanted).to_be_focused()
