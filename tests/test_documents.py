"""The documents are true: every example runs, every link and name leads somewhere, README is short.

The examples of one page are run in order in one folder, since later ones read the stores that
earlier ones have made; each is a test of its own.  What is not run says why.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import arena
from arena.cli.main import parser
from tests.test_house import LAYERS

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", *PAGES]
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<why>[^>]+) -->\n)?```(?P<kind>python|console)\n(?P<code>.*?)```",
    re.DOTALL,
)
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
FILE = re.compile(r"`((?:arena|agents|protocols|analysis|experiments|tests|docs)/[\w./]*)`")
# Options of other programs that the documents name.
FOREIGN_OPTIONS = {
    *("--model", "--solver", "--enable-prompt-tokens-details"),
    # of SLURM and Ray
    *("--address", "--array", "--cpus-per-task", "--gpus", "--gpus-per-node", "--head"),
    *("--min-nodes", "--nodes", "--ntasks-per-node", "--tensor-parallel-size", "--time"),
    # of inspect view and of hf upload
    *("--log-dir", "--repo-type"),
}
# Words that promise, or that could be left out.
WORTHLESS = re.compile(
    r"\b(simply|easily|seamless(ly)?|powerful|leverag(e|es|ing)|utili[sz]e[sd]?|blazing|effortless"
    r"|cutting-edge|state-of-the-art|best-in-class|of course)\b",
    re.IGNORECASE,
)
README_BYTES = 8_000
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


@dataclass
class Outputs:
    """What the examples have printed; each is run once, after those above it on its page."""

    folders: dict[Path, Path]
    printed: dict[Block, str | AssertionError] = field(default_factory=dict)

    def of(self, wanted: Block) -> str:
        """The output of an example.  Raises AssertionError with what it printed if it failed."""
        page = [block for block in RUN if block.document == wanted.document]
        for block in page[: page.index(wanted) + 1]:
            if block in self.printed:
                continue
            try:
                self.printed[block] = run(block, self.folders[block.document])
            except AssertionError as error:
                self.printed[block] = error
        output = self.printed[wanted]
        if isinstance(output, AssertionError):
            raise output
        return output

    def with_words(self, words: str) -> str:
        """The output of the first example that holds these words."""
        return self.of(next(block for block in RUN if words in block.code))


def run(block: Block, folder: Path) -> str:
    """Run an example with our `arena` on the path; fail with what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if block.kind == "python":
        file = folder / f"example{block.line}.py"
        file.write_text(block.code)
        command = [sys.executable, file.name]
    else:
        lines = block.code.splitlines()
        assert all(line.startswith("$ ") for line in lines), "a command begins with `$ `"
        command = ["bash", "-euc", "\n".join(line[2:] for line in lines)]
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 0, f"{block.code}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    """The outputs of the examples, with a folder for each page."""
    return Outputs({page: tmp_path_factory.mktemp(page.stem) for page in DOCUMENTS})


# Each starts the command line or a Python several times.
@pytest.mark.slow
@pytest.mark.parametrize("block", RUN, ids=str)
def test_the_example_runs(block: Block, outputs: Outputs) -> None:
    outputs.of(block)


@pytest.mark.slow
def test_the_ten_lines_play_a_study(outputs: Outputs) -> None:
    text = outputs.with_words('Study("evening"')
    assert "evening: 36 of 36 episodes done" in text
    assert "opening" in text
    code = next(block.code for block in RUN if 'Study("evening"' in block.code)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10


@pytest.mark.slow
def test_a_stopped_study_goes_on(outputs: Outputs) -> None:
    text = outputs.with_words("--limit 5")
    assert "5 of 36 episodes done" in text
    assert "36 of 36 episodes done" in text


@pytest.mark.slow
def test_merged_stores_hold_the_whole_study(outputs: Outputs) -> None:
    assert re.search(r"turns/: 108 rows", outputs.with_words("arena merge"))


@pytest.mark.slow
def test_ways_of_reasoning_that_are_compared_have_one_budget(outputs: Outputs) -> None:
    table = outputs.with_words("calls_per_question from accuracy order by all")
    assert len(re.findall(r" 6(?:\.0)?$", table, re.MULTILINE)) == 3


def test_the_examples_are_found() -> None:
    assert len(RUN) >= 40
    # Keys, clusters and records of named models are at hand on no machine of the tests.
    assert len(BLOCKS) - len(RUN) <= len(BLOCKS) / 10
    # What is shown otherwise is no command: settings of a shell, a tree of folders, TOML.
    kinds = {
        match[1]
        for document in DOCUMENTS
        for match in re.finditer(r"^```(\w*)$.*?^```$", document.read_text(), re.S | re.M)
    }
    assert kinds <= {"python", "console", "", "text", "toml", "sql"}


def test_readme_is_short() -> None:
    assert len(README.read_text().encode()) <= README_BYTES


def words_of(document: Path) -> str:
    """The text of a document without its fenced blocks."""
    return FENCED.sub("", document.read_text())


def prose_of(document: Path) -> str:
    """The text of a document without fenced blocks and tables."""
    lines = words_of(document).splitlines()
    return "\n".join(line for line in lines if not line.startswith("|"))


def anchors_of(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", words_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_to_files_and_headings(document: Path) -> None:
    broken = []
    for file, anchor in LINK.findall(words_of(document)):
        target = (document.parent / file).resolve() if file else document
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(f"{file}#{anchor}")
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / file).resolve() for file, _ in LINK.findall(index.read_text())}
    assert set(DOCUMENTS) - {README, index} <= linked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_begins_with_what_it_gives_and_its_shortest_command(page: Path) -> None:
    text = page.read_text()
    if page.name == "index.md":
        return
    first = text.split("\n\n")[1]
    assert "fter this page" in first or "fter this page" in text.split("\n\n")[2]
    # A page about commands shows one before its first heading; the others are about the code.
    if page.name not in ("design.md", "papers.md", "install.md", "writing_a_protocol.md"):
        assert "```" in text.partition("\n## ")[0]


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The commands of `arena` by name."""
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def test_every_command_is_on_a_page() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    # An import of the same words is no command.
    assert [n for n, _ in parsers() if not re.search(rf"(?<!from )arena {n}\b", text)] == []


