"""The details of a workload, and the dialog that submits one."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, running, spec, until, waits
from tests.ui.conftest import Lab
from tests.ui.shots import shoot


def test_what_waits_is_explained_and_submitted_so_that_it_starts(lab: Lab, page: Page) -> None:
    client = Client()
    holder = client.submit(spec(UNTIL_STOPPED, gpu=1, name="holder", grace_s=0))
    half = client.submit(spec(UNTIL_STOPPED, gpu="0.6", name="half", grace_s=0))
    for each in (holder, half):
        until(client, each.id, running)
    waiting = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="big", grace_s=0))
    until(client, waiting.id, waits)
    panel = page.get_by_role("region", name="GPU", exact=True)
    panel.get_by_role("button", name="big", exact=True).click()
    helps = page.get_by_role("button", name="Submit with")
    expect(helps.first).to_be_visible()
    shoot(page, "details-waiting")
    helps.first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Starts now")).to_be_visible()
    shoot(page, "submit")
    dialog.get_by_label("Workers", exact=True).fill("none")
    expect(dialog.get_by_role("alert")).to_contain_text("tasks")
    shoot(page, "submit-wrong")
    dialog.get_by_role("button", name="Submit", exact=True).click()
    expect(dialog.get_by_label("Workers", exact=True)).to_be_focused()
    expect(dialog.get_by_label("Workers", exact=True)).to_have_value("none")
    expect(dialog.get_by_role("alert")).to_contain_text("tasks")
    dialog.get_by_label("Workers", exact=True).fill("1")
    expect(dialog.get_by_text("Starts now")).to_be_visible()
    dialog.get_by_role("button", name="Submit", exact=True).click()
    expect(panel.locator('.jp-Runai-workload[data-state="running"]')).to_have_count(3)
    details = page.locator(".jp-Runai-details:visible")
    details.get_by_role("tab", name="Log").click()
    expect(details.get_by_role("log")).to_contain_text("up")
    details.get_by_role("searchbox", name="Search the log").fill("up")
    expect(details.get_by_text("1 of 1")).to_be_visible()
    shoot(page, "details-log")
    details.get_by_role("tab", name="Use").click()
    expect(details.locator("canvas").first).to_be_visible()
    shoot(page, "details-use")


def test_charts_grow_with_what_is_measured_and_nothing_is_asked_again(lab: Lab, page: Page) -> None:
    client = Client()
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="steady", grace_s=0))
    until(client, workload.id, running)
    asked: list[str] = []
    panel = page.get_by_role("region", name="GPU", exact=True)
    panel.get_by_role("button", name="steady", exact=True).click()
    details = page.locator(".jp-Runai-details:visible")
    details.get_by_role("tab", name="Use").click()
    rows = details.get_by_role("table", name="CPU (cores)").locator("tbody tr")
    expect(rows.nth(1)).to_be_attached()
    page.on("request", lambda request: asked.append(request.url))
    so_far = rows.count()
    expect(rows.nth(so_far + 2)).to_be_attached()
    assert [url for url in asked if workload.id in url] == []
    client.stop(workload.id)
