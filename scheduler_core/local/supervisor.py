"""Starts one workload's process, waits for it and writes down how it ended, whatever happens to the daemon.

Run as a script, `supervisor.py RUN_DIRECTORY`, as the leader of a session of its own. It imports little, since its
start lies in the way of every workload, and it belongs to no Python but the daemon's: the workload's own interpreter
is named in the launch file.

Files in the run directory: `launch.json` (read: argv, cwd, env), `claimed` (made once: a second supervisor for the same
run ends at once, so that nothing runs twice), `run.json` (supervisor and process), `output.log`, `exit.json`.
On standard output goes one line: the process's pid, or `!` and why it could not start.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from typing import Any

ALREADY_CLAIMED = 3
CANNOT_START = 127
_RECORD_SIZE = 1024
_LEFTOVER_GRACE_S = 2.0


def main(run: str) -> int:
    """Supervise the run in this directory; the exit status is only for the daemon's log."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A handler, unlike SIG_IGN, is not inherited by the process we start.
        signal.signal(number, _stay)
    try:
        os.close(os.open(f"{run}/claimed", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return ALREADY_CLAIMED
    record = _reserve(f"{run}/exit.pending")
    with open(f"{run}/launch.json", encoding="utf-8") as file:  # noqa: PTH123 (pathlib costs milliseconds here)
        launch = json.load(file)
    pid, failure = _start(launch, f"{run}/output.log")
    if pid is None:
        _announce(f"!{failure}")
        _finish(run, record, {"code": CANNOT_START, "failure": failure, "ended": time.time()})
        return 0
    _write(f"{run}/run.json", {"supervisor": os.getpid(), "process": pid})
    _announce(str(pid))
    _, status = os.waitpid(pid, 0)
    _end_session()
    _finish(run, record, {"code": os.waitstatus_to_exitcode(status), "failure": "", "ended": time.time()})
    return 0


def _stay(number: int, frame: object) -> None:
    """Signals to the session are for the workload; the supervisor stays to record its end."""


def _reserve(path: str) -> int:
    """Take the room for the exit record now, so that a full disk cannot swallow it later."""
    record = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.write(record, b" " * _RECORD_SIZE)
    return record


def _start(launch: dict[str, Any], log: str) -> tuple[int | None, str]:
    """Fork and execute; the pipe closes by itself on success and brings the reason on failure."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            os.chdir(str(launch["cwd"]))
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            os.execvpe(launch["argv"][0], launch["argv"], launch["env"])  # noqa: S606
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            os.write(writer, f"{error.strerror}{where}"[:500].encode())
        finally:
            os._exit(CANNOT_START)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        failure = pipe.read().decode(errors="replace")
    if failure:
        os.waitpid(pid, 0)
        return None, failure
    return pid, ""


def _announce(line: str) -> None:
    with contextlib.suppress(OSError):
        os.write(1, f"{line}\n".encode())
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)


def _end_session() -> None:
    """What the workload left running in its session ends with it: its devices go to somebody else."""
    deadline = time.monotonic() + _LEFTOVER_GRACE_S
    number = signal.SIGTERM
    while _signal_leftovers(number):
        time.sleep(0.05)
        if time.monotonic() > deadline:
            number = signal.SIGKILL


def _signal_leftovers(number: signal.Signals) -> bool:
    own, found = os.getpid(), False
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():  # noqa: PTH208, PTH112
        if name.isdigit() and int(name) != own:
            with contextlib.suppress(OSError):
                if os.getsid(int(name)) == own:
                    os.kill(int(name), number)
                    found = True
    return found


def _finish(run: str, record: int, outcome: dict[str, object]) -> None:
    text = json.dumps(outcome)[: _RECORD_SIZE - 1].ljust(_RECORD_SIZE - 1) + "\n"
    os.pwrite(record, text.encode()[:_RECORD_SIZE], 0)
    os.fsync(record)
    os.close(record)
    os.rename(f"{run}/exit.pending", f"{run}/exit.json")  # noqa: PTH104


def _write(path: str, content: dict[str, object]) -> None:
    file = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.write(file, json.dumps(content).encode())
    os.close(file)
    os.rename(f"{path}.new", path)  # noqa: PTH104


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
