"""Write a small made-up folder in the form of the publication, and made-up questions.

The publication is the data of "When Two LLMs Debate, Both Think They'll Win" (arXiv 2505.19184).
The names of files, models, fields and phases are the published ones; every sentence, rating and
vote here is invented.  The same files come out each time.  Beside the oddities of the published
files there are some that they lack: ratings and votes that are missing or cannot be read, and a
debate without a jury.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

Content = dict[str, Any]

SIDES = ("proposition", "opposition")
PHASES = ("opening", "rebuttal", "closing")
MODELS = (
    "anthropic/claude-3.5-haiku",
    "anthropic/claude-3.7-sonnet",
    "deepseek/deepseek-chat",
    "deepseek/deepseek-r1-distill-qwen-14b:free",
    "google/gemini-2.0-flash-001",
    "google/gemma-3-27b-it",
    "openai/gpt-4o-mini",
    "openai/o3-mini",
    "qwen/qwen-max",
    "qwen/qwq-32b:free",
)
JUDGES = ("qwen/qwq-32b", "google/gemini-pro-1.5", "deepseek/deepseek-chat")
MOTIONS = (
    "This House would plant a fruit tree at every bus stop",
    "This House would let libraries lend out garden tools",
    "This House believes that bridges should be named after the people who built them",
    "This House would hold town meetings in the open air from May to September",
    "This House would paint every lighthouse in the colours of its own village",
    "This House believes that clocks in public squares should strike every quarter of an hour",
)
CLAIMS = (
    "Our proposal costs little and can be undone within a year.",
    "The other side has not shown who would be harmed, or how.",
    "A trial in three towns went well, and nobody asked for it to end.",
    "What is common property needs common rules, and this is one that people can keep.",
    "Their example speaks of a city, but the motion speaks of everyone.",
    "Habits change slowly, and this is why the change should begin with small steps.",
)
REASONS = (
    "We answered both of their main points, and they left one of ours standing.",
    "Their example was vivid but beside the question, so that I stay confident.",
    "I am about 70% sure, since the judges may like their story better than our sums.",
    "At first 55 percent seemed right; after this exchange I would say 80 out of 100.",
)
# (number of the debate among all, side, phase): the oddity of its speech.
SPEECHES = {
    (2, "opposition", "closing"): "```xml\n\n```",
    (5, "opposition", "rebuttal"): "",
    (
        7,
        "proposition",
        "rebuttal",
    ): "Trees give shade to all who wait.\n\n**<bet_logic_private>**\nSafe.",
    (
        11,
        "opposition",
        "opening",
    ): "Lending tools is cheap and friendly.\n<bet_amount>\n75\n</bet_amount>",
    (16, "proposition", "closing"): "We have shown all that we promised.\n**bet\\_amount: 85**",
    (31, "proposition", "opening"): "",
    (33, "opposition", "rebuttal"): "Nobody has answered our second point.\n</BET_LOGIC_PRIVATE>",
    (
        38,
        "proposition",
        "rebuttal",
    ): "Here the village decides.\nbet\\_logic\\_private> Good\n<bet_amount>8",
}
THOUGHTS = {
    (1, "proposition", "rebuttal"): "NA",
    (4, "opposition", "opening"): "",
    (36, "proposition", "rebuttal"): "NA",
    (40, "opposition", "closing"): "We are ahead by a little.",
}
# The amounts that the authors' program stored: none, several, or one that is no confidence.
AMOUNTS: dict[tuple[int, str, str], list[int | None]] = {
    (3, "proposition", "opening"): [],
    (9, "opposition", "closing"): [None],
    (14, "proposition", "rebuttal"): [150],
    (20, "opposition", "opening"): [60, 75],
    (22, "proposition", "closing"): [80, 80],
    (26, "opposition", "closing"): [0],
    (32, "opposition", "opening"): [],
    (36, "proposition", "rebuttal"): [0],
    (44, "proposition", "closing"): [-5],
}
# (number of the debate, number of the vote): the fields of the vote that differ.
ODD_VOTES: dict[tuple[int, int], Content] = {
    (6, 1): {"winner": None},
    (8, 2): {"confidence": None},
    (10, 4): {"confidence": 0},
    (12, 0): {"logic": "The proposition has the better of it, by a little."},
    (13, 3): {"winner": "neither"},
    (15, 5): {"confidence": 170},
    (18, 2): {"logic": "<winnerName>Nobody</winnerName>\n<confidence>70</confidence>"},
}
WITHOUT_JURY, SHORT_JURY, TIED, UNANIMOUS, LONE_JUDGE = 19, 21, 23, 24, 25
CROSS_DEBATES, SELF_DEBATES = 30, 20


def write_publication(folder: Path) -> None:
    """Write 30 debates between models, 20 of models against themselves, and the two lists."""
    rng = random.Random(2505)
    prices = {model: [round(0.1 * n, 1), n] for n, model in enumerate(MODELS)}
    write_json(folder / "debate_models.json", prices)
    write_json(folder / "topic_list.json", [{"topic_description": text} for text in MOTIONS])
    for number in range(CROSS_DEBATES):
        # A ring in which each model meets the next three; who proposes alternates.
        first = number % len(MODELS)
        second = (first + 1 + number // len(MODELS)) % len(MODELS)
        models = (MODELS[first], MODELS[second]) if number % 2 else (MODELS[second], MODELS[first])
        content = debate(rng, number, "private_bet", models, MOTIONS[number % len(MOTIONS)])
        content["judge_results"] = jury(rng, number, models)
        name = f"{file_part(models[0])}_vs_{file_part(models[1])}"
        day = ("20250316", "20250317", "20250406")[number % 3]
        path = folder / "experiments" / "private_bet_experiments_diff_models"
        write_json(path / f"{name}_{day}_{120000 + number}.json", content)
    for number in range(CROSS_DEBATES, CROSS_DEBATES + SELF_DEBATES):
        model = MODELS[number % len(MODELS)]
        content = debate(rng, number, "private_same_debator", (model, model), MOTIONS[number % 3])
        day = ("20250503", "20250509", "20250510")[number % 3]
        path = folder / "experiments" / "private_self_bet"
        write_json(path / f"{file_part(model)}_vs_self_{day}_{120000 + number}.json", content)


def file_part(model: str) -> str:
    """Return a model's name as the published file names spell it."""
    return model.replace("/", "_")


