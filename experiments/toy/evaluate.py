"""How good the toy model is, on sums that its training never saw; `python -m agents.toy.train --evaluate DIR` prints and keeps it.

Each figure is a share of `n` questions.  Sampling is plain, over the whole vocabulary.  The exchange is the one of LeaP ("Learning from Peers
in Reasoning Models", arXiv 2505.07787), with the prompts' text around it: eight paths are cut back to their last whole step, summarise
(greedily), read the three paths beside them, and go on; against the same eight beginnings continued alone.
"""

from __future__ import annotations

import copy
import datetime
import json
import platform
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import tokenizers
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.toy.language import BREAK, IDS, NOTHING
from agents.toy.problems import sums
from arena.types import Subject
from experiments.toy.lessons import RESULT, SLIPS, STEPS, UNITS, format_value, near, summary, think

TEMPERATURE = (
    1.7  # one sample is right about three times in five here, the majority of sixteen nearly always
)
TEMPERATURES = (1.0, 1.4, TEMPERATURE, 2.0)
LEAD = (
    "\n\nAlright, let's take a step back and summarize what we've figured out so far briefly. "
    "<summarize> In short, my current conclusions are that "
)
LEAD_SAYS = "In short, my current conclusions are that "
REFLECT = (
    "\n\nHmm, it seems that my peers have given me some comments, so let me check if anyone's conclusions are different from mine "
    "before I continue my own reasoning."
)
EXAMPLE = (
    " Please reason step by step, and put your final answer within \\boxed{}. For example: 17 divides 97, so b is 21 or 49. "
    '<summarize> In short, 21+49=70 </summarize> <comment> Peer 1: "It is \\boxed{63}" Peer 2: "21+49=70" </comment>\n\nSo it is \\boxed{70}.'
)
ROWS = 256

Ids = list[int]
Scores = dict[str, float | int]


class Toy:
    """The model and the tokenizer of a folder, as transformers loads them, and what is done with them."""

    def __init__(self, folder: Path) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def prompt(self, text: str, answer: str = "") -> Ids:
        """The token ids of a question, and of the beginning of its answer."""
        chat = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False
        )
        return self.tokenizer.encode(chat) + self.tokenizer.encode(answer)

    def generate(
        self, rows: Sequence[Ids], *, tokens: int = 96, temperature: float = 0.0
    ) -> list[Ids]:
        """What the model writes after each row, up to `tokens` tokens; temperature 0 is greedy."""
        found: list[Ids] = []
        for start in range(0, len(rows), ROWS):
            batch = self.tokenizer.pad(
                {"input_ids": list(rows[start : start + ROWS])}, return_tensors="pt"
            )
            settings = copy.deepcopy(self.model.generation_config)
            settings.update(
                max_new_tokens=tokens, do_sample=temperature > 0, temperature=temperature or 1.0
            )
            with torch.inference_mode():
                out = self.model.generate(
                    batch["input_ids"],
                    attention_mask=batch["attention_mask"],
                    generation_config=settings,
                )
            new = out[:, batch["input_ids"].shape[1] :].tolist()
            found += [self.truncate_at_end(row) for row in new]
        return found

    def truncate_at_end(self, row: Ids) -> Ids:
        """A row up to its end token, which stays."""
        end = self.tokenizer.eos_token_id
        return row[: row.index(end) + 1] if end in row else row

    def summarise(self, rows: Sequence[Ids]) -> list[Ids]:
        """The summaries that follow rows which end in the question for one, with their closing tag where it was written."""
        close = IDS["</summarize>"]
        return [
            row[: row.index(close) + 1] if close in row else row
            for row in self.generate(rows, tokens=12)
        ]

    def text(self, row: Ids) -> str:
        """A row as text, without end and padding."""
        return self.tokenizer.decode(row, skip_special_tokens=True)


def boxed_answer(text: str) -> str | None:
    """What stands in the last closed box of a text."""
    boxes = re.findall(r"\\boxed\{([0-9]+)\}", text)
    return boxes[-1].lstrip("0") or "0" if boxes else None


def share(hits: Sequence[bool]) -> float:
    """The share of hits, to four places."""
    return round(sum(hits) / len(hits), 4)


def numbers(question: Subject) -> tuple[int, int, int]:
    """The three numbers of a question."""
    a, b, c = re.findall("[0-9]+", question.text)
    return int(a), int(b), int(c)


def majority(answers: Sequence[str | None]) -> str | None:
    """The most frequent readable answer; of equals the one that came first."""
    return next(
        iter(Counter(each for each in answers if each is not None).most_common(1)), (None, 0)
    )[0]


def single_and_majority(
    answers: Sequence[Sequence[str | None]], gold: Sequence[str], size: int
) -> dict[str, float]:
    """Mean accuracy of one answer, and of the majority of the first `size`."""
    one = [each == right for row, right in zip(answers, gold, strict=True) for each in row]
    many = [majority(row[:size]) == right for row, right in zip(answers, gold, strict=True)]
    return {"single": share(one), f"majority of {size}": share(many)}


