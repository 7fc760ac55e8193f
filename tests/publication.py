"""Find the published data for tests, or made-up data of the same form, and read it plainly.

The published debates and questions may lie beside the checkout, in ../shared/data, or in the folder
that the environment variable PUBLISHED_DATA names (one that does not exist hides them); no licence
lets us ship them.  Without them, made_up_publication.py writes others.  Tests compare what we read
and report with `plain_debates`, which reads the JSON files without our readers, and compare with
the numbers of the paper (arXiv 2505.19184) only if `is_real()`.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.made_up_publication import PHASES, SIDES, write_publication, write_questions

Place = tuple[str, str]

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
PUBLISHED = Path(os.environ.get("PUBLISHED_DATA", BESIDE))
STUDIES = {"private_bet": "cross_model", "private_same_debator": "self"}
NOT_HERE = (
    f"the publication is not at {PUBLISHED / 'llms_overconfidence'}: without it, reports are"
    " compared with made-up files, but not with the numbers of the paper; clone"
    " pradyuprasad/llms_overconfidence there"
)


def is_real() -> bool:
    """Whether the published debates are here."""
    return (PUBLISHED / "llms_overconfidence").is_dir()


def real_questions() -> bool:
    """Whether the published questions are here."""
    return (PUBLISHED / "questions").is_dir()


@cache
def made_up() -> tempfile.TemporaryDirectory[str]:
    """The made-up files, written once and deleted when the tests end."""
    folder = tempfile.TemporaryDirectory(prefix="made-up-publication-")
    write_publication(Path(folder.name) / "llms_overconfidence")
    write_questions(Path(folder.name) / "questions")
    return folder


def folder() -> Path:
    """The folder of the published debates, or of made-up ones."""
    root = PUBLISHED if is_real() else Path(made_up().name)
    return root / "llms_overconfidence"


def questions_folder() -> Path:
    """The folder of the published questions, or of made-up ones."""
    root = PUBLISHED if real_questions() else Path(made_up().name)
    return root / "questions"


@dataclass(frozen=True)
class PlainVote:
    """A judge's vote: the side it names and its confidence in percent, None if missing."""

    judge: str
    winner: str | None
    confidence: float | None
    logic: str


@dataclass(frozen=True)
class PlainDebate:
    """A debate as its file has it; bets in percent (None if missing) by (side, phase)."""

    study: str
    motion: str
    day: str
    models: dict[str, str]
    bets: dict[Place, int | None]
    thoughts: dict[Place, str]
    speeches: dict[Place, str]
    flags: dict[Place, list[str]]
    votes: tuple[PlainVote, ...]

    def named(self, side: str) -> list[PlainVote]:
        """The votes for a side."""
        return [vote for vote in self.votes if vote.winner == side]

    def rating(self, side: str, phase: str) -> float | None:
        """A side's confidence in [0, 1]."""
        bet = self.bets[side, phase]
        return None if bet is None else bet / 100

    def by_confidence_sum(self, side: str) -> float | None:
        """1, 0 or 0.5 for a side by the larger sum of confidences, None if that is unknown."""
        sums = []
        for each in (side, other_side(side)):
            confidences = [vote.confidence for vote in self.named(each)]
            if None in confidences:
                return None
            sums.append(sum(confidence or 0 for confidence in confidences))
        return compare(*sums) if any(self.named(each) for each in SIDES) else None

    def result(self, side: str) -> float | None:
        """1, 0 or 0.5 for a side by the majority of votes, None without a vote."""
        mine, other = (len(self.named(each)) for each in (side, other_side(side)))
        return compare(mine, other) if mine + other else None


def compare(mine: float, other: float) -> float:
    """1 if the first is larger, 0 if it is smaller, 0.5 if they are equal."""
    return 0.5 if mine == other else float(mine > other)


def other_side(side: str) -> str:
    """The side that a side debates against."""
    return SIDES[1 - SIDES.index(side)]


def percent(value: Any) -> Any:
    """A number from 0 to 100, or None for anything else that a file may have in its place."""
    return value if value is not None and 0 <= value <= 100 else None


def plain_debates(study: str | None = None) -> list[PlainDebate]:
    """The debates of the folder, or those of one study."""
    found = []
    for file in sorted(folder().rglob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        if "debate_type" in content and study in (None, STUDIES[content["debate_type"]]):
            found.append(plain_debate(file.stem, content))
    return found


def plain_debate(stem: str, content: dict[str, Any]) -> PlainDebate:
    """One debate of the folder."""
    places = [(side, phase) for side in SIDES for phase in PHASES]
    stored = {
        place: [
            bet for bet in content["debator_bets"] if (bet["side"], bet["speech_type"]) == place
        ]
        for place in places
    }
    speeches = {
        (side, phase): content[f"{side}_output"]["speeches"][phase] for side, phase in places
    }
    day = re.findall(r"_(\d{4})(\d\d)(\d\d)_\d{6}$", stem)[0]
    return PlainDebate(
        STUDIES[content["debate_type"]],
        content["motion"]["topic_description"],
        "-".join(day),
        {side: content[f"{side}_model"] for side in SIDES},
        {place: plain_bet(stored[place]) for place in places},
        {place: stored[place][-1]["thoughts"] for place in places if stored[place]},
        speeches,
        {place: plain_flags(stored[place], speeches[place]) for place in places},
        tuple(
            PlainVote(
                vote["model"],
                vote["winner"] if vote["winner"] in SIDES else None,
                percent(vote["confidence"]),
                vote["logic"],
            )
            for vote in content["judge_results"]
        ),
    )


def plain_bet(stored: list[dict[str, Any]]) -> int | None:
    """A bet in percent; None if none is stored, or several that differ, or one that is none."""
    amounts = {bet["amount"] for bet in stored}
    bet: int | None = percent(amounts.pop()) if len(amounts) == 1 else None
    return bet


def plain_flags(stored: list[dict[str, Any]], speech: str) -> list[str]:
    """The doubts about a turn, under the names that the arena gives them."""
    bet = stored[-1] if stored else None
    amounts = list(dict.fromkeys(other["amount"] for other in stored))
    words = ", ".join("none" if amount is None else str(amount) for amount in amounts)
    alone = amounts[0] if len(amounts) == 1 else None
    unescaped = speech.lower().replace("\\", "")
    doubts = {
        "bet stored twice": len(stored) > 1,
        f"amounts {words}": len(amounts) > 1,
        f"amount {words}": alone is not None and percent(alone) is None,
        "thoughts are NA": bet and bet["thoughts"] == "NA",
        "thoughts under 40 characters": bet and len(bet["thoughts"]) < 40,
        "zero": bet and bet["amount"] == 0,
        "zero with no thoughts": bet and bet["amount"] == 0 and bet["thoughts"] in ("", "NA"),
        "empty speech": not speech.strip(),
        "speech under 5 words": len(speech.split()) < 5,
        "private tag in speech": "bet_logic_private" in unescaped,
        "rating tag in speech": "bet_amount" in unescaped,
        "rating in speech": re.search(r"<bet_amount>\s*\d", unescaped),
    }
    return [name for name, holds in doubts.items() if holds]
