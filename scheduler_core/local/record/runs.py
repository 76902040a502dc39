"""One run of a workload on this machine: its folder, its supervisor, how it started and how it ended.

The files that a supervisor shares with the daemon are as plain as its start must be quick. `launch`: working directory,
number of arguments, arguments and NAME=VALUE pairs, each followed by NUL but the last. `claimed`: the supervisor's pid
and start. `started`: the process's pid. `ended`: exit code (negative for a signal), time, why it could not start.
"""

from __future__ import annotations

import asyncio
import errno
import os
import py_compile
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from scheduler_core.errors import EngineUnavailable, InvalidRequest, StorageFull
from scheduler_core.local.machine.accounts import Account
from scheduler_core.local.machine.identity import Process, start_of
from scheduler_core.local.record.records import Record, TaskRecord, decode_record
from scheduler_core.workload import Report

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_RECORD, _TASK = "record.json", "task.json"
_LARGEST_REPORT = 1024 * 1024
_LARGEST_ACTIVITY = 1024
_POLL_S = 0.5


class ToldActivity(Struct, frozen=True, kw_only=True):
    """What a process says of itself: whether it executes anything and since when, and when somebody was last at it.

    `kept_until` is as that of `Activity`. When somebody sits at their notebook is nobody else's business: that goes no
    further than the engine.
    """

    executing: bool
    since: float
    interacted: float | None = None
    kept_until: float | None = None


class Exit(Struct, frozen=True):
    """How a run ended: `code` is negative for a signal; `failure` says why it could not start."""

    code: int
    failure: str
    ended: float


