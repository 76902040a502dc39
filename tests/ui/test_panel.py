"""The main job in JupyterLab: run the demo notebook, watch the panel, stop a workload."""

from __future__ import annotations

import json
import os
import re

from playwright.sync_api import Page, Response, expect

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, running, spec, until, waits
from tests.notebooks.cells import run_cells
from tests.ui.conftest import Lab, turn_dark
from tests.ui.shots import shoot


def press_run(page: Page, count: int) -> None:
    """Run the next cells of the notebook, one after another."""
    for _ in range(count):
        page.keyboard.press("Shift+Enter")


def test_the_demo_notebook_runs_beside_the_panel(lab: Lab, page: Page) -> None:
    assert "This engine now has simulated devices: 2xA100-80GB" in lab.said
    panel = page.get_by_role("region", name="GPU", exact=True)
    expect(panel.get_by_role("heading", name="GPU (simulated)")).to_be_visible()
    expect(panel.get_by_role("status").first).to_have_text("live")
    expect(panel.get_by_text("Nothing submitted yet")).to_be_visible()
    expect(page.get_by_role("button", name="GPU 0 / 2 (simulated)")).to_be_visible()
    shoot(page, "empty")

    # Cells that are run before their kernel is there are not run at all.
    expect(page.get_by_role("button", name="Python 3 (ipykernel) | Idle")).to_be_visible()
    page.locator(".jp-Notebook .jp-Cell").first.click()
    press_run(page, 6)
    both = re.compile("Device 0, A100 80GB: 1 of 1 used, search 0.5, digits 0.5, utilization .* simulated")
    only = re.compile("Device 0, A100 80GB: 0.5 of 1 used, search 0.5, utilization .* simulated")
    expect(panel.get_by_role("img", name=only)).to_be_visible()
    expect(page.locator(".jp-Notebook")).to_contain_text("search · running · 0.5 of simulated A100 80GB #0")

    press_run(page, 2)
    expect(panel.get_by_role("img", name=both)).to_be_visible()
    expect(panel.get_by_role("img", name=re.compile("Device 1, A100 80GB: 0 of 1 used, .*simulated"))).to_be_visible()
    shoot(page, "running")
    expect(page.locator(".jp-Notebook")).to_contain_text("digits · completed in")
    expect(page.locator(".jp-Notebook")).to_contain_text("model ← SVC")
    expect(panel.get_by_role("img", name=only)).to_be_visible()

    panel.get_by_role("button", name="search", exact=True).click()
    log = page.get_by_role("log", name="Log of search")
    expect(log).to_contain_text("trial 0:")
    shoot(page, "log")

    panel.get_by_role("button", name="Stop search").click()
    expect(panel.locator('.jp-Runai-workload[data-state="stopped"]')).to_contain_text("search")
    expect(panel.get_by_role("img", name=re.compile("Device 0, A100 80GB: 0 of 1 used, .*simulated"))).to_be_visible()
    expect(page.get_by_role("button", name="GPU 0 / 2 (simulated)")).to_be_visible()
    expect(page.locator(".jp-Runai-announcer")).to_contain_text("search: stopped")


def test_what_waits_says_why_and_both_themes_show_it(lab: Lab, page: Page) -> None:
    client = Client()
    holder = client.submit(spec(UNTIL_STOPPED, gpu=2, name="holder", grace_s=0))
    waiting = client.submit(spec(gpu="0.5", name="waiting"))
    verdict = until(client, waiting.id, waits).verdict
    assert verdict is not None
    panel = page.get_by_role("region", name="GPU", exact=True)
    why = panel.get_by_role("button", name="Why waiting waits")
    why.focus()
    page.keyboard.press("Enter")
    expect(panel.get_by_text(verdict.message)).to_be_visible()
    shoot(page, "waiting")
    turn_dark(page)
    expect(panel.get_by_text(verdict.message)).to_be_visible()
    shoot(page, "dark")
    client.stop(holder.id)
    expect(panel.locator('.jp-Runai-workload[data-state="completed"]')).to_contain_text("waiting")


