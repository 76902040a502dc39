"""The kernel provisioner `runai`: a kernel is a workload, and holds its devices from its start to its shutdown."""

from __future__ import annotations

import asyncio
import json
import py_compile
import secrets
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
import zmq
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from tornado import web
from traitlets import Bool, Dict, Enum, Float, Int, List, Unicode

from jupyter_runai.client import never_starts, shared_client
from jupyter_runai.client.runtime import runtime
from jupyter_runai.kernels import keeper
from jupyter_runai.kernels.channel import KernelLaunch, KernelPlan
from jupyter_runai.kernels.lease import Lease
from jupyter_runai.kernels.leaving import leave_running
from jupyter_runai.kernels.notices import Notices
from jupyter_runai.kernels.pods import PORTS, pod_launch, pod_specification, seen_from_here
from jupyter_runai.kernels.workspaces import living_workload
from jupyter_runai.submission.surroundings import name_hint, text_environment
from scheduler_core.engine import Door
from scheduler_core.errors import Conflict, InvalidRequest, RunaiError
from scheduler_core.model import TaskRequest
from scheduler_core.workload import DEFAULT_QUEUE, PRIORITIES, Mount, WorkloadSpec

T = TypeVar("T")

_POLL_S = 0.1
_SESSION_NAME = "JPY_SESSION_NAME"
_ENCRYPTION = "transport_encryption"
_KEYS = ("curve_publickey", "curve_secretkey")


class KernelRefused(Conflict, web.HTTPError):
    """Why a kernel does not start, as a sentence in whatever way the server shows it."""

    def __init__(self, error: RunaiError) -> None:
        # A dialog is no cell, and the server doubles every percent sign.
        self.message, self.hint = (text.replace("%runai", "jupyter runai") for text in (error.message, error.hint))
        web.HTTPError.__init__(self, error.status, str(self))

    def __str__(self) -> str:
        return Conflict.__str__(self)


