"""Models of pairs: their numbers are those of transformers alone, whatever the batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification

from agents import agent, model
from agents.local.readouts.pairs import PairModel
from arena.errors import RefusedError, StudyError
from arena.play.sync import run_blocking
from arena.types import Message, Place, Request, Sampling
from protocols.estimators.pairs import entailment, similarity, similarity_without
from tests.estimator_play import asked
from tests.tiny_models import tokenizer
from tests.tiny_pairs import NLI, tiny_pairs

PLACE = Place("e", "entailment", 0, 0, "pairs", 0)
PAIRS = [("the man", "a man"), ("12", "twelve and some more words than the others have"), ("", "x")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = tmp_path_factory.mktemp("pairs")
    return {
        "nli": tiny_pairs(made / "nli", NLI),
        "cross": tiny_pairs(made / "cross", ("similarity",)),
        "encoder": tiny_pairs(made / "encoder", None),
    }


def ask(reference: str, content: object) -> dict[str, list[object]]:
    """What a model of pairs says."""
    messages = (Message("user", json.dumps(content)),)
    reply = run_blocking(lambda: model(reference)(Request(messages, Sampling(), 1, PLACE)))
    found: dict[str, list[object]] = json.loads(reply.text)
    return found


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch counts as untyped
def test_probabilities_stand_in_the_order_of_the_names_whatever_that_of_the_outputs(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = AutoModelForSequenceClassification.from_pretrained(folders["nli"]).eval()
    expected = []
    for pair in PAIRS:
        shares = whole(**tokenizer()(*pair, return_tensors="pt")).logits[0].softmax(-1).tolist()
        expected.append([shares[1], shares[2], shares[0]])
    for batch in (2**13, 1):
        monkeypatch.setattr("agents.local.readouts.pair_scorers.TOKENS_PER_BATCH", batch)
        found = ask(f"nli/{folders['nli']}", {"pairs": PAIRS})
        assert found["probabilities"] == [pytest.approx(row, abs=1e-5) for row in expected]
    assert ask(f"nli/{folders['nli']}", {"pairs": []}) == {"probabilities": []}


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch counts as untyped
def test_one_output_is_a_similarity_and_so_is_the_cosine_of_means(
    folders: dict[str, Path],
) -> None:
    cross = AutoModelForSequenceClassification.from_pretrained(folders["cross"]).eval()
    expected = [
        float(cross(**tokenizer()(*pair, return_tensors="pt")).logits[0, 0].sigmoid())
        for pair in PAIRS[:2]
    ]
    found = ask(f"similarity/{folders['cross']}", {"pairs": PAIRS[:2]})
    assert found == {"similarity": pytest.approx(expected, abs=1e-5)}
    encoder = AutoModel.from_pretrained(folders["encoder"]).eval()

    def mean(text: str) -> torch.Tensor:
        return encoder(**tokenizer()(text, return_tensors="pt")).last_hidden_state[0].mean(0)

    cosines = [
        float(torch.cosine_similarity(mean(one), mean(other), dim=0)) for one, other in PAIRS[:2]
    ]
    reference = f"similarity/{folders['encoder']}"
    assert ask(reference, {"pairs": PAIRS[:2]}) == {"similarity": pytest.approx(cosines, abs=1e-5)}
    text = "the thin man"
    without = ask(reference, {"text": text, "without": [[0, 4], [4, 9], [0, 0]]})["similarity"]
    pairs = ask(reference, {"pairs": [[text, "thin man"], [text, "the man"], [text, text]]})
    assert without == pytest.approx(pairs["similarity"], abs=1e-6)
    assert without[2] == pytest.approx(1.0)


def test_estimators_ask_them_by_the_seat(folders: dict[str, Path]) -> None:
    nli = agent(f"nli/{folders['nli']}")
    relations, turns = asked(nli, lambda e, seat: entailment(e, seat, PAIRS[:2]))
    assert len(turns) == 1
    assert [sum(row or ()) for row in relations] == pytest.approx([1.0, 1.0])
    alike = agent(f"similarity/{folders['cross']}")
    values, _ = asked(alike, lambda e, seat: similarity(e, seat, PAIRS[:2]))
    kept, _ = asked(alike, lambda e, seat: similarity_without(e, seat, "so it is", [(0, 3)]))
    assert all(0 <= (value or 0) <= 1 for value in (*values, *kept))


def test_texts_that_are_too_long_are_cut_and_counted(tmp_path: Path) -> None:
    reference = f"nli/{tiny_pairs(tmp_path / 'short', NLI, positions=16)}"
    messages = (Message("user", json.dumps({"pairs": [["x" * 40, "y"], ["x", "y"]]})),)
    reply = run_blocking(lambda: model(reference)(Request(messages, Sampling(), 1, PLACE)))
    assert reply.measures == {"pairs_truncated": 1.0}


def test_the_digest_is_that_of_the_files(folders: dict[str, Path]) -> None:
    found = model(f"nli/{folders['nli']}")
    assert isinstance(found, PairModel)
    digest = found.find_digest()
    assert digest is not None
    assert model(f"nli/{folders['nli']}@{digest[:8]}").name == f"nli/nli@{digest[:8]}"
    with pytest.raises(StudyError, match="asks for a digest that the files"):
        run_blocking(model(f"nli/{folders['nli']}@00000000").open)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("nli/{cross}", "has the labels similarity, and not entailment, neutral and contradiction"),
        ("nli/{encoder}", "has the labels label_0, label_1, and not entailment"),
        ("similarity/{nli}", "classifies texts into contradiction, entailment, neutral: take a"),
        ("nli/{nli}?slots=3", "has the settings dtype"),
        ("nli/{nli}?dtype=int8", "has the settings dtype"),
        ("similarity/nowhere", "there is no folder nowhere"),
    ],
)
def test_a_model_that_gives_other_numbers_is_refused(
    folders: dict[str, Path], reference: str, words: str
) -> None:
    with pytest.raises(StudyError, match=words):
        model(reference.format(**folders))


@pytest.mark.parametrize("content", ["hello", {"pairs": [["a"]]}, {"pairs": [["a", 1]]}, {}])
def test_a_request_of_something_else_is_refused(folders: dict[str, Path], content: object) -> None:
    for reference in (f"nli/{folders['nli']}", f"similarity/{folders['cross']}"):
        with pytest.raises(RefusedError, match="and the request is not that"):
            ask(reference, content)
    with pytest.raises(RefusedError, match="and the request is not that"):
        ask(f"nli/{folders['nli']}", {"text": "a", "without": [[0, 1]]})
