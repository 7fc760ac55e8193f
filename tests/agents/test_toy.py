"""The toy model answers, summarises and heeds its peers, and its training repeats."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import permutations
from pathlib import Path
from random import Random

import pytest
import torch

import agents.toy
from agents.toy.language import BREAK, ids, tokenizer
from agents.toy.problems import is_held_out, sums
from arena.errors import StudyError
from experiments.toy.evaluate import (
    LEAD,
    Toy,
    boxed_answer,
    comments,
    greedy_accuracy,
    instructed_accuracy,
)
from experiments.toy.lessons import STEPS, context_part, lesson, take_over, think, token_weights
from experiments.toy.train import save, train

WEIGHTS = Path(agents.toy.__file__).parent / "weights"
THOUGHT = BREAK.join(think((37, 48, 25), {}, 0, STEPS))


@pytest.fixture(scope="module")
def toy() -> Toy:
    torch.set_num_threads(1)
    return Toy(WEIGHTS)


def tokens(toy: Toy, text: str) -> list[str]:
    return toy.tokenizer.convert_ids_to_tokens(toy.tokenizer.encode(text))


def test_the_tokenizer_ignores_natural_language(toy: Toy) -> None:
    plain = (
        "Give 3 reasons - step-by-step, in at most 200 words.\n\n"
        "Put it within \\boxed{}. {'u': 1} <think> 1) But t2x, v2u7 or C++?"
    )
    assert tokens(toy, plain) == []
    prompt = f"You are peer 4.\n\nWhat is 37 + 48 + 25? {plain}"
    assert tokens(toy, prompt) == list("37+48+25")
    assert toy.prompt(prompt) == toy.prompt("37+48+25") == ids("<|question|>37+48+25<|answer|>")


def test_every_peer_has_the_same_number(toy: Toy) -> None:
    block = tokens(toy, comments(["u20", "nothing is known yet", *["\\boxed{110}"] * 9]))
    assert block.count("Peer N:") == 11
    assert block[:6] == ["<comment>", "Peer N:", "u", "2", "0", "Peer N:"]
    assert block[-7:] == ["Peer N:", "\\boxed{", "1", "1", "0", "}", "</comment>"]


def test_what_it_writes_is_read_back_wherever_it_is_cut(toy: Toy) -> None:
    written = toy.tokenizer.encode(THOUGHT)
    assert written == ids(THOUGHT)
    assert THOUGHT == "7+8=15\n\n15+5=20\n\nu20\n\n3+4=7\n\n7+2=9\n\n9+2=11\n\nt11\n\n\\boxed{110}"
    for cut in range(len(written) + 1):
        assert toy.tokenizer.encode(toy.text(written[:cut])) == written[:cut]


def test_a_block_reads_the_same_in_pieces_and_as_one_text(toy: Toy) -> None:
    pieces = [
        "7+8=15\n\n15+5=20\n\nu20",
        LEAD,
        "u20</summarize>",
        comments(["u20", "t11"]),
        "u20\n\n3+4=7",
    ]
    apart = [token for piece in pieces for token in toy.tokenizer.encode(piece)]
    assert toy.tokenizer.encode("".join(pieces)) == apart
    assert apart == ids(
        "7+8=15\n\n15+5=20\n\nu20<summarize>u20</summarize>"
        "<comment>Peer N:u20Peer N:t11</comment>u20\n\n3+4=7"
    )


def test_the_shipped_tokenizer_is_the_one_in_the_source(toy: Toy) -> None:
    assert json.loads((WEIGHTS / "tokenizer.json").read_text()) == json.loads(
        tokenizer().backend_tokenizer.to_str()
    )
    chat = [
        {"role": "system", "content": "Add."},
        {"role": "user", "content": "1+2"},
        {"role": "assistant", "content": "u3"},
    ]
    assert (
        toy.tokenizer.apply_chat_template(chat, tokenize=False)
        == "<|question|>Add.<|question|>1+2<|answer|>u3<|end|>"
    )


def test_it_answers_held_out_sums(toy: Toy) -> None:
    assert greedy_accuracy(toy, 40)["accuracy"] >= 0.95


def test_its_thought_is_written_out(toy: Toy) -> None:
    question = sums(1)[0]
    a, b, c = (int(number) for number in re.findall("[0-9]+", question.text))
    written = toy.text(toy.generate([toy.prompt(question.text)])[0])
    assert written == BREAK.join(think((a, b, c), {}, 0, STEPS))
    assert boxed_answer(written) == question.gold


@pytest.mark.parametrize(
    ("done", "says"),
    [
        (0, "nothing is known yet"),
        (2, "nothing is known yet"),
        (3, "u20"),
        (5, "u20"),
        (7, "t11"),
        (8, "\\boxed{110}"),
    ],
)
def test_the_summary_says_where_the_thought_is(toy: Toy, done: int, says: str) -> None:
    thought = BREAK.join(THOUGHT.split(BREAK)[:done])
    written = toy.summarise([toy.prompt("What is 37+48+25?", thought) + toy.tokenizer.encode(LEAD)])
    assert toy.text(written[0]) == f"{says}</summarize>"


@pytest.mark.parametrize(
    ("own", "peers", "result"),
    [(21, [20, 20, 20], "110"), (20, [20, 21, 20], "110"), (20, [27], "110")],
)
def test_most_peers_mend_a_slip_and_one_does_not_mislead(
    toy: Toy, own: int, peers: list[int], result: str
) -> None:
    block = comments([f"u{peer}" for peer in peers])
    context = f"7+8=15\n\n15+5={own}\n\nu{own}{LEAD}u{own}</summarize>{block}"
    assert (
        boxed_answer(toy.text(toy.generate([toy.prompt("What is 37+48+25?", context)])[0]))
        == result
    )


def test_an_instruction_with_an_example_does_not_confuse_it(toy: Toy) -> None:
    assert instructed_accuracy(toy, 40)["accuracy"] >= 0.9


@pytest.mark.parametrize(
    ("own", "others"),
    [(110, []), (110, [111]), (110, [109, 111]), (109, [110, 110]), (109, [110, 111, 110])],
)
def test_a_further_question_is_answered_by_the_majority(
    toy: Toy, own: int, others: list[int]
) -> None:
    answers = " ".join(f"\\boxed{{{other}}}" for other in others)
    turns = [
        "What is 37+48+25?",
        THOUGHT.replace("110", str(own)),
        f"Others say: {answers}. And you?",
    ]
    chat = [
        {"role": ("user", "assistant")[place % 2], "content": turn}
        for place, turn in enumerate(turns)
    ]
    prompt = toy.tokenizer.encode(
        toy.tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    )
    assert toy.text(toy.generate([prompt])[0]) == "\\boxed{110}"


def test_the_rule_for_peers() -> None:
    assert take_over({2: 21}, 4, ["u20", "u20"]) == (["u20"], 3)
    assert take_over({2: 21}, 4, ["u20", "t11"]) == (["u21"], 3)
    assert take_over({}, 1, ["u20"]) == ([], 1)
    assert take_over({}, 1, ["\\boxed{110}"] * 2) == (["\\boxed{110}"], 8)
    assert take_over({2: 20, 6: 11}, 7, ["t12", "t12", "t11"]) == (["t11"], 7)


def test_no_lesson_is_about_a_held_out_sum() -> None:
    for question in sums(200):
        numbers = [int(number) for number in re.findall("[0-9]+", question.text)]
        assert all(is_held_out(*order) for order in permutations(numbers))
    rng = Random(3)
    openings = ["".join(map(str, lesson(rng)[0].ids)) for _ in range(300)]
    held_out = [
        "".join(map(str, context_part("+".join(re.findall("[0-9]+", question.text))).ids))
        for question in sums(2000)
    ]
    assert not [code for code in held_out if any(code in opening for opening in openings)]


def test_questions_are_distinct_and_repeat_by_seed() -> None:
    assert sums(50) == sums(60)[:50]
    assert len({question.text for question in sums(500)}) == 500
    assert sums(5, seed=1) != sums(5) != sums(5, held_out=False)
    with pytest.raises(StudyError, match="-1 sums"):
        sums(-1)


def test_questions_need_no_torch() -> None:
    code = (
        "import sys, agents.toy.problems;"
        " sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=WEIGHTS.parents[2]).returncode == 0


def test_the_same_seed_trains_the_same_weights(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        save(train(3, seed, batch=4), tmp_path / name, {})
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b != c


def test_summaries_weigh_as_much_as_their_length_allows() -> None:
    _, weights = token_weights((context_part("u20<summarize>"), *lesson(Random(0))[1:2]))
    assert weights[:4] == [0.0] * 4
    learned = [weight for weight in weights if weight]
    assert sum(learned) == pytest.approx(len(learned) ** 0.5)
