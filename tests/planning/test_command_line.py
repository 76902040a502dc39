"""`python -m scheduler_core plan`: files, standard streams and exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from scheduler_core import plan, plan_to_json
from tests.planning.build import gpu, node, snapshot, work

GOOD = snapshot([node("n", gpus=1)], [work("w", request=gpu("0.5"))])


def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "scheduler_core", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=False, timeout=60)


def test_a_file_is_planned_to_standard_output_and_to_a_file(tmp_path: Path) -> None:
    source, target = tmp_path / "snapshot.json", tmp_path / "plan.json"
    source.write_bytes(msgspec.json.encode(GOOD))
    printed = run("plan", str(source))
    assert (printed.returncode, printed.stderr) == (0, b"")
    assert printed.stdout.rstrip(b"\n") == plan_to_json(plan(GOOD))
    assert run("plan", str(source), "--out", str(target)).stdout == b""
    assert target.read_bytes() == printed.stdout


def test_standard_input_is_read_and_the_answer_repeats_byte_for_byte() -> None:
    first, second = (run("plan", "-", "--out", "-", given=msgspec.json.encode(GOOD)) for _ in range(2))
    assert first.returncode == 0
    assert first.stdout == second.stdout != b""


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (b'{"time": 0, "config": {"placement": "fgd"}}', b"$.config.placement"),
        (b'{"time": 0, "nodes": [{"nam": "n"}]}', b"$.nodes[0]"),
        (b"", b"$"),
    ],
)
def test_a_bad_snapshot_is_one_sentence_and_exit_code_2(given: bytes, named: bytes) -> None:
    answer = run("plan", "-", given=given)
    assert (answer.returncode, answer.stdout) == (2, b"")
    assert named in answer.stderr
    assert answer.stderr.count(b"\n") == 1


def test_a_missing_file_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    answer = run("plan", str(tmp_path / "ghost.json"))
    assert answer.returncode == 2
    assert b"ghost.json: No such file" in answer.stderr
    assert b"Traceback" not in answer.stderr
