"""The made-up publication has the form of the published one, and the oddities that tests need."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tests.made_up_publication import write_publication, write_questions
from tests.publication import PUBLISHED, is_real, made_up, plain_debate

LISTS = {"debate_models.json", "topic_list.json"}


def contents(folder: Path) -> dict[str, str]:
    """The text of every file below a folder, by name."""
    return {
        file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8")
        for file in sorted(folder.rglob("*.json"))
    }


def fields(value: object, path: str = "") -> Iterator[str]:
    """The paths of all fields, without the names of models under the counts of tokens."""
    if isinstance(value, dict) and not path.endswith("token_counts"):
        for key, inner in value.items():
            yield f"{path}.{key}"
            yield from fields(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from fields(inner, path)


def test_the_same_files_come_out_each_time(tmp_path: Path) -> None:
    write_publication(tmp_path / "llms_overconfidence")
    write_questions(tmp_path / "questions")
    assert contents(tmp_path) == contents(Path(made_up().name))


def test_ratings_and_votes_are_doubtful_or_missing_here_and_there() -> None:
    files = contents(Path(made_up().name) / "llms_overconfidence" / "experiments")
    debates = [plain_debate(Path(name).stem, json.loads(text)) for name, text in files.items()]
    for study in ("cross_model", "self"):
        own = [debate for debate in debates if debate.study == study]
        bets = [bet for debate in own for bet in debate.bets.values()]
        assert 0 < bets.count(None) < 0.1 * len(bets)
        assert 0 in bets
        assert any(flags for debate in own for flags in debate.flags.values())
    votes = [vote for debate in debates for vote in debate.votes]
    assert any(vote.winner is None for vote in votes)
    assert any(vote.winner and vote.confidence is None for vote in votes)
    judged = [debate for debate in debates if debate.study == "cross_model"]
    results = {debate.result("proposition") for debate in judged}
    assert results == {0.0, 0.5, 1.0, None}
    assert {len(debate.votes) for debate in judged} == {0, 1, 3, 6}


def test_the_files_have_the_form_of_the_published_ones_and_none_of_their_words() -> None:
    """Without the publication, only the names of folders and lists are compared."""
    made = contents(Path(made_up().name) / "llms_overconfidence")
    assert set(made) > LISTS
    assert {str(Path(name).parent) for name in set(made) - LISTS} == {
        "experiments/private_bet_experiments_diff_models",
        "experiments/private_self_bet",
    }
    if is_real():
        real = contents(PUBLISHED / "llms_overconfidence")
        forms = [
            {field for name in set(files) - LISTS for field in fields(json.loads(files[name]))}
            for files in (made, real)
        ]
        assert forms[0] == forms[1]
        published = " ".join(real.values())
        sentences = {
            line.strip()
            for text in made.values()
            for value in strings(json.loads(text))
            for line in value.replace(". ", ".\n").splitlines()
            if len(line.split()) > 4
        }
        assert [sentence for sentence in sentences if sentence in published] == []


def strings(value: object) -> Iterator[str]:
    """All texts in a file's content."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)
