"""What changes between a look and a click, another tab, and an engine that is away."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.sync_api import Page, Route, expect

from jupyter_runai.client import Client
from scheduler_core.errors import NotFound
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until
from tests.ui.conftest import LONGEST_WAIT_MS, Lab


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
