"""Python functions as workloads: `submit`, `remote`, `map`, `get`."""

from jupyter_runai.functions.decorator import RemoteFunction, remote
from jupyter_runai.functions.errors import RemoteError
from jupyter_runai.functions.handle import Handle, get
from jupyter_runai.functions.mapping import map  # noqa: A004 (people write runai.map)
from jupyter_runai.functions.submission import submit

__all__ = ["Handle", "RemoteError", "RemoteFunction", "get", "map", "remote", "submit"]
