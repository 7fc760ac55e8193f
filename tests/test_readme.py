"""The README's examples are run, in order, in one folder; what is not run says why in the README itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(
    r"(<!-- not run: (?P<why>[^>]+) -->\n)?```(?P<kind>python|console)\n(?P<code>.*?)```", re.DOTALL
)
BLOCKS = list(BLOCK.finditer(README))


def run(command: list[str], folder: Path) -> str:
    """Run a command with our `arena` on the path; fail with what it printed."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What every block printed, by its code."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "experiments").symlink_to(ROOT / "experiments")
    outputs = {}
    for number, block in enumerate(BLOCKS):
        if block["why"]:
            continue
        if block["kind"] == "python":
            (folder / f"example{number}.py").write_text(block["code"])
            outputs[block["code"]] = run([sys.executable, f"example{number}.py"], folder)
        else:
            commands = [line[2:] for line in block["code"].splitlines() if line.startswith("$ ")]
            outputs[block["code"]] = "".join(
                run(["bash", "-ec", command], folder) for command in commands
            )
    return outputs


def output(printed: dict[str, str], words: str) -> str:
    """The output of the first block that holds these words."""
    return next(text for code, text in printed.items() if words in code)


def test_the_examples_run(printed: dict[str, str]) -> None:
    assert len(printed) == len(BLOCKS) - 2 >= 20


def test_the_ten_lines_play_a_study(printed: dict[str, str]) -> None:
    text = output(printed, 'Study("evening"')
    assert "evening: 36 of 36 episodes done" in text
    assert "opening" in text
    code = next(code for code in printed if 'Study("evening"' in code)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10


def test_a_stopped_study_goes_on(printed: dict[str, str]) -> None:
    text = output(printed, "--limit 5")
    assert "36 of 36 episodes done" in text.splitlines()[-2]


def test_merged_stores_hold_the_whole_study(printed: dict[str, str]) -> None:
    assert re.search(r"turns\.parquet: 108 rows", output(printed, "arena merge"))


def test_every_benchmark_that_is_named_exists() -> None:
    names = re.findall(r"`(\w+\.py)(?: --[^`]*)?` \|", README)
    assert len(names) >= 3
    for name in names:
        assert (ROOT / "experiments" / "benchmarks" / name).is_file()
