"""What a cell left under itself."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.sockets import own_sockets

_LINE = 'data-workload="'
_ANSWER = 'class="runai-answer"'


class Ran:
    """A cell that was run."""

    def __init__(self, cell: nbformat.NotebookNode) -> None:
        self._outputs = cell.outputs

    @property
    def text(self) -> str:
        """What it printed, and the plain text of answers that have tables."""
        return "".join(
            output.text if output.output_type == "stream" else f"{output.data['text/plain']}\n"
            for output in self._outputs
            if output.output_type == "stream" or _ANSWER in output.get("data", {}).get("text/html", "")
        )

    @property
    def line(self) -> str:
        """The progress line as it is at the end."""
        shown = [data["text/plain"] for data in self._shown if _LINE in data.get("text/html", "")]
        assert len(shown) == 1, shown
        return str(shown[0])

    @property
    def displays(self) -> list[dict[str, str]]:
        """What else it displays, each by its MIME types."""
        return [data for data in self._shown if not any(mark in data.get("text/html", "") for mark in (_LINE, _ANSWER))]

    @property
    def order(self) -> list[str]:
        """The text and the kinds of displays one after another, the progress line left out."""
        parts: list[str] = []
        was_text = False
        for output in self._outputs:
            if output.output_type not in ("stream", "display_data") or _LINE in self._what(output):
                continue
            is_text = output.output_type == "stream"
            if is_text and was_text:
                parts[-1] += self._what(output)
            else:
                parts.append(self._what(output))
            was_text = is_text
        return parts

    @staticmethod
    def _what(output: nbformat.NotebookNode) -> str:
        if output.output_type == "stream":
            return str(output.text)
        return str(output.data.get("text/html") or sorted(output.data)[0])

    @property
    def _shown(self) -> list[dict[str, str]]:
        return [output.data for output in self._outputs if output.output_type == "display_data"]

    @property
    def html(self) -> str:
        """What it displayed, as the browser gets it."""
        return "".join(output.data["text/html"] for output in self._outputs if output.output_type == "display_data")

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


def run_cells(
    folder: Path, *sources: str, client: type[NotebookClient] = NotebookClient, kernel: str = "python3"
) -> list[Ran]:
    """Run cells in a kernel of their own that works in `folder`."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    resources = {"metadata": {"path": str(folder)}}
    with own_sockets() as config:
        client(
            notebook, config=config, kernel_name=kernel, allow_errors=True, timeout=120, resources=resources
        ).execute()
    return [Ran(cell) for cell in notebook.cells]
