"""Small records of our own in the shapes of other systems' files, with planted truths."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

STRENGTH = {"model-a": 1.0, "model-b": 0.2, "model-c": -1.0}
# By how much each debater of lechmazur's form flatters itself.
OWN_MINUS_PANEL = {"model-a": 0.5, "model-b": 0.1, "model-c": -0.2}
PHASES = ("Opening", "Rebuttal 1", "Pressure Questions", "Rebuttal 2", "Closing")
HEAD = """# Debate {debate}

- topic_id: prop_0001
- proposition: Made-up proposition.
- model_pro: {pro}
- model_con: {con}
- side_swap: False
"""
TURN = """
## Turn {number}: {side} {phase}

- model: {model}
- raw_words: 4
- clipped_words: 4
- claim_ids: [P1.1]
- cited_claim_ids: (none)
- missing_claim_id_refs: (none)

[P{number}.1] {side} speaks.
- a list that is no head: it stays
"""


def write_table(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as out:
        table = csv.DictWriter(out, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def lechmazur(folder: Path) -> Path:
    """A folder in the form of lechmazur/debate: six debates, three judges, two orders of each."""
    panel, own = [], []
    for pro in STRENGTH:
        for con in STRENGTH.keys() - {pro}:
            debate = f"prop_0001__{pro}__{con}__s{int(pro > con)}__tpl_made_up"
            turns = "".join(
                TURN.format(number=2 * n + k + 1, side=side, phase=phase, model=(pro, con)[k])
                for n, phase in enumerate(PHASES)
                for k, side in enumerate(("PRO", "CON"))
            )
            file = folder / "transcripts" / f"{debate}.md"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(HEAD.format(debate=debate, pro=pro, con=con) + turns)
            ahead = STRENGTH[pro] - STRENGTH[con]
            for number, first in enumerate(("pro", "con", "pro")):
                margin = ahead + (number - 1) / 10
                row = {"debate_id": debate, "proposition_text": "Made-up proposition."}
                row |= {"model_pro": pro, "model_con": con, "judge_model": f"judge-{number}"}
                row |= {
                    "presented_side_a_source": first,
                    "winner_side": "pro" if margin > 0 else "con",
                }
                panel.append(row | {"signed_margin": margin, "reasoning": 'It "won", so.'})
            for model, sign in ((pro, 1), (con, -1)):
                for first in ("pro", "con"):
                    margin = sign * (sign * ahead + OWN_MINUS_PANEL[model])
                    row = {"debate_id": debate, "participant_model": model, "side_a_source": first}
                    shown = margin if first == "pro" else -margin
                    own.append(row | {"signed_margin_presented": shown, "reasoning": "Mine."})
    write_table(folder / "judgments" / "judge_results__made_up.csv", panel)
    write_table(folder / "participant_judging" / "x" / "raw_judgments.csv", own)
    return folder


def llm_debate(folder: Path) -> Path:
    """A table in the form of llm_debate's judgements by people, and one of an experiment."""
    people = []
    for number in range(4):
        for method, kind in (("debate", ""), ("consultancy", "incorrect")):
            people.append(
                {
                    "debate_id": f"{method}{number}",
                    "judge_id": number % 2,
                    "experiment_name": "Experiment 8a",
                    "question": f"Question {number}?",
                    "debate_method": method,
                    "consultant_type": kind,
                    "debater_config": "strong" if number % 2 else "weak",
                    "swap": bool(number % 2),
                    # In debate three of four are right, in consultancy one of four.
                    "correct": number < (3 if method == "debate" else 1),
                    "confidence": 0.9,
                    "explanation": "Made up.",
                    "transcript": json.dumps(state(number, method, swap=bool(number % 2))),
                }
            )
    write_table(folder / "people.csv", people)
    rows = [
        {
            "id": number,
            "question": f"Question {number}?",
            "correct answer": "right",
            "negative answer": "wrong",
            "complete": True,
            "transcript": json.dumps(state(number, "debate", swap=False)),
            "complete_judge": True,
            "answer_judge": f"Because.\nAnswer: <{'AABA'[number]}>",
        }
        for number in range(4)
    ]
    write_table(folder / "debate_sim" / "judge-model" / "data0_judgement.csv", rows)
    return folder


def state(number: int, method: str, *, swap: bool) -> dict[str, Any]:
    """The state of a debate, or of a consultancy for the wrong answer, by llm_debate's names."""
    both = method == "debate"
    rounds = [
        {
            "correct": f"right speech {n}" if both else None,
            "incorrect": f"wrong speech {n}",
            "cross_examiner": None,
            "judge": "Why?" if n == 1 else None,
            "type": "sim",
        }
        for n in range(3)
    ]
    return {
        "index": number,
        "question": f"Question {number}?",
        "question_set_id": "set",
        "story": None,
        "story_title": "Made-up story",
        "answers": {"correct": "right", "incorrect": "wrong"},
        "names": {"correct": "Ann" if both else None, "incorrect": "Ben", "judge": None},
        "swap": swap,
        "rollout_type": "quality_sim",
        "rounds": rounds,
        "responses": [],
        "extra": {},
    }


def chatarena() -> list[dict[str, Any]]:
    """A history as `Arena.save_history` of ChatArena writes it."""
    said = [("Moderator", "Welcome.", "all"), ("Ann", "Hello.", "all"), ("Ben", "Psst.", ["Ben"])]
    return [
        {
            "agent_name": name,
            "content": words,
            "turn": number,
            "timestamp": "1",
            "visible_to": seen,
            "msg_type": "text",
        }
        for number, (name, words, seen) in enumerate(said)
    ]


def mallm() -> list[dict[str, Any]]:
    """An output of MALLM: one sample that was discussed, one that was not."""
    memory = [
        {
            "message_id": number,
            "turn": 1 + number // 2,
            "agent_id": f"agent{number % 2}",
            "persona": f"Persona {number % 2}",
            "contribution": "draft" if number == 0 else "improve",
            "message": f"I say {number}.",
            "agreement": None,
            "solution": "B" if number else "A",
            "memory_ids": [],
            "additional_args": {},
        }
        for number in range(4)
    ]
    sample = {
        "dataset": "made up",
        "exampleId": "e1",
        "instruction": "Answer.",
        "personas": [
            {"agentId": f"agent{n}", "model": "some/model", "persona": f"Persona {n}"}
            for n in range(2)
        ],
        "paradigm": "memory",
        "input": ["Which letter?"],
        "context": None,
        "finalAnswer": "B",
        "references": ["B"],
        "decisionSuccess": True,
        "turns": 2,
        "globalMemory": memory,
    }
    return [sample, {**sample, "exampleId": "e2", "globalMemory": None}]


def textarena() -> dict[str, Any]:
    """The state of a finished Debate-v0 of TextArena, by the names of its attributes."""
    return {
        "logs": [[-1, "You are Player 0."], [-1, "You are Player 1."], [0, "Yes."], [1, "No."]],
        "rewards": {"0": -1, "1": 1},
        "game_info": {"0": {"role": "Player 0"}, "1": {"role": "Player 1"}},
        "role_mapping": {"0": "Player 0", "1": "Player 1", "-1": "GAME"},
        "game_state": {
            "topic": "Tea beats coffee.",
            "sides": {"0": "Negative", "1": "Affirmative"},
            "votes": {
                "pre-debate": {"Affirmative": 2, "Negative": 3},
                "post-debate": {"Affirmative": 4, "Negative": 1},
            },
        },
    }
