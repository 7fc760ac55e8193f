"""Two models that continue one reply: the larger one where the smaller one reflects."""

from __future__ import annotations

import pytest

from arena.play.memory import MemoryJournal
from arena.types import Agent, Reply, Request
from protocols import laws
from protocols.speculative_thinking import CHECK, options_for_calls, speculative_thinking
from tests.in_memory import final_of
from tests.question_agents import QUESTION, agent_with_capabilities, box

OPTIONS: dict[str, object] = {"limit": 200, "piece": 20, "most_negative": 2, "check_tokens": 30}


def writer(seen: list[Request], *drafts: str) -> Agent:
    """An agent that continues a reply with these pieces in turn, then with an answer."""
    pieces = iter(drafts)

    def script(request: Request) -> Reply:
        seen.append(request)
        if request.place.phase == "answer":
            return Reply("4}.", finish_reason="stop")
        piece = next(pieces, None)
        if piece is None:
            return Reply(f"so {box(4)}", finish_reason="stop")
        return Reply(piece, finish_reason="length")

    return agent_with_capabilities(script, "prefill")


def play(smaller: Agent, larger: Agent, **options: object) -> MemoryJournal:
    lineup = {"smaller": smaller, "larger": larger}
    case = laws.Case(speculative_thinking, lineup, QUESTION, {**OPTIONS, **options})
    journal = MemoryJournal()
    case.play("plain", laws.answer_at_once, journal)
    return journal


def phases(seen: list[Request]) -> list[tuple[str, str]]:
    return [(request.place.seat, request.place.phase) for request in seen]


def test_the_larger_model_writes_where_a_draft_reflects_and_nowhere_else() -> None:
    seen: list[Request] = []
    rows = play(
        writer(seen, "Two and two.\n\n", "Wait, is that so?", "I add again. ", "four then.\n\n"),
        writer(seen, "It is four. "),
    )
    small, large = (
        [request for request in seen if request.place.seat == seat]
        for seat in ("smaller", "larger")
    )
    assert phases(seen) == [
        ("smaller", "think"),
        ("smaller", "draft"),
        ("larger", "take over"),
        ("smaller", "think"),
        ("smaller", "think"),
        ("smaller", "draft"),
    ]
    assert [request.sampling.max_tokens for request in large] == [20]
    # The draft that was dropped is shown to nobody.
    assert large[0].messages[-1].content == "Two and two.\n\n"
    assert small[2].messages[-1].content == "Two and two.\n\nIt is four. "
    assert final_of(rows)[0] == "4"


def test_a_check_comes_after_so_many_paragraphs_that_reflect() -> None:
    large: list[Request] = []
    reflects = ["wait.\n\n"] * 9
    play(writer([], *reflects), writer(large, *reflects), negative_step=1, limit=260)
    said = [phase for _, phase in phases(large)]
    assert said[:7] == [*["take over"] * 2, "check", *["take over"] * 3, "check"]
    checks = [request for request in large if request.place.phase == "check"]
    assert [request.sampling.max_tokens for request in checks] == [30, 55]
    assert checks[0].messages[-1].content.endswith(CHECK)


def test_a_piece_that_checks_lets_the_larger_model_go_on() -> None:
    large: list[Request] = []
    play(writer([], "So.\n\n", "Let me verify"), writer(large, "I check it.", "It holds."))
    assert [request.place.phase for request in large] == ["take over", "verify"]
    assert large[1].sampling.max_tokens == 30


def test_nothing_is_checked_where_no_tokens_are_left() -> None:
    seen: list[Request] = []
    smaller = writer(seen, "Two.\n\n", "Let me verify.")
    play(smaller, writer(seen, "I verify it."), limit=40)
    assert phases(seen)[-1] == ("smaller", "answer")
    assert [request.sampling.max_tokens for request in seen[:-1]] == [20, 20, 20]


def test_a_thought_that_does_not_end_is_made_to_answer() -> None:
    seen: list[Request] = []
    rows = play(writer(seen, *["on. "] * 99), writer([]), limit=60)
    assert phases(seen)[-1] == ("smaller", "answer")
    assert final_of(rows)[0] == "4"


def test_the_larger_model_begins_and_writes_every_paragraph_where_it_is_told_to() -> None:
    seen: list[Request] = []
    plain = ["so.\n\n", "on. ", "then.\n\n", "so. "]
    play(writer(seen, *plain), writer(seen, *plain), every=True, first_tokens=7)
    assert phases(seen)[:6] == [
        ("larger", "begin"),
        ("smaller", "draft"),
        ("larger", "take over"),
        ("smaller", "think"),
        ("smaller", "think"),
        ("smaller", "draft"),
    ]
    assert seen[0].sampling.max_tokens == 7


def test_models_that_cannot_continue_a_reply_are_refused() -> None:
    with pytest.raises(laws.BrokenLawError, match=r"ProtocolError: .* cannot continue a reply"):
        play(agent_with_capabilities(lambda request: "x"), writer([]))


def test_it_makes_no_more_calls_than_it_says() -> None:
    small: list[Request] = []
    large: list[Request] = []
    reflects = ["wait, check.\n\n"] * 99
    for calls in (4, 9, 20):
        small.clear()
        large.clear()
        play(writer(small, *reflects), writer(large, *reflects), **options_for_calls(calls))
        assert 0 < len(small) + len(large) <= calls


def test_laws() -> None:
    def script(request: Request) -> Reply:
        texts = ["So it is.\n\n", "wait, check it.\n\n", "on it goes "]
        if request.place.phase == "answer":
            return Reply(f"{request.seed % 7}}}.", finish_reason="stop")
        return Reply(texts[request.seed % 3], finish_reason="length")

    both = agent_with_capabilities(script, "prefill")
    lineup = {"smaller": both, "larger": Agent("larger", both.model)}
    laws.check(speculative_thinking, lineup, QUESTION, options={"limit": 120})
