"""The widgets in JupyterLab: they show what the panel shows, live, and are worked by keyboard."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import stamina
from playwright.sync_api import Locator, Page, expect

from jupyter_runai.client import Client
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until, until_said, waits
from tests.ui.conftest import Lab, until_projects

SHOTS = os.environ.get("RUNAI_SCREENSHOTS")
"""Where to leave pictures of each view, for the documentation."""

OpenNotebook = Callable[..., Locator]
IMPORT = "from jupyter_runai.widgets import *\nfrom tests.helpers import spec, UNTIL_STOPPED"
EPOCHS = f"print('epoch 1 loss 0.52'); print('epoch 2 loss 0.31'); print(' 62%|######    |'); {UNTIL_STOPPED}"
PROJECTS = """
[projects.vision]
quota = 1
limit = 2
[projects.speech]
quota = 1
"""


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


# The load changes each second, and the two are not drawn at the same moment.
@stamina.retry(on=AssertionError, attempts=100, timeout=30)
def until_same_label(one: Locator, other: Locator) -> None:
    assert one.get_attribute("aria-label") == other.get_attribute("aria-label")


@pytest.fixture
def notebook(lab: Lab, page: Page) -> OpenNotebook:
    """Open a notebook of these cells, and an empty one, and run them all; what it shows."""

    def show(*sources: str) -> Locator:
        cells = [nbformat.v4.new_code_cell(source) for source in (IMPORT, *sources, "")]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
        nbformat.write(
            nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab.folder / "notebooks" / "widgets.ipynb"
        )
        page.set_viewport_size({"width": 1500, "height": 1700})
        page.goto(f"{lab.url}/lab/tree/widgets.ipynb?token=test")
        shown = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")
        expect(page.get_by_role("button", name="Python 3 (ipykernel) | Idle")).to_be_visible()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        return shown

    return show


def test_they_show_what_the_panel_shows_and_follow_it(page: Page, notebook: OpenNotebook) -> None:
    client = Client()
    work = client.submit(spec(EPOCHS, gpu="0.5", name="digits", grace_s=0))
    until_said(client, work.id, "62%")
    shown = notebook("Workload('digits')", "Devices()", "Queues()")
    panel = page.get_by_role("region", name="GPU", exact=True)
    name = "Device 0, A100 80GB: 0.5 of 1 used, digits 0.5"
    digits = shown.get_by_role("region", name="digits")
    expect(digits.get_by_role("log", name="Log of digits")).to_contain_text("epoch 2 loss 0.31")
    expect(digits.get_by_role("progressbar", name="62 %, by its own output")).to_be_visible()
    expect(digits.get_by_role("img", name="GPU 0.")).to_be_visible()
    until_same_label(shown.get_by_role("img", name=name), panel.get_by_role("img", name=name))
    detail = digits.locator(".runai-detail").text_content() or ""
    expect(panel.locator(".jp-Runai-detailLine").first).to_have_text(f"running · {detail}")
    expect(
        shown.get_by_role("img", name="Queue default: 0.5 used, no quota · fair share 0.5 · no limit")
    ).to_be_visible()
    shoot(page, "widgets")
    client.stop(work.id)
    expect(digits).to_have_attribute("data-state", "stopped")
    expect(digits.get_by_role("button")).to_have_count(0)
    expect(shown.get_by_role("img", name=re.compile("Device 0, A100 80GB: 0 of 1 used, .*simulated"))).to_be_visible()


def test_a_workload_is_driven_by_keyboard(page: Page, notebook: OpenNotebook) -> None:
    client = Client()
    work = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="digits", grace_s=0))
    until(client, work.id, running)
    digits = notebook("Workload('digits')").get_by_role("region", name="digits")
    digits.get_by_role("button", name="Stop digits").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(digits).to_have_attribute("data-state", "suspended")
    expect(digits.get_by_role("button", name="Resume digits")).to_be_focused()
    page.keyboard.press("Space")
    expect(digits).to_have_attribute("data-state", "running")
    page.keyboard.press("Tab")
    expect(digits.get_by_role("textbox", name="Share digits")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("0.25")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(digits.get_by_role("status").last).to_contain_text("0.25")
    digits.get_by_role("button", name="Stop digits").focus()
    page.keyboard.press("Enter")
    expect(digits).to_have_attribute("data-state", "stopped")
    assert client.find("digits").state == "stopped"


def test_scaling_out_by_keyboard_shows_and_submits(page: Page, notebook: OpenNotebook) -> None:
    client = Client()
    shown = notebook("ScaleOut('%%runai train --name cell\\nprint(40 + 2)')")
    form = shown.get_by_role("region", name="Scale out")
    expect(form).to_contain_text("%%runai train --gpu 1 --name cell")
    fraction = form.get_by_role("slider", name="fraction")
    fraction.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    expect(form).to_contain_text("%%runai train --gpu 0.5 --name cell")
    expect(fraction).to_have_value("0.5")
    page.keyboard.press("Tab")
    expect(form.get_by_role("slider", name="devices")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(form).to_contain_text("%%runai train --gpu 2 --name cell")
    expect(fraction).to_have_value("1")
    expect(form).to_contain_text("2 GPU")
    form.get_by_role("slider", name="workers").focus()
    page.keyboard.press("ArrowRight")
    expect(form).to_contain_text("never: ")
    shoot(page, "scale-out-never")
    page.keyboard.press("ArrowLeft")
    expect(form).to_contain_text("startsnow")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(form.get_by_role("status")).to_contain_text("cell was submitted")
    expect(form).to_contain_text("cellcompleted")
    assert outcome(client, client.find("cell").id)[1] == "42\n"


def test_the_form_is_filled_in_by_keyboard(page: Page, notebook: OpenNotebook) -> None:
    client = Client()
    form = notebook("Submit()").get_by_role("region", name="New workload")
    form.get_by_role("textbox", name="name", exact=True).focus()
    page.keyboard.type("typed")
    page.keyboard.press("Tab")
    page.keyboard.type("echo hello")
    form.get_by_role("textbox", name="gpu", exact=True).focus()
    page.keyboard.type("0.75")
    page.keyboard.press("Tab")
    expect(form).to_contain_text("0.75 GPU")
    form.get_by_text("More").focus()
    page.keyboard.press("Enter")
    expect(form.get_by_role("spinbutton", name="retries")).to_be_visible()
    expect(form.get_by_role("combobox", name="preemptible")).to_be_visible()
    shoot(page, "submit")
    form.get_by_role("button", name="Submit").focus()
    page.keyboard.press("Enter")
    expect(form.get_by_role("status")).to_contain_text("typed was submitted")
    assert outcome(client, client.find("typed").id)[1] == "hello\n"


def test_both_themes_show_all_of_them(lab: Lab, page: Page, notebook: OpenNotebook) -> None:
    client = Client()
    (lab.folder / "engine" / "projects.toml").write_text(PROJECTS)
    until_projects(client, "vision", "speech")
    work = client.submit(spec(EPOCHS, gpu="0.5", name="digits", grace_s=0, queue="vision"))
    until_said(client, work.id, "62%")
    until(client, client.submit(spec(UNTIL_STOPPED, gpu=1, name="whole", grace_s=0, queue="speech")).id, running)
    until(client, client.submit(spec(UNTIL_STOPPED, gpu=1, name="waiting", grace_s=0, queue="speech")).id, waits)
    shown = notebook(
        "Workload('digits')",
        "Workload('waiting')",
        "Devices()",
        "Queues()",
        "ScaleOut(spec(UNTIL_STOPPED, gpu=1, kind='interactive', queue='vision'))",
        "Submit()",
    )
    form = shown.get_by_role("region", name="Scale out")
    expect(form).to_contain_text("takes from")
    expect(shown.get_by_role("region", name="digits").get_by_role("img", name="GPU 0.")).to_be_visible()
    shoot(page, "all-light")
    page.get_by_text("Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).click()
    page.get_by_text("JupyterLab Dark", exact=True).click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    expect(page.locator("#jupyterlab-splash")).to_be_hidden()
    shoot(page, "all-dark")
    expect(form.get_by_role("heading")).to_be_visible()


def test_a_cleared_output_lets_the_engine_be(page: Page, notebook: OpenNotebook) -> None:
    shown = notebook("devices = Devices()\ndevices", "from tests.widgets.in_kernel import *")
    expect(shown.get_by_role("region", name="Devices")).to_be_visible()
    page.get_by_text("Edit", exact=True).click()
    page.get_by_text("Clear Outputs of All Cells", exact=True).click()
    expect(shown.get_by_role("region", name="Devices")).to_have_count(0)
    last = shown.locator(".jp-Cell").last
    last.locator(".cm-content").click()
    page.keyboard.type("until_resting()\ndevices")
    page.keyboard.press("Shift+Enter")
    expect(shown.get_by_role("region", name="Devices")).to_be_visible()