def test_the_first_steps_run_as_they_stand(lab: Lab, page: Page) -> None:
    panel = page.get_by_role("region", name="GPU", exact=True)
    snippets = panel.locator(".jp-Runai-snippet pre")
    expect(snippets).to_have_count(2)
    cells = snippets.all_text_contents()
    ran = run_cells(lab.folder, *cells)
    assert [cell.error for cell in ran] == ["", ""]
    assert ran[1].text == "hello from half a GPU\n"
    expect(panel.locator('.jp-Runai-workload[data-state="completed"]')).to_be_visible()


def test_a_killed_daemon_is_only_a_moment(lab: Lab, page: Page) -> None:
    panel = page.get_by_role("region", name="GPU", exact=True)
    expect(panel.get_by_role("status").first).to_have_text("live")
    client = Client()
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="steady", grace_s=0))
    expect(panel.locator('.jp-Runai-workload[data-state="running"]')).to_contain_text("steady")
    os.kill(client.info().pid, 9)
    expect(panel.get_by_role("status").first).to_contain_text("reconnecting")
    expect(panel.get_by_role("status").first).to_have_text("live")
    expect(panel.locator('.jp-Runai-workload[data-state="running"]')).to_contain_text("steady")
    client.stop(workload.id)
    expect(panel.locator('.jp-Runai-workload[data-state="stopped"]')).to_contain_text("steady")


def test_what_is_suspended_or_was_evicted_is_told_apart(lab: Lab, page: Page) -> None:
    client = Client()
    evicted = client.submit(spec(UNTIL_STOPPED, gpu=2, name="training", grace_s=0))
    until(client, evicted.id, running)
    paused = client.submit(spec(UNTIL_STOPPED, name="paused", grace_s=0))
    until(client, paused.id, running)
    urgent = client.submit(spec(UNTIL_STOPPED, gpu=1, name="urgent", kind="interactive", grace_s=0))
    client.suspend(paused.id)
    until(client, urgent.id, running)
    until(client, evicted.id, waits)
    panel = page.get_by_role("region", name="GPU", exact=True)
    expect(panel.locator('.jp-Runai-workload[data-state="suspended"]')).to_contain_text("paused")
    expect(panel.locator('.jp-Runai-workload[data-state="pending"]')).to_contain_text("training")
    expect(
        panel.get_by_role("img", name=re.compile("Device 0, A100 80GB: 1 of 1 used, urgent 1, .*simulated"))
    ).to_be_visible()
    shoot(page, "suspended")


def test_the_sections_stay_as_they_were_arranged(lab: Lab, page: Page) -> None:
    panel = page.get_by_role("region", name="GPU", exact=True)
    titles = panel.get_by_role("heading", level=3)
    expect(titles.first).to_have_text("Devices")
    panel.get_by_role("button", name="Workspaces", exact=True).click()
    expect(panel.get_by_role("button", name="New workspace")).to_be_hidden()
    second = titles.nth(1).inner_text()
    # The application saves its state a moment after the last change, and for other reasons before.
    with page.expect_response(saves_devices_moved):
        panel.get_by_role("button", name="Move Devices down").click()
    page.reload()
    expect(titles.first).to_have_text(second, ignore_case=True)
    toggle = panel.get_by_role("button", name="Workspaces", exact=True)
    expect(toggle).to_have_attribute("aria-expanded", "false")
    expect(panel.get_by_role("button", name="New workspace")).to_be_hidden()


def saves_devices_moved(answer: Response) -> bool:
    if "/lab/api/workspaces" not in answer.url or answer.request.method != "PUT":
        return False
    state = json.loads(answer.request.post_data or "{}")["data"]
    return bool(state.get("jupyter-runai:panel", {}).get("order", ["devices"])[0] != "devices")
