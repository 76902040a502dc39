"""`%runai` and `%%runai`."""

from __future__ import annotations

import shlex

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Int
from traitlets.config import Configurable

from jupyter_runai.client import shared_client
from jupyter_runai.magics.cell import CellLimits, CellOptions, run_cell
from jupyter_runai.magics.command import run_command
from jupyter_runai.magics.complete import Completer
from jupyter_runai.magics.errors import shown, shown_syntax_error
from jupyter_runai.magics.modules import LocalModules
from jupyter_runai.magics.sent_values import SentValues
from jupyter_runai.magics.tables import LiveTables
from jupyter_runai.pickling.pickles import LARGEST_BYTES, WARN_BYTES
from jupyter_runai.verbs.line import answered, read_line, verb_of
from jupyter_runai.verbs.options import CELL_VERBS, cell_parser, verb_parsers
from jupyter_runai.verbs.parser import asks_for_help
from scheduler_core.errors import InvalidRequest, RunaiError


@magics_class
class RunaiMagics(Magics, Configurable):
    """The magics of jupyter-runai; `%runai help` lists them."""

    warn_values = Int(WARN_BYTES, min=0, help="Say so when a cell takes more bytes of values along.").tag(config=True)
    largest_values = Int(
        LARGEST_BYTES,
        min=0,
        help="Refuse a cell that takes more bytes of values along, and leave more than that behind at its end.",
    ).tag(config=True)

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.modules = LocalModules()
        self.sent = SentValues()
        self.completer = Completer(shell)
        self.tables = LiveTables()

    def attach(self) -> None:
        """Take part in what the notebook does."""
        self.shell.events.register("post_run_cell", self.modules.note)
        self.shell.events.register("pre_run_cell", self.tables.rest)
        self.completer.attach()

    def detach(self) -> None:
        """Undo `attach`."""
        self.shell.events.unregister("post_run_cell", self.modules.note)
        self.shell.events.unregister("pre_run_cell", self.tables.rest)
        self.tables.rest()
        self.completer.detach()

    @no_var_expand
    @line_cell_magic
    def runai(self, line: str, cell: str | None = None) -> None:
        """Run this cell on a share of a GPU (`%%runai train --gpu 0.5`), or see what runs (`%runai help`)."""
        try:
            words = _split(line)
            if cell is None:
                self._line(words)
            else:
                self._cell(words, cell)
        except RunaiError as error:
            raise shown(error) from None
        except SyntaxError as error:
            raise shown_syntax_error(error) from None

    def _line(self, words: list[str]) -> None:
        parsers = verb_parsers("%runai")
        verb, options = read_line(words, parsers, "%runai")
        if verb == "submit" and not options.detach and not options.dry_run:
            run_command(self.shell, shared_client(), options)
            return
        client = shared_client()
        answer = answered(client, verb, options)
        if options.json or not answer.html or not hasattr(self.shell, "kernel"):
            print(answer.json() if options.json else answer.text)
        else:
            self.tables.show(client, verb, options, answer)

    def _cell(self, words: list[str], cell: str) -> None:
        verb = verb_of(words or [""], CELL_VERBS, "%%runai")
        if asks_for_help(words[1:]):
            print(cell_parser(verb).format_help().strip())
            return
        options = CellOptions(kind=CELL_VERBS[verb], **vars(cell_parser(verb).parse(words[1:])))
        limits = CellLimits(warn=self.warn_values, refuse=self.largest_values)
        run_cell(self.shell, shared_client(), options, cell, limits, self.modules, self.sent)


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise InvalidRequest(f"The line cannot be read: {error}.") from None