class RunFolder:
    """The files of one task of a workload and of one of its runs; every one of them is private to its owner.

    The files of task 0 lie in the workload's folder itself, those of another in a folder there, and the same goes for
    the runs of a task. A gang shares its checkpoints and results; inputs are everybody's.

    With an `account` the folder itself, and what the engine writes there, are the engine's: it is root, and must not
    follow what others may rename. Only the log and the folders that the workload writes to are its owner's.
    """

    def __init__(
        self, path: Path, index: int = 0, run: int = 0, gang: bool = True, account: Account | None = None
    ) -> None:
        self.path = path
        self.account = account
        self._task_path = path / f"task-{index}" if index else path
        self.run_path = self._task_path / f"run-{run}" if run else self._task_path
        self._run = run
        self._shared = path if gang else self._task_path

    @property
    def log(self) -> Path:
        return self._task_path / "output.log"

    @property
    def checkpoint(self) -> Path:
        return self._shared / "checkpoint"

    @property
    def inputs(self) -> Path:
        return self.path / "inputs"

    @property
    def results(self) -> Path:
        return self._shared / "results"

    @property
    def report_file(self) -> Path:
        return self._reports / "report.json"

    @property
    def activity_file(self) -> Path:
        return self._reports / "activity.json"

    @property
    def _reports(self) -> Path:
        return self._task_path / "report" if self.account else self._task_path

    def make(self, record: Record, inputs: Path | None) -> None:
        """Make the folder of a new workload and take over the inputs, by renaming: nothing is copied.

        The rest is made when it starts.

        Raises:
            InvalidRequest: the inputs are no folder of the owner's.
            OSError: it cannot be made.
        """
        self.path.mkdir(mode=self._way, parents=True)
        if inputs is not None:
            inputs.rename(self.inputs)
            # Looked at here, where nobody can put something else in its place any more.
            status = self.inputs.lstat()
            if not stat.S_ISDIR(status.st_mode) or (self.account and status.st_uid != self.account.uid):
                raise InvalidRequest("The workload's inputs are no folder of its owner's.")
        self.keep(record)

    def keep(self, record: Record) -> None:
        """Write the record beside its files, so that it is found again should the store be lost.

        Raises:
            OSError: it cannot be written; what was kept before still is.
        """
        _keep(f"{self.path}/{_RECORD}", record)

    def keep_task(self, task: TaskRecord) -> None:
        """Write down what became of this task since the record was.

        Raises:
            OSError: as `keep`.
        """
        _keep(f"{self._task_path}/{_TASK}", task)

    def kept(self) -> Record | None:
        """The record as it was kept last, with what became of its tasks since."""
        with suppress(OSError, msgspec.MsgspecError):
            record, written = decode_record((self.path / _RECORD).read_bytes()), (self.path / _RECORD).stat()
            if record.workload.has_ended:
                return record
            tasks = (
                RunFolder(self.path, index)._kept_task(written.st_mtime_ns) or task
                for index, task in enumerate(record.tasks)
            )
            return replace(record, tasks=tuple(tasks))
        return None

    def _kept_task(self, since_ns: int) -> TaskRecord | None:
        with suppress(OSError, msgspec.MsgspecError):
            path = self._task_path / _TASK
            if path.stat().st_mtime_ns >= since_ns:
                return msgspec.json.decode(path.read_bytes(), type=TaskRecord)
        return None

    def give_back_inputs(self, inputs: Path | None) -> None:
        """Undo `make`."""
        if inputs is not None:
            with suppress(OSError):
                self.inputs.rename(inputs)
        self.remove()

    def remove(self) -> None:
        remove_tree(self.path)

    def prepare(self) -> None:
        """Make ready for this run: what those before left stays, but for what they said of their end."""
        self._task_path.mkdir(mode=self._way, exist_ok=True)
        for folder in (self.inputs, self.results, self.checkpoint, self._reports):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.log.touch(mode=0o600)
        if self.account is not None:
            for path in (self.inputs, self.results, self.checkpoint, self._reports, self.log):
                os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)
        if self._run:
            self.run_path.mkdir(mode=0o700, exist_ok=True)
            for told in (self.report_file, self.activity_file):
                told.unlink(missing_ok=True)
            remove_tree(self._task_path / f"run-{self._run - 1}")

    @property
    def _way(self) -> int:
        """The mode of the folders on the way to what is the owner's."""
        return 0o700 if self.account is None else 0o711

    def variables(self) -> dict[str, str]:
        """The variables that show a workload its own folder."""
        return {
            "RUNAI_CHECKPOINT_DIR": str(self.checkpoint),
            "RUNAI_RESTARTS": str(self._run),
            "RUNAI_INPUTS": str(self.inputs),
            "RUNAI_RESULTS": str(self.results),
            "RUNAI_REPORT": str(self.report_file),
            "RUNAI_ACTIVITY": str(self.activity_file),
        }

    def write_launch(self, argv: tuple[str, ...], cwd: str, env: Mapping[str, str]) -> None:
        """Write down what the supervisor is to start.

        Raises:
            StorageFull: there is no room for it.
        """
        fields = [cwd, str(len(argv)), *argv, *(f"{name}={value}" for name, value in env.items())]
        try:
            self.prepare()
            launch = os.open(self.run_path / "launch", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(launch, "wb") as file:
                file.write(b"\0".join(os.fsencode(field) for field in fields))
        except OSError as error:
            raise explained(error, self.path) from error

    def supervisor(self) -> Process | None:
        """The supervisor that has taken this run, alive or not; the run must then not be started again."""
        with suppress(OSError, ValueError):
            pid, start = (self.run_path / "claimed").read_text().split("\n")[:2]
            return Process(int(pid), start or start_of(int(pid)) or "")
        return None

    def has_started(self) -> bool:
        """Whether the process was started, or could not be."""
        return (self.run_path / "started").exists() or (self.run_path / "ended").exists()

    def exit(self) -> Exit | None:
        """How the run ended; null when it has not, or when its supervisor was killed."""
        with suppress(OSError, ValueError):
            code, ended_at, failure = (self.run_path / "ended").read_text().split("\n")[:3]
            return Exit(int(code), failure, float(ended_at))
        return None

    def report(self) -> Report | None:
        """What the workload itself said of its end."""
        with suppress(msgspec.MsgspecError):
            return msgspec.json.decode(self._told(self.report_file, _LARGEST_REPORT), type=Report)
        return None

    def activity(self) -> ToldActivity | None:
        """What the workload itself says of its activity."""
        with suppress(msgspec.MsgspecError):
            return msgspec.json.decode(self._told(self.activity_file, _LARGEST_ACTIVITY), type=ToldActivity)
        return None

    def _told(self, path: Path, largest: int) -> bytes:
        """A file that the workload itself has written, of so many bytes at most; empty where it has not."""
        with suppress(OSError):
            # Its writer may have put anything there: a link to what is not theirs, a pipe.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                theirs = self.account is None or status.st_uid == self.account.uid
                if stat.S_ISREG(status.st_mode) and theirs and status.st_size <= largest:
                    return file.read(largest)
        return b""


def _keep(place: str, content: Struct) -> None:
    """Write a file whole or not at all."""
    fresh = f"{place}.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, msgspec.json.encode(content))
    finally:
        os.close(descriptor)
    os.rename(fresh, place)  # noqa: PTH104 (pathlib's part of a submission can be measured)


class Launch:
    """A supervisor that was just started."""

    def __init__(self, folder: RunFolder) -> None:
        self._popen = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", _supervisor(), str(folder.run_path), str(folder.log)),
                *([] if folder.account is None else [_as_user(folder.account)]),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            start_new_session=True,
        )
        # A supervisor that ended at once (the run was claimed before) has no start any more.
        self.process = Process(self._popen.pid, start_of(self._popen.pid) or "")

    async def announced(self) -> str:
        """Wait for the supervisor's one line: empty when the process runs, else why it could not start.

        A supervisor that ends without a word is told apart by its exit status.
        """
        assert self._popen.stdout is not None  # noqa: S101 (it was asked for above)
        with self._popen.stdout as pipe:
            await _readable(pipe.fileno())
            line = os.read(pipe.fileno(), 4096).decode(errors="replace").strip()
        return line[1:] if line.startswith("!") else ""

    def reap(self) -> int:
        """Take the ended supervisor off the process table; its exit status."""
        return self._popen.wait()


@cache
def _supervisor() -> str:
    """The supervisor, compiled: as a script each start would compile it anew, for a quarter of its time."""
    try:
        return py_compile.compile(str(_SUPERVISOR), doraise=True) or str(_SUPERVISOR)
    except OSError:
        # Nobody may write where the package lies.
        return str(_SUPERVISOR)


def _as_user(account: Account) -> str:
    """The user and their groups, as the supervisor reads them."""
    others = [group for group in account.groups() if group != account.gid]
    return f"{account.uid}:{','.join(map(str, [account.gid, *others]))}"


def remove_tree(path: Path) -> None:
    """Remove a folder with all in it as far as that can be, however deep somebody has made it; no link is followed."""
    try:
        shutil.rmtree(path, ignore_errors=True)
    except RecursionError:
        subprocess.run(["/bin/rm", "-rf", "--", path], stderr=subprocess.DEVNULL, check=False)


def explained(error: OSError, path: Path) -> EngineUnavailable | StorageFull:
    """What a failed write means: a full disk, or something else that the engine cannot help."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"The disk that holds {path} is full.", "Free some space.")
    return EngineUnavailable(f"{path} cannot be written: {error.strerror}.")


async def ended(process: Process) -> None:
    """Wait until a process has ended, without polling where the system can tell."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):
        # No such call in this system, or no descriptor left.
        while process.is_alive():
            await asyncio.sleep(_POLL_S)
        return
    try:
        if process.is_known():
            await _readable(descriptor)
    finally:
        os.close(descriptor)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
