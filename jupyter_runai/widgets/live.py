"""What all widgets share: one watch, drawn at a steady pace, acting on what the browser says."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Protocol

import msgspec
from anywidget import AnyWidget
from msgspec import Struct
from traitlets import Dict

from jupyter_runai.client.pace import Pace
from jupyter_runai.client.runtime import runtime
from jupyter_runai.client.watch import shared_watch
from jupyter_runai.widgets import strings
from jupyter_runai.widgets.messages import ROLL_CALL, Filled, Hidden, Message, Pressed, Seen
from scheduler_core.errors import RunaiError

_log = logging.getLogger(__name__)
_STATIC = Path(__file__).with_name("static")
_PLAIN = "text/plain"


class Note(Struct, frozen=True):
    """What became of the last thing a person did, or why nothing is heard."""

    text: str = ""
    is_problem: bool = False


class View(Protocol):
    """What a widget shows: a struct whose texts the browser only draws."""

    def text(self) -> str:
        """The same for where there is no browser, of one line or several."""
        ...


def static(*names: str) -> str:
    """Static files as one: what is sent to the browser cannot import from beside itself."""
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in names)


def in_one_sentence(error: RunaiError) -> RunaiError:
    """The same error, shown in a notebook without a traceback through this package."""
    kind = type(error)
    shown: RunaiError = type(kind.__name__, (_Sentence, kind), {"__module__": kind.__module__})(
        error.message, error.hint
    )
    return shown


class _Sentence(RunaiError):
    def _render_traceback_(self) -> list[str]:
        return [line for line in (self.message, self.hint) if line]


class LiveWidget(AnyWidget):
    """A widget that follows the engine until it is closed, or until no page shows it any more.

    Only the runtime's event loop reads and changes it; its public methods may be called from any other thread.
    """

    _css: ClassVar[str] = static("widgets.css")
    shown = Dict().tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._watch = shared_watch()
        self._pace = Pace(self._draw)
        self._turn = asyncio.Lock()
        self._work: asyncio.Task[None] | None = None
        self._pressed: set[str] = set()
        self._said = Note()
        self._is_closed = False
        self.on_msg(self._hear)
        runtime().run(self._follow())

    def close(self) -> None:
        """Stop following the engine and go from the page."""
        if not getattr(self, "_is_closed", True):
            self._is_closed = True
            runtime().run(self._rest())
        super().close()

    def __str__(self) -> str:
        return runtime().run(self._text())

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        text = str(self)
        if self._is_closed:
            return {_PLAIN: text}, {}
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return {**data, _PLAIN: text}, metadata

    @abstractmethod
    def _view(self) -> View:
        """What is to be shown now."""

    async def _keep_up(self) -> None:
        """What runs beside the watch while the engine is followed."""

    def _changed(self) -> None:
        """The engine told something."""
        self._pace.ask()

    async def _fill(self, field: str, value: str | bool) -> None:
        """A field was given this value."""

    async def _press(self, button: str) -> str:
        """Do what a button says; the answer is a sentence on what became of it."""
        return ""

    def _note(self) -> Note:
        """What is to be said besides: a lost engine before the last answer."""
        watch = self._watch
        if watch.problem is not None:
            return Note(str(watch.problem), is_problem=True)
        if watch.lost_at is not None:
            return Note(strings.LOST.format(time.strftime("%H:%M:%S", time.localtime(watch.lost_at))), is_problem=True)
        return self._said

    async def _text(self) -> str:
        if not self._is_closed:
            if self._work is not None:
                await self._be_told()
            self._draw()
        return self._view().text()

    async def _be_told(self) -> None:
        """Wait a moment for what a text, which nobody draws anew, would else lack."""

    def _draw(self) -> None:
        self.shown = msgspec.to_builtins(self._view())

    def _hear(self, _: AnyWidget, content: object, __: object) -> None:
        """A message, on whatever thread the kernel answers the browser."""
        try:
            message = msgspec.convert(content, type=Message)
        except msgspec.ValidationError:
            return
        runtime().spawn(self._answer(message))

    async def _answer(self, message: Message) -> None:
        if self._is_closed:
            return
        try:
            match message:
                case Seen():
                    await self._follow()
                case Hidden():
                    await self._rest()
                    self.send(ROLL_CALL)
                case Filled():
                    await self._fill(message.field, message.value)
                case Pressed():
                    await self._do(message.button)
        except Exception:
            _log.exception("A widget of jupyter-runai could not answer the browser")
        else:
            if not isinstance(message, Hidden):
                self._pace.ask()

    async def _do(self, button: str) -> None:
        """What a button says, once at a time however often it is pressed."""
        if button in self._pressed:
            return
        self._pressed.add(button)
        try:
            self._said = Note(await self._press(button))
        except RunaiError as error:
            self._said = Note(str(error), is_problem=True)
        finally:
            self._pressed.discard(button)

    async def _follow(self) -> None:
        async with self._turn:
            if self._work is None:
                await self._watch.join(self._changed)
                self._work = asyncio.ensure_future(self._beside())
            self._draw()

    async def _beside(self) -> None:
        try:
            await self._keep_up()
        except Exception:
            _log.exception("A widget of jupyter-runai does not keep up any more")

    async def _rest(self) -> None:
        async with self._turn:
            if self._work is not None:
                self._work.cancel()
                await asyncio.gather(self._work, return_exceptions=True)
                self._work = None
                await self._watch.leave(self._changed)
            self._pace.stop()
