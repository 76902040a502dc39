"""Where people already look: the notebook's toolbar, its cells' menu, the launcher, what runs, and notifications."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from playwright.sync_api import Locator, Page, expect

from jupyter_runai.client import Client
from scheduler_core.workload import Workload
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until, waits
from tests.ui.conftest import Lab, until_ready
from tests.ui.shots import shoot
from tests.ui.test_accessible import AXE, serious


def lease(page: Page) -> Locator:
    return page.get_by_role("button", name="GPU of this kernel")


def choose(page: Page, label: str) -> None:
    """Choose in the menu of the lease, by keyboard alone."""
    lease(page).focus()
    page.keyboard.press("Enter")
    item = page.get_by_role("menuitem", name=label)
    expect(item).to_be_visible()
    shoot(page, f"lease-menu-{label.split(maxsplit=1)[0].lower()}")
    for _ in range(page.get_by_role("menuitem").count()):
        page.keyboard.press("ArrowDown")
        if "lm-mod-active" in (item.get_attribute("class") or ""):
            break
    page.keyboard.press("Enter")


def only(client: Client) -> Workload:
    (workload,) = [workload for workload in client.list() if not workload.has_ended]
    return workload


def test_a_kernel_takes_a_gpu_changes_its_share_and_gives_it_back(lab: Lab, page: Page) -> None:
    client = Client()
    until_ready(page)
    expect(lease(page)).to_have_accessible_name("GPU of this kernel: no GPU")
    page.evaluate(AXE.read_text())
    choose(page, "Start Kernel with GPU…")
    dialog = page.get_by_role("dialog").filter(has_text="Start kernel with GPU")
    expect(dialog.get_by_text("what is in its memory is lost")).to_be_visible()
    dialog.get_by_label("GPU", exact=True).fill("0.25")
    expect(dialog.get_by_role("status")).to_contain_text("Starts now")
    shoot(page, "start-kernel")
    assert serious(page, ".jp-Dialog .jp-Runai-submit") == []
    dialog.get_by_role("button", name="Start kernel").click()
    expect(lease(page)).to_have_accessible_name("GPU of this kernel: 0.25 GPU · simulated A100 80GB #0")
    until_ready(page, "Python 3 (0.25 GPU)")
    shoot(page, "lease")
    assert serious(page, ".jp-Runai-lease") == []

    choose(page, "Change the GPU Share…")
    page.get_by_role("dialog").get_by_label("GPU", exact=True).fill("0.5")
    shoot(page, "resize")
    page.keyboard.press("Enter")
    expect(lease(page)).to_have_accessible_name("GPU of this kernel: 0.5 GPU · simulated A100 80GB #0")
    assert only(client).request.gpu == "0.5"

    choose(page, "Release the GPU of this Kernel…")
    shoot(page, "release")
    page.get_by_role("dialog").get_by_role("button", name="Release GPU").click()
    expect(lease(page)).to_have_accessible_name("GPU of this kernel: suspended")
    # JupyterLab says that the kernel has gone, and comes back by itself.
    page.get_by_role("dialog").get_by_role("button", name="Ok").click()
    assert [holder for device in client.devices() for holder in device.holders] == []
    choose(page, "Resume")
    expect(lease(page)).to_have_accessible_name(re.compile("0.5 GPU"))
    choose(page, "Show Details")
    expect(page.locator(".jp-Runai-details:visible").get_by_role("heading", name=only(client).name)).to_be_visible()


def test_a_cell_is_run_on_a_gpu_from_its_menu(lab: Lab, page: Page) -> None:
    until_ready(page)
    cell = page.locator(".jp-Notebook .jp-CodeCell").first
    cell.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("print('from half', 'a GPU')")
    cell.locator(".cm-content").click(button="right")
    page.get_by_role("menuitem", name="Run Cell on GPU…").click()
    dialog = page.get_by_role("dialog").filter(has_text="Run cell on GPU")
    expect(dialog.get_by_role("status")).to_contain_text("Starts now")
    page.evaluate(AXE.read_text())
    shoot(page, "run-cell")
    assert serious(page, ".jp-Dialog .jp-Runai-submit") == []
    dialog.get_by_label("More options").fill("--name fromcell")
    page.keyboard.press("Enter")
    expect(cell.locator(".cm-content")).to_contain_text("%%runai train --gpu 0.5 --name fromcell")
    expect(cell.locator(".jp-OutputArea")).to_contain_text("from half a GPU")
    expect(cell.locator(".jp-OutputArea")).to_contain_text("completed in")
    shoot(page, "run-cell-done")

    cell.locator(".cm-content").click(button="right")
    page.get_by_role("menuitem", name="Run Cell on GPU…").click()
    expect(dialog.get_by_label("More options")).to_have_value("--name fromcell")
    dialog.get_by_label("GPU", exact=True).fill("1")
    page.keyboard.press("Enter")
    expect(cell.locator(".cm-content")).to_contain_text("%%runai train --gpu 1 --name fromcell")
    assert cell.locator(".cm-content").inner_text().count("%%runai") == 1


def test_what_runs_is_listed_and_opened(lab: Lab, page: Page) -> None:
    client = Client()
    first = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="first", grace_s=0))
    client.submit(spec(UNTIL_STOPPED, gpu="0.5", name="second", grace_s=0))
    until(client, first.id, running)
    page.get_by_role("tab", name="Running Terminals and Kernels").click()
    section = page.get_by_role("region", name="GPU workloads section")
    expect(section.get_by_text("first")).to_be_visible()
    expect(section.get_by_text("second")).to_be_visible()
    shoot(page, "running-panel")
    section.get_by_text("first").click()
    expect(page.locator(".jp-Runai-details:visible").get_by_role("heading", name="first")).to_be_visible()


def test_what_runs_is_stopped_one_and_all(lab: Lab, page: Page) -> None:
    client = Client()
    first, second, third = (client.submit(spec(UNTIL_STOPPED, name=name, grace_s=0)).id for name in "abc")
    until(client, third, running)
    page.get_by_role("tab", name="Running Terminals and Kernels").click()
    section = page.get_by_role("region", name="GPU workloads section")
    items = section.locator(".jp-RunningSessions-item")
    expect(items).to_have_count(3)
    one = items.filter(has=page.get_by_text("b", exact=True))
    one.hover()
    one.locator(".jp-RunningSessions-itemShutdown").click()
    expect(items).to_have_count(2)
    assert outcome(client, second)[0].state == "stopped"
    heading = page.locator(".jp-AccordionPanel-title", has_text="GPU workloads")
    heading.locator(".jp-RunningSessions-shutdownAll").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Stop all your GPU workloads")
    dialog.get_by_role("button", name="Stop All").click()
    expect(items).to_have_count(0)
    assert [outcome(client, each)[0].state for each in (first, third)] == ["stopped", "stopped"]


def test_news_of_my_workloads_are_told(lab: Lab, page: Page) -> None:
    panel = page.get_by_role("region", name="GPU", exact=True)
    expect(panel.get_by_role("status").first).to_have_text("live")
    client = Client()
    client.submit(spec("raise SystemExit(3)", name="broken"))
    toast = page.get_by_role("alert").filter(has_text="broken has failed: exit status 3")
    expect(toast).to_be_visible()
    client.submit(spec(gpu=4, name="toolarge"))
    expect(page.get_by_role("alert").filter(has_text="toolarge waits: can never start.")).to_be_visible()
    training = client.submit(spec(UNTIL_STOPPED, gpu=2, name="training", grace_s=0))
    until(client, training.id, running)
    client.submit(spec(UNTIL_STOPPED, gpu=2, name="urgent", kind="interactive", grace_s=0))
    until(client, training.id, waits)
    expect(page.get_by_role("alert").filter(has_text="training was preempted and waits.")).to_be_visible()
    shoot(page, "notifications")
    toast.get_by_role("button", name="Why?").click()
    expect(page.locator(".jp-Runai-details:visible").get_by_role("heading", name="broken")).to_be_visible()


@pytest.fixture
def profile(lab: Lab) -> None:
    """A kernel on half a GPU, as people install it."""
    command = [sys.executable, "-m", "jupyter", "runai", "kernelspec", "install", "--profile", "half", "--gpu", "0.5"]
    subprocess.run(command, check=True, env={**os.environ, "JUPYTER_DATA_DIR": str(lab.folder / "data")})


def test_the_launcher_offers_workloads_and_kernels_on_a_share(lab: Lab, profile: None, page: Page) -> None:
    page.get_by_role("button", name="New Launcher").click()
    launcher = page.locator(".jp-Launcher:visible")
    expect(launcher.get_by_text("New GPU workload")).to_be_visible()
    shoot(page, "launcher")
    launcher.get_by_text("Python 3 (0.5 GPU)").first.click()
    expect(lease(page).last).to_have_accessible_name(re.compile("0.5 GPU · simulated A100"))
