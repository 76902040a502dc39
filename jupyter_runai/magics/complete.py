"""Completes `%runai` and `%%runai`: verbs, options, and the names of workloads, projects and variables."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.interactiveshell import InteractiveShell

from jupyter_runai.client import Client, shared_client
from jupyter_runai.submission.templates import names
from jupyter_runai.verbs import option_types as types
from jupyter_runai.verbs.options import CELL_VERBS, cell_parser, verb_parsers

_ANSWER_S = 0.3
"""An engine that takes longer is left to it: what it said last is offered, and what it says now the next time."""


class Completer:
    """The matcher of one notebook."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._workloads = _Asked(lambda client: [workload.name for workload in reversed(client.list())])
        self._deleted = _Asked(lambda client: [workload.name for workload in reversed(client.list(deleted=True))])
        self._by_option = {
            "project": _Asked(_project_names),
            "workspace": _Asked(lambda _: _workspace_names()),
            "template": _Asked(lambda client: names(client.catalog())[0]),
            "environment": _Asked(lambda client: names(client.catalog())[1]),
        }

    def attach(self) -> None:
        self._shell.Completer.custom_matchers.append(self.match)

    def detach(self) -> None:
        self._shell.Completer.custom_matchers.remove(self.match)

    @context_matcher()  # type: ignore[untyped-decorator]
    def match(self, context: CompletionContext) -> SimpleMatcherResult:
        """What can stand at the cursor in a line of ours; nothing elsewhere."""
        before = context.line_with_cursor[: context.cursor_position].lstrip()
        magic, *words = before.split() or [""]
        if magic not in ("%runai", "%%runai") or before == magic or (magic == "%%runai" and context.cursor_line):
            return SimpleMatcherResult(completions=[])
        typed = "" if before[-1].isspace() else words.pop()
        last = typed.rpartition(",")[2] if self._takes_variables(words) else typed
        found = [SimpleCompletion(name, type="magic") for name in self._names(magic, words) if name.startswith(last)]
        return SimpleMatcherResult(completions=found, matched_fragment=last, suppress=True)

    def _names(self, magic: str, words: Sequence[str]) -> Iterable[str]:
        """All that can follow these words."""
        parsers = verb_parsers(magic) if magic == "%runai" else {verb: cell_parser(verb) for verb in CELL_VERBS}
        if not words:
            return parsers
        if words[0] not in parsers and len(words) == 1:
            return [name.split()[1] for name in parsers if name.startswith(f"{words[0]} ")]
        verb = words[0] if words[0] in parsers else " ".join(words[:2])
        words, parser = words[len(verb.split()) :], parsers.get(verb)
        if parser is None:
            return ()
        expecting = _takes_value(parser, words[-1]) if words else None
        if expecting is not None:
            return self._values(expecting, verb)
        options = [name for name in _options(parser) if name not in words]
        places = [action for action in parser._actions if not action.option_strings]
        given = sum(not word.startswith("-") for word in words)
        return [*(self._values(places[given], verb) if given < len(places) else ()), *options]

    def _values(self, action: argparse.Action, verb: str) -> Iterable[str]:
        if action.choices is not None:
            return list(action.choices)
        if action.dest == "workload":
            return dict.fromkeys((self._deleted if verb == "restore" else self._workloads).names())
        if action.type is types.gpu_or_auto:
            return [types.AUTO]
        if action.dest in self._by_option:
            return self._by_option[action.dest].names()
        if action.dest in ("inputs", "outputs"):
            return [name for name in self._shell.user_ns if not name.startswith("_")]
        return ()

    def _takes_variables(self, words: Sequence[str]) -> bool:
        return bool(words) and words[-1] in ("-i", "--inputs", "-o", "--outputs")


class _Asked:
    """Names that the engine knows, asked for one question at a time."""

    def __init__(self, question: Callable[[Client], list[str]]) -> None:
        self._question = question
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="runai-complete")
        self._asked: Future[list[str]] | None = None
        self._known: list[str] = []

    def names(self) -> list[str]:
        """As the engine answers in the time it has, else as it last answered."""
        if self._asked is None:
            self._asked = self._thread.submit(lambda: self._question(shared_client()))
        done, _ = wait([self._asked], timeout=_ANSWER_S)
        if done:
            # One that failed has nothing to offer; the cell itself will say why.
            if self._asked.exception() is None:
                self._known = self._asked.result()
            self._asked = None
        return self._known


def _workspace_names() -> list[str]:
    from jupyter_runai.kernels.specs import workspace_specs  # noqa: PLC0415 (the others do without what it needs)

    return list(workspace_specs())


def _project_names(client: Client) -> list[str]:
    queues = client.queues()
    departments = {queue.parent for queue in queues}
    return [queue.name for queue in queues if queue.name not in departments]


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [name for action in parser._actions for name in action.option_strings]


def _takes_value(parser: argparse.ArgumentParser, word: str) -> Any:
    """The option that a word is, where a value is to follow it."""
    for action in parser._actions:
        if word in action.option_strings and action.nargs != 0:
            return action
    return None
