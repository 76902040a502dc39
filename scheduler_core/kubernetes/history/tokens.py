"""What opens history: a token for each namespace, made of a key that never leaves the folder, and told in Secrets."""

from __future__ import annotations

import hmac
import logging
import os
import secrets
from base64 import b64encode
from pathlib import Path

from scheduler_core.errors import NotFound, RunaiError
from scheduler_core.kubernetes.api.connection import APPLY, Connection, Json
from scheduler_core.kubernetes.api.history import ALL_SECRET, SECRET, TOKEN_KEY
from scheduler_core.kubernetes.api.resources import SYSTEM_NAMESPACE

_BYTES = 32
_MANAGER = "jupyter-runai-history"
_log = logging.getLogger(__name__)


class Tokens:
    """The tokens under one key. Raises `OSError` where the folder cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._key = _kept_key(folder / "key")

    def of(self, namespace: str) -> str:
        """What opens the history of a namespace."""
        return self._made(f"namespace/{namespace}")

    @property
    def of_all(self) -> str:
        """What opens the accounts of all."""
        return self._made("all")

    def opens(self, shown: str, namespace: str | None) -> bool:
        """Whether this is the token of a namespace, or, with null, that of all."""
        expected = self.of_all if namespace is None else self.of(namespace)
        return hmac.compare_digest(shown.encode(), expected.encode())

    def _made(self, what: str) -> str:
        return hmac.new(self._key, what.encode(), "sha256").hexdigest()


class ToldTokens:
    """Writes tokens into the namespaces where they are read. It reads no Secret."""

    def __init__(self, connection: Connection, tokens: Tokens) -> None:
        self._connection = connection
        self._tokens = tokens
        self._told: set[str] = set()

    async def tell_all(self) -> None:
        """Write the one that opens all; those of namespaces are told anew.

        Raises:
            RunaiError: the cluster does not let us.
        """
        self._told.clear()
        await self._write(SYSTEM_NAMESPACE, ALL_SECRET, self._tokens.of_all)

    async def tell(self, namespaces: set[str]) -> None:
        """Write those of the namespaces in which they are not yet."""
        self._told &= namespaces
        for namespace in sorted(namespaces - self._told):
            try:
                await self._write(namespace, SECRET, self._tokens.of(namespace))
            except NotFound:
                # The namespace is going.
                continue
            except RunaiError as error:
                _log.warning("History is not open to %s yet: %s", namespace, error)
                return
            self._told.add(namespace)

    async def _write(self, namespace: str, name: str, token: str) -> None:
        secret: Json = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "data": {TOKEN_KEY: b64encode(token.encode()).decode()},
        }
        path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
        await self._connection.send("PATCH", path, secret, APPLY, fieldManager=_MANAGER, force="true")


def _kept_key(path: Path) -> bytes:
    """The key in this file; made where there is none, whole or not at all."""
    if not path.exists():
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    return path.read_bytes()
