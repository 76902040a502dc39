"""Templates, environments and policies in the dialogs: what they fill in, and what they forbid."""

from __future__ import annotations

import re
import sys

import pytest
import stamina
from playwright.sync_api import Locator, Page, expect

from jupyter_runai.client import Client
from scheduler_core.workload import PRIORITIES
from tests.helpers import running, until
from tests.ui.conftest import Lab, turn_dark, until_projects, until_ready
from tests.ui.shots import shoot
from tests.ui.test_accessible import AXE, serious
from tests.ui.test_keyboard import tab_to

POLICIES = f"""
cluster:
  defaults: {{max_time: 2h}}
projects:
  vision:
    rules: {{gpu: {{max: 0.5}}}}
templates:
  quick: {{gpu: 0.25, priority: medium, project: vision, environment: torch}}
  wide: {{gpu: 1, workers: 2}}
  batch: {{kind: training, retries: 3}}
  lab: {{kind: workspace, gpu: 0.1, project: vision}}
environments:
  torch:
    python: {sys.executable}
    packages: [torch==2.4]
    variables: {{OMP_NUM_THREADS: 4}}
"""
PROJECTS = "[projects.vision]\nquota = 1\n[projects.speech]\nquota = 1\n"


@pytest.fixture
def client(lab: Lab) -> Client:
    """A client of an engine that has them all."""
    client = Client()
    engine = lab.folder / "engine"
    (engine / "projects.toml").write_text(PROJECTS)
    (engine / "policies.yaml").write_text(POLICIES)
    until_projects(client, "vision", "speech")
    until_templates(client, "quick", "lab")
    return client


# What is written holds within a second.
@stamina.retry(on=AssertionError, attempts=100, timeout=30)
def until_templates(client: Client, *names: str) -> None:
    assert set(names) <= {template.name for template in client.catalog().templates}


def described(field: Locator, text: str) -> None:
    """What stands below a field, as a screen reader tells it."""
    expect(field).to_have_accessible_description(re.compile(re.escape(text)))


def options(field: Locator) -> list[str]:
    expect(field).to_be_visible()
    return field.locator("option").all_inner_texts()


def test_a_template_fills_in_what_a_submission_asks_for(lab: Lab, client: Client, page: Page) -> None:
    page.evaluate(AXE.read_text())
    panel = page.get_by_role("region", name="GPU", exact=True)
    panel.get_by_role("button", name="New workload").click()
    dialog = page.get_by_role("dialog")
    template, gpu = dialog.get_by_label("Template"), dialog.get_by_label("GPU", exact=True)
    assert options(template) == ["none", "quick", "wide", "batch", "lab"]
    dialog.get_by_label("Command").fill('python -c \'import os; print("threads:", os.environ["OMP_NUM_THREADS"])\'')
    template.select_option("quick")
    expect(gpu).to_have_value("0.25")
    described(gpu, "From the template quick")
    described(gpu, "At most 0.5, says project vision")
    expect(dialog.get_by_label("Environment")).to_have_value("torch")
    described(dialog.get_by_label("Environment"), "torch==2.4 · OMP_NUM_THREADS=4")
    # What was filled in is seen.
    expect(dialog.get_by_label("Priority")).to_be_visible()
    expect(dialog.get_by_label("Project", exact=True)).to_have_value("vision")
    described(dialog.get_by_label("Priority"), "From the template quick")
    expect(dialog.get_by_role("status")).to_contain_text("Starts now")
    expect(dialog.get_by_role("status")).to_contain_text("max_time 2h because the cluster says so")
    shoot(page, "template")
    assert serious(page, ".jp-Runai-submit") == []

    template.select_option("wide")
    expect(gpu).to_have_value("1")
    expect(dialog.get_by_label("Workers", exact=True)).to_have_value("2")
    expect(dialog.get_by_label("Project", exact=True)).to_have_value("")
    expect(dialog.get_by_role("status")).to_contain_text("names no project")
    template.select_option("quick")
    dialog.get_by_label("Retries").fill("1")
    dialog.get_by_role("button", name="Submit", exact=True).click()
    details = page.locator(".jp-Runai-details:visible")
    details.get_by_role("tab", name="Log", exact=True).click()
    expect(details.get_by_role("tabpanel", name="Log")).to_contain_text("threads: 4")
    (workload,) = client.list()
    assert (workload.request.gpu, workload.queue, workload.priority) == ("0.25", "vision", 80)
    spec = client.specification(workload.id)
    assert (spec.command[0], spec.retries) == (sys.executable, 1)


def test_what_a_policy_forbids_is_said_before_it_is_submitted(lab: Lab, client: Client, page: Page) -> None:
    page.evaluate(AXE.read_text())
    turn_dark(page)
    panel = page.get_by_role("region", name="GPU", exact=True)
    panel.get_by_role("button", name="New workload").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Command").fill("python train.py")
    dialog.get_by_label("Template").select_option("quick")
    dialog.get_by_label("GPU", exact=True).fill("1")
    outlook = dialog.get_by_role("status")
    expect(outlook).to_contain_text("gpu is 1 and project vision says at most 0.5. Ask for 0.5 or less")
    shoot(page, "forbidden")
    assert serious(page, ".jp-Runai-submit") == []
    dialog.get_by_role("button", name="Submit", exact=True).click()
    expect(dialog.get_by_label("GPU", exact=True)).to_have_value("1")
    expect(dialog.get_by_role("status")).to_contain_text("project vision says at most 0.5")
    assert client.list() == ()
    dialog.get_by_label("GPU", exact=True).fill("0.5")
    expect(outlook).to_contain_text("Starts now")
    dialog.get_by_role("button", name="Cancel").click()


def test_a_kernel_starts_by_a_template_without_a_mouse(lab: Lab, client: Client, page: Page) -> None:
    until_ready(page)
    page.keyboard.press("Control+Shift+C")
    page.keyboard.type("Start Kernel with GPU")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("GPU", exact=True)).to_be_focused()
    template = dialog.get_by_label("Template")
    assert options(template) == ["none", "quick", "wide", "lab"]
    tab_to(page, template, "Shift+Tab")
    page.keyboard.type("quick")
    expect(dialog.get_by_label("GPU", exact=True)).to_have_value("0.25")
    expect(dialog.get_by_label("Project", exact=True)).to_have_value("vision")
    expect(dialog.get_by_role("status")).to_contain_text("Starts now")
    shoot(page, "kernel-template")
    tab_to(page, dialog.get_by_role("button", name="Start kernel"))
    page.keyboard.press("Enter")
    until_ready(page, "Python 3 (torch, 0.25 GPU, vision, medium priority)")
    (workload,) = client.list()
    started = until(client, workload.id, running)
    assert (started.queue, started.priority) == ("vision", PRIORITIES["medium"])
    assert client.specification(workload.id).env["OMP_NUM_THREADS"] == "4"


def test_a_workspace_is_made_by_a_template(lab: Lab, client: Client, page: Page) -> None:
    panel = page.get_by_role("region", name="GPU", exact=True)
    panel.get_by_role("region", name="Workspaces").get_by_role("button", name="New workspace").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("digits")
    dialog.get_by_label("Template").select_option("lab")
    expect(dialog.get_by_label("GPU", exact=True)).to_have_value("0.1")
    dialog.get_by_label("Environment").select_option("torch")
    shoot(page, "workspace-template")
    dialog.get_by_role("button", name="Create").click()
    until_ready(page, "Workspace digits (0.1)")
    (workload,) = client.list()
    assert client.specification(workload.id).env["OMP_NUM_THREADS"] == "4"