def test_every_option_that_is_named_exists() -> None:
    known = {
        option
        for command in (parser(), *(command for _, command in parsers()))
        for action in command._actions
        for option in action.option_strings
    }
    named = {
        option
        for document in (README, *PAGES)
        for line in document.read_text().splitlines()
        if not re.search(r"experiments[/.]benchmarks", line) and document.name != "benchmarks.md"
        for option in OPTION.findall(line)
    }
    assert named - known - FOREIGN_OPTIONS == set()
    assert len(named) >= 25


def test_files_that_are_named_exist() -> None:
    named = {file for document in DOCUMENTS for file in FILE.findall(document.read_text())}
    assert [file for file in sorted(named) if not (ROOT / file).exists()] == []
    assert len(named) >= 10


def test_public_names_and_extras_are_listed() -> None:
    row = re.search(r"^\| `arena` \| (.*) \|$", (ROOT / "docs/python.md").read_text(), re.M)
    assert row is not None
    assert set(re.findall(r"`(\w+)`", row[1])) == set(arena.__all__)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/install.md").read_text(), re.MULTILINE)
    assert set(listed) == set(extras) - {"test"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_prose_is_narrow_and_plain(document: Path) -> None:
    text = document.read_text()
    long = [
        line
        for line in text.splitlines()
        if len(line) > 100 and not line.startswith(("|", "$ ", "!["))
    ]
    assert long == []
    assert WORTHLESS.findall(prose_of(document)) == []


def test_no_sentence_stands_on_two_pages() -> None:
    places = defaultdict(set)
    for document in DOCUMENTS:
        for sentence in re.split(r"(?<=[.:;])\s|\n\n|\n- ", prose_of(document)):
            words = re.sub(r"[^\w]+", " ", sentence).lower().split()
            if len(words) >= 8:
                places[" ".join(words)].add(document.name)
    assert {sentence: names for sentence, names in places.items() if len(names) > 1} == {}


def test_the_layers_are_those_that_the_house_holds() -> None:
    block = re.search(r"```text\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert block is not None
    told = []
    for line in block[1].splitlines():
        rooms = line.split("  ")[0].strip("[]").split(", ")
        inside = rooms[0].startswith("arena.")
        told.append({f"arena.{room.removeprefix('arena.')}" if inside else room for room in rooms})
    held = [set(rooms.split()) - {"arena.former_names"} for rooms in LAYERS]
    # Of the words that all share only the first are listed.
    assert told[0] - {"arena...."} < held[0]
    assert told[1:] == held[1:]


def test_every_benchmark_that_is_named_exists() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    names = re.findall(r"`(\w+\.py)(?: --[^`]*)?` \|", text)
    assert len(names) >= 3
    for name in names:
        assert (ROOT / "experiments" / "benchmarks" / name).is_file()
