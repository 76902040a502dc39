"""What keeps a pod, as a process of this machine: each cell has an interpreter of its own, values are sent once."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import stamina

from jupyter_runai.running.kept import warm
from jupyter_runai.running.kept.stored_pieces import LARGEST
from jupyter_runai.running.values import ALIGNMENT
from jupyter_runai.submission.pieces import content_of, pieces_of

WAIT_S = 30
SCRIPT = Path(warm.__file__)


class Pod:
    """The process, and a connection to it; with a `lead` it is of task 1 and that of task 0, which waits for it."""

    def __init__(self, folder: Path, keep: float | None = 600, tasks: int = 1, lead: Pod | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.inputs, self.results = folder / "inputs", folder / "results"
        for made in (self.inputs, self.results):
            made.mkdir()
        self.report = self.results / ".report.json"
        self.port = two_free_ports() if lead is None else lead.port
        write_cell(self.inputs, "print('first')")
        order = {"id": "first", "keep": keep, "inputs": pieces_of(self.inputs), "token": "theirs"}
        (self.inputs / warm.KEEPING).write_text(json.dumps(order))
        folders = {"RUNAI_INPUTS": self.inputs, "RUNAI_RESULTS": self.results, "RUNAI_REPORT": self.report}
        said = {name: str(path) for name, path in folders.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-u", SCRIPT],
            env={
                **os.environ,
                **said,
                "RUNAI_DOOR": str(self.port),
                "RUNAI_TASK_COUNT": str(tasks if lead is None else 2),
                "RUNAI_TASK_INDEX": "0" if lead is None else "1",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": "0",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    @cached_property
    def _socket(self) -> socket.socket:
        return self.connect()

    @cached_property
    def _file(self) -> BinaryIO:
        return self._socket.makefile("rb")

    def connect(self) -> socket.socket:
        return connect(self.port)

    def hear(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self._file.readline())
        return said

    def until_free(self) -> dict[str, Any]:
        """What it says of the cell that ran last."""
        while "busy" in (said := self.hear()):
            pass
        return said

    def order(self, folder: Path, **order: Any) -> list[str]:
        """Hand over a cell; the digests of what had to be sent."""
        self.say({"id": "next", "keep": 600, "inputs": pieces_of(folder), **order})
        missing: list[str] = self.hear()["missing"]
        content = content_of(folder)
        self._socket.sendall(b"".join(content[digest] for digest in missing))
        return missing

    def say(self, words: dict[str, Any]) -> None:
        self._socket.sendall(json.dumps(words).encode() + b"\n")

    def bring(self, *names: str) -> dict[str, bytes]:
        self.say({"bring": names})
        return {path: self._file.read(size) for path, size in self.hear()["brought"]}

    def output(self) -> str:
        """All that it said, once it has ended."""
        said, _ = self.process.communicate(timeout=WAIT_S)
        return said.decode()

    def close(self) -> None:
        if "_socket" in vars(self):
            self._file.close()
            self._socket.close()
        self.process.kill()
        self.process.communicate()


@stamina.retry(on=ConnectionRefusedError, attempts=200, timeout=WAIT_S, wait_max=0.2)
def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)


def two_free_ports() -> int:
    """The first of them: what listens there in a pod has the next one for its gang."""
    while True:
        with socket.socket() as probe, socket.socket() as beside:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            try:
                beside.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@pytest.fixture
def gang(tmp_path: Path) -> Iterator[tuple[Pod, Pod]]:
    """Two pods that know each other."""
    first = Pod(tmp_path / "0", tasks=2)
    second = Pod(tmp_path / "1", lead=first)
    yield first, second
    second.close()
    first.close()


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    pod = Pod(tmp_path)
    yield pod
    pod.close()


def write_cell(folder: Path, source: str, outputs: tuple[str, ...] = (), cuts: tuple[int, ...] = ()) -> None:
    cell = {
        "source": source,
        "filename": "In[1]",
        "names": [],
        "outputs": outputs,
        "largest": 1_000_000,
        "path": None,
        "ipython": False,
        "modules": [],
        "sources": {},
        "cuts": cuts,
        "versions": {"python": sys.version_info[:2], "cloudpickle": "3"},
        "id": "next",
        "keep": None,
    }
    (folder / "cell.json").write_text(json.dumps(cell))
    if not (folder / "values.pickle").exists():
        (folder / "values.pickle").write_bytes(b"")


def another(tmp_path: Path, source: str, **options: Any) -> Path:
    folder = tmp_path / f"cell-{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    write_cell(folder, source, **options)
    return folder


def test_each_cell_has_an_interpreter_of_its_own(pod: Pod, tmp_path: Path) -> None:
    first = pod.until_free()
    assert (first["id"], first["report"], first["ends"]) == ("first", {"results": []}, [len("first\n")])
    pod.order(another(tmp_path, "x = 1\nimport os\nprint(os.getpid(), end='')"))
    told = pod.until_free()
    pod.order(another(tmp_path, "import os\nprint('x' in dir(), os.getpid())"), keep=None)
    lines = pod.output().splitlines()
    # A line that is not ended is ended with its cell, or nobody would read it.
    assert told["ends"] == [len("\n".join(lines[:2])) + 1]
    assert lines[2].split()[0] == "False" and lines[2].split()[1] != lines[1]
    assert pod.process.returncode == 0


def test_only_pieces_that_are_not_there_are_sent(pod: Pod, tmp_path: Path) -> None:
    pod.until_free()
    folder = another(tmp_path, "pass", cuts=(3, 7))
    (folder / "values.pickle").write_bytes(b"onefour")
    buffers = [bytes([number]) * 100_000 for number in (1, 2)]
    (folder / "values.buffers").write_bytes(b"".join(map(in_file, buffers)))
    assert {*pod.order(folder)} >= {digest(b"one"), digest(b"four"), *map(digest, map(in_file, buffers))}
    pod.until_free()
    (folder / "values.pickle").write_bytes(b"onefive")
    (folder / "values.buffers").write_bytes(b"".join(map(in_file, (buffers[0], b"3" * 100_000))))
    assert set(pod.order(folder)) == {digest(b"five"), digest(in_file(b"3" * 100_000))}
    pod.until_free()
    assert pod.order(folder) == []


def test_what_a_cell_leaves_is_brought(pod: Pod, tmp_path: Path) -> None:
    pod.until_free()
    pod.order(another(tmp_path, "x = [1, 2]", outputs=("x",)))
    assert pod.until_free()["report"]["results"][0]["name"] == "x"
    brought = pod.bring("x", "y", "../cell")
    assert list(brought) == ["x.pickle"]
    assert brought["x.pickle"] == (pod.results / "x.pickle").read_bytes()


def test_a_cell_that_fails_leaves_the_pod_as_it_is(pod: Pod, tmp_path: Path) -> None:
    pod.until_free()
    pod.order(another(tmp_path, "1 / 0"))
    assert pod.until_free()["report"]["error"]["type"] == "ZeroDivisionError"
    pod.order(another(tmp_path, "print('after')"), keep=None)
    assert pod.output().endswith("after\n")


def test_a_pod_that_is_to_go_while_nothing_runs_is_done(pod: Pod) -> None:
    pod.until_free()
    pod.process.send_signal(signal.SIGTERM)
    pod.output()
    assert pod.process.returncode == 0
    assert json.loads(pod.report.read_text()) == {}


def test_a_pod_that_is_to_go_takes_its_cell_along(pod: Pod, tmp_path: Path) -> None:
    pod.until_free()
    pod.order(another(tmp_path, "import signal\nprint('up')\nsignal.pause()"))
    for line in pod.process.stdout or ():
        if line == b"up\n":
            break
    connection = pod.connect()
    with connection.makefile("rb") as heard:
        assert json.loads(heard.readline()) == {"busy": True}
    connection.close()
    pod.process.send_signal(signal.SIGTERM)
    assert pod.process.wait(WAIT_S) == 128 + signal.SIGTERM


def test_one_that_nobody_comes_to_in_time_ends_as_its_last_cell(tmp_path: Path) -> None:
    pod = Pod(tmp_path, keep=0.1)
    try:
        assert pod.output() == "first\n"
        assert pod.process.returncode == 0
    finally:
        pod.close()


@pytest.mark.parametrize(
    "inputs", [{"../outside": []}, {"/tmp/outside": []}, {"a": [["00", LARGEST + 1]]}, {"a": [["00", 1]]}]
)
def test_what_cannot_be_is_refused(pod: Pod, inputs: dict[str, Any]) -> None:
    pod.until_free()
    pod.say({"id": "next", "keep": 600, "inputs": inputs})
    said = pod.hear()
    if said.get("missing"):
        pod._socket.sendall(b"x")
        said = pod.hear()
    assert "refused" in said or "refused" in pod.hear()


def test_a_gang_runs_each_cell_together_and_leaves_together(gang: tuple[Pod, Pod], tmp_path: Path) -> None:
    first, _ = gang
    assert first.until_free()["ends"] == [len("first\n")] * 2
    folder = another(tmp_path, "import os\nprint(os.environ['RUNAI_TASK_INDEX'], os.environ['MASTER_PORT'] != '0')")
    first.order(folder)
    assert first.until_free()["ends"] == [len("first\n0 True\n")] * 2
    first.order(another(tmp_path, "import os\none = 1 / (1 - int(os.environ['RUNAI_TASK_INDEX']))"), keep=None)
    assert [pod.output() for pod in gang] == ["first\n0 True\n", "first\n1 True\n"]
    assert [pod.process.returncode for pod in gang] == [0, 1]
    assert json.loads(gang[1].report.read_text())["error"]["type"] == "ZeroDivisionError"


def test_a_task_that_is_gone_between_cells_ends_the_others_well(gang: tuple[Pod, Pod]) -> None:
    first, second = gang
    first.until_free()
    second.process.kill()
    first.output()
    assert (first.process.returncode, json.loads(first.report.read_text())) == (0, {})


@pytest.mark.parametrize(("gone", "left"), [(0, 1), (1, 0)])
def test_a_task_that_is_gone_in_a_cell_is_said_by_the_others(
    gang: tuple[Pod, Pod], tmp_path: Path, gone: int, left: int
) -> None:
    gang[0].until_free()
    gang[0].order(another(tmp_path, "import signal\nprint('up', flush=True)\nsignal.pause()"))
    for pod in gang:
        assert b"up\n" in iter(pod.process.stdout or ())
    gang[gone].process.kill()
    gang[left].output()
    error = json.loads(gang[left].report.read_text())["error"]
    assert (gang[left].process.returncode, error["type"]) == (1, "TaskLost")
    assert error["message"].startswith(f"Task {gone} is gone")


def test_who_does_not_know_the_token_is_not_let_in(tmp_path: Path) -> None:
    first = Pod(tmp_path / "0", tasks=2)
    connect(first.port).close()
    with connect(first.port + 1) as stranger, stranger.makefile("rb") as heard:
        assert json.loads(heard.readline()).keys() == {"nonce"}
        stranger.sendall(json.dumps({"index": 1, "nonce": "mine", "proof": "guessed"}).encode() + b"\n")
        assert heard.readline() == b""
    second = Pod(tmp_path / "1", lead=first)
    try:
        assert first.until_free()["id"] == "first"
    finally:
        second.close()
        first.close()


def in_file(buffer: bytes) -> bytes:
    return len(buffer).to_bytes(ALIGNMENT, "little") + buffer + bytes(-len(buffer) % ALIGNMENT)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
