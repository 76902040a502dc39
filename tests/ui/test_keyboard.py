"""The panel, the details and the dialog by keyboard alone."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, running, spec, until, waits
from tests.ui.conftest import Lab

MOST_STOPS = 60


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press a key until the focus has come to what is wanted."""
    for _ in range(MOST_STOPS):
        page.keyboard.press(key)
        if wanted.evaluate("element => element === document.activeElement"):
            return
    expect(wanted).to_be_focused()


def test_from_the_panel_to_a_submission_without_a_mouse(lab: Lab, page: Page) -> None:
    client = Client()
    until(client, client.submit(spec(UNTIL_STOPPED, gpu=1, name="whole", grace_s=0)).id, running)
    until(client, client.submit(spec(UNTIL_STOPPED, gpu="0.6", name="part", grace_s=0)).id, running)
    until(client, client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="held", grace_s=0)).id, waits)
    panel = page.get_by_role("region", name="GPU", exact=True)
    expect(panel.get_by_role("button", name="held", exact=True)).to_be_visible()
    panel.get_by_role("button", name="Use real devices").focus()
    tab_to(page, panel.get_by_role("button", name="Why held waits"))
    page.keyboard.press("Enter")
    expect(panel.locator(".jp-Runai-story:visible")).to_have_count(1)
    tab_to(page, panel.get_by_role("button", name="Suspend whole"))
    page.keyboard.press("Enter")
    expect(panel.locator('.jp-Runai-workload[data-state="suspended"]')).to_contain_text("whole")
    expect(panel.locator('.jp-Runai-workload[data-state="running"]')).to_have_count(2)
    tab_to(page, panel.get_by_role("button", name="part", exact=True), "Shift+Tab")
    page.keyboard.press("Enter")

    details = page.locator(".jp-Runai-details:visible")
    tab = details.get_by_role("tab", name="Log", exact=True)
    expect(tab).to_have_attribute("aria-selected", "true")
    tab_to(page, tab)
    tab_to(page, details.get_by_role("searchbox", name="Search the log"))
    page.keyboard.type("up")
    expect(details.get_by_text("1 of 1")).to_be_visible()
    tab_to(page, tab, "Shift+Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(details.get_by_role("tabpanel", name="Specification", exact=True)).to_contain_text("part")
    tab_to(page, details.get_by_role("button", name="Make a copy"), "Shift+Tab")
    page.keyboard.press("Enter")

    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Command")).to_be_focused()
    tab_to(page, dialog.get_by_label("GPU", exact=True))
    page.keyboard.press("Control+A")
    page.keyboard.type("0.1")
    tab_to(page, dialog.get_by_role("button", name="Submit", exact=True))
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(panel.locator('.jp-Runai-workload[data-state="running"]')).to_have_count(3)


def test_a_remedy_and_a_dialog_that_is_left_again_without_a_mouse(lab: Lab, page: Page) -> None:
    client = Client()
    until(client, client.submit(spec(UNTIL_STOPPED, gpu=1, name="whole", grace_s=0)).id, running)
    until(client, client.submit(spec(UNTIL_STOPPED, gpu="0.6", name="part", grace_s=0)).id, running)
    until(client, client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="held", grace_s=0)).id, waits)
    panel = page.get_by_role("region", name="GPU", exact=True)
    panel.get_by_role("button", name="held", exact=True).focus()
    page.keyboard.press("Enter")
    details = page.locator(".jp-Runai-details:visible")
    remedy = details.get_by_role("button", name="Submit with").first
    expect(remedy).to_be_visible()
    tab_to(page, details.get_by_role("tab", name="Overview", exact=True))
    tab_to(page, remedy)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Starts now")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert len(client.list()) == 3