class RunaiProvisioner(LocalProvisioner):
    """Starts a kernel as a workload of the engine; its kernelspec says on what."""

    gpu = Unicode("", config=True, help="A share of a device such as 0.5, or whole devices such as 2.")
    gpu_memory_mib = Int(0, min=0, config=True, help="Device memory instead, in MiB.")
    project = Unicode(DEFAULT_QUEUE, config=True, help="Whose quota it takes.")
    image = Unicode("", config=True, help="On a cluster: the container image that it runs in.")
    mounts = List(Dict(), config=True, help="On a cluster: volume claims, each {claim, path, sub_path, read_only}.")
    preemptible = Bool(False, config=True, help="It may be evicted for others; it then waits and starts again.")
    priority = Enum(("", *PRIORITIES), "", config=True, help="Another one than high; below that it may be evicted.")
    max_time_s = Float(0.0, min=0, config=True, help="It is stopped after so many seconds; 0: never.")
    queue_timeout = Float(
        20.0,
        min=0,
        config=True,
        help="Give up a start after so many seconds without a device. Not so with use_pending_kernels: those wait.",
    )
    without_server = Float(
        3600.0, min=0, config=True, help="A kernel whose server was killed ends by itself after so many seconds."
    )

    workspace = Unicode("", help="The workspace whose kernel it is; empty: it lives as long as its server.")
    folder = Unicode("", help="Where a workspace's kernel works; empty: where its notebook is.")

    _lease: Lease | None = None
    _is_launched = False
    _is_in_pod = False
    _door: Door | None = None
    _process: tuple[int, int | None] | None = None

    @property
    def _manager(self) -> Any:
        return self.parent

    @property
    def workload_id(self) -> str | None:
        """The workload that holds the kernel's devices; null while there is none."""
        return None if self._lease is None else self._lease.workload.id

    @property
    def has_process(self) -> bool:
        return self._is_launched

    async def poll(self) -> int | None:
        """The exit code of the kernel; null while it runs, and while it waits for its devices to come back."""
        if self._lease is None or not self._is_launched:
            return 0
        return self._lease.exit_code

    async def wait(self) -> int | None:
        code = await self.poll()
        while code is None:
            await asyncio.sleep(_POLL_S)
            code = await self.poll()
        self._is_launched = False
        return code

    async def send_signal(self, signum: int) -> None:
        if self._lease is not None:
            await _there(_signal(self._lease, signum))

    async def note_presence(self) -> None:
        """Somebody works on the kernel's notebook now: it does not count as idle."""
        if self._lease is not None:
            await _there(_present(self._lease))

    async def shutdown_requested(self, restart: bool = False) -> None:
        """A kernel that waits for its devices hears nothing and need not be waited for."""
        if self._lease is not None and not self._lease.is_attached:
            await self.send_signal(signal.SIGKILL)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """What a pod's kernel and this server say to each other is encrypted where both can."""
        try:
            self._is_in_pod = await _there(_runs_in_pods())
        except RunaiError as error:
            raise KernelRefused(error) from None
        if self._is_in_pod and zmq.has("curve") and getattr(self._manager, _ENCRYPTION, "disabled") == "disabled":
            kwargs[_ENCRYPTION] = "auto"
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel: on its lease where it has one, else as a new workload.

        Raises:
            KernelRefused: it got no device in time, or its process cannot be started.
        """
        self.cwd = self.folder or kwargs.get("cwd") or str(Path.cwd())
        try:
            launch = self._launch(cmd, kwargs["env"])
            if self._lease is None or self._lease.workload.has_ended:
                await self._start(launch, kwargs["env"])
            else:
                await _there(_restart(self._lease, launch))
        except RunaiError as error:
            raise KernelRefused(error) from None
        self._is_launched = True
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        """Give the lease back, unless the kernel is to be started again."""
        await super().cleanup(restart)
        if not restart:
            self._is_launched = False
            await self._let_go()

    async def get_provisioner_info(self) -> dict[str, Any]:
        info: dict[str, Any] = await super().get_provisioner_info()
        return info | {"workload": self.workload_id}

    def _launch(self, cmd: list[str], env: dict[str, str]) -> KernelLaunch:
        file = str(Path(self._manager.connection_file).resolve())
        info = {name: value.decode() if isinstance(value, bytes) else value for name, value in self._connection()}
        launch = KernelLaunch(
            id=secrets.token_hex(8),
            argv=tuple(word.replace(file, keeper.CONNECTION_FILE) for word in cmd),
            cwd=str(self.cwd),
            env={name: env[name] for name in (_SESSION_NAME,) if name in env},
            connection={**info, "kernel_name": self._manager.kernel_name},
        )
        return pod_launch(launch) if self._is_in_pod else launch

    def _connection(self) -> list[tuple[str, Any]]:
        return [(name, value) for name, value in self.connection_info.items() if value is not None]

    async def _start(self, launch: KernelLaunch, env: dict[str, str]) -> None:
        """Attach to the workspace where it lives, else submit a workload; its kernel runs when this returns."""
        loop, notices = asyncio.get_running_loop(), Notices(self._manager)

        def changed(lease: Lease) -> None:
            self._connect_anew(lease)
            # A loop that is closed has nobody left to be told.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(notices.tell, lease)

        lease = await _there(_attached(self.workspace, launch, changed)) if self.workspace else None
        if lease is not None:
            await self._started(lease, is_found=True)
            return
        plan = KernelPlan(launch=launch, without_server_s=None if self.workspace else self.without_server)
        lease = await _there(_submitted(self._specification(launch, env), plan, changed, self._is_in_pod))
        await self._started(lease, is_found=False)

    async def _started(self, lease: Lease, is_found: bool) -> None:
        self._lease = lease
        starting = asyncio.wrap_future(runtime().spawn(lease.started(self._queue_timeout_s())))
        # A pending kernel that is shut down is one whose readiness nobody waits for any more.
        self._manager.ready.add_done_callback(lambda ready: ready.cancelled() and starting.cancel())
        try:
            await starting
        except (RunaiError, asyncio.CancelledError) as error:
            self._lease = None
            waits = bool(self.workspace) and lease.workload.state == "pending" and not never_starts(lease.workload)
            await _there(_left(lease) if is_found or waits else lease.withdraw())
            if waits and isinstance(error, Conflict):
                raise Conflict(error.message, "It stays in the queue: open it again when it runs.") from None
            raise
        if self.workspace:
            leave_running(self._manager)
        if self.workspace or self._is_in_pod:
            try:
                await self._connect(lease)
            except RunaiError:
                await self._let_go()
                raise

    def _connect_anew(self, lease: Lease) -> None:
        """Let nobody go on to speak to a process in a pod that the kernel was before."""
        if lease.process is not None and lease.process != self._process:
            self._process = lease.process
            if self._door is not None:
                self._door.hang_up()

    async def _connect(self, lease: Lease) -> None:
        """Take the kernel's own connection over; where it is in a pod our ports lead to it."""
        connection = lease.launch.connection
        found = {**connection, "key": connection["key"].encode()}
        if self._is_in_pod:
            own = self.connection_info
            found = seen_from_here(connection, dict(own))
            ports = {cast(int, dict(own)[name]): port for name, port in PORTS.items()}
            self._door = self._door or await _there(_forwarded(lease, own["ip"], ports))
            if _KEYS[0] not in found:
                # Its ipykernel does not know of keys.
                for name in _KEYS:
                    setattr(self._manager, name, None)
        self.connection_info = cast(KernelConnectionInfo, found)

    def _specification(self, launch: KernelLaunch, env: dict[str, str]) -> WorkloadSpec:
        try:
            gpu = int(self.gpu) if self.gpu.isdecimal() else self.gpu or 0
            request = TaskRequest(gpu=gpu, gpu_memory_mib=self.gpu_memory_mib)
        except ValueError as error:
            raise InvalidRequest(
                f"The kernelspec {self._manager.kernel_name} asks for what cannot be: {error}.", "Install it anew."
            ) from None
        return WorkloadSpec(
            command=(sys.executable, "-I", "-S", "-u", _compiled_keeper(), keeper.WATCHER),
            image=self.image or None,
            mounts=msgspec.convert(tuple(self.mounts), tuple[Mount, ...]),
            cwd=launch.cwd,
            env=text_environment(env),
            name=self.workspace,
            name_hint=name_hint(env, "kernel"),
            kind="workspace",
            queue=self.project,
            priority=PRIORITIES[self.priority] if self.priority else None,
            # Who is given a priority is also given what goes with it.
            preemptible=self.preemptible or (None if self.priority else False),
            max_run_s=self.max_time_s or None,
            request=request,
            key=launch.id,
        )

    def _queue_timeout_s(self) -> float | None:
        manages_pending = getattr(self._manager.parent, "use_pending_kernels", False)
        return None if manages_pending else self.queue_timeout

    async def _let_go(self) -> None:
        lease, self._lease = self._lease, None
        door, self._door = self._door, None
        if door is not None:
            await _there(_closed(door))
        if lease is not None:
            await _there(_left(lease) if self.workspace else lease.end())


