"""`jupyter runai`: the line verbs on the command line, and `jupyter runai engine`, the daemon in the foreground."""

from __future__ import annotations

import sys

from jupyter_runai.client import shared_client
from jupyter_runai.options import verb_parsers
from jupyter_runai.verbs import run_verb, verb_of
from scheduler_core.errors import RunaiError

REFUSED = 1


def main(words: list[str] | None = None) -> int:
    """Run one verb. Exit status: 0 answered, 1 refused with a sentence on standard error; of `engine`, its own."""
    words = sys.argv[1:] if words is None else words
    if words[:1] == ["engine"]:
        from scheduler_core.local.__main__ import main as serve  # noqa: PLC0415 (only the daemon needs the planner)

        return serve(words[1:], "jupyter runai engine")
    try:
        parsers = verb_parsers("jupyter runai")
        verb = verb_of(words, parsers, "jupyter runai")
        print(run_verb(shared_client(), verb, parsers[verb].parse(words[len(verb.split()) :])))  # noqa: T201 (this is the answer)
    except RunaiError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
