"""Starts one workload's process, waits for it and writes down how it ended, whatever happens to the daemon.

Run as a script, `supervisor.py RUN_DIRECTORY LOG [UID:GID,GID...]`, as the leader of a session of its own. With the
last the process runs as that user, in these groups, while its supervisor stays out of that user's reach. Its start lies
in the way of every workload, so it imports next to nothing (json, typing and signal alone would more than double its
start), and it belongs to no Python but the daemon's: the workload's own interpreter is named in the launch file.

Files in the run directory, their formats in `runs.py`: `launch` (read), `claimed` (this supervisor's pid and start;
made once: a second supervisor for the same run ends at once, so that nothing runs twice), `started`, `ended`. Output is
appended to the log, which all runs of a workload share.
On standard output goes one line: the process's pid, or `!` and why it could not start.
"""

import os
import sys
import time
from _signal import SIG_DFL, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGTERM, SIGXFSZ, signal  # type: ignore[import-not-found]

ALREADY_CLAIMED = 3
CANNOT_START = 127
_RECORD_SIZE = 1024
_LEFTOVER_GRACE_S = 2.0


def main(run: str, log: str, user: str = "") -> int:
    """Supervise the run in this directory; the exit status is only for the daemon's log."""
    for number in (SIGTERM, SIGINT, SIGHUP):
        # A handler, unlike SIG_IGN, is not inherited by the process we start.
        signal(number, _stay)
    if not _claim(run):
        return ALREADY_CLAIMED
    record = _reserve(f"{run}/ended.pending")
    with open(f"{run}/launch", "rb") as file:  # noqa: PTH123 (pathlib costs milliseconds here)
        cwd, count, *rest = file.read().split(b"\0")
    argv, variables = rest[: int(count)], rest[int(count) :]
    uid, groups = _account(user)
    pid, failure = _start(cwd, argv, dict(pair.split(b"=", 1) for pair in variables), log, uid, groups)
    if pid is None:
        _announce(f"!{failure}")
        _finish(run, record, CANNOT_START, failure)
        return 0
    _write(f"{run}/started", f"{pid}\n")
    _announce(str(pid))
    _, status = os.waitpid(pid, 0)
    _end_leftovers(next((pair for pair in variables if pair.startswith(b"RUNAI_TASK_ID=")), b""), uid)
    _finish(run, record, os.waitstatus_to_exitcode(status), "")
    return 0


def _stay(number: int, frame: object) -> None:
    """Signals to the session are for the workload; the supervisor stays to record its end."""


def _account(user: str) -> tuple[int | None, list[int]]:
    """The user's number and groups, the first of them their own; null for whoever runs the engine."""
    uid, _, groups = user.partition(":")
    return (int(uid), [int(group) for group in groups.split(",")]) if user else (None, [])


def _claim(run: str) -> bool:
    """Take the run, whole or not at all: the link appears with its content, and only once."""
    own = f"{run}/claimed.{os.getpid()}"
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as boot:  # noqa: PTH123
            start = f"{boot.read().strip()}:{_fields(os.getpid())[19]}"
    except OSError:
        start = ""
    _write(own, f"{os.getpid()}\n{start}\n")
    try:
        os.link(own, f"{run}/claimed")
    except FileExistsError:
        return False
    finally:
        os.unlink(own)  # noqa: PTH108
    return True


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state first, start the twentieth."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        return file.read().rpartition(")")[2].split()


def _reserve(path: str) -> int:
    """Take the room for the exit record now, so that a full disk cannot swallow it later."""
    record = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.write(record, b" " * _RECORD_SIZE)
    return record


def _start(
    cwd: bytes, argv: list[bytes], env: dict[bytes, bytes], log: str, uid: int | None, groups: list[int]
) -> tuple[int | None, str]:
    """Fork and execute; the pipe closes by itself on success and brings the reason on failure."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            for number in (SIGPIPE, SIGXFSZ):
                # Python ignores them, and what is ignored stays so across exec.
                signal(number, SIG_DFL)
            if uid is not None:
                os.setgroups(groups)
                os.setgid(groups[0])
                os.setuid(uid)
            os.chdir(cwd)
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            os.execvpe(argv[0], argv, env)  # noqa: S606
        except OSError as error:
            where = f": {os.fsdecode(error.filename)}" if error.filename else ""
            os.write(writer, f"{error.strerror}{where}"[:500].encode())
        finally:
            os._exit(CANNOT_START)
    os.close(writer)
    failure = b""
    while piece := os.read(reader, 1024):
        failure += piece
    os.close(reader)
    if failure:
        os.waitpid(pid, 0)
        return None, failure.decode(errors="replace").replace("\n", " ")
    return pid, ""


def _announce(line: str) -> None:
    try:
        os.write(1, f"{line}\n".encode())
    except OSError:
        pass  # The daemon has gone; the next one reads the files.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)


def _end_leftovers(mark: bytes, uid: int | None) -> None:
    """What the workload left running ends with it: its devices go to somebody else."""
    deadline = time.monotonic() + _LEFTOVER_GRACE_S
    number = SIGTERM
    while _signal_leftovers(mark, uid, number):
        time.sleep(0.05)
        if time.monotonic() > deadline:
            number = SIGKILL


def _signal_leftovers(mark: bytes, uid: int | None, number: int) -> bool:
    own, found = os.getpid(), False
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():  # noqa: PTH208, PTH112
        if name.isdigit() and int(name) != own:
            try:
                if _is_leftover(int(name), own, mark, uid):
                    os.kill(int(name), number)
                    found = True
            except OSError:
                pass  # It has ended meanwhile, or is somebody else's.
    return found


def _is_leftover(pid: int, session: int, mark: bytes, uid: int | None) -> bool:
    """Whether a process lives in our session, or is the user's and bears the task's mark; one that nobody reaps has
    ended.
    """
    if _fields(pid)[0] in "ZX":
        return False
    if os.getsid(pid) == session:
        return True
    with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
        return bool(mark) and mark in file.read().split(b"\0") and uid in (None, _user(pid))


def _user(pid: int) -> int:
    """The real user of a process."""
    with open(f"/proc/{pid}/status", "rb") as file:  # noqa: PTH123
        return int(next(line for line in file if line.startswith(b"Uid:")).split()[1])


def _finish(run: str, record: int, code: int, failure: str) -> None:
    text = f"{code}\n{time.time()}\n{failure}\n".encode()[:_RECORD_SIZE]
    os.pwrite(record, text, 0)
    os.ftruncate(record, len(text))
    os.fsync(record)
    os.close(record)
    os.rename(f"{run}/ended.pending", f"{run}/ended")  # noqa: PTH104


def _write(path: str, content: str) -> None:
    file = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.write(file, content.encode())
    os.close(file)
    os.rename(f"{path}.new", path)  # noqa: PTH104


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