def greedy_accuracy(toy: Toy, n: int) -> Scores:
    """Accuracy at temperature 0."""
    questions = sums(n)
    texts = [
        toy.text(row) for row in toy.generate([toy.prompt(question.text) for question in questions])
    ]
    return {
        "accuracy": share(
            [
                boxed_answer(text) == question.gold
                for text, question in zip(texts, questions, strict=True)
            ]
        ),
        "n": n,
    }


def sampled_accuracy(toy: Toy, temperature: float, n: int, samples: int = 16) -> Scores:
    """Accuracy of one sample, and of the majority of 8 and of 16."""
    questions = sums(n)
    rows = toy.generate(
        [toy.prompt(question.text) for question in questions for _ in range(samples)],
        temperature=temperature,
    )
    answers = [boxed_answer(toy.text(row)) for row in rows]
    table = [answers[start : start + samples] for start in range(0, len(answers), samples)]
    gold = [question.gold or "" for question in questions]
    return {
        **single_and_majority(table, gold, 8),
        **single_and_majority(table, gold, samples),
        "n": n,
        "samples": samples,
    }


def cut_back(row: Ids) -> Ids:
    """A thought without its last, perhaps unfinished, step, and without the blank line before that."""
    breaks = [place for place, token in enumerate(row) if token == IDS[BREAK]]
    return row[: breaks[-1]] if breaks else []


def expected_summary(text: str) -> str:
    """What a summary of a thought should say: its last sum of units or of tens, or its result."""
    known = re.findall(r"(?:^|\n\n)([ut][0-9]+|\\boxed\{[0-9]+\})(?=\n\n|$)", text)
    return known[-1] if known else NOTHING


def summary_accuracy(toy: Toy, n: int, temperature: float, seed: int = 0) -> Scores:
    """How often the summary says where the thought is, for thoughts sampled and cut at a random place."""
    rng = random.Random(seed)
    prompts = [toy.prompt(question.text) for question in sums(n)]
    thoughts = [
        cut_back(row[: rng.randint(1, 50)])
        for row in toy.generate(prompts, temperature=temperature)
    ]
    asked = [
        prompt + thought + toy.tokenizer.encode(LEAD)
        for prompt, thought in zip(prompts, thoughts, strict=True)
    ]
    written = [toy.text(row) for row in toy.summarise(asked)]
    return {
        "exact": share(
            [
                w == f"{expected_summary(toy.text(thought))}</summarize>"
                for w, thought in zip(written, thoughts, strict=True)
            ]
        ),
        "n": n,
    }


def comments(words: Sequence[str]) -> str:
    """What a path reads of its peers."""
    said_by = "\n".join(
        f'Peer {index}: "{LEAD_SAYS}{word}"' for index, word in enumerate(words, start=1)
    )
    return f" <comment> {said_by or 'No comments'} </comment>{REFLECT}"


def contexts_after_block(
    toy: Toy, prompts: Sequence[Ids], thoughts: Sequence[Ids], peers: int
) -> list[Ids]:
    """The contexts of the paths of one question after a block; a path that has ended keeps to itself, and is left as it is."""
    end = toy.tokenizer.eos_token_id
    active = [index for index, row in enumerate(thoughts) if end not in row]
    own = {
        index: prompts[index] + cut_back(thoughts[index]) + toy.tokenizer.encode(LEAD)
        for index in active
    }
    words = dict(zip(active, toy.summarise(list(own.values())), strict=True))
    out = [prompt + row for prompt, row in zip(prompts, thoughts, strict=True)]
    for place, index in enumerate(active):
        beside = [
            active[(place + step) % len(active)]
            for step in range(1, min(peers, len(active) - 1) + 1)
        ]
        text = comments([toy.text(words[other]).removesuffix("</summarize>") for other in beside])
        out[index] = own[index] + words[index] + toy.tokenizer.encode(text)
    return out


def final_answers(
    toy: Toy, contexts: Sequence[Ids], begun: Sequence[Ids], temperature: float
) -> list[str | None]:
    """The answers of paths that go on from these contexts to their end, read from their own words alone."""
    active = [index for index, row in enumerate(begun) if toy.tokenizer.eos_token_id not in row]
    rest = dict(
        zip(
            active,
            toy.generate([contexts[index] for index in active], temperature=temperature),
            strict=True,
        )
    )
    return [boxed_answer(toy.text(row + rest.get(index, []))) for index, row in enumerate(begun)]


def exchange_accuracy(
    toy: Toy, temperature: float, cut: int, n: int, *, paths: int = 8, peers: int = 3
) -> Scores:
    """Accuracy with and without one LeaP block after `cut` tokens, from the same beginnings."""
    questions = sums(n, seed=1)
    prompts = [toy.prompt(question.text) for question in questions for _ in range(paths)]
    begun = toy.generate(prompts, tokens=cut, temperature=temperature)
    alone = [prompt + row for prompt, row in zip(prompts, begun, strict=True)]
    together: list[Ids] = []
    for start in range(0, len(prompts), paths):
        together += contexts_after_block(
            toy, prompts[start : start + paths], begun[start : start + paths], peers
        )
    gold = [question.gold or "" for question in questions]
    result: Scores = {"n": n, "paths": paths, "peers": peers}
    for name, contexts in (("alone", alone), ("with peers", together)):
        answers = final_answers(toy, contexts, begun, temperature)
        table = [answers[start : start + paths] for start in range(0, len(answers), paths)]
        result |= {
            f"{key}, {name}": value
            for key, value in single_and_majority(table, gold, paths).items()
        }
    return result


