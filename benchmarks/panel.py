"""What the front end costs with 10,000 workloads, measured in headless Chromium on a real JupyterLab.

The server extension is the real one over a feed of made-up records (feeding.py): no machine runs as much.

paint    from the arrival of a full state of 10,000 workloads, the table being open, to the frame after the one with its
         first rows; beside it is JSON.parse of the same message alone
scroll   frames a second while the table is scrolled through all its rows, a screenful every four frames; beside it is
         the same scrolling of an empty element of that height on a page of its own, whose frames are all there are, and
         the table at twice that speed
updates  from a key press, as the browser dates it, to the page's handler, 98th percentile, while 1,000 workloads change
         in a second and the focus moves through the table; beside it is the same with no changes, and how long until
         the next frame was drawn
bundle   all scripts, compressed by gzip; beside it is what is loaded before any view is opened
heap     how much more memory the page holds, after collection, in the last third of the time than in the first,
         at 1,000 changes a second with the panel and the table open; RUNAI_HEAP_MINUTES (10) says for how long

What the server extension adds to a server's start, memory and work for 50 tabs is in server.py.
"""

from __future__ import annotations

import gzip
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import stamina
from local_engine import percentile
from playwright.sync_api import Error, Page, sync_playwright
from server import free_port
from shape import report, run_cases

WORKLOADS = 10_000
RATE = 1000
RUNS = 7
KEYS = 150
KEY_PAUSE_MS = 60
SETTLED_MS = 3000
HEAP_SAMPLES = 12
HERE = Path(__file__).parent
BUNDLE = HERE.parent / "jupyter_runai" / "labextension" / "static"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
stamina.instrumentation.set_on_retry_hooks([])
TOKEN = {"Authorization": "token bench"}

NOTE_STATES = """
window.bench = { arrived: 0, text: '' };
const Native = window.WebSocket;
window.WebSocket = class extends Native {
  constructor(...given) {
    super(...given);
    this.addEventListener('message', ({ data }) => {
      if (typeof data === 'string' && data.startsWith('{"type":"state"')) {
        Object.assign(window.bench, { arrived: performance.now(), text: data });
      }
    });
  }
};
"""

# The callback of the frame after the one that has the rows runs when that one was handed over.
PAINTED = """() => new Promise(resolve => {
  window.bench.arrived = 0;
  const look = () => {
    if (window.bench.arrived > 0 && document.querySelector('.jp-Runai-gridRow')) {
      requestAnimationFrame(() => {
        const painted = performance.now() - window.bench.arrived;
        const began = performance.now();
        JSON.parse(window.bench.text);
        resolve([painted, performance.now() - began]);
      });
    } else {
      requestAnimationFrame(look);
    }
  };
  look();
})"""

SCROLL = """async ([selector, step]) => {
  const element = document.querySelector(selector);
  element.scrollTop = 0;
  const frame = () => new Promise(requestAnimationFrame);
  const times = [await frame()];
  for (let top = 0; top < element.scrollHeight - element.clientHeight; top += step) {
    element.scrollTop = top;
    times.push(await frame());
  }
  const gaps = times.slice(1).map((time, place) => time - times[place]).sort((one, other) => one - other);
  return {
    rate: (1000 * gaps.length) / (times.at(-1) - times[0]),
    late: gaps[Math.floor(0.95 * gaps.length)],
  };
}"""

EMPTY = "<div id=all style='height:800px;overflow:auto'><div style='height:{height}px'></div></div>"

NOTE_KEYS = """() => {
  window.bench.keys = [];
  window.addEventListener('keydown', event => {
    const delay = performance.now() - event.timeStamp;
    requestAnimationFrame(() => requestAnimationFrame(() => {
      window.bench.keys.push([delay, performance.now() - event.timeStamp]);
    }));
  }, true);
}"""


class Lab:
    """A JupyterLab whose engine is a feed, and a browser in front of it."""

    def __init__(self, url: str, page: Page) -> None:
        self.page = page
        self.scripts: set[str] = set()
        self._url = url
        page.set_default_timeout(60_000)
        page.add_init_script(NOTE_STATES)
        page.on("response", lambda answer: self.scripts.add(answer.url.partition("?")[0].rpartition("/")[2]))

    # The server says nothing until it listens.
    @stamina.retry(on=Error, attempts=100, timeout=30, wait_max=0.5)
    def open(self) -> None:
        self.page.goto(f"{self._url}/lab?token=bench")

    def feed(self, workloads: int, rate: float = 0) -> None:
        """Start the feed over."""
        asked = {"count": workloads, "rate": rate}
        self.page.request.post(f"{self._url}/jupyter-runai-feed", headers=TOKEN, data=asked)


@contextmanager
def lab() -> Iterator[Lab]:
    """JupyterLab as it opens."""
    browser = next(found for name in BROWSERS if (found := shutil.which(name)))
    with tempfile.TemporaryDirectory(prefix="runai-") as folder, sync_playwright() as playwright:
        port = free_port()
        process = served(Path(folder), port)
        try:
            chromium = playwright.chromium.launch(executable_path=browser, args=list(FLAGS))
            opened = Lab(f"http://127.0.0.1:{port}", chromium.new_page(viewport={"width": 1400, "height": 900}))
            opened.open()
            opened.page.get_by_title("GPU devices and workloads").wait_for()
            yield opened
            chromium.close()
        finally:
            process.kill()
            process.wait()


