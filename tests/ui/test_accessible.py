"""What axe-core finds in each view, in the light theme and in the dark one: nothing serious."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until, waits
from tests.ui.conftest import ROOT, Lab, turn_dark, until_projects
from tests.ui.shots import shoot

AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
PROJECTS = "[projects.vision]\nquota = 1\nlimit = 4\n[projects.speech]\nquota = 1\n"
FIND = """async selector => {
  const { violations } = await axe.run(selector, { resultTypes: ['violations'] });
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, any }) => `${id}: ${html} ${any.map(each => each.message)}`));
}"""


def serious(page: Page, selector: str) -> list[str]:
    """What is found in there, a sentence each."""
    found: list[str] = page.evaluate(FIND, selector)
    return found


def check_views(page: Page, theme: str) -> list[str]:
    """Open each view and look at it; what was found."""
    panel = page.get_by_role("region", name="GPU", exact=True)
    expect(panel.get_by_role("button", name="waiting", exact=True)).to_be_visible()
    shoot(page, f"panel-{theme}")
    found = serious(page, "#jp-runai-panel")
    panel.get_by_role("button", name="All workloads").click()
    grid = page.get_by_role("grid", name="Workloads")
    grid.get_by_role("checkbox", name="Select whole").check()
    shoot(page, f"table-{theme}")
    found += serious(page, ".jp-Runai-table")
    grid.get_by_role("checkbox", name="Select whole").uncheck()
    page.get_by_role("button", name="Columns").click()
    found += serious(page, ".jp-Runai-table")
    page.keyboard.press("Escape")

    panel.get_by_role("button", name="waiting", exact=True).click()
    details = page.locator(".jp-Runai-details:visible")
    details.get_by_role("tab", name="Overview", exact=True).click()
    expect(details.get_by_role("button", name="Submit with").first).to_be_visible()
    for tab in ("Overview", "Log", "Use", "Specification"):
        details.get_by_role("tab", name=tab, exact=True).click()
        expect(details.get_by_role("tabpanel", name=tab, exact=True)).to_be_visible()
        shoot(page, f"details-{tab.lower()}-{theme}")
        found += serious(page, ".jp-Runai-details")

    panel.get_by_role("button", name="New workload").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Command").fill("python train.py")
    dialog.get_by_label("GPU", exact=True).fill("0.5")
    dialog.get_by_text("More", exact=True).click()
    dialog.get_by_label("Project", exact=True).fill("vision")
    expect(dialog.get_by_role("status")).to_contain_text("position")
    shoot(page, f"submit-{theme}")
    found += serious(page, ".jp-Runai-submit")
    dialog.get_by_label("Workers", exact=True).fill("none")
    expect(dialog.get_by_role("alert")).to_contain_text("tasks")
    found += serious(page, ".jp-Runai-submit")
    dialog.get_by_role("button", name="Cancel").click()
    return found


def test_nothing_serious_is_found(lab: Lab, page: Page) -> None:
    client = Client()
    (lab.folder / "engine" / "projects.toml").write_text(PROJECTS)
    until_projects(client, "vision", "speech")
    outcome(client, client.submit(spec("raise SystemExit(3)", name="failed", queue="vision")).id)
    until(client, client.submit(spec(UNTIL_STOPPED, gpu=1, name="whole", grace_s=0, queue="vision")).id, running)
    until(client, client.submit(spec(UNTIL_STOPPED, gpu="0.6", name="part", grace_s=0, queue="vision")).id, running)
    until(client, client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="waiting", grace_s=0, queue="vision")).id, waits)
    page.evaluate(AXE.read_text())
    assert check_views(page, "light") == []
    turn_dark(page)
    assert check_views(page, "dark") == []
