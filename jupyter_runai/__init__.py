"""Exactly the GPU you need, from any notebook cell.

`%load_ext jupyter_runai` in a notebook brings the magics; in code, `import jupyter_runai as runai`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyter_runai.functions import Handle, RemoteError, RemoteFunction, get, map, remote, submit  # noqa: A004
    from jupyter_runai.reports.sdk import usage

__all__ = ["Handle", "RemoteError", "RemoteFunction", "get", "map", "remote", "submit", "usage"]


def __getattr__(name: str) -> Any:
    """The version, functions and widgets are loaded when asked for: that costs more than the rest of this module."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("jupyter-runai")
    if name == "widgets":
        return import_module("jupyter_runai.widgets")
    if name == "usage":
        from jupyter_runai.reports.sdk import usage  # noqa: PLC0415

        return usage
    if name in __all__:
        from jupyter_runai import functions  # noqa: PLC0415

        return getattr(functions, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add %runai and %%runai to a notebook."""
    from jupyter_runai.magics import RunaiMagics  # noqa: PLC0415 (only kernels need IPython)

    magics = RunaiMagics(shell)
    shell.register_magics(magics)
    magics.attach()


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics away again."""
    from jupyter_runai.magics import RunaiMagics  # noqa: PLC0415

    for magics in [known for known in shell.configurables if isinstance(known, RunaiMagics)]:
        magics.detach()
        shell.configurables.remove(magics)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("runai", None)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-runai"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from jupyter_runai.server.app import RunaiExtension  # noqa: PLC0415 (only servers need it)

    return [{"module": "jupyter_runai", "app": RunaiExtension}]
