"""Reports on what a real engine counted: on the command line, as files, as tables and as a page."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

import jupyter_runai as runai
from jupyter_runai.client import Client
from jupyter_runai.reports.period import moment
from jupyter_runai.reports.table import UsageTable
from jupyter_runai.verbs.line import run_verb
from jupyter_runai.verbs.options import verb_parsers
from scheduler_core.accounting.prices import Prices
from scheduler_core.accounting.usage import Usage, UsageRow
from scheduler_core.errors import InvalidRequest
from scheduler_core.local.access.settings import Settings
from scheduler_core.workload import Workload
from tests.conftest import SIMULATED
from tests.helpers import UNTIL_STOPPED, outcome, running, spec, until, waits


@pytest.fixture
def priced(engine_directory: Path) -> Iterator[Client]:
    """A client of an engine on which devices have a price."""
    prices = Prices(currency="EUR", per_gpu_hour={"A100 80GB": 3600})
    Settings(simulate=SIMULATED, prices=prices).write(engine_directory)
    client = Client()
    yield client
    client.close()


@pytest.fixture
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def has_run(client: Client, name: str = "steady") -> Workload:
    workload = client.submit(spec(UNTIL_STOPPED, gpu="0.5", name=name, grace_s=1))
    until(client, workload.id, running)
    while not any(row.used for row in client.usage("workload").rows if row.group == workload.id):
        pass
    client.stop(workload.id)
    return outcome(client, workload.id)[0]


def says(client: Client, *words: str) -> str:
    return run_verb(client, words[0], verb_parsers("%runai")[words[0]].parse(list(words[1:])))


def test_a_table_says_who_used_what(priced: Client) -> None:
    workload = has_run(priced)
    told = says(priced, "usage", "--by", "workload", "--from", "1h")
    head, names, row, *rest = told.splitlines()
    assert head.startswith("Usage by workload, ")
    assert names.split()[:4] == ["workload", "owner", "project", "allocated"]
    assert names.endswith("EUR")
    assert row.split()[:3] == ["steady", workload.owner, "default"]
    assert rest == ["Simulated devices: nothing of this was real."]
    assert "default" in says(priced, "report")
    assert says(priced, "report", "--to", "2001-01-01", "--from", "2000-01-01").splitlines()[0].endswith(": nothing.")


def test_csv_has_the_exact_hours(priced: Client, tmp_path: Path) -> None:
    workload = has_run(priced)
    file = tmp_path / "usage.csv"
    assert says(priced, "report", "--by", "workload", "--output", str(file)) == f"Written to {file}."
    (row,) = csv.DictReader(io.StringIO(file.read_text()))
    (known,) = priced.usage("workload").rows
    assert (row["group"], row["name"], row["energy_kwh"]) == (workload.id, "steady", "")
    assert float(row["allocated_gpu_hours"]) == pytest.approx(known.allocated / 3.6e9, rel=1e-8)
    assert float(row["cost"]) == pytest.approx(known.allocated / 1e6, rel=1e-8)


def test_pandas_polars_and_parquet_take_it(priced: Client, tmp_path: Path) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    has_run(priced)
    table = runai.usage("workload", since="1h")
    assert [row.name for row in table] == ["steady"]
    file = tmp_path / "usage.parquet"
    says(priced, "report", "--by", "workload", "-o", str(file))
    hours = table[0].allocated_gpu_hours
    frames = (table.to_pandas(), pandas.read_parquet(file), table.to_polars(), polars.DataFrame(table))
    for frame in frames:
        assert list(frame["name"]) == ["steady"]
        assert list(frame["allocated_gpu_hours"]) == [hours]
    assert "steady" in repr(table)


def test_what_is_not_installed_is_named(priced: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InvalidRequest, match=r"needs pyarrow, which is not installed here. pip install pyarrow"):
        says(priced, "report", "-o", "usage.parquet")


def test_what_cannot_be_reported_is_refused_in_a_sentence(priced: Client, tmp_path: Path) -> None:
    for words, sentence in (
        (("--by", "colour"), "invalid choice"),
        (("--from", "yesterday"), "a moment is written like 7d, 2026-11-01"),
        (("--format", "parquet"), "Say where to write it"),
        (("-o", str(tmp_path / "no" / "file.csv")), "cannot be written: No such file or directory"),
        (("--from", "1d", "--to", "2d"), "ends before it begins"),
    ):
        with pytest.raises(InvalidRequest, match=sentence):
            says(priced, "report", *words)
    with pytest.raises(InvalidRequest, match="A moment is written like"):
        runai.usage(since="yesterday")


def test_the_command_line_prints_it(priced: Client) -> None:
    has_run(priced)
    command = [sys.executable, "-m", "jupyter", "runai", "report", "--format", "csv"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert [row["name"] for row in csv.DictReader(io.StringIO(printed))] == ["default"]


def test_moments_are_local_or_so_long_ago() -> None:
    now = time.time()
    assert moment("36h", now) == now - 36 * 3600
    assert moment("2w", now) == now - 14 * 86400
    assert moment("2026-11-01T12:00+01:00", now) == 1793530800
    assert moment("2026-11-02", now) - moment("2026-11-01", now) == pytest.approx(86400, abs=3600)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_needs_nothing_but_itself(priced: Client, tmp_path: Path, chromium: Browser, scheme: str) -> None:
    has_run(priced)
    file = tmp_path / "usage.html"
    says(priced, "report", "--by", "workload", "-o", str(file))
    context = chromium.new_context(java_script_enabled=False, offline=True, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert asked == [file.as_uri()]
    assert page.get_by_role("heading", level=1).inner_text().startswith("Usage by workload, ")
    assert page.get_by_role("table").get_by_role("cell", name="steady").is_visible()
    assert page.get_by_role("img", name="GPU-hours of each 1").is_visible()
    assert page.locator("svg rect.used title").first.text_content().startswith("steady: ")  # type: ignore[union-attr]
    assert "EUR" in page.locator("dl").inner_text()
    assert "Simulated devices" in page.locator("p.note").first.inner_text()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    context.close()


def has_waited(client: Client) -> None:
    """One workload holds everything, another waits for it, and both were seen to."""
    until(client, client.submit(spec(UNTIL_STOPPED, gpu=2, name="holder", grace_s=0)).id, running)
    until(client, client.submit(spec(gpu="0.5", name="next")).id, waits)
    while not any(row.waits for row in client.queue_history().rows):
        pass


def test_a_report_says_what_projects_had_and_why_work_waited(priced: Client) -> None:
    has_waited(priced)
    lines = says(priced, "report").splitlines()
    shares = next(index for index, line in enumerate(lines) if line.startswith("Quota, fair share and use"))
    assert lines[shares + 1].split() == ["queue", "quota", "fair", "share", "held", "used", "asked", "for"]
    assert lines[shares + 2].split()[:2] == ["default", "unlimited"]
    causes = lines.index("Why work waited, in hours")
    assert [line.rsplit(None, 1)[0] for line in lines[causes + 2 :]] == ["default  not enough free"]
    assert "Why work waited" not in says(priced, "report", "--by", "user")


def test_the_page_shows_what_projects_had_and_why_work_waited(
    priced: Client, tmp_path: Path, chromium: Browser
) -> None:
    has_waited(priced)
    file = tmp_path / "usage.html"
    says(priced, "report", "-o", str(file))
    page = chromium.new_context(java_script_enabled=False, offline=True).new_page()
    page.goto(file.as_uri())
    causes = page.get_by_role("table").filter(has_text="cause")
    assert causes.get_by_role("row").nth(1).inner_text().split("\t")[:2] == ["default", "not enough free"]
    picture = page.get_by_role("img", name="Held by default against its quota and fair share")
    assert picture.locator("rect.held title").first.text_content().endswith("quota unlimited; fair share 2.00")  # type: ignore[union-attr]
    assert picture.locator("path.fair-share").get_attribute("d")
    page.context.close()


def test_names_are_shown_as_what_they_are() -> None:
    row = UsageRow(at=0.0, group="x", name="<script>alert(1)</script>", allocated=3_600_000_000)
    usage = Usage(by="workload", step="all", since=0.0, until=3600.0, rows=(row,))
    page = UsageTable(usage).html(usage)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
