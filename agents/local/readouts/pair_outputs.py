"""Tell from a model's configuration what it gives for a pair of texts; imports no torch."""

from __future__ import annotations

from typing import Literal

from arena.errors import StudyError

Kind = Literal["nli", "similarity"]
LABELS = ("entailment", "neutral", "contradiction")


def check_outputs(kind: Kind, name: str, config: dict[str, object]) -> None:
    """Raise StudyError if a configuration is not that of a model of this kind."""
    labels = labels_of(config)
    classifies = is_classifier(config)
    if kind == "nli" and (not classifies or sorted(labels) != sorted(LABELS)):
        raise StudyError(
            f"{name} has the labels {', '.join(labels) or 'none'}, and not"
            " entailment, neutral and contradiction: take a model of inference between texts, or"
            " name its labels in id2label of its config.json"
        )
    if kind == "similarity" and classifies and len(labels) != 1:
        raise StudyError(
            f"{name} classifies texts into {', '.join(labels)}: take a cross-encoder with one"
            " output, or an encoder"
        )


def is_classifier(config: dict[str, object]) -> bool:
    """Return whether a configuration is that of a sequence classification."""
    names = config.get("architectures")
    found = names if isinstance(names, list) else []
    return any(str(each).endswith("ForSequenceClassification") for each in found)


def labels_of(config: dict[str, object]) -> list[str]:
    """Return the labels of a configuration in the order of its outputs, in small letters."""
    found = config.get("id2label")
    if isinstance(found, dict):
        return [str(found[key]).lower() for key in sorted(found, key=int)]
    # transformers writes no labels where they are the usual two.
    number = config.get("num_labels", 2)
    return [f"label_{place}" for place in range(number if isinstance(number, int) else 2)]
