"""Simulated solvers answer as their parameters say: alone, in numbers, and hearing each other."""

from __future__ import annotations

import asyncio
import itertools
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable
from math import exp, log
from pathlib import Path

import pytest

from agents import agent, model
from agents.simulated.questions import mistakes_of, question_in, simulated_questions
from agents.simulated.replies import mark_of
from agents.simulated.solver import chances, simulated_solver, solver_profile
from agents.simulated.truth import expected_accuracy, expected_majority, expected_stated
from arena import Arena, Arm, Study
from arena.errors import RefusedError, StudyError
from arena.types import Message, Place, Reply, Request, Sampling, Subject
from protocols.parsing.answers import extract_boxed
from protocols.parsing.confidence import confidence_in, guesses

[ONE] = simulated_questions(1)
CONFIDENT = "\nState your confidence."
SUMMING = Sampling(max_tokens=256, stop=("</summarize>", "</think>"))


def replies(
    profile: str,
    words: list[str],
    n: int = 1,
    *,
    prefill: str = "",
    sampling: Sampling | None = None,
) -> list[list[Reply]]:
    """Return `n` replies to each prompt, each from a seat of its own."""
    solver = simulated_solver(profile)
    begin = (Message("assistant", prefill),) if prefill else ()

    async def all_of_them() -> list[list[Reply]]:
        return [
            [
                await solver(
                    Request(
                        (Message("user", text), *begin),
                        sampling or Sampling(),
                        seed * 100_000 + k,
                        place_of(seed, k),
                    )
                )
                for k in range(n)
            ]
            for seed, text in enumerate(words)
        ]

    return asyncio.run(all_of_them())


def place_of(episode: int, path: int) -> Place:
    return Place(f"e{episode}", f"path{path}", 0, 0, "answer", 0)


def reply(
    words: str, profile: str = "solver", *, prefill: str = "", sampling: Sampling | None = None
) -> Reply:
    """Return one reply, of path0 in the episode e0."""
    return replies(profile, [words], prefill=prefill, sampling=sampling)[0][0]


def right(
    profile: str, questions: tuple[Subject, ...], n: int = 1, words: str = ""
) -> list[list[bool]]:
    """Return for each question which of `n` answers are right."""
    rows = replies(profile, [question.text + words for question in questions], n)
    return [
        [extract_boxed(reply.text) == question.gold for reply in row]
        for question, row in zip(questions, rows, strict=True)
    ]


def peers_say(*answers: str) -> str:
    """Return the statements of peers, each signed with a mark of its own."""
    return "".join(
        f"\nPeer: #{number:08x} answers \\boxed{{{answer}}}"
        for number, answer in enumerate(answers)
    )


def close(values: list[float], truth: float) -> bool:
    """Return whether the mean of independent values is four standard errors or less off."""
    return (
        abs(statistics.fmean(values) - truth)
        < 4 * statistics.stdev(values) / len(values) ** 0.5 + 1e-12
    )


