"""What a cell left under itself."""

from __future__ import annotations

import nbformat


class Ran:
    """A cell that was run."""

    def __init__(self, cell: nbformat.NotebookNode) -> None:
        self._outputs = cell.outputs

    @property
    def text(self) -> str:
        """What it printed."""
        return "".join(output.text for output in self._outputs if output.output_type == "stream")

    @property
    def line(self) -> str:
        """The progress line as it is at the end."""
        shown = [output.data["text/plain"] for output in self._outputs if output.output_type == "display_data"]
        assert len(shown) == 1, shown
        return str(shown[0])

    @property
    def value(self) -> str:
        """The value of its last expression."""
        shown = [output.data["text/plain"] for output in self._outputs if output.output_type == "execute_result"]
        return str(shown[0])

    @property
    def error(self) -> str:
        """Its error as shown: name and lines; empty for none."""
        errors = [output for output in self._outputs if output.output_type == "error"]
        return "\n".join(f"{error.ename}\n" + "\n".join(error.traceback) for error in errors)
