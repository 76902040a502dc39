"""Keeps a kernel inside its workload: the workload lives on when its kernel is restarted, and so does what it holds.

A script (`python -I -S -u keeper.py WATCHER`) of the standard library alone, and of as little of that as can be: its
start lies in the way of every kernel.

It starts the kernel as RUNAI_INPUTS/kernel.json says ({launch: {id, argv, cwd, env, connection}, without_server_s}) and
listens on the private socket RUNAI_RESULTS/keeper.sock for the Jupyter servers beside it, in a pod at the port
RUNAI_DOOR of its loopback, where nobody comes but by the leave of the cluster. Both sides speak JSON, one object a
line. It says {launch, pid, exit, failure} of the kernel, at first and at each change; it is told {start: launch},
{signal: number}, {present: true} as somebody works on its notebook, and {end: true}.
RUNAI_RESULTS/kernel.json is what was started last, and is started after an eviction.

A connection that breaks off means that its server is gone. Without any server a kernel goes on for `without_server_s`
seconds (null: for good), and one that ends by itself ends its workload.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOCKET = "keeper.sock"
CONNECTION = "connection.json"
LAUNCH = "kernel.json"
CONNECTION_FILE = "{connection_file}"
CANNOT_START = 127
WATCHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "watcher.py")
_FIRST_SERVER_S = 60.0
_GRACE_S = 10.0
_WATCHED_AFTER_S = 2.0
_LONGEST_MESSAGE = 1024 * 1024
_QUESTION = (
    "import zmq; from importlib.metadata import version; "
    "print(zmq.has('curve') and [int(part) for part in version('ipykernel').split('.')[:2]] >= [7, 3])"
)


class Kernel:
    """The kernel's process, as the last launch has started it."""

    def __init__(self, watcher: str) -> None:
        self._watched_by = watcher
        self.launch: dict[str, Any] = {}
        self.exit: int | None = None
        self.failure = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._connection = ""
        self.watched_from: float | None = None
        """When it is to be watched, on the monotonic clock; null while it is, and where it need not be."""

    def start(self, launch: dict[str, Any]) -> None:
        """Start what a launch says, instead of what runs now."""
        self.signal(signal.SIGKILL)
        self.wait()
        self.end_watching()
        if launch["connection"].get("curve_publickey") and not _encrypts(launch["argv"]):
            launch = {**launch, "connection": _plain(launch["connection"])}
        self.launch, self.exit, self.failure, self._process = launch, None, "", None
        self._connection = os.path.abspath(CONNECTION)
        write_privately(self._connection, launch["connection"])
        argv = [word.replace(CONNECTION_FILE, self._connection) for word in launch["argv"]]
        try:
            self._process = subprocess.Popen(
                argv,
                cwd=launch["cwd"],
                env={**os.environ, **launch["env"]},
                stdin=subprocess.DEVNULL,
                # A group of its own takes the signals; the session stays the workload's.
                preexec_fn=os.setpgrp,  # noqa: PLW1509 (there is one thread)
            )
        except OSError as error:
            self.exit, self.failure = CANNOT_START, f"{error.strerror}: {error.filename}"
            return
        # Its start would take the processor from the kernel's own, for which somebody waits.
        self.watched_from = time.monotonic() + _WATCHED_AFTER_S

    def watch_where_due(self) -> None:
        """Begin to find out whether it executes anything."""
        if self.watched_from is not None and time.monotonic() >= self.watched_from:
            self.watched_from = None
            argv = [sys.executable, "-I", self._watched_by, self._connection]
            self._watcher = subprocess.Popen(argv, bufsize=0, stdin=subprocess.PIPE)
            if self._watcher.stdin is not None:
                os.set_blocking(self._watcher.stdin.fileno(), False)

    def signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            with suppress(OSError):
                os.killpg(self._process.pid, number)

    def note_presence(self) -> None:
        """Somebody works on its notebook now."""
        if self._watcher is not None and self._watcher.stdin is not None:
            # A watcher that has gone, or is behind, misses no more than this.
            with suppress(OSError):
                self._watcher.stdin.write(b"\n")

    def has_ended(self) -> bool:
        """Whether it has ended, found out now; one that has is watched no more, nor is one whose watcher was killed."""
        if self._process is not None:
            self.exit = self._process.poll()
        if self.exit is not None or (self._watcher is not None and self._watcher.poll() is not None):
            self.end_watching()
        return self.exit is not None

    def end_watching(self) -> None:
        """Know no longer whether it executes anything."""
        self.watched_from = None
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.wait()
            if self._watcher.stdin is not None:
                self._watcher.stdin.close()
            self._watcher = None
        with suppress(FileNotFoundError):
            os.unlink(os.environ["RUNAI_ACTIVITY"])

    def wait(self, timeout_s: float | None = None) -> None:
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)

    def told(self) -> bytes:
        """What servers are told of it."""
        pid = None if self._process is None else self._process.pid
        said = {"launch": self.launch, "pid": pid, "exit": self.exit, "failure": self.failure}
        return json.dumps(said).encode() + b"\n"