PROFILES = [
    "solver",
    "solver:ability=1.0:shared=0.0",
    "solver:ability=-1.0:shared=0.8:concentration=0.9",
    "solver:distractors=1:unreadable=0.2",
]


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_one_sample_is_right_as_often_as_the_parameters_say(profile: str) -> None:
    questions = simulated_questions(1500, seed=3)
    shares = [statistics.fmean(map(float, row)) for row in right(profile, questions, 3)]
    assert close(shares, expected_accuracy(profile, questions))
    assert not close(shares, expected_accuracy(profile, questions) + 0.06)


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
def test_the_majority_is_right_as_often_as_the_parameters_say(profile: str) -> None:
    """Of equal counts the first counts, as in self-consistency."""
    questions = simulated_questions(1500, seed=4)
    rows = replies(profile, [question.text for question in questions], 5)
    hits = []
    for question, row in zip(questions, rows, strict=True):
        votes = Counter(vote for reply in row if (vote := extract_boxed(reply.text)) is not None)
        hits.append(float(bool(votes) and votes.most_common(1)[0][0] == question.gold))
    assert close(hits, expected_majority(profile, questions, 5))
    assert not close(hits, expected_majority(profile, questions, 5) - 0.06)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_expected_majority_is_the_sum_over_everything_that_can_happen(n: int) -> None:
    """Every shared answer and every combination of answers, one after another."""
    profile = "solver:ability=0.3:shared=0.4:distractors=3"
    questions = simulated_questions(3, seed=5)
    total = 0.0
    for question in questions:
        own = chances(solver_profile(profile), question_in(question.text))  # type: ignore[arg-type]
        for shared, share in own.items():
            conditional = {
                answer: 0.4 * (answer == shared) + 0.6 * chance for answer, chance in own.items()
            }
            for votes in itertools.product(conditional, repeat=n):
                counts = Counter(votes)
                best = [answer for answer, count in counts.items() if count == max(counts.values())]
                weight = share
                for vote in votes:
                    weight *= conditional[vote]
                total += weight * (question.gold in best) / len(best)
    assert expected_majority(profile, questions, n) == pytest.approx(total / 3, abs=1e-12)


@pytest.mark.slow
def test_errors_of_samples_go_together_as_much_as_is_said() -> None:
    """For one difficulty, the correlation of two samples being right is shared ** 2."""
    both = right("solver:shared=0.7", simulated_questions(4000, spread=0.0), 2)
    products = [(a - 0.5) * (b - 0.5) / 0.25 for a, b in both]
    assert close(products, 0.49)


def test_wrong_answers_are_the_common_mistake_as_often_as_is_said() -> None:
    questions = simulated_questions(3000, seed=6)
    profile = "solver:concentration=0.7:distractors=3"
    rows = replies(profile, [question.text for question in questions])
    answers = [extract_boxed(reply.text) for [reply] in rows]
    ranks = [
        mistakes_of(question_in(question.text)).index(answer)
        for question, answer in zip(questions, answers, strict=True)
        if answer != question.gold
    ]
    assert set(ranks) == {0, 1, 2}
    assert close([float(rank == 0) for rank in ranks], 0.7)
    assert close([float(rank == 2) for rank in ranks], 0.15)


@pytest.mark.parametrize("weight", [0.0, 1.2, -0.5])
@pytest.mark.parametrize("peers", [1, 3])
def test_a_peer_adds_its_weight_to_the_log_odds_of_what_it_says(weight: float, peers: int) -> None:
    """With one mistake to make, the log odds of being right are ability - difficulty.

    Every peer who is right adds its weight to them.
    """
    question = question_in(simulated_questions(1, spread=0.0)[0].text)
    assert question is not None
    solver = solver_profile(f"solver:ability=0.4:distractors=1:peer_weight={weight}")
    for answer, sign in ((question.right, 1), (mistakes_of(question)[0], -1)):
        chance = chances(solver, question, {answer: peers})[question.right]
        assert log(chance / (1 - chance)) == pytest.approx(0.4 + sign * peers * weight)
    assert chances(solver, question, {"7777": 3}) == pytest.approx(chances(solver, question))


@pytest.mark.slow
@pytest.mark.parametrize(
    "peers", [("right", "right"), ("right", "wrong"), ("wrong", "wrong", "wrong"), ("other",)]
)
def test_samples_that_hear_peers_answer_as_the_formula_says(peers: tuple[str, ...]) -> None:
    profile = "solver:ability=0.4:peer_weight=0.9:shared=0.2"
    questions = simulated_questions(2500, seed=8)
    truth = []
    words = []
    for question in questions:
        parsed = question_in(question.text)
        assert parsed is not None
        mistakes = mistakes_of(parsed)
        answer_of = {"right": parsed.right, "wrong": mistakes[0], "other": mistakes[2]}
        answers = [answer_of[peer] for peer in peers]
        own = chances(solver_profile(profile), parsed)
        tilted = {answer: share * exp(0.9 * answers.count(answer)) for answer, share in own.items()}
        truth.append(tilted[parsed.right] / sum(tilted.values()))
        words.append(question.text + peers_say(*answers))
    hits = [
        float(extract_boxed(reply.text) == question.gold)
        for question, [reply] in zip(questions, replies(profile, words), strict=True)
    ]
    differences = [hit - chance for hit, chance in zip(hits, truth, strict=True)]
    assert close(differences, 0.0)
    assert not close(differences, 0.06)