def served(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """A JupyterLab with the feed."""
    news = folder / "CONFIG/lab/user-settings/@jupyterlab/apputils-extension"
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    of_its_own = {f"JUPYTER_{kind}_DIR": str(folder / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    command = [
        *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--IdentityProvider.token=bench"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"),
        *(f"--ServerApp.jpserver_extensions={each}" for each in ("feeding=True", "jupyter_runai=False")),
    ]
    return subprocess.Popen(
        command,
        env={**os.environ, **of_its_own, "PYTHONPATH": str(HERE)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def table() -> Iterator[tuple[Lab, Page]]:
    """The same with the panel and the table open, and no workloads yet."""
    with lab() as opened:
        page = opened.page
        page.get_by_title("GPU devices and workloads").click()
        page.get_by_role("button", name="All workloads").click()
        page.get_by_role("grid", name="Workloads").wait_for()
        yield opened, page


def filled(opened: Lab, page: Page, rate: float = 0) -> None:
    """Give the table its workloads."""
    opened.feed(WORKLOADS, rate)
    page.locator(".jp-Runai-gridRow").first.wait_for()


def paint() -> None:
    with table() as (opened, page):
        runs = [painted(opened, page) for _ in range(RUNS + 1)][1:]
    rows, parse = (statistics.median(run[which] for run in runs) for which in (0, 1))
    beside = {"JSON.parse alone": parse, "slowest": max(run[0] for run in runs)}
    report("panel", "paint", rows, "ms", 200.0, "lower", beside)


def painted(opened: Lab, page: Page) -> list[float]:
    """Milliseconds to the painted rows, and of JSON.parse alone."""
    opened.feed(0)
    page.get_by_text("Nothing submitted yet.", exact=True).wait_for()
    page.evaluate(f"() => {{ window.bench.painted = ({PAINTED})(); }}")
    opened.feed(WORKLOADS)
    times: list[float] = page.evaluate("() => window.bench.painted")
    return times


def scroll() -> None:
    with table() as (opened, page):
        filled(opened, page)
        height, seen = page.evaluate(
            "() => { const { scrollHeight, clientHeight } = document.querySelector('.jp-Runai-grid');"
            " return [scrollHeight, clientHeight]; }"
        )
        step = seen / 4
        ours = [page.evaluate(SCROLL, [".jp-Runai-grid", step]) for _ in range(5)]
        faster = page.evaluate(SCROLL, [".jp-Runai-grid", 2 * step])["rate"]
        assert page.context.browser is not None  # noqa: S101 (it is open)
        empty = page.context.browser.new_page()
        empty.set_content(EMPTY.format(height=height))
        nothing = empty.evaluate(SCROLL, ["#all", step])
    beside = {
        "empty page": nothing["rate"],
        "twice as fast": faster,
        "slowest run": min(run["rate"] for run in ours),
        "95 % of frames within (ms)": statistics.median(run["late"] for run in ours),
        "pixels a frame": step,
    }
    report("panel", "scroll", statistics.median(run["rate"] for run in ours), "frames/s", 55.0, "higher", beside)


def updates() -> None:
    with table() as (opened, page):
        page.evaluate(NOTE_KEYS)
        quiet = pressed(opened, page, 0)
        busy = pressed(opened, page, RATE)
    delays, drawn = zip(*busy, strict=True)
    beside = {
        "without changes": percentile([delay for delay, _ in quiet], 98),
        "median": statistics.median(delays),
        "longest": max(delays),
        "until drawn p98": percentile(list(drawn), 98),
        "until drawn p98 without changes": percentile([drawn for _, drawn in quiet], 98),
    }
    report("panel", "updates", percentile(list(delays), 98), "ms", 50.0, "lower", beside)


def pressed(opened: Lab, page: Page, rate: float) -> list[tuple[float, float]]:
    """Milliseconds from each key press to its handler, and to the frame after it."""
    filled(opened, page, rate)
    page.get_by_role("grid").get_by_role("checkbox", name="Select all that are shown").focus()
    page.wait_for_timeout(SETTLED_MS)
    page.evaluate("() => { window.bench.keys = []; }")
    for _ in range(KEYS):
        page.keyboard.press("ArrowDown")
        page.wait_for_timeout(KEY_PAUSE_MS)
    page.wait_for_function(f"() => window.bench.keys.length === {KEYS}")
    return [(delay, drawn) for delay, drawn in page.evaluate("() => window.bench.keys")]


def bundle() -> None:
    scripts = {path: path.read_bytes() for path in BUNDLE.glob("*.js")}
    with lab() as opened:
        at_first = sum(kilobytes(script) for path, script in scripts.items() if path.name in opened.scripts)
    beside = {"loaded at first": at_first, "not compressed": sum(map(len, scripts.values())) / 1000}
    report("panel", "bundle", sum(map(kilobytes, scripts.values())), "kB", 220.0, "lower", beside)


def kilobytes(script: bytes) -> float:
    return len(gzip.compress(script, 6)) / 1000


def heap() -> None:
    minutes = float(os.environ.get("RUNAI_HEAP_MINUTES", "10"))
    with table() as (opened, page):
        filled(opened, page, RATE)
        devtools = page.context.new_cdp_session(page)
        held = []
        for _ in range(HEAP_SAMPLES):
            page.wait_for_timeout(minutes * 60_000 / HEAP_SAMPLES)
            devtools.send("HeapProfiler.collectGarbage")
            held.append(devtools.send("Runtime.getHeapUsage")["usedSize"] / 1e6)
    third = HEAP_SAMPLES // 3
    first, last = statistics.median(held[:third]), statistics.median(held[-third:])
    beside = {"first third (MB)": first, "last third (MB)": last, "highest (MB)": max(held), "minutes": minutes}
    report("panel", "heap", 100 * (last / first - 1), "% more", 3.0, "lower", beside)


CASES: dict[str, Callable[[], None]] = {
    "paint": paint,
    "scroll": scroll,
    "updates": updates,
    "bundle": bundle,
    "heap": heap,
}


if __name__ == "__main__":
    run_cases(__doc__, CASES)
