"""Notebooks show what Python users hold as tables: a real Jupyter kernel, and marimo."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

# A kernel takes seconds to start.
pytestmark = pytest.mark.slow

TEXT_HTML = re.compile(r'"text/html": ("(?:[^"\\]|\\.)*")')
ROOT = Path(__file__).resolve().parents[1]
PLAY = """\
from agents import agent
from arena import Arena, Arm, Study, Subject, round_robin
from protocols.debate import debate

models = [agent("sim/modest"), agent("sim/confident")]
study = Study("panel", [Arm("plain", debate, round_robin(models))], [Subject("<b>Bold</b> motion")])
arena = Arena("notebook.duckdb")
summary = arena.run(study)"""
QUERY = "select text, '<script>alert(1)</script>' as evil from subjects where text = $text"
ASK = f'arena.sql("""{QUERY}""", {{"text": "<b>Bold</b> motion"}})'
# The last expression of a cell, and words of the table that it shows.
SHOWN = {
    ASK: "evil",
    "study": "2 lineups: 2 episodes",
    "summary": "2 of 2 episodes done",
    "arena.report(study)": "SIMULATED",
    'arena.figure("confidence")': "data:image/png;base64,",
}
FRAMES = """\
import pandas, polars, pyarrow
result = arena.sql("from turns")
shapes = {result.df().shape, result.pl().shape, result.arrow().shape, pyarrow.table(result).shape}
assert shapes == {(len(result), len(result.columns))}, shapes"""


def assert_shown(page: str, words: str) -> None:
    """The words are in the page, and no markup of the record is."""
    assert words in page
    assert "<b>Bold" not in page
    assert "<script>alert" not in page


def test_a_jupyter_notebook_plays_asks_and_shows_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    cells = [PLAY, *SHOWN, "print(repr(arena.sql('from seats')))", FRAMES]
    # A cell may await: the kernel's event loop is running.
    cells.append("assert (await arena.play(study)).replies == 0")
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    nbformat.validate(notebook)
    for cell, words in zip(notebook.cells[1:], SHOWN.values(), strict=False):
        (output,) = [output for output in cell.outputs if output.output_type == "execute_result"]
        assert_shown(output.data["text/html"], words)
        assert len(output.data["text/plain"]) < 20_000
    assert "<table" in notebook.cells[1].outputs[0].data["text/html"]
    assert "episode" in notebook.cells[1 + len(SHOWN)].outputs[0].text


def test_a_marimo_app_shows_tables(tmp_path: Path) -> None:
    if importlib.util.find_spec("marimo") is None:
        pytest.skip("marimo is not installed (pip install marimo, 40 MB)")
    cells = "".join(
        f"@app.cell\ndef _({'' if cell == PLAY else 'arena, study, summary'}):\n"
        + "".join(f"    {line}\n" for line in cell.splitlines())
        + f"    return {'arena, study, summary' if cell == PLAY else ''}\n\n"
        for cell in (PLAY, *SHOWN)
    )
    app = tmp_path / "app.py"
    app.write_text(f"import marimo\n\napp = marimo.App()\n\n{cells}")
    command = [sys.executable, "-m", "marimo", "export", "html", str(app), "-o", "app.html"]
    places = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr
    # The page holds what each cell shows as JSON.
    shown = [json.loads(text) for text in TEXT_HTML.findall((tmp_path / "app.html").read_text())]
    assert len(shown) == len(SHOWN)
    for page, words in zip(shown, SHOWN.values(), strict=True):
        assert_shown(page, words)
    assert shown[0].startswith("<table")