def test_a_peer_counts_once_and_ones_own_words_never() -> None:
    parsed = question_in(ONE.text)
    assert parsed is not None
    wrong, mine = mistakes_of(parsed)[0], mark_of("e0", "path0")
    heard = "solver:ability=3.0:peer_weight=20.0"
    often = f"\n#0a1b2c3d tends to {wrong}. #0a1b2c3d answers \\boxed{{{wrong}}}. " * 3
    assert extract_boxed(reply(ONE.text + often, heard).text) == wrong
    assert (
        extract_boxed(reply(ONE.text + often + peers_say(parsed.right, parsed.right), heard).text)
        == parsed.right
    )
    assert extract_boxed(
        reply(ONE.text + often.replace("0a1b2c3d", mine), heard).text
    ) == extract_boxed(reply(ONE.text, heard).text)
    assert extract_boxed(reply(ONE.text + f" \\boxed{{{wrong}}}", heard).text) == wrong


@pytest.mark.slow
@pytest.mark.parametrize(
    "profile",
    [
        "solver",
        "solver:bias=-0.2:noise=0.05",
        "solver:discrimination=0.6:noise=0.0",
        "solver:bias=0.9",
    ],
)
def test_stated_confidence_has_the_mean_that_the_parameters_say(profile: str) -> None:
    questions = simulated_questions(2500, seed=9)
    rows = replies(profile, [question.text + CONFIDENT for question in questions])
    stated = [float(confidence_in(reply.text)[0] or 0) for [reply] in rows]
    assert close(stated, expected_stated(profile, questions))


def test_bias_and_discrimination_come_out_of_stated_confidence() -> None:
    """At one difficulty and far from 0 and 100, the mean exceeds accuracy by the bias.

    The confidence of right answers exceeds that of wrong ones by the discrimination.
    """
    profile = "solver:bias=0.12:discrimination=0.2:noise=0.05"
    questions = simulated_questions(4000, spread=0.0)
    rows = replies(profile, [question.text + CONFIDENT for question in questions])
    texts = [reply.text for [reply] in rows]
    correct = [
        extract_boxed(text) == question.gold
        for text, question in zip(texts, questions, strict=True)
    ]
    stated = [float(confidence_in(text)[0] or 0) for text in texts]
    assert close([s - c for s, c in zip(stated, correct, strict=True)], 0.12)
    means = [
        statistics.fmean(s for s, c in zip(stated, correct, strict=True) if c is side)
        for side in (True, False)
    ]
    assert abs(means[0] - means[1] - 0.2) < 0.01


def test_guesses_are_distinct_and_their_probabilities_sum_to_one() -> None:
    three = guesses(reply(ONE.text + " Write G1 and P1, G2, G3 and P3.").text)
    assert len({guess.answer for guess in three}) == 3
    assert sum(guess.probability or 0 for guess in three) == pytest.approx(1, abs=0.02)


def test_a_possible_answer_is_rated_and_not_replaced() -> None:
    rate = "\nPossible answer: \\boxed{{{}}}\nHow likely is it? Confidence"
    profile = "solver:bias=0.0:discrimination=1.0:noise=0.0"
    for answer, truth in ((ONE.gold, 1), (mistakes_of(question_in(ONE.text))[0], 0)):
        text = reply(ONE.text + rate.format(answer), profile).text
        assert confidence_in(text) == (truth, "read")
        assert extract_boxed(text) is None


