"""`python -m scheduler_core plan|check|explain|shares`: files, standard streams, tables, JSON and exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from scheduler_core import Snapshot, plan, plan_to_json
from tests.planning.build import gpu, held, node, queue, snapshot, work

GOOD = snapshot([node("n", gpus=1)], [work("w", request=gpu("0.5"))])
BUSY = snapshot(
    [node("n", gpus=2)],
    [held("r", "n", "n-0", request=gpu("0.7")), held("s", "n", "n-1", request=gpu(1)), work("w", request=gpu("0.5"))],
    [queue("top", {"quota": 2}), queue("q", {"quota": 1}, parent="top")],
)


@pytest.fixture
def busy(tmp_path: Path) -> str:
    return saved(BUSY, tmp_path / "snapshot.json")


def saved(given: Snapshot, target: Path) -> str:
    target.write_bytes(msgspec.json.encode(given))
    return str(target)


def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "scheduler_core", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=False, timeout=60)


def test_a_file_is_planned_to_standard_output_and_to_a_file(tmp_path: Path) -> None:
    source, target = saved(GOOD, tmp_path / "snapshot.json"), tmp_path / "plan.json"
    printed = run("plan", source)
    assert (printed.returncode, printed.stderr) == (0, b"")
    assert printed.stdout.rstrip(b"\n") == plan_to_json(plan(GOOD))
    assert run("plan", source, "--out", str(target)).stdout == b""
    assert target.read_bytes() == printed.stdout


def test_standard_input_is_read_and_the_answer_repeats_byte_for_byte() -> None:
    first, second = (run("plan", "-", "--out", "-", given=msgspec.json.encode(GOOD)) for _ in range(2))
    assert first.returncode == 0
    assert first.stdout == second.stdout != b""


def test_a_valid_plan_is_told_from_one_that_is_not(tmp_path: Path, busy: str) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(plan_to_json(plan(BUSY)))
    answer = run("check", busy, str(good))
    assert (answer.returncode, answer.stdout) == (0, b"The plan is valid.\n")
    bad.write_bytes(plan_to_json(replace(plan(BUSY), verdicts=())))
    answer = run("check", busy, str(bad))
    told = b"verdict_missing: Workload w has a pending task and no verdict.\n"
    assert (answer.returncode, answer.stdout) == (1, told)
    as_json = msgspec.json.decode(run("check", busy, str(bad), "--json").stdout)
    assert [violation["rule"] for violation in as_json] == ["verdict_missing"]


def test_all_that_waits_is_explained_in_a_table(busy: str) -> None:
    lines = run("explain", busy).stdout.decode().splitlines()
    assert lines[0].split() == ["workload", "queue", "state", "code", "position", "why"]
    assert lines[2].split()[:4] == ["w", "q", "pending", "no_node_fits"]
    assert "largest free share is 0.3" in lines[2]
    assert lines[-1] == "1 workload: 1 no_node_fits"


def test_one_workload_is_explained_with_what_would_help(busy: str) -> None:
    told = run("explain", busy, "w").stdout.decode()
    assert "No device has 0.5 free: the largest free share is 0.3 (n)" in told
    assert "What would help:\n  gpu 0.5 to 0.3: starts now on n" in told
    as_json = msgspec.json.decode(run("explain", busy, "w", "--json").stdout)
    assert as_json["verdict"]["code"] == "no_node_fits"
    assert {"change": "gpu 0.5 to 0.3", "effect": "starts now on n"} in as_json["remedies"]


def test_shares_are_shown_down_the_tree(busy: str) -> None:
    lines = run("shares", busy).stdout.decode().splitlines()
    assert lines[0] == "gpu in pool default (devices)"
    assert [line.split()[0] for line in lines[3:]] == ["top", "q"]
    assert lines[4].split() == ["q", "1", "2", "1.7", "2.2", "-"]
    assert {share["queue"] for share in msgspec.json.decode(run("shares", busy, "--json").stdout)} == {"top", "q"}


@pytest.mark.parametrize("command", ["plan", "explain", "shares"])
@pytest.mark.parametrize(
    ("given", "named"),
    [
        (b'{"time": 0, "config": {"placement": "tidy"}}', b"$.config.placement"),
        (b'{"time": 0, "nodes": [{"nam": "n"}]}', b"$.nodes[0]"),
        (b"", b"$"),
    ],
)
def test_a_bad_snapshot_is_one_sentence_and_exit_code_2(command: str, given: bytes, named: bytes) -> None:
    answer = run(command, "-", given=given)
    assert (answer.returncode, answer.stdout) == (2, b"")
    assert named in answer.stderr
    assert answer.stderr.count(b"\n") == 1


def test_what_cannot_be_read_or_found_is_one_sentence_and_exit_code_2(tmp_path: Path, busy: str) -> None:
    odd = tmp_path / "odd.json"
    odd.write_bytes(b'{"binds": 1}')
    for arguments, told in (
        (("plan", str(tmp_path / "ghost.json")), b"ghost.json: No such file"),
        (("plan", busy, "--out", str(tmp_path)), b"cannot write"),
        (("check", busy, str(odd)), b"bad plan: "),
        (("explain", busy, "nobody"), b"'nobody'"),
    ):
        answer = run(*arguments)
        assert (answer.returncode, answer.stdout) == (2, b"")
        assert told in answer.stderr
        assert b"Traceback" not in answer.stderr
