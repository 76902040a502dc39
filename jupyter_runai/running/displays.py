"""What a cell displays beside text: its records lie in a file of their own, in order with the log.

A line of the file is one JSON record. `at` is the length of the log when it was made; `text` what the log then got in
place of the display, its plain form, so that the log can be read by itself. Where output goes to no file there is but
the text.

    {"at", "text", "data", "metadata", "display_id"}     shown anew
    {"at", "data", "metadata", "display_id", "update"}   shown before, now different
    {"at", "clear": wait}                                what was shown so far is to go
"""

from __future__ import annotations

import builtins
import json
import os
import stat
import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from typing import Any

_MOST_BYTES = 200_000_000
_RICH = (
    *("_ipython_display_", "_repr_mimebundle_", "_repr_html_", "_repr_markdown_", "_repr_svg_", "_repr_png_"),
    *("_repr_jpeg_", "_repr_latex_", "_repr_json_", "_repr_javascript_", "_repr_pdf_"),
)


def display_file(results: str, task: int = 0) -> str:
    """Where in the folder of results the records of a task lie."""
    return f"{results}/.displays-{task}.jsonl"


class Displays:
    """The display file of one task."""

    def __init__(self, path: str) -> None:
        self._path = path
        # The cell may turn its own output elsewhere; displays stay where they were, as in a notebook.
        self._log = os.dup(1)

    def show(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str | None, update: bool) -> None:
        """Show a MIME bundle, or with `update` change those of its `display_id`."""
        if update:
            self._record({"data": data, "metadata": metadata, "display_id": display_id, "update": True})
            return
        text = f"{data.get('text/plain', '')}\n"
        if data.keys() - {"text/plain"} or display_id is not None:
            self._record({"text": text, "data": data, "metadata": metadata, "display_id": display_id})
        else:
            _flush()
        self._write(text)

    def clear(self, wait: bool) -> None:
        """Remove what was shown so far, with `wait` when something new is."""
        self._record({"clear": wait})

    def _record(self, record: dict[str, Any]) -> None:
        _flush()
        log = os.fstat(self._log)
        if not stat.S_ISREG(log.st_mode):
            return
        line = json.dumps({"at": log.st_size, **record}, default=_as_text).encode() + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size + len(line) <= _MOST_BYTES:
                os.write(descriptor, line)
            elif not record.get("update"):
                self._write(f"[Over {_MOST_BYTES // 1_000_000} MB of displays: only its text is shown.]\n")
        finally:
            os.close(descriptor)

    def _write(self, text: str) -> None:
        os.write(self._log, text.encode("utf-8", "backslashreplace"))


def prepare(module: ModuleType, displays: Displays) -> None:
    """Give the cell `display` and `get_ipython`; IPython comes in with the first that needs it."""
    starter = _StartWithIPython(lambda: _start_shell(module, displays))
    sys.meta_path.insert(0, starter)
    builtins.display = _display  # type: ignore[attr-defined]
    builtins.get_ipython = _get_ipython  # type: ignore[attr-defined]


def finish_cell() -> None:
    """What IPython does after a cell: figures that are still open are shown."""
    shell = _shell()
    if shell is not None:
        shell.events.trigger("post_execute")


def _display(*values: object, **options: Any) -> None:
    if _shell() is None and not options and not any(hasattr(type(value), name) for value in values for name in _RICH):
        for value in values:
            print(repr(value))  # noqa: T201 (this is the cell's output)
        return
    try:
        from IPython.display import display  # noqa: PLC0415 (a third of a second)
    except ImportError:
        print(*map(repr, values), sep="\n")  # noqa: T201
        return
    display(*values, **options)


def _get_ipython() -> Any:
    try:
        import IPython  # noqa: F401, PLC0415 (a third of a second)
    except ImportError:
        return None
    return _shell()


def _shell() -> Any:
    module = sys.modules.get("IPython.core.interactiveshell")
    kind = getattr(module, "InteractiveShell", None)
    return kind.instance() if kind is not None and kind.initialized() else None


class _StartWithIPython:
    """Calls `then` once, after whoever it is has imported IPython."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != "IPython":
            return None
        import importlib.util  # noqa: PLC0415

        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                self._then()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _start_shell(module: ModuleType, displays: Displays) -> None:
    import warnings  # noqa: PLC0415

    from IPython.core.displaypub import DisplayPublisher  # noqa: PLC0415
    from IPython.core.interactiveshell import InteractiveShell  # noqa: PLC0415
    from traitlets.config import Config  # noqa: PLC0415

    class Publisher(DisplayPublisher):
        def publish(
            self,
            data: dict[str, Any],
            metadata: dict[str, Any] | None = None,
            source: object = None,
            *,
            transient: dict[str, Any] | None = None,
            update: bool = False,
            **_: object,
        ) -> None:
            displays.show(data, metadata or {}, (transient or {}).get("display_id"), update)

        def clear_output(self, wait: bool = False) -> None:
            displays.clear(wait)

    class Shell(InteractiveShell):
        display_pub_class = Publisher

    with warnings.catch_warnings():
        # Of an environment that is active and not this Python's: the notebook's own kernel has said so.
        warnings.simplefilter("ignore")
        Shell.instance(user_module=module, config=Config({"HistoryManager": {"enabled": False}}))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__):
        try:
            if stream is not None:
                stream.flush()
        except ValueError:
            pass  # The cell has closed it.


def _as_text(value: object) -> str:
    import base64  # noqa: PLC0415

    return base64.b64encode(value).decode() if isinstance(value, bytes) else repr(value)
