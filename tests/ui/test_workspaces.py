"""Workspaces from the panel: make, open, suspend, resume, copy and delete one."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from jupyter_runai.client import Client
from tests.helpers import outcome
from tests.ui.conftest import Lab, until_ready
from tests.ui.shots import shoot
from tests.ui.test_accessible import AXE, serious


def test_a_workspace_is_made_suspended_copied_and_deleted(lab: Lab, page: Page) -> None:
    page.evaluate(AXE.read_text())
    panel = page.get_by_role("region", name="GPU", exact=True)
    section = panel.get_by_role("region", name="Workspaces")
    section.get_by_role("button", name="New workspace").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("digits")
    dialog.get_by_label("GPU", exact=True).fill("0.25")
    expect(dialog.get_by_role("status")).to_contain_text("Starts now")
    shoot(page, "new-workspace")
    assert serious(page, ".jp-Dialog .jp-Runai-submit") == []
    dialog.get_by_role("button", name="Create").click()
    until_ready(page, "Workspace digits (0.25)")
    expect(section.get_by_role("listitem")).to_contain_text("running")
    shoot(page, "workspace")
    assert serious(page, "#jp-runai-panel") == []

    section.get_by_role("button", name="Suspend the workspace digits").click()
    expect(section.get_by_role("listitem")).to_contain_text("suspended")
    # JupyterLab says that the kernel has gone, and comes back by itself.
    dialog.get_by_role("button", name="Ok").click()
    section.get_by_role("button", name="Resume the workspace digits").click()
    expect(section.get_by_role("listitem")).to_contain_text("running")

    section.get_by_role("button", name="Copy the workspace digits").click()
    expect(dialog.get_by_label("Name")).to_have_value("digits-2")
    expect(dialog.get_by_label("GPU", exact=True)).to_have_value("0.25")
    dialog.get_by_role("button", name="Make a copy").click()
    expect(section.get_by_role("listitem")).to_have_count(2)
    until_ready(page, "Workspace digits-2 (0.25)")

    section.get_by_role("button", name="Delete the workspace digits-2").click()
    expect(dialog).to_contain_text("what is in its memory is lost")
    shoot(page, "delete-workspace")
    assert serious(page, ".jp-Dialog-content") == []
    dialog.get_by_role("button", name="Delete").click()
    expect(section.get_by_role("listitem")).to_have_count(1)
    client = Client()
    named = {each.name: each for each in client.list()}
    outcome(client, named["digits-2"].id)
    assert not named["digits"].has_ended


def test_a_workspace_is_opened_by_keyboard_from_the_palette(lab: Lab, page: Page) -> None:
    panel = page.get_by_role("region", name="GPU", exact=True)
    section = panel.get_by_role("region", name="Workspaces")
    section.get_by_role("button", name="New workspace").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_be_focused()
    page.keyboard.type("keys")
    page.keyboard.press("Enter")
    until_ready(page, "Workspace keys (0.5)")
    tabs = page.get_by_role("main").get_by_role("tab", name=re.compile("Untitled"))
    expect(tabs).to_have_count(1)
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type("Open a GPU Workspace")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("Open which workspace?")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(tabs).to_have_count(1)
