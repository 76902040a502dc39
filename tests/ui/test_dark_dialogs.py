"""What axe-core finds in each dialog in the dark theme: nothing serious."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.ui.conftest import Lab, turn_dark, until_ready
from tests.ui.shots import shoot
from tests.ui.test_accessible import AXE, serious
from tests.ui.test_notebook import choose


def check(page: Page, dialog: Locator, name: str) -> None:
    """Look at a dialog that says what would become of it, and leave it again."""
    expect(dialog.get_by_role("status")).to_contain_text("Starts now")
    shoot(page, f"{name}-dark")
    assert serious(page, ".jp-Dialog-content") == []
    # JupyterLab gives it to the dialog once its body has been drawn, which may be after the forecast.
    expect(dialog.locator(":focus")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_nothing_serious_is_found_in_dark_dialogs(lab: Lab, page: Page) -> None:
    until_ready(page)
    turn_dark(page)
    page.evaluate(AXE.read_text())
    dialog = page.get_by_role("dialog")
    choose(page, "Start Kernel with GPU…")
    check(page, dialog, "start-kernel")

    cell = page.locator(".jp-Notebook .jp-CodeCell").first.locator(".cm-content")
    cell.click()
    page.keyboard.type("1 + 1")
    cell.click(button="right")
    page.get_by_role("menuitem", name="Run Cell on GPU…").click()
    check(page, dialog, "run-cell")

    panel = page.get_by_role("region", name="GPU", exact=True)
    section = panel.get_by_role("region", name="Workspaces")
    section.get_by_role("button", name="New workspace").click()
    check(page, dialog, "new-workspace")
    section.get_by_role("button", name="New workspace").click()
    dialog.get_by_label("Name").fill("dark")
    dialog.get_by_role("button", name="Create").click()
    until_ready(page, "Workspace dark (0.5)")
    section.get_by_role("button", name="Copy the workspace dark").click()
    check(page, dialog, "copy-workspace")
    section.get_by_role("button", name="Delete the workspace dark").click()
    expect(dialog).to_contain_text("what is in its memory is lost")
    assert serious(page, ".jp-Dialog-content") == []
    dialog.get_by_role("button", name="Cancel").click()