class Keeper:
    """One workload's loop over its kernel, the servers beside it and the signals it gets."""

    def __init__(self, plan: dict[str, Any], has_met_a_server: bool, watcher: str) -> None:
        self._without_server_s: float | None = plan["without_server_s"]
        self._kernel = Kernel(watcher)
        self._servers: dict[socket.socket, bytearray] = {}
        self._selector = selectors.DefaultSelector()
        self._told_to_go = False
        self._status: int | None = None
        self._first_server_until = time.monotonic() + _FIRST_SERVER_S
        self._has_met_one = False
        self._alone_until: float | None = None
        self._be_alone()
        if self._alone_until is not None and not has_met_a_server:
            # Whoever has asked for it has gone while it waited.
            self._alone_until = min(self._alone_until, self._first_server_until)
        self._listen()
        self._heed_signals()
        self._kernel.start(plan["launch"])

    def run(self) -> int:
        """Go on until the workload is to end; its exit status."""
        while self._status is None:
            for key, _ in self._selector.select(self._patience_s()):
                key.data(key.fileobj)
            if self._kernel.exit is None and self._kernel.has_ended():
                self._tell_servers()
            self._kernel.watch_where_due()
            self._end_where_due()
        return self._status

    def _listen(self) -> None:
        listener = _door()
        listener.listen()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._meet)

    def _heed_signals(self) -> None:
        reader, writer = socket.socketpair()
        for end in (reader, writer):
            end.setblocking(False)
        signal.set_wakeup_fd(writer.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, self._go)
        self._wakeup = writer
        self._selector.register(reader, selectors.EVENT_READ, lambda end: end.recv(4096))

    def _go(self, *_: object) -> None:
        """The engine takes the workload off its devices, and has told the kernel as well; in a pod it tells only us."""
        self._told_to_go = True
        if "RUNAI_DOOR" in os.environ:
            self._kernel.signal(signal.SIGTERM)

    def _meet(self, listener: socket.socket) -> None:
        server, _ = listener.accept()
        server.setblocking(False)
        self._servers[server] = bytearray()
        self._has_met_one = True
        self._selector.register(server, selectors.EVENT_READ, self._hear)
        write_privately(LAUNCH, {"launch": self._kernel.launch, "without_server_s": self._without_server_s})
        self._tell(server)

    def _part(self, server: socket.socket) -> None:
        self._selector.unregister(server)
        del self._servers[server]
        server.close()
        if not self._servers:
            self._be_alone()

    def _be_alone(self) -> None:
        limit_s = self._without_server_s
        self._alone_until = None if limit_s is None else time.monotonic() + limit_s

    def _patience_s(self) -> float | None:
        ends = [self._kernel.watched_from]
        if not self._servers:
            ends.append(self._alone_until)
            if self._kernel.exit is not None and not self._has_met_one:
                ends.append(self._first_server_until)
        due = [end for end in ends if end is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _hear(self, server: socket.socket) -> None:
        buffer = self._servers[server]
        try:
            heard = server.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        buffer += heard
        if not heard or len(buffer) > _LONGEST_MESSAGE:
            self._part(server)
            return
        *lines, rest = bytes(buffer).split(b"\n")
        buffer[:] = rest
        for line in lines:
            self._do(json.loads(line))

    def _do(self, order: dict[str, Any]) -> None:
        if "start" in order:
            self._kernel.start(order["start"])
            write_privately(LAUNCH, {"launch": order["start"], "without_server_s": self._without_server_s})
            self._tell_servers()
        elif "signal" in order:
            self._kernel.signal(order["signal"])
        elif "present" in order:
            self._kernel.note_presence()
        elif "end" in order:
            self._end()

    def _end_where_due(self) -> None:
        # Who has started it is to hear how it ended, be it faster than they come.
        is_heard = self._has_met_one or time.monotonic() >= self._first_server_until
        if self._kernel.exit is not None and (self._told_to_go or (is_heard and not self._servers)):
            code = self._kernel.exit
            self._status = code if code >= 0 else 128 - code
        elif not self._servers and self._alone_until is not None and time.monotonic() >= self._alone_until:
            self._kernel.signal(signal.SIGTERM)
            self._kernel.wait(_GRACE_S)
            self._end()

    def _end(self) -> None:
        """End the workload as done, be it told to go at the same time."""
        self._kernel.signal(signal.SIGKILL)
        self._kernel.wait()
        self._kernel.end_watching()
        write_privately(os.environ["RUNAI_REPORT"], {})
        self._status = 0

    def _tell_servers(self) -> None:
        for server in list(self._servers):
            self._tell(server)

    def _tell(self, server: socket.socket) -> None:
        try:
            server.sendall(self._kernel.told())
        except OSError:
            # It is gone, or does not read what it is told.
            self._part(server)


def _door() -> socket.socket:
    """Where servers come to."""
    port = os.environ.get("RUNAI_DOOR")
    if port is not None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(port)))
        return listener
    with suppress(FileNotFoundError):
        os.unlink(SOCKET)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    # By its relative name: the whole path may be longer than an address can be.
    listener.bind(SOCKET)
    os.umask(before)
    return listener