@pytest.mark.parametrize(
    "ask",
    [
        "Give the most agreed answer in \\boxed{}.",
        "Which answer do most of these replies agree on? \\boxed{}",
    ],
)
def test_what_most_agree_on_is_missed_as_often_as_it_slips(ask: str) -> None:
    parsed = question_in(ONE.text)
    assert parsed is not None
    first, second = mistakes_of(parsed)[:2]
    words = [
        f"{ONE.text}{peers_say(first, second, first, parsed.right)}\n{ask} ({n})"
        for n in range(1500)
    ]
    answers = [extract_boxed(reply.text) for [reply] in replies("solver:slip=0.2", words)]
    assert close([float(answer != first) for answer in answers], 0.2)
    assert set(answers) == {first, second, parsed.right}


def test_the_most_consistent_response_is_named_by_its_number() -> None:
    parsed = question_in(ONE.text)
    assert parsed is not None
    shown = "".join(
        f"\n[0a] Response {k}\n{peers_say(answer)}"
        for k, answer in enumerate(["1", parsed.right, "2", parsed.right])
    )
    words = f"{ONE.text}{shown}\nWhich is the most consistent? Say Response N."
    # The marks of these peers are alike, as peers_say counts from 0: the headings tell them apart.
    named = re.findall(r"Response (\d+)", reply(words, "solver:slip=0.0").text)
    assert named == ["1"]
    slipped = {
        re.findall(r"Response (\d+)", reply.text)[-1]
        for [reply] in replies("solver:slip=1.0", [words + str(n) for n in range(50)])
    }
    assert slipped == {"0", "2"}


def test_the_same_sample_answers_alike_and_another_otherwise() -> None:
    assert replies("solver", [ONE.text] * 5, 3) == replies("solver", [ONE.text] * 5, 3)
    assert (
        len({extract_boxed(row[0].text) for row in replies("solver:shared=0.0", [ONE.text] * 50)})
        > 1
    )
    assert (
        len({extract_boxed(row[0].text) for row in replies("solver:shared=1.0", [ONE.text] * 50)})
        == 1
    )
    assert replies("solver:seed=1", [ONE.text] * 20) != replies("solver", [ONE.text] * 20)


def test_a_reply_that_is_cut_anywhere_is_gone_on_with_to_the_letter() -> None:
    whole = reply(ONE.text).text
    assert whole.count("\n\n") == 5
    for at in range(1, whole.rindex("\\boxed{")):
        assert reply(ONE.text, prefill=whole[:at]).text == whole[at:]
    thinking = reply(ONE.text, prefill="<think>\n").text
    assert thinking.endswith("</think>\n\n" + whole.rpartition("\n\n")[2])
    for at in range(1, len(thinking) - 20):
        assert reply(ONE.text, prefill="<think>\n" + thinking[:at]).text == thinking[at:]


def test_after_a_comment_the_thought_goes_on_with_the_next_step_and_what_was_heard() -> None:
    profile, parsed = "solver:ability=9.0:peer_weight=20.0", question_in(ONE.text)
    assert parsed is not None
    wrong = mistakes_of(parsed)[0]
    thought = reply(ONE.text, profile).text.partition("\n\nStep 3")[0]
    comment = f'<comment> Peer 1: "#0a1b2c3d tends to {wrong}." </comment>'
    prefill = (
        f"{thought}\n\n<summarize> So far, it is right.</summarize> {comment}\n\nLet me compare."
    )
    more = reply(ONE.text, profile, prefill=prefill).text
    assert more.startswith(f"\n\nStep 3 of 4. #{mark_of('e0', 'path0')} tends to {wrong}. ")
    assert extract_boxed(more) == wrong


def test_a_summary_that_was_begun_is_ended_and_an_open_box_is_filled() -> None:
    thought = reply(ONE.text).text[:200]
    summary = reply(
        ONE.text, prefill=f"{thought}\n\nLet me stop.\n\n<summarize> In short, ", sampling=SUMMING
    )
    assert (summary.finish_reason, "summarize" in summary.text) == ("stop", False)
    answer = extract_boxed(reply(ONE.text).text)
    assert f"tends to {answer}." in summary.text
    assert reply(ONE.text, prefill=f"{thought}\n\nThe answer is \\boxed{{").text == f"{answer}}}."