def instructed_accuracy(toy: Toy, n: int) -> Scores:
    """Accuracy (greedy) where an instruction with an example about something else, sums and a box in it, follows the question."""
    rows = toy.generate([toy.prompt(question.text + EXAMPLE) for question in sums(n)])
    return {
        "accuracy": share(
            [
                boxed_answer(toy.text(row)) == question.gold
                for row, question in zip(rows, sums(n), strict=True)
            ]
        ),
        "n": n,
    }


def choice_accuracy(toy: Toy, n: int, seed: int = 0) -> Scores:
    """How often the most frequent of five candidates is given; in a third of the cases it is a wrong result."""
    rng = random.Random(seed)
    texts, best = [], []
    for question in sums(n):
        right = int(question.gold or 0)
        most = right if rng.random() < 2 / 3 else near(rng, right)
        candidates = [most] * 3 + [near(rng, right), right if most != right else near(rng, right)]
        rng.shuffle(candidates)
        texts.append(
            question.text
            + " These were the answers:\n"
            + "\n".join(format_value(RESULT, each) for each in candidates)
        )
        best.append(str(most))
    answers = [
        boxed_answer(toy.text(row)) for row in toy.generate([toy.prompt(text) for text in texts])
    ]
    return {
        "most frequent": share([each == right for each, right in zip(answers, best, strict=True)]),
        "n": n,
    }


def peer_accuracy(toy: Toy, n: int, *, own_slips: bool, peers_wrong: int, seed: int = 0) -> Scores:
    """Accuracy (greedy) after a block at the units' sum with three peers, of whom some are wrong, or all right and the thought itself wrong."""
    rng = random.Random(seed)
    contexts = []
    for question in sums(n):
        values: dict[int, int] = {}
        thought = BREAK.join(
            think(
                numbers(question),
                values,
                0,
                UNITS + 1,
                {rng.randrange(2): rng.choice(SLIPS)} if own_slips else {},
            )
        )
        right: dict[int, int] = {}
        think(numbers(question), right, 0, STEPS)
        words = [
            format_value(UNITS, near(rng, right[UNITS]) if index < peers_wrong else right[UNITS])
            for index in range(3)
        ]
        rng.shuffle(words)
        written = f"{summary(values)}</summarize>"
        contexts.append(
            toy.prompt(question.text, thought)
            + toy.tokenizer.encode(LEAD + written + comments(words))
        )
    answers = [boxed_answer(toy.text(row)) for row in toy.generate(contexts)]
    return {
        "accuracy": share(
            [each == question.gold for each, question in zip(answers, sums(n), strict=True)]
        ),
        "n": n,
    }


def versions() -> dict[str, str]:
    """What the figures were measured with."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
    }


def evaluate(folder: Path, n: int = 300) -> dict[str, object]:
    """All figures of the model in a folder, which are written into its accuracy.json too; it takes a minute or two."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    toy = Toy(folder)
    kept = folder / "accuracy.json"
    figures: dict[str, object] = {
        "measured": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "training": json.loads(kept.read_text())["training"] if kept.is_file() else None,
        "versions": versions(),
        "temperature": TEMPERATURE,
        "greedy": greedy_accuracy(toy, n),
        "greedy, with an instruction's example in the prompt": instructed_accuracy(toy, n),
        **{f"sampled at {each}": sampled_accuracy(toy, each, 100) for each in TEMPERATURES},
        "summaries of greedy thoughts": summary_accuracy(toy, n, 0.0),
        f"summaries of thoughts sampled at {TEMPERATURE}": summary_accuracy(toy, n, TEMPERATURE),
        **{
            f"exchange at {TEMPERATURE} after {cut} tokens": exchange_accuracy(
                toy, TEMPERATURE, cut, 150
            )
            for cut in (16, 20, 24)
        },
        "own units right, three peers right": peer_accuracy(toy, n, own_slips=False, peers_wrong=0),
        "own units right, one of three peers wrong": peer_accuracy(
            toy, n, own_slips=False, peers_wrong=1
        ),
        "own units wrong, three peers right": peer_accuracy(toy, n, own_slips=True, peers_wrong=0),
        "own units wrong, one of three peers wrong": peer_accuracy(
            toy, n, own_slips=True, peers_wrong=1
        ),
        "most frequent of five candidates": choice_accuracy(toy, n),
    }
    kept.write_text(json.dumps(figures, indent=2) + "\n")
    return figures


def format_scores(figures: Mapping[str, object]) -> str:
    """The figures as lines: what was measured, and each share with its number of cases."""
    rows = [
        (
            name,
            ", ".join(f"{key} {value}" for key, value in row.items())
            if isinstance(row, dict)
            else row,
        )
        for name, row in figures.items()
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {row}" for name, row in rows)
