"""The page that says who used what: what is counted, chosen, taken along, restored, and seen by everybody."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Download, Locator, Page, Response, expect

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, running, spec, until, waits
from tests.ui.conftest import Lab, short_folder, started
from tests.ui.shots import shoot
from tests.ui.test_accessible import AXE, serious
from tests.ui.week import write_week

NARROW, WIDE = {"width": 700, "height": 900}, {"width": 1400, "height": 900}


@pytest.fixture
def lab_folder() -> Iterator[Path]:
    """Where the lab lives; a test may put something there before it starts."""
    with short_folder() as folder:
        yield folder


@pytest.fixture
def lab(lab_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab of its own: what was counted is never forgotten."""
    monkeypatch.setenv("RUNAI_ENGINE_DIR", str(lab_folder / "engine"))
    with started(lab_folder) as lab:
        yield lab


@pytest.fixture
def week(lab_folder: Path) -> None:
    """A week of work, which the lab finds when it starts."""
    write_week(lab_folder / "engine")


def open_analytics(page: Page) -> Locator:
    panel = page.get_by_role("region", name="GPU", exact=True)
    panel.get_by_role("button", name="GPU analytics").click()
    shown = page.locator(".jp-Runai-analytics")
    expect(shown.get_by_role("heading", name="GPU Analytics")).to_be_visible()
    return shown


def row_of(table: Locator, name: str) -> list[str]:
    """The cells of the row of this name, without its picture."""
    row = table.get_by_role("row").filter(has=table.page.get_by_role("rowheader", name=name, exact=True))
    expect(row).to_be_visible()
    return row.get_by_role("cell").all_inner_texts()


def test_nothing_yet_says_what_will_be_counted_and_then_it_is(lab: Lab, page: Page) -> None:
    shown = open_analytics(page)
    expect(shown.get_by_role("status")).to_have_text("Nothing has been counted yet.")
    expect(shown).to_contain_text("appear here within a minute")
    shoot(page, "analytics-empty")
    client = Client()
    until(client, client.submit(spec(UNTIL_STOPPED, gpu=2, name="holder", grace_s=0)).id, running)
    until(client, client.submit(spec(gpu="0.5", name="waiting")).id, waits)
    while not any(row.waits for row in client.queue_history().rows):
        pass
    shown.get_by_role("button", name="Refresh").click()
    expect(shown.get_by_role("table", name="By project").get_by_role("rowheader", name="default")).to_be_visible()
    expect(shown).to_contain_text("The devices are simulated: no real one was held")
    expect(shown).to_contain_text("No device has a price, so no cost is shown.")
    assert row_of(shown.get_by_role("table", name="Why work waits now"), "not enough free")[0] == "1"
    assert row_of(shown.get_by_role("table", name="Why work waited"), "default")[0] == "not enough free"
    chart = shown.get_by_role("figure", name="default: held against quota and fair share")
    expect(chart.locator("canvas")).to_be_visible()
    shoot(page, "analytics-first")


def test_a_week_is_shown_by_what_is_chosen_and_taken_along(week: None, lab: Lab, page: Page, tmp_path: Path) -> None:
    client = Client()
    begin = datetime.combine(datetime.now() - timedelta(days=6), time()).timestamp()
    counted = {row.name: row for row in client.usage("project", begin).rows}
    assert counted.keys() == {"vision", "nlp", "audio"}
    shown = open_analytics(page)
    table = shown.get_by_role("table", name="By project")
    for name, row in counted.items():
        figures = row_of(table, name)
        assert float(figures[0]) == pytest.approx(row.allocated_gpu_hours, rel=0.005)
        assert figures[-1].endswith(" EUR")
        assert float(figures[-1].split()[0].replace(",", "")) == pytest.approx(row.cost, abs=0.01)
        quota = row_of(shown.get_by_role("table", name="Quota, fair share and use"), name)
        assert quota[0] == {"vision": "1", "nlp": "0.5", "audio": "0.25"}[name]
    for project in ("All projects", "Project vision", "Project nlp", "Project audio"):
        chart = shown.get_by_role("figure", name=project)
        expect(chart.locator("canvas")).to_be_visible()
        chart.get_by_text("Figures: ").click()
        expect(chart.get_by_role("row").nth(24)).to_be_visible()
        chart.get_by_text("Figures: ").click()
    idle = shown.get_by_role("table", name="Held most without using it")
    assert idle.get_by_role("row").count() == 11

    shown.get_by_label("Show by").select_option(label="User")
    users = shown.get_by_role("table", name="By user")
    expect(users.get_by_role("rowheader", name="ana")).to_be_visible()
    with page.expect_download() as saved:
        shown.get_by_role("link", name="Download CSV").click()
    rows = list(csv.DictReader(Path(saved.value.path()).read_text().splitlines()))
    assert {row["name"] for row in rows} == {row.name for row in client.usage("user", begin).rows}
    with page.expect_download() as saved:
        shown.get_by_role("link", name="Save HTML report").click()
    read_offline(page, saved.value, tmp_path)

    shown.get_by_label("Period").select_option(label="Custom…")
    long_ago = shown.get_by_label("From")
    long_ago.fill("2001-01-02")
    shown.get_by_label("To", exact=True).fill("2001-01-01")
    expect(shown.get_by_role("alert")).to_contain_text("This is no period.")
    shown.get_by_label("To", exact=True).fill("2001-01-03")
    expect(shown.get_by_role("status")).to_contain_text("in this time")


