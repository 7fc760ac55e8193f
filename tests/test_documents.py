"""The commands of README.md and docs/*.md are run, a test each; what is not run says why.

The blocks of one document are run in order in one folder, since later ones read the stores that
earlier ones have made.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

# Every command of the documents, a process each: a minute and a half.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<why>[^>]+) -->\n)?```(?P<kind>python|console)\n(?P<code>.*?)```",
    re.DOTALL,
)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")
# A busy machine takes many times as long as an idle one.
TIMEOUT_S = 170


@dataclass(frozen=True)
class Block:
    """One example of a document: the line that it stands on, and its code."""

    document: Path
    line: int
    kind: str
    code: str
    why_not: str | None

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"


def blocks_of(document: Path) -> list[Block]:
    """The examples of a document, in order."""
    text = document.read_text()
    return [
        Block(
            document,
            text.count("\n", 0, match.start("code")),
            match["kind"],
            match["code"],
            match["why"],
        )
        for match in BLOCK.finditer(text)
    ]


BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document)]
RUN = [block for block in BLOCKS if block.why_not is None]


def run(command: list[str], folder: Path) -> str:
    """Run a command with our `arena` on the path; fail with what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """A folder for each document, with the studies that its commands name."""
    folders = {document: tmp_path_factory.mktemp(document.stem) for document in DOCUMENTS}
    for folder in folders.values():
        (folder / "experiments").symlink_to(ROOT / "experiments")
    return folders


@pytest.fixture(scope="module")
def outputs() -> dict[Block, str]:
    """What the blocks before this one have printed."""
    return {}


@pytest.mark.parametrize("block", RUN, ids=str)
def test_the_example_runs(
    block: Block, folders: dict[Path, Path], outputs: dict[Block, str]
) -> None:
    folder = folders[block.document]
    if block.kind == "python":
        file = folder / f"example{block.line}.py"
        file.write_text(block.code)
        outputs[block] = run([sys.executable, file.name], folder)
    else:
        commands = [line[2:] for line in block.code.splitlines() if line.startswith("$ ")]
        assert commands, "a console block without a line that begins with $"
        outputs[block] = "".join(run(["bash", "-ec", command], folder) for command in commands)


def output(outputs: dict[Block, str], words: str) -> str:
    """The output of the first block that holds these words."""
    return next(text for block, text in outputs.items() if words in block.code)


def test_the_ten_lines_play_a_study(outputs: dict[Block, str]) -> None:
    text = output(outputs, 'Study("evening"')
    assert "evening: 36 of 36 episodes done" in text
    assert "opening" in text
    code = next(block.code for block in outputs if 'Study("evening"' in block.code)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10


def test_a_stopped_study_goes_on(outputs: dict[Block, str]) -> None:
    assert "36 of 36 episodes done" in output(outputs, "--limit 5").splitlines()[-2]


def test_merged_stores_hold_the_whole_study(outputs: dict[Block, str]) -> None:
    assert re.search(r"turns\.parquet: 108 rows", output(outputs, "arena merge"))


def test_the_examples_are_found() -> None:
    assert len(RUN) >= 20
    assert len(BLOCKS) - len(RUN) <= 4


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_to_files(document: Path) -> None:
    targets = LINK.findall(document.read_text())
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert missing == []


def test_every_benchmark_that_is_named_exists() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    names = re.findall(r"`(\w+\.py)(?: --[^`]*)?` \|", text)
    assert len(names) >= 3
    for name in names:
        assert (ROOT / "experiments" / "benchmarks" / name).is_file()
