"""`arena new` writes a study that runs as it is, and a shell completes our words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from arena.cli.main import main
from tests.arena.cli.test_main import HEAVY


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_study_runs_as_it_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "mine"]) == 0
    assert capsys.readouterr().out == (
        "wrote mine.py, a copy of two_llms_debate: change it, and run it with  arena run mine\n"
    )
    assert main(["run", "mine", "--limit", "1"]) == 0
    out = capsys.readouterr().out
    assert "mine_self: 1 of 18 episodes done" in out
    assert "arena report --study mine_self" in out


@pytest.mark.parametrize(
    ("words", "source"),
    [(["leap"], "leap"), (["mine.py", "--from", "tournament"], "tournament")],
)
def test_a_study_is_copied_from_the_one_of_its_name_or_the_one_that_is_named(
    words: list[str], source: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", *words]) == 0
    assert f"a copy of {source}" in capsys.readouterr().out
    [file] = here.iterdir()
    before = file.read_text()
    assert main(["new", words[0], "--from", "self_agreement"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert file.read_text() == before


def complete(line: str, folder: Path) -> list[str]:
    """What a shell is told when Tab is pressed at the end of a line."""
    answer = folder / "answer"
    subprocess.run(
        [sys.executable, "-m", "arena"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[4]),
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
            "_ARGCOMPLETE_IFS": "\n",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        },
        check=True,
        timeout=60,
    )
    return sorted(word.strip() for word in answer.read_text().split("\n"))


def test_commands_options_and_studies_are_completed(here: Path) -> None:
    (here / "mine.py").write_text("def study(): ...")
    assert complete("arena do", here) == ["doctor"]
    assert complete("arena report --ht", here) == ["--html"]
    studies = complete("arena run ", here)
    assert {"two_llms_debate", "leap", "mine.py"} <= set(studies)
    assert complete("arena run tw", here) == ["two_llms_debate"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_ends_with_how_to_turn_it_on(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    *script, last = capsys.readouterr().out.splitlines()
    assert len(script) > 5
    assert last.startswith("# Turn it on with: ")
    assert f"arena completion {shell}" in last


@pytest.mark.slow
def test_bash_completes_after_the_script_was_read(here: Path) -> None:
    script = here / "completion"
    script.write_text(
        subprocess.run(
            [sys.executable, "-m", "arena", "completion", "bash"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    ask = (
        f"source {script}; PATH={Path(sys.executable).parent}:$PATH;"
        " COMP_WORDS=(arena do); COMP_CWORD=1; COMP_LINE='arena do'; COMP_POINT=8; COMP_TYPE=9;"
        ' _python_argcomplete arena do arena; echo "${COMPREPLY[@]}"'
    )
    ended = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["doctor"]


def test_a_completion_imports_nothing_heavy(here: Path) -> None:
    code = (
        "import os, sys, argcomplete, arena.cli.main as m\n"
        "from arena.cli.commands.completion import complete_study\n"
        "complete_study('tw', None, None, None)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