def write_json(file: Path, content: object) -> None:
    """Write a JSON file and the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2), encoding="utf-8")


def debate(
    rng: random.Random, number: int, kind: str, models: tuple[str, str], motion: str
) -> Content:
    """Return the content of a debate's file, without the votes of its jury."""
    outputs: dict[str, Content] = {
        f"{side}_output": {
            "side": side,
            "speeches": {phase: speech(rng, number, side, phase) for phase in PHASES},
        }
        for side in SIDES
    }
    return {
        "motion": {"topic_description": motion},
        "debate_type": kind,
        "path_to_store": f"made_up/{kind}/{number}.json",
        "proposition_model": models[0],
        "opposition_model": models[1],
        "prompts": {
            "first_speech_prompt": "Begin with your best argument.",
            "rebuttal_speech_prompt": "Answer the other side.",
            "final_speech_prompt": "Sum up.",
            "judge_prompt": "Name the winner.",
        },
        **outputs,
        "judge_models": [],
        "judge_results": [],
        "debator_token_counts": {model: token_counts(MODELS.index(model)) for model in models},
        "judge_token_counts": {},
        "debator_bets": bets(rng, number, kind, models),
    }


def speech(rng: random.Random, number: int, side: str, phase: str) -> str:
    """Return a speech of two to five invented sentences, or the odd one of this place."""
    claims = " ".join(rng.sample(CLAIMS, rng.randrange(2, 6)))
    return SPEECHES.get((number, side, phase), f"{side.upper()} {phase}\n\n{claims}")


def bets(rng: random.Random, number: int, kind: str, models: tuple[str, str]) -> list[Content]:
    """Return the bets of both sides: most of them multiples of 5, and rising with the phases."""
    found = []
    for step, phase in enumerate(PHASES):
        for side, model in zip(SIDES, models, strict=True):
            level = 58 + 2 * MODELS.index(model) + 6 * step - 6 * (kind != "private_bet")
            amount = 5 * round((level + rng.gauss(0, 7)) / 5)
            # A few ratings are no round numbers.
            amount = min(100, max(10, amount + (2 if rng.random() < 0.06 else 0)))
            thoughts = rng.choice(REASONS)
            place = (number, side, phase)
            found += [
                {
                    "side": side,
                    "speech_type": phase,
                    "amount": stored,
                    "thoughts": THOUGHTS.get(place, thoughts),
                }
                for stored in AMOUNTS.get(place, [amount])
            ]
    return found


def jury(rng: random.Random, number: int, models: tuple[str, str]) -> list[Content]:
    """Return the votes of three judges, mostly twice each, who favour the opposition a little."""
    if number == WITHOUT_JURY:
        return []
    votes = []
    for place, judge in enumerate(JUDGES if number == SHORT_JURY else JUDGES * 2):
        strength = MODELS.index(models[0]) - MODELS.index(models[1])
        # The second judge names the proposition hardly ever, as one of the published ones did.
        chance = 0.45 + 0.04 * strength - 0.3 * (place % 3 == 1)
        winner = SIDES[rng.random() > chance]
        confidence = rng.choice((65, 70, 75, 75, 80, 85))
        if number == TIED:
            winner, confidence = SIDES[place % 2], 75
        if number == UNANIMOUS:
            winner = "opposition"
        text = f"<winnerName>{winner.title()}</winnerName>\n<confidence>{confidence}</confidence>"
        vote = {"model": judge, "winner": winner, "confidence": confidence, "logic": text}
        votes.append(vote | ODD_VOTES.get((number, place), {}))
    return votes[:1] if number == LONE_JUDGE else votes


def write_questions(folder: Path) -> None:
    """Write sums with whole answers of our own into files of the three published forms."""
    rng = random.Random(2025)
    for name, count in (("aime.json", 30), ("aime_2025.json", 30), ("aimo.json", 10)):
        rows: list[Content] = []
        for number in range(count):
            one, other = rng.sample(range(2, 450), 2)
            problem = f"Number {number}: how many are ${one}$ apples and ${other}$ pears together?"
            # The answers of one file have three digits, with zeros in front.
            answer = f"{one + other:03}" if name == "aime.json" else str(one + other)
            rows.append({"id": f"{name}-{number}", "problem": problem, "answer": answer})
            if name == "aimo.json":
                rows[-1]["answer"] = one + other
            else:
                rows[-1] |= {"solution": f"${one} + {other} = {one + other}$.", "url": ""}
        if name == "aime.json":
            rows[0] |= {"problem": "What is $9 + 16$?", "answer": "025"}
        write_json(folder / name, rows)


def token_counts(number: int) -> dict[str, int]:
    """Return the counts of the calls of a model, which differ from model to model."""
    written, read = 300 + number, 900 + 10 * number
    return {
        "successful_calls": 3,
        "failed_calls": number % 2,
        "successful_completion_tokens": written,
        "successful_prompt_tokens": read,
        "successful_total_tokens": written + read,
        "failed_completion_tokens": 0,
        "failed_prompt_tokens": 0,
        "failed_total_tokens": 0,
    }