def _encrypts(argv: list[str]) -> bool:
    """Whether a kernel makes use of the keys it is given: the ipykernel of an image may be an older one."""
    if "RUNAI_DOOR" not in os.environ or "ipykernel_launcher" not in argv:
        return True
    try:
        asked = subprocess.run([argv[0], "-c", _QUESTION], capture_output=True, text=True, check=False)
    except OSError:
        # It will be said when it is started.
        return True
    return asked.stdout.strip() == "True"


def _private_folder() -> str:
    import tempfile  # noqa: PLC0415 (only in pods)

    return tempfile.mkdtemp(prefix="runai-kernel-")


def _plain(connection: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in connection.items() if not name.startswith("curve_")}


def write_privately(path: str, content: object) -> None:
    """Write a file that nobody else can read, whole or not at all."""
    fresh = path + ".new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
    os.replace(fresh, path)


def main(watcher: str = WATCHER) -> int:
    """Keep the kernel until its workload is to end."""
    # Of a pod all that lies in its results is told; keys are not to be.
    os.chdir(os.environ["RUNAI_RESULTS"] if "RUNAI_DOOR" not in os.environ else _private_folder())
    has_met_a_server = os.path.exists(LAUNCH)
    with open(LAUNCH if has_met_a_server else f"{os.environ['RUNAI_INPUTS']}/{LAUNCH}", encoding="utf-8") as file:
        plan = json.load(file)
    return Keeper(plan, has_met_a_server, watcher).run()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