def test_a_reply_ends_at_the_most_tokens_or_before_a_stop_word() -> None:
    whole = reply(ONE.text)
    assert (whole.finish_reason, whole.tokens_out) == ("stop", -(-len(whole.text) // 4))
    assert whole.tokens_in == -(-len(ONE.text) // 4)
    short = reply(ONE.text, sampling=Sampling(max_tokens=20))
    assert (short.text, short.finish_reason, short.tokens_out) == (whole.text[:80], "length", 20)
    stopped = reply(ONE.text, sampling=Sampling(max_tokens=500, stop=("Step 2", "Step 3")))
    assert (stopped.text, stopped.finish_reason) == (whole.text.partition("Step 2")[0], "stop")
    closed = reply(ONE.text, sampling=Sampling(stop=("</think>",)))
    assert (extract_boxed(closed.text), closed.finish_reason) == (None, "stop")
    assert (
        reply(ONE.text, sampling=Sampling(max_tokens=20, stop=("Step 2",))).finish_reason
        == "length"
    )


def test_every_word_says_that_it_is_simulated_and_other_questions_are_refused() -> None:
    assert model("sim/solver").simulated
    assert "no language model said this" in reply(ONE.text).text
    for words in ("What is 2 + 2?", ""):
        with pytest.raises(RefusedError, match="simulated questions alone"):
            reply(words)


def test_questions_state_themselves_and_a_longer_list_begins_with_a_shorter_one() -> None:
    questions = simulated_questions(500, seed=2, spread=1.5)
    assert (
        simulated_questions(20, seed=2, spread=1.5)
        == questions[:20]
        != simulated_questions(20, spread=1.5)
    )
    read = [question_in(question.text) for question in questions]
    assert [item.right for item in read if item] == [question.gold for question in questions]
    assert abs(statistics.stdev([item.difficulty for item in read if item]) - 1.5) < 0.2
    assert {(question.kind, question.source) for question in questions} == {
        ("question", "peer-arena simulation")
    }
    assert all(
        item is not None
        and item.right not in mistakes_of(item)
        and len(set(mistakes_of(item))) == 9
        for item in read
    )


def test_the_last_question_of_a_prompt_is_the_one_that_is_asked() -> None:
    first, second = simulated_questions(2)
    assert question_in(f"{first.text}\n{second.text}") == question_in(second.text)
    assert question_in("Simulated question 1. Difficulty hard. [right answer 3]") is None


@pytest.mark.parametrize(
    "make", [lambda: simulated_questions(-1), lambda: simulated_questions(5, spread=-1)]
)
def test_questions_that_cannot_be_made_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(StudyError):
        make()


def test_nothing_is_expected_of_other_questions_or_of_no_samples() -> None:
    with pytest.raises(StudyError, match="1 of 2 questions are not simulated"):
        expected_accuracy("solver", (ONE, Subject("Another?", "question")))
    with pytest.raises(StudyError, match="between 1 and 100"):
        expected_majority("solver", (ONE,), 0)


def test_a_reference_names_a_solver_and_is_canonical() -> None:
    solver = model("sim/solver:seed=3:ability=0.50")
    assert (solver.name, solver.simulated) == ("sim/solver:ability=0.5:seed=3", True)
    assert model("sim/solver:ability=0").name == "sim/solver"
    assert solver.capabilities >= {"seed", "same seed, same reply", "prefill", "images"}


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("solver:strength=1", "no parameter 'strength'; it has ability, abstains"),
        ("solver:shared=2", "between 0.0 and 1.0"),
        ("solver:distractors=0", "must lie between 1 and 9"),
        ("solver:steps=2.5", "number without a point"),
        ("sovler", "did you mean 'solver'"),
    ],
)
def test_a_wrong_solver_says_what_there_is(profile: str, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        model(f"sim/{profile}")


@pytest.mark.slow
def test_sixteen_thousand_replies_take_about_a_second() -> None:
    """1.0 s of CPU time where this was written; the bound is for slower and busier machines."""
    started = time.process_time()
    replies("solver", [question.text + CONFIDENT for question in simulated_questions(1000)], 16)
    assert time.process_time() - started < 6


def test_chances_of_extreme_parameters_are_chances() -> None:
    question = question_in(simulated_questions(1, spread=20.0)[0].text)
    assert question is not None
    for ability, weight in itertools.product((-20.0, 20.0), (-20.0, 20.0)):
        solver = solver_profile(f"solver:ability={ability}:peer_weight={weight}")
        tilted = chances(solver, question, {question.right: 60, mistakes_of(question)[0]: 3})
        assert sum(tilted.values()) == pytest.approx(1)
        assert all(0 <= share <= 1 for share in tilted.values())


@pytest.mark.slow
async def test_a_majority_and_who_asks_for_it_find_the_same_in_a_store(tmp_path: Path) -> None:
    """Without slips, self-agreement and the pick of the most consistent reply are the majority."""
    from protocols.self_agreement import self_agreement
    from protocols.self_consistency import self_consistency
    from protocols.universal_self_consistency import universal_self_consistency

    solver = {"solver": agent("sim/solver:slip=0.0")}
    protocols = (self_consistency, self_agreement, universal_self_consistency)
    arms = [Arm(protocol.__name__, protocol, [solver], {"paths": 5}) for protocol in protocols]
    arena = Arena(tmp_path / "a.duckdb")
    summary = await arena.play(Study("s", arms, simulated_questions(20)))
    assert summary.done == 60
    rows = arena.sql(
        """
        with counted as (
            select *,
                count(*) filter (not final) over (partition by episode, canonical) as votes
            from answers join episodes using (episode)
        ), episode_shares as (
            select arm, episode, any_value(confidence) filter (final) as share,
                max(votes) / 5 as most
            from counted group by all
        )
        select arm, count(*), bool_and(share = most)
        from episode_shares group by all order by all
        """
    ).rows
    assert rows == tuple(
        (name, 20, True) for name in sorted(protocol.__name__ for protocol in protocols)
    )


@pytest.mark.slow
async def test_what_agents_make_of_each_other_in_a_protocol_is_what_was_put_in(
    tmp_path: Path,
) -> None:
    """In round 2 of a society of minds, agents are right as often as the others make them."""
    from protocols.society_of_minds import society_of_minds

    profile = "solver:ability=0.3:peer_weight=0.8:shared=0.0"
    questions = simulated_questions(250, seed=12)
    off = []
    arm = Arm("a", society_of_minds, [{"solver": agent(f"sim/{profile}")}], {"agents": 3})
    arena = Arena(tmp_path / "a.duckdb")
    await arena.play(Study("s", [arm], questions))
    answer_of = {
        (text, seat, stage): answer
        for text, seat, stage, answer in arena.sql(
            "select text, seat, stage, answer from answers join episodes using (episode)"
            " join subjects using (subject) where not final"
        ).rows
    }
    for question in questions:
        parsed = question_in(question.text)
        assert parsed is not None
        for seat in ("agent0", "agent1", "agent2"):
            heard = Counter(
                answer_of[question.text, other, 0]
                for other in ("agent0", "agent1", "agent2")
                if other != seat
            )
            expected = chances(solver_profile(profile), parsed, heard)[parsed.right]
            off.append((answer_of[question.text, seat, 1] == question.gold) - expected)
    by_question = [statistics.fmean(off[at : at + 3]) for at in range(0, len(off), 3)]
    assert close(by_question, 0.0)
    gold = {question.text: question.gold for question in questions}
    first, second = (
        statistics.fmean(
            answer == gold[text] for (text, _, stage), answer in answer_of.items() if stage == round
        )
        for round in (0, 1)
    )
    assert second > first + 0.03
