"""Keeps large parts of workloads' inputs as files, and gives them to whoever has the workload's token.

What is in them is not read but as bytes. One that is of no workload any more is removed.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from scheduler_core.errors import NotFound, RunaiError
from scheduler_core.kubernetes.api.blobs import PORT, TOKEN_HEADER, Blob, token_digest
from scheduler_core.kubernetes.api.connection import Connection
from scheduler_core.kubernetes.api.objects import GpuWorkload, read_workload
from scheduler_core.kubernetes.api.resources import WORKLOADS
from scheduler_core.kubernetes.running.inputs import LARGEST

_MOST_KEPT = 20_000_000_000
"""In bytes, of all workloads together."""
_SWEPT_EVERY_S = 60.0
_CHUNK = 1_000_000
_FULL = 507
_log = logging.getLogger(__name__)


class BlobService:
    """Serves those of a cluster from a folder; `others` are routes to what else the controller is asked for."""

    def __init__(self, connection: Connection, folder: Path, port: int = PORT, others: Sequence[Any] = ()) -> None:
        self._others = others
        self._connection = connection
        self._store = _Store(folder)
        self._port = port

    async def run(self) -> None:
        """Serve until cancelled."""
        handling = {"store": self._store, "find": self._find}
        pattern = r"/blobs/([a-z0-9.-]{1,253})/([a-z0-9.-]{1,253})/([0-9a-f]{64})"
        server = HTTPServer(Application([(pattern, _Handler, handling), *self._others]), max_body_size=LARGEST)
        try:
            server.listen(self._port)
        except OSError as error:
            _log.error("Large values cannot be taken, port %d cannot be used: %s", self._port, error.strerror)
            return
        try:
            while True:
                await asyncio.sleep(_SWEPT_EVERY_S)
                await self.sweep()
        finally:
            server.stop()
            await server.close_all_connections()

    async def sweep(self) -> None:
        """Remove those of workloads that are gone, or have ended."""
        for namespace, name, uid in list(self._store.owners()):
            try:
                found = await self._find(namespace, name)
            except NotFound:
                self._store.forget(namespace, name, uid)
                continue
            except RunaiError as error:
                _log.info("Blobs are looked at again later: %s", error)
                return
            if found.metadata.uid != uid or found.workload().has_ended:
                self._store.forget(namespace, name, uid)

    async def _find(self, namespace: str, name: str) -> GpuWorkload:
        return read_workload(await self._connection.raw(WORKLOADS.path(namespace, name)))


class _Store:
    """Files by their workload and digest; each is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes: dict[Path, dict[str, int]] = {}
        self.size = 0
        """In bytes, of all of them, those that are on their way among them."""
        for file in folder.glob("*/*/*/*"):
            self.note(file, file.stat().st_size)

    def note(self, file: Path, size: int) -> None:
        """A file is so long now; 0 where it is not there any more."""
        self.size += size - self._sizes.get(file.parent, {}).pop(file.name, 0)
        if size:
            self._sizes.setdefault(file.parent, {})[file.name] = size

    def path(self, owner: GpuWorkload, blob: Blob) -> Path:
        meta = owner.metadata
        return self._folder / meta.namespace / meta.name / meta.uid / blob.digest

    def owners(self) -> Iterator[tuple[str, str, str]]:
        for folder in self._folder.glob("*/*/*"):
            namespace, name, uid = folder.relative_to(self._folder).parts
            yield namespace, name, uid

    def forget(self, namespace: str, name: str, uid: str) -> None:
        """Those of one workload: another may have its name by now."""
        folder = self._folder / namespace / name / uid
        shutil.rmtree(folder, ignore_errors=True)
        self.size -= sum(self._sizes.pop(folder, {}).values())


@stream_request_body
class _Handler(RequestHandler):
    """PUT what a workload says that it has, GET what was put."""

    def initialize(self, store: _Store, find: Callable[[str, str], Awaitable[GpuWorkload]]) -> None:
        self._store = store
        self._find = find
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()

    async def prepare(self) -> None:
        owner, self._blob = await self._allowed(*self.path_args)
        self._path = self._store.path(owner, self._blob)
        if self.request.method == "PUT":
            if int(self.request.headers.get("Content-Length", -1)) != self._blob.size:
                raise HTTPError(400, "not as long as was said")
            if self._store.size + self._blob.size > _MOST_KEPT:
                raise HTTPError(_FULL, reason="No space left for values")
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fresh = self._path.with_name(f"{self._blob.digest}.{id(self)}.new")
            self._file = self._fresh.open("wb")
            self._store.note(self._fresh, self._blob.size)

    def data_received(self, chunk: bytes) -> None:
        if self._file is not None:
            self._digest.update(chunk)
            self._file.write(chunk)

    async def put(self, *_: str) -> None:
        assert self._file is not None  # noqa: S101 (`prepare` has opened it)
        self._file.close()
        if self._digest.hexdigest() != self._blob.digest:
            raise HTTPError(400, "not what was said")
        self._fresh.replace(self._path)
        self._store.note(self._path, self._blob.size)
        self.set_status(201)

    async def get(self, *_: str) -> None:
        if not self._path.exists():
            raise HTTPError(404)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Content-Length", str(self._blob.size))
        with self._path.open("rb") as file:
            while data := file.read(_CHUNK):
                self.write(data)
                await self.flush()

    def compute_etag(self) -> None:
        """Its name says all."""

    def on_finish(self) -> None:
        self._tidy()

    def on_connection_close(self) -> None:
        self._tidy()

    def _tidy(self) -> None:
        if self._file is not None:
            self._file.close()
            self._fresh.unlink(missing_ok=True)
            self._store.note(self._fresh, 0)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        if not isinstance(value, HTTPError):
            _log.error("A blob could not be served: %s", value)

    async def _allowed(self, namespace: str, name: str, digest: str) -> tuple[GpuWorkload, Blob]:
        """The workload whose token was shown, and what it says of this blob."""
        try:
            owner = await self._find(namespace, name)
        except (NotFound, msgspec.MsgspecError):
            raise HTTPError(403) from None
        except RunaiError as error:
            raise HTTPError(503, str(error)) from error
        shown = token_digest(self.request.headers.get(TOKEN_HEADER, ""))
        if not hmac.compare_digest(shown, owner.spec.blobs_key):
            raise HTTPError(403)
        for blob in owner.spec.blobs:
            if blob.digest == digest and blob.size <= LARGEST:
                return owner, blob
        raise HTTPError(404)
