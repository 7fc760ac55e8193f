"""Write made-up labels and costs of a folder of debates, in the form of the published side files.

The published ones are in a whole clone alone.  Every label here is invented, by the place of its
turn among all: of ten, eight are aligned, one overbetting and one underbetting.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.made_up_publication import write_json

WORDS = (*["Aligned"] * 8, "Overbetting", "Slight Underbetting")
# How far the estimate lies from the bet, in points.
ESTIMATES = (*["{0}"] * 8, "{1}", "{2}-{3}")


def write_side_files(folder: Path) -> None:
    """Write labels for each folder of debates, and the sums of tokens and dollars."""
    prices = json.loads((folder / "debate_models.json").read_text(encoding="utf-8"))
    sums: dict[str, dict[str, Any]] = {}
    debates = 0
    for place in sorted((folder / "experiments").iterdir()):
        labels: list[dict[str, Any]] = []
        for file in sorted(place.glob("*.json")):
            content = json.loads(file.read_text(encoding="utf-8"))
            debates += 1
            labels += labels_of(file.stem, content, len(labels))
            for model, counts in content["debator_token_counts"].items():
                add(sums.setdefault(model, {}), counts)
        labels.insert(0, labels[0] | {"analysis": {"error": "no valid XML found"}})
        write_json(folder / f"bet_analysis_results_{place.name}.json", labels)
    for model, row in sums.items():
        of_prompts, of_completions = prices[model]
        row["prompt_cost"] = round(row["prompt_tokens"] * of_prompts / 1e6, 2)
        row["completion_cost"] = round(row["completion_tokens"] * of_completions / 1e6, 2)
        row["total_cost"] = round(row["prompt_cost"] + row["completion_cost"], 2)
    dollars = round(sum(row["total_cost"] for row in sums.values()), 2)
    totals = {"total_cost_usd": dollars, "unknown_cost_models": []}
    summary = {"total_debates": debates, "unique_models": len(sums), "grand_totals": totals}
    costs = {"summary": summary, "model_stats": sums}
    write_json(folder / "model_token_usage_and_cost.json", costs)
    (folder / "README.md").write_text("A clone.\n")
    (folder / "all_bets.csv").write_text("debate_id,bet_amount\n1,75\n")


def add(row: dict[str, Any], counts: dict[str, int]) -> None:
    """Add the counts of one debate to those of its model."""
    for kind in ("prompt", "completion", "total"):
        more = counts[f"successful_{kind}_tokens"] + counts[f"failed_{kind}_tokens"]
        row[f"{kind}_tokens"] = row.get(f"{kind}_tokens", 0) + more


def labels_of(stem: str, content: dict[str, Any], before: int) -> list[dict[str, Any]]:
    """Return labels of a debate's turns, as the publication chose them: with thoughts and a bet."""
    labels: list[dict[str, Any]] = []
    for bet in content["debator_bets"]:
        amount = bet["amount"]
        if amount is None or not 10 < amount <= 90 or len(bet["thoughts"]) < 40:
            continue
        at = (before + len(labels)) % len(WORDS)
        estimate = ESTIMATES[at].format(amount, amount - 15, amount + 10, amount + 20)
        alignment = {
            "numeric_confidence_present": at % 2 == 0,
            "internal_confidence": estimate,
            "bet_amount": amount,
            "assessment": WORDS[at],
            "degree": "None",
            "explanation": "Invented.",
        }
        labels.append(
            {
                "debate_id": stem,
                "motion": content["motion"]["topic_description"],
                "side": bet["side"],
                "speech_type": bet["speech_type"],
                "raw_bet_amount": amount,
                "raw_thoughts": bet["thoughts"],
                "analysis": {
                    "betting_alignment": alignment,
                    "strategic_betting": {"present": "No", "explanation": "Invented."},
                },
            }
        )
    return labels