def read_offline(page: Page, saved: Download, folder: Path) -> None:
    """The report as whoever was mailed it reads it."""
    assert page.context.browser is not None
    file = folder / saved.suggested_filename
    saved.save_as(file)
    assert file.name.startswith("gpu-usage-by-user-") and file.suffix == ".html"
    context = page.context.browser.new_context(offline=True)
    report, asked = context.new_page(), list[str]()
    report.on("request", lambda request: asked.append(request.url))
    report.goto(file.as_uri())
    expect(report.get_by_role("heading", level=1)).to_contain_text("Usage by user")
    expect(report.get_by_role("cell", name="ana")).to_be_visible()
    shoot(report, "analytics-report")
    assert asked == [file.as_uri()]
    context.close()


def test_it_comes_back_as_it_was_left(week: None, lab: Lab, page: Page) -> None:
    shown = open_analytics(page)
    expect(shown.get_by_role("table", name="By project")).to_be_visible()
    # The application saves its state a moment after the last change, and for other reasons before.
    with page.expect_response(saves_by("device")):
        shown.get_by_label("Show by").select_option(label="Device")
    page.reload()
    table = page.get_by_role("table", name="By device")
    expect(table.get_by_role("columnheader", name="Model")).to_be_visible()
    expect(table.get_by_role("rowheader")).to_have_count(10)
    page.get_by_role("button", name="Show all 12").click()
    expect(table.get_by_role("rowheader")).to_have_count(12)


def saves_by(group: str) -> Callable[[Response], bool]:
    def saves(answer: Response) -> bool:
        if "/lab/api/workspaces" not in answer.url or answer.request.method != "PUT":
            return False
        state = json.loads(answer.request.post_data or "{}")["data"]
        saved = state.get("runai-analytics:analytics", {}).get("data") or {}
        return bool(saved.get("by") == group)

    return saves


def test_nothing_serious_is_found_in_both_themes_and_when_narrow(week: None, lab: Lab, page: Page) -> None:
    page.evaluate(AXE.read_text())
    found = []
    shown = open_analytics(page)
    for theme in ("light", "dark"):
        expect(shown.get_by_role("table", name="By project")).to_be_visible()
        expect(shown.locator("canvas").first).to_be_visible()
        shoot_whole(page, theme)
        shown.get_by_text("Figures: ").first.click()
        found += serious(page, ".jp-Runai-analytics")
        shown.get_by_text("Figures: ").first.click()
        if theme == "light":
            page.get_by_text("Settings", exact=True).click()
            page.get_by_text("Theme", exact=True).click()
            page.get_by_text("JupyterLab Dark", exact=True).click()
            expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
            expect(page.locator("#jupyterlab-splash")).to_be_hidden()
    assert found == []
    page.set_viewport_size(NARROW)
    widget = page.locator(".jp-Runai-analyticsWidget")
    expect(shown.get_by_role("table", name="By project")).to_be_visible()
    assert widget.evaluate("node => node.scrollWidth <= node.clientWidth")
    shoot(page, "analytics-narrow")


def shoot_whole(page: Page, theme: str) -> None:
    """The page from its top to its end, in two pictures."""
    page.set_viewport_size({**WIDE, "height": 1100})
    shoot(page, f"analytics-{theme}")
    widget = page.locator(".jp-Runai-analyticsWidget")
    widget.evaluate("node => node.scrollTo(0, node.scrollHeight)")
    shoot(page, f"analytics-{theme}-end")
    widget.evaluate("node => node.scrollTo(0, 0)")
