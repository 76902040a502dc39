"""`python -m scheduler_core.kubernetes.controller`: runs the workloads of a cluster, one of its copies at a time."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from scheduler_core.errors import RunaiError, leaves
from scheduler_core.kubernetes.api.blobs import PORT
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.lease import Lease
from scheduler_core.kubernetes.api.resources import SYSTEM_NAMESPACE
from scheduler_core.kubernetes.history.history import History
from scheduler_core.kubernetes.running.blob_service import BlobService
from scheduler_core.kubernetes.running.reconciler import Reconciler
from scheduler_core.kubernetes.scheduling.kai import handed_to_kai, has_kai
from scheduler_core.kubernetes.scheduling.kai_verdicts import KaiVerdicts
from scheduler_core.kubernetes.scheduling.scheduler import Scheduler
from scheduler_core.kubernetes.setup.deployment import CONTROLLER, IMAGE_VARIABLE
from scheduler_core.kubernetes.sharing.prover import Prover
from scheduler_core.kubernetes.sharing.reservations import Reservations
from scheduler_core.kubernetes.sharing.shares import Shares
from scheduler_core.kubernetes.state.cluster import Cluster
from scheduler_core.kubernetes.state.memberships import Memberships
from scheduler_core.kubernetes.state.mirror import mirrored
from scheduler_core.kubernetes.state.owners import Owners

_RETRY_S = 5.0
_NO_IMAGE = "No device can be shared here: the controller was not told which image it is of."
_FAILED = 1
_log = logging.getLogger(__name__)


def main(words: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit status: 0 told to end, 1 the cluster refuses."""
    parser = argparse.ArgumentParser(prog="python -m scheduler_core.kubernetes.controller", description=__doc__)
    parser.add_argument("--kubeconfig", help="a file (default: KUBECONFIG, ~/.kube/config, or this pod's account)")
    parser.add_argument("--context", help="a context of the kubeconfig (default: the current one)")
    parser.add_argument("--image", default=os.environ.get(IMAGE_VARIABLE), help="what pods that hold devices run")
    parser.add_argument("--values", help="a folder for large values of workloads (default: one that goes with it)")
    parser.add_argument("--values-port", type=int, default=PORT, help="where they are served (default: %(default)s)")
    parser.add_argument("--history", metavar="FOLDER", type=Path, help="where to keep history (default: none is kept)")
    parser.add_argument("--namespace", default=SYSTEM_NAMESPACE, help="where its lease is (default: %(default)s)")
    options = parser.parse_args(words)
    if options.kubeconfig:
        os.environ["KUBECONFIG"] = options.kubeconfig
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    try:
        with ExitStack() as own:
            # In its pod there is no other folder that it may write to.
            folder = options.values or own.enter_context(TemporaryDirectory(prefix="runai-values-"))
            kept = Kept(Path(folder), options.values_port, options.history)
            asyncio.run(_until_told(options.context, options.namespace, options.image, kept))
    except RunaiError as error:
        print(error, file=sys.stderr)  # noqa: T201 (this is a command)
        return _FAILED
    return 0


class Kept(Struct, frozen=True):
    """Where large `values` of workloads are kept, at which port they are served, and where `history`, if it is."""

    values: Path
    port: int
    history: Path | None = None


async def _until_told(context: str | None, namespace: str, image: str | None, kept: Kept) -> None:
    running, loop = asyncio.ensure_future(control(context, namespace, image, kept)), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    await asyncio.wait((running,))
    if not running.cancelled():
        running.result()


async def control(context: str | None, namespace: str, image: str | None, kept: Kept) -> None:
    """Wait for the lease and, while it is held, do what there is to do.

    Raises:
        RunaiError: there is no cluster to talk to.
    """
    connection = await Connection.open(context)
    lease = Lease(connection, namespace, CONTROLLER)
    try:
        await lease.lead(lambda: _lead(connection, image, kept))
    finally:
        await connection.close()


async def _lead(connection: Connection, image: str | None, kept: Kept) -> None:
    history = None if kept.history is None else _history(connection, kept.history)
    try:
        async with asyncio.TaskGroup() as parts:
            routes = () if history is None else history.routes()
            parts.create_task(BlobService(connection, kept.values, kept.port, routes).run())
            parts.create_task(_place(connection, image, history))
    finally:
        if history is not None:
            history.close()


def _history(connection: Connection, folder: Path) -> History | None:
    try:
        return History(connection, folder)
    except RunaiError as error:
        _log.error("No history is kept: %s", error)
        return None


async def _place(connection: Connection, image: str | None, history: History | None) -> None:
    """Place pods, from what the API says alone; where it refuses, look again after a while."""
    while True:
        try:
            await _place_from_new(connection, image, history)
        except* RunaiError as refused:
            for error in leaves(refused):
                _log.error("The cluster cannot be read: %s", error)
        await asyncio.sleep(_RETRY_S)


async def _place_from_new(connection: Connection, image: str | None, history: History | None) -> None:
    """Where KAI is, it places pods: there we are its client."""
    if await has_kai(connection):
        await _with_kai(connection)
    else:
        await _by_ourselves(connection, image, history)


async def _with_kai(connection: Connection) -> None:
    async with asyncio.TaskGroup() as parts:
        parts.create_task(Reconciler(connection, handed_to_kai).run())
        parts.create_task(KaiVerdicts(connection).run())


async def _by_ourselves(connection: Connection, image: str | None, history: History | None) -> None:
    cluster = Cluster()
    reservations = Reservations(connection, image or "")
    memberships = Memberships(Owners(connection))
    scheduler = Scheduler(connection, cluster, memberships, Shares(reservations))
    memberships.changed = scheduler.wake

    def proved() -> None:
        cluster.no_shares = prover.refusal
        scheduler.wake()

    prover = Prover(connection, image or "", proved)
    cluster.no_shares = prover.refusal
    if history is not None:
        history.begin(cluster, memberships)
    reflectors = mirrored(
        connection,
        cluster,
        lambda matters: scheduler.wake() if matters else None,
        lambda pods: None if history is None else history.pods_seen(pods),
    )
    reconciler = Reconciler(connection, seen=lambda pods: None if history is None else history.run_pods_seen(pods))
    async with asyncio.TaskGroup() as parts:
        for reflector in reflectors:
            parts.create_task(reflector.run())
        # Half of what is there would look like room: nothing is planned before all of it is known.
        for reflector in reflectors:
            await reflector.synced.wait()
        parts.create_task(reservations.run())
        await memberships.learn(cluster.pods.values())
        parts.create_task(scheduler.run())
        parts.create_task(reconciler.run())
        if history is not None:
            parts.create_task(history.follow(cluster, scheduler, reservations))
        if image:
            parts.create_task(prover.run())
        else:
            cluster.no_shares = ("never_fits", _NO_IMAGE)


if __name__ == "__main__":
    sys.exit(main())
