"""In another language nothing stays English but what the engine says: names, and its own sentences."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from playwright.sync_api import Page, expect

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until, waits
from tests.ui.conftest import Lab, until_projects
from tests.ui.pseudo import speak_pseudo, untranslated

PROJECTS = "[projects.vision]\nquota = 1\nlimit = 4\n[projects.speech]\nquota = 1\n"


def test_no_view_shows_a_text_of_ours_untranslated(lab: Lab, page: Page) -> None:
    client = Client()
    (lab.folder / "engine" / "projects.toml").write_text(PROJECTS)
    until_projects(client, "vision", "speech")
    outcome(client, client.submit(spec("raise SystemExit(3)", name="failed", queue="vision")).id)
    whole = client.submit(spec(UNTIL_STOPPED, gpu=1, name="whole", grace_s=0, queue="vision"))
    part = client.submit(spec(UNTIL_STOPPED, gpu="0.6", name="part", grace_s=0, queue="vision"))
    for each in (whole, part):
        until(client, each.id, running)
    held = until(client, client.submit(spec(gpu="0.5", name="held", grace_s=0, queue="vision")).id, waits)
    speak_pseudo(page)
    known = msgspec.to_builtins(
        [client.info(), client.list(), client.devices(), client.queues(), client.explain(held.id, remedies=True)]
    )
    usual = {"name": "default", "cwd": str(lab.folder / "notebooks")}
    found = {view: untranslated(page, selector, known, usual) for view, selector in opened(page)}
    assert {view: texts for view, texts in found.items() if texts} == {}


def opened(page: Page) -> Iterator[tuple[str, str]]:
    """Each view once it is open, by its name and where it is."""
    panel = page.get_by_role("region", name="⟦GPU⟧", exact=True)
    expect(panel.get_by_role("button", name="held", exact=True)).to_be_visible()
    yield "panel", "#jp-runai-panel"
    yield "status bar", ".jp-Runai-statusItem"
    panel.get_by_role("button", name="⟦All workloads⟧").click()
    page.get_by_role("checkbox", name="⟦Select whole⟧").check()
    page.get_by_role("button", name="⟦Columns⟧").click()
    hidden = page.locator(".jp-Runai-menuEntry input:not(:checked)")
    while hidden.count():
        hidden.first.click()
    yield "table", ".jp-Runai-table"
    page.keyboard.press("Escape")
    page.get_by_role("searchbox", name="⟦Filter⟧").fill("colour:red")
    yield "filter", ".jp-Runai-table"
    for name in ("held", "failed", "part"):
        panel.get_by_role("button", name=name, exact=True).click()
        details = page.locator(".jp-Runai-details:visible")
        for tab in ("Overview", "Log", "Use", "Specification"):
            details.get_by_role("tab", name=f"⟦{tab}⟧", exact=True).click()
            expect(details.get_by_role("tabpanel", name=f"⟦{tab}⟧", exact=True)).not_to_be_empty()
            if name == "held" and tab == "Overview":
                expect(details.get_by_role("button", name="⟦Submit with").first).to_be_visible()
            yield f"{name}, {tab}", ".jp-Runai-details:not(.lm-mod-hidden *)"
    panel.get_by_role("button", name="⟦New workload⟧").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("⟦More⟧", exact=True).click()
    yield "submit", ".jp-Dialog-content"
    dialog.get_by_label("⟦Command⟧").fill("python train.py")
    dialog.get_by_label("⟦GPU⟧", exact=True).fill("0.5")
    dialog.get_by_label("⟦Project⟧", exact=True).fill("vision")
    expect(dialog.get_by_role("status")).to_contain_text("position")
    yield "forecast", ".jp-Dialog-content"
    dialog.get_by_role("button", name="⟦Cancel⟧").click()
    page.keyboard.press("Control+Shift+C")
    expect(page.locator('.lm-CommandPalette-item[data-command^="runai:"]').first).to_be_visible()
    yield "palette", '.lm-CommandPalette-item[data-command^="runai:"]'
