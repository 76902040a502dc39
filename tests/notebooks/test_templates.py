"""Templates and environments in a notebook, and what a policy says there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.notebooks.conftest import RunCells

FILE = """
cluster: {{rules: {{gpu: {{max: 0.5}}}}}}
templates:
  quick: {{gpu: 0.25, max_time: 2h, priority: medium, environment: own}}
environments:
  own:
    python: {python}
    packages: [numpy==2]
    variables: {{CHOSEN: 4}}
    folder: {folder}
"""


@pytest.fixture
def there(simulated: Path, tmp_path: Path) -> Path:
    """The folder of an environment that the engine offers."""
    (simulated / "policies.yaml").write_text(FILE.format(python=sys.executable, folder=tmp_path))
    return tmp_path


def test_a_template_fills_what_a_cell_does_not_say(there: Path, run: RunCells) -> None:
    ran, larger, lists, others = run(
        "%%runai train --template quick --name first\nimport os\nprint(os.environ['CHOSEN'], os.getcwd())",
        "%%runai train --template quick --gpu 0.5 --dry-run\n1",
        "%runai template list",
        "%runai environment list",
    )
    assert ran.text == f"4 {there}\n"
    assert "asks for  0.5" in larger.text and "priority 80" in larger.text
    assert "gpu 0.25, max time 2h, priority medium, environment own" in " ".join(lists.text.split())
    assert "numpy==2" in others.text


def test_what_is_not_there_or_not_allowed_is_said_in_a_sentence(there: Path, run: RunCells) -> None:
    wrong, refused = run("%%runai train --template quik\n1", "%%runai train --gpu 1\n1")
    assert wrong.error == "NotFound\nThere is no template 'quik'.\nDid you mean quick?"
    assert "gpu is 1 and the cluster says at most 0.5.\nAsk for 0.5 or less: --gpu." in refused.error
