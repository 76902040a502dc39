"""What a workload shows beside text appears under its cell, in its place."""

from __future__ import annotations

from tests.notebooks.conftest import RunCells

RICH = "class Rich:\n    def _repr_html_(self): return '<p>rich</p>'\n    def __repr__(self): return 'plainly rich'\n"


def test_displays_stand_where_they_were_made(run: RunCells) -> None:
    ran, logged = run(
        f"%%runai train --name shown\nimport os\nget_ipython()\n{RICH}"
        "print('plainly rich')\ndisplay(Rich())\n"
        "print('between', end='')\nos.system('echo from a child')\ndisplay(Rich())\n"
        "Rich()",
        "%runai logs shown",
    )
    assert ran.order == ["plainly rich\n", "<p>rich</p>", "betweenfrom a child\n", "<p>rich</p>", "<p>rich</p>"]
    assert logged.text.startswith("plainly rich\nplainly rich\nbetweenfrom a child\nplainly rich\nplainly rich\n")


def test_both_streams_keep_their_order(run: RunCells) -> None:
    (ran,) = run(
        "%%runai train\nimport sys\nfor n in range(3):\n    print('out', n)\n    print('err', n, file=sys.stderr)\n"
    )
    assert ran.text == "out 0\nerr 0\nout 1\nerr 1\nout 2\nerr 2\n"


def test_figures_are_drawn_as_in_a_notebook(run: RunCells) -> None:
    (ran,) = run(
        "%%runai train\nimport matplotlib.pyplot as plt\n"
        "plt.plot([1, 2])\nplt.show()\nprint('between')\nplt.plot([2, 1]);"
    )
    assert ran.error == ""
    assert ran.order == ["image/png", "between\n", "image/png"]


def test_a_figure_drawn_before_an_exception_is_shown_too(run: RunCells) -> None:
    (ran,) = run("%%runai train\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nraise ValueError('after')")
    assert ran.order == ["image/png"]
    assert ran.error.startswith("ValueError")


def test_a_display_can_be_changed_and_cleared(run: RunCells) -> None:
    changed, cleared = run(
        "%%runai train\nfrom IPython.display import HTML, display\n"
        "handle = display(HTML('old'), display_id=True)\nprint('text')\nhandle.update(HTML('new'))",
        "%%runai train\nfrom IPython.display import HTML, clear_output, display\n"
        "print('old')\ndisplay(HTML('old'))\nclear_output(wait=True)\nprint('new')",
    )
    assert changed.order == ["new", "text\n"]
    assert cleared.order == ["new\n"]
    assert "completed" in cleared.line


def test_progress_bars_go_back_to_the_start_of_their_line(run: RunCells) -> None:
    (ran,) = run("%%runai train\nfrom tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass\nprint('done')")
    assert ran.text.startswith("\r  0%|")
    assert "\r100%|" in ran.text
    assert ran.text.endswith("3/3 [00:00<00:00, " + ran.text.rpartition("3/3 [00:00<00:00, ")[2])
    assert ran.text.endswith("\ndone\n")


def test_ipython_comes_in_where_it_is_needed_alone(run: RunCells) -> None:
    without, plain, needed = run(
        "%%runai train\nimport sys\nprint('hi')\n'IPython' in sys.modules",
        "%%runai train\nimport sys\ndisplay([1], 'a')\n'IPython' in sys.modules",
        f"%%runai train\nimport sys\n{RICH}display(Rich())\nget_ipython() is not None and 'IPython' in sys.modules",
    )
    assert (without.text, plain.text) == ("hi\nFalse\n", "[1]\n'a'\nFalse\n")
    assert needed.text == "True\n"


def test_a_notebooks_function_may_display_and_use_the_shell(run: RunCells) -> None:
    _, ran = run(
        f"{RICH}def show():\n    display(Rich())\n    lines = !echo from the shell\n    return lines[0]",
        "%%runai train\nshow()",
    )
    assert ran.error == ""
    assert ran.order == ["<p>rich</p>", "'from the shell'\n"]


def test_what_is_displayed_while_its_output_goes_elsewhere_is_shown(run: RunCells) -> None:
    (ran,) = run(
        f"%%runai train\nimport contextlib, io\n{RICH}"
        "with contextlib.redirect_stdout(io.StringIO()) as kept:\n    print('kept')\n    display(Rich())\n"
        "print('then', kept.getvalue(), end='')"
    )
    assert ran.order == ["<p>rich</p>", "then kept\n"]


def test_tasks_say_who_they_are_and_whose_exception_it_is(run: RunCells) -> None:
    well, badly = run(
        f"%%runai train --workers 2 --gpu 0.5 -o rank\nimport os\n{RICH}"
        "rank = os.environ['RANK']\nprint('I am', rank)\nprint('two\\nlines', end='')\ndisplay(Rich())",
        "%%runai train --workers 2 --gpu 0.5\nimport os, signal\n"
        "if os.environ['RANK'] == '1':\n    raise ValueError('one is gone')\nsignal.pause()",
    )
    assert sorted(line for line in well.text.splitlines() if "I am" in line) == ["[0] I am 0", "[1] I am 1"]
    assert "[1] linesplainly rich\n" in well.text
    assert [data["text/html"] for data in well.displays] == ["<p>rich</p>"]
    assert "rank ← str" in well.line
    assert badly.error.startswith("ValueError\nTask 1 of 2 failed:\nTraceback")
    assert "raise ValueError('one is gone')" in badly.error
    assert not any(part in badly.error for part in ("jupyter_runai/", "runner.py"))
