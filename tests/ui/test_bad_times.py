"""What changes between a look and a click, another tab, an engine that is away, and a log of gigabytes."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, WebSocket, expect

from jupyter_runai.client import Client
from scheduler_core.errors import NotFound
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until, until_said
from tests.ui.conftest import LONGEST_WAIT_MS, Lab
from tests.ui.shots import shoot

GIB, MIB = 1024**3, 1024**2
WRITES_MUCH = f"""
import os, signal
os.ftruncate(1, {2 * GIB})
os.lseek(1, 0, os.SEEK_END)
line = 'a line of a long log, number {{}}, and what it says goes on for as long as lines do\\n'
for step in range(100):
    os.write(1, ''.join(line.format(10000 * step + number) for number in range(10000)).encode())
print('all is written', flush=True)
signal.pause()
"""


def test_a_workload_that_goes_between_click_and_request_is_told_of(lab: Lab, page: Page) -> None:
    client = Client()
    workload = client.submit(spec(UNTIL_STOPPED, name="short", grace_s=0))
    until(client, workload.id, running)
    panel = page.get_by_role("region", name="GPU", exact=True)

    def too_late(route: Route) -> None:
        client.stop(workload.id)
        outcome(client, workload.id)
        client.delete(workload.id, purge=True)
        route.continue_()

    page.route(re.compile(f"/workloads/{workload.id}/stop"), too_late)
    panel.get_by_role("button", name="Stop short").click()
    expect(panel.get_by_text("Nothing submitted yet")).to_be_visible()
    with pytest.raises(NotFound) as refused:
        client.stop(workload.id)
    expect(page.get_by_text(refused.value.message).first).to_be_visible()
    expect(panel.get_by_role("status").first).to_have_text("live")


def test_two_tabs_act_on_one_workload_and_both_see_it(lab: Lab, page: Page) -> None:
    client = Client()
    until(client, client.submit(spec(UNTIL_STOPPED, gpu=1, name="shared", grace_s=0)).id, running)
    browser = page.context.browser
    assert browser is not None
    other = browser.new_page()
    other.set_default_timeout(LONGEST_WAIT_MS)
    other.goto(f"{lab.url}/lab?token=test")
    other.get_by_role("button", name="GPU 1 / 2 (simulated)").click()
    one, two = (each.get_by_role("region", name="GPU", exact=True) for each in (page, other))
    expect(two.get_by_role("button", name="Suspend shared")).to_be_visible()
    one.get_by_role("button", name="Suspend shared").click()
    two.get_by_role("button", name="Resume shared").click()
    expect(one.get_by_role("button", name="Suspend shared")).to_be_visible()
    two.get_by_role("button", name="Stop shared").click()
    for panel in (one, two):
        expect(panel.locator('.jp-Runai-workload[data-state="stopped"]')).to_contain_text("shared")


def test_the_table_and_the_details_outlast_the_engine(lab: Lab, page: Page) -> None:
    client = Client()
    until(client, client.submit(spec(UNTIL_STOPPED, gpu=1, name="steady", grace_s=0)).id, running)
    panel = page.get_by_role("region", name="GPU", exact=True)
    panel.get_by_role("button", name="steady", exact=True).click()
    details = page.locator(".jp-Runai-details")
    expect(details.get_by_role("log")).to_contain_text("up")
    panel.get_by_role("button", name="All workloads").click()
    table = page.locator(".jp-Runai-table")
    expect(table.get_by_role("row", name=re.compile("steady"))).to_be_visible()
    os.kill(client.info().pid, signal.SIGKILL)
    expect(table.get_by_role("status").first).to_contain_text("reconnecting")
    expect(table.get_by_role("row", name=re.compile("steady"))).to_have_attribute("data-state", "running")
    expect(table.get_by_role("status").first).to_have_text("live")
    panel.get_by_role("button", name="Stop steady").click()
    expect(table.locator('[data-state="stopped"]')).to_have_count(1)
    panel.get_by_role("button", name="steady", exact=True).click()
    expect(details.get_by_role("status").first).to_have_text("stopped")
    expect(details.get_by_role("log")).to_contain_text("up")


def test_an_engine_that_does_not_start_is_explained_and_found_again(lab: Lab, page: Page) -> None:
    client = Client()
    workload = client.submit(spec(UNTIL_STOPPED, gpu=1, name="steady", grace_s=0))
    until(client, workload.id, running)
    panel = page.get_by_role("region", name="GPU", exact=True)
    row = panel.locator('.jp-Runai-workload[data-state="running"]')
    expect(row).to_contain_text("steady")
    settings = lab.folder / "engine" / "settings.json"
    usual = settings.read_text()
    settings.write_text("{broken")
    try:
        os.kill(client.info().pid, signal.SIGKILL)
        expect(panel.get_by_role("alert")).to_contain_text("settings.json")
        expect(panel.get_by_role("status").first).to_contain_text("as of")
        expect(panel.locator(".jp-mod-stale").locator(".jp-Runai-workload")).to_have_attribute("data-state", "running")
        shoot(page, "engine-away")
    finally:
        settings.write_text(usual)
    expect(panel.get_by_role("status").first).to_have_text("live")
    expect(panel.get_by_role("alert")).to_have_count(0)
    panel.get_by_role("button", name="Stop steady").click()
    expect(panel.locator('.jp-Runai-workload[data-state="stopped"]')).to_contain_text("steady")


def test_of_a_log_of_gigabytes_the_end_is_shown_and_all_that_is_kept_saved(lab: Lab, page: Page) -> None:
    client = Client()
    workload = client.submit(spec(WRITES_MUCH, name="talks", grace_s=0))
    until_said(client, workload.id, "all is written")
    sizes: list[int] = []

    def note(socket: WebSocket) -> None:
        if "/jupyter-runai/stream" in socket.url:
            socket.on("framereceived", lambda text: sizes.append(len(text)))

    page.on("websocket", note)
    page.reload()
    panel = page.get_by_role("region", name="GPU", exact=True)
    panel.get_by_role("button", name="talks", exact=True).click()
    details = page.locator(".jp-Runai-details:visible")
    expect(details.get_by_role("log")).to_contain_text("number 999999,")
    expect(details.get_by_role("log")).to_contain_text("all is written")
    expect(details.get_by_text(re.compile("first .* of this log are left out"))).to_be_attached()
    assert sum(sizes) < 4 * MIB
    details.get_by_role("searchbox", name="Search the log").fill("number 999998,")
    expect(details.get_by_text("1 of 1")).to_be_visible()
    shoot(page, "log-long")
    with page.expect_download() as saved:
        details.get_by_role("link", name="Download").click()
    path = Path(saved.value.path())
    assert 64 * MIB < path.stat().st_size < GIB
    with path.open("rb") as log:
        assert re.fullmatch(rb"runai: 2,147,483,\d{3} bytes of output are not kept any more.\n", log.readline())
        assert re.match(rb"a line of a long log, number \d,", log.readline())
        log.seek(-15, os.SEEK_END)
        assert log.read() == b"all is written\n"