@cache
def _compiled_keeper() -> str:
    """The keeper, compiled: as a script each start would compile it anew."""
    try:
        return py_compile.compile(keeper.__file__, doraise=True) or keeper.__file__
    except OSError:
        # Nobody may write where the package lies.
        return keeper.__file__


async def _there(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run where leases live: managers of kernels come with and without a running event loop."""
    return await asyncio.wrap_future(runtime().spawn(coroutine))


async def _runs_in_pods() -> bool:
    return (await shared_client().asynchronous.engine.info()).kind == "kubernetes"


async def _forwarded(lease: Lease, host: str, ports: Mapping[int, int]) -> Door:
    return await shared_client().asynchronous.engine.forward(lease.workload.id, host, ports)


async def _closed(door: Door) -> None:
    door.close()


async def _submitted(spec: WorkloadSpec, plan: KernelPlan, changed: Callable[[Lease], None], in_pod: bool) -> Lease:
    client = shared_client().asynchronous
    with client.engine.staging() as folder:
        if in_pod:
            spec = pod_specification(spec, folder)
        keeper.write_privately(str(folder / keeper.LAUNCH), json.loads(msgspec.json.encode(plan)))
        return Lease(client, await client.engine.submit(spec, folder), plan.launch, changed)


async def _attached(name: str, launch: KernelLaunch, changed: Callable[[Lease], None]) -> Lease | None:
    """The lease of a workspace that lives, with the kernel that runs there or, where none does, this one."""
    client = shared_client().asynchronous
    workload = await living_workload(client, name)
    if workload is None:
        return None
    if workload.state in ("suspended", "suspending"):
        workload = await client.engine.resume(workload.id)
    return Lease(client, workload, launch, changed, adopts=True)


async def _left(lease: Lease) -> None:
    lease.leave()


async def _present(lease: Lease) -> None:
    lease.note_presence()


async def _restart(lease: Lease, launch: KernelLaunch) -> None:
    lease.restart(launch)
    await lease.restarted()


async def _signal(lease: Lease, number: int) -> None:
    lease.signal(number)
