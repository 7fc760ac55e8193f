"""Answers in the forms in which models give them, and replies that give none."""

from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.grading.grade import grade
from arena.types import Reply, Subject
from protocols.parsing.answers import ASK_ANSWER, ASK_LETTER, answer

ask_answer = partial(answer, reask=ASK_ANSWER)
OPTIONS = ("red", "blue", "green", "none of the above")
ask_letter = partial(answer, letters="ABCD", options=OPTIONS, reask=ASK_LETTER)

STATED = [
    *("The answer is 73.", "The answer is **73**.", "The answer is $73$.", "The answer is $73."),
    *("The answer is 73 apples.", "Die Antwort ist 73.", "We add. Therefore, the sum is 73."),
    *("**Answer:** 73", "Final answer: 73", "### Final Answer\n73", "#### 73", "Answer: 73."),
    *("<answer>73</answer>", '{"answer": 73}', '```json\n{"answer": 73}\n```', "Answer: $73"),
    *("73", "**73**", "seventy-three", "17+25+31 = 73", "I add.\n\n**73**", "x\n\\[73\\]"),
    *("**Final Answer**\n\n73", "### Final Answer\n$$73$$", "The answer is: 73", "Result: 73"),
    "Final Answer: The final answer is $73$. I hope it is correct.",
    *("Réponse : 73", "La respuesta es 73.", "答案是73", "**The answer is 73.**", "ANSWER: 73"),
    *("There are 17 and 56. So there are 73 apples in total.", "```\n73\n```"),
    *("So the total is 73 apples.", "Thus 17 + 25 + 31 = 73.", "The answer is 73, not 74."),
    *("I think.\n\\boxed{73}", "\\boxed{73}, as \\boxed{73} was to be shown.", "$\\boxed{73}$"),
    '{"reasoning": "17 and 56", "final_answer": "73"}',
    'Here it is:\n```json\n{"answer": "73"}\n```\nDone.',
    "<|begin_of_box|>73<|end_of_box|>",
    "<think>\\boxed{41}</think>The answer is 73.",
    "The answer is 41. No, wait. The answer is 73.",
    "Agent 1 says \\boxed{41}. I find \\boxed{73}.",
    "I find \\boxed{73}. Agent 1 wrote \\boxed{41}, which forgets a case.",
    "Agent 1 says 41, but I find \\boxed{73}.",
    "\\boxed{73} is correct.",
    "\\boxed{73}, which is not divisible by 2.",
    "The student has 73 apples, so the answer is 73.",
    "If x = 3 then the answer is 73.",
    "[Reasoning]\nI add.\n[Answer]\n\\boxed{73}",
    *("Answer → 73", "Answer - 73", "ans: 73", "[ANSWER]73[/ANSWER]", '{"final": 73}'),
    *(
        "答えは73です。",
        "정답은 73입니다.",
        "The value is 73.",
        "I add.\nIt equals 73.",
        "That makes 73.",
    ),
]


WHOLE = {
    "(5, 6)": ["The answer is (5, 6).", "Answer: (5, 6)", "#### (5, 6)", "The answer is $(5, 6)$."],
    "[5, 6]": ["The answer is [5, 6].", "Answer: [5, 6]"],
    "{5, 6}": ["The answer is {5, 6}."],
    "5, -5": ["Answer: 5, -5", "The answer is 5, -5."],
    "10 - x": ["Answer: 10 - x", "The answer is 10 - x."],
    "5": ["Answer: 5 - because it is", "The answer is 5, which is prime.", "Answer: 5 (five)"],
}


@pytest.mark.parametrize(
    ("text", "value"), [(text, value) for value, texts in WHOLE.items() for text in texts]
)
def test_a_value_of_several_parts_is_read_whole(text: str, value: str) -> None:
    assert ask_answer(Reply(text)).answer == value


IN_WORDS = {
    "205": ["two hundred and five", "Two hundred five", "two-hundred and five"],
    "-3": ["minus three", "negative three"],
    "2000000": ["two million"],
    "0": ["zero"],
    "1/2": ["one half", "a half"],
    "3/4": ["three quarters"],
    "3/2": ["one and a half"],
    "12": ["a dozen", "twelve"],
}


@pytest.mark.parametrize("form", ["The answer is {}.", "Answer: **{}**", "{}", "I add.\n\n{}."])
@pytest.mark.parametrize(
    ("words", "value"), [(words, value) for value, each in IN_WORDS.items() for words in each]
)
def test_a_number_in_words_is_read_as_the_grader_reads_it(
    words: str, value: str, form: str
) -> None:
    assert ask_answer(Reply(form.format(words))).answer == value
    assert grade(Subject("?", "question", value), words).correct is True


@pytest.mark.parametrize("words", ["five and two", "seven or eight", "twenty thirty", "no one"])
def test_words_for_two_numbers_or_none_are_no_answer(words: str) -> None:
    assert ask_answer(Reply(f"The answer is {words}.")).answer is None


@pytest.mark.parametrize("text", STATED)
def test_an_answer_that_is_stated_once_is_read_in_whatever_form(text: str) -> None:
    reading = ask_answer(Reply(text, finish_reason="stop"))
    assert (reading.answer, reading.flags, reading.reask) == ("73", (), None)


FENCED = '```json\n{{"answer": {}}}\n```'


def test_what_is_said_behind_a_fence_comes_after_the_json_in_it() -> None:
    later = FENCED.format(41) + "\nWait, I forgot a case. The answer is 73."
    assert ask_answer(Reply(later)).answer == "73"
    assert ask_answer(Reply(FENCED.format(41) + "\nWait, that is wrong.")).answer is None
    assert ask_letter(Reply(FENCED.format('"A"') + "\nSo: Answer: B")).answer == "B"
    earlier = "The answer is 41. No, wait.\n" + FENCED.format('"73", "why": {"n": 1}')
    assert ask_answer(Reply(earlier)).answer == "73"


# Where an answer stands between marks of its own.
BETWEEN = [
    *("<answer>{}</answer>", "<answer>\n{}\n</answer>", "<answer>{}", "So: <answer>{}</answer>."),
    *('{{"answer": "{}"}}', '```json\n{{"answer": "{}"}}\n```', 'Answer: {{"answer": "{}"}}'),
]


@pytest.mark.parametrize("form", BETWEEN)
@pytest.mark.parametrize(
    "value", ["73", "(5, 6)", "x^2+1", "5, -5", "-2", "Jane Austen", "the Nile", "yes", "2.5 cm"]
)
def test_a_value_between_marks_is_read(form: str, value: str) -> None:
    assert ask_answer(Reply(form.format(value))).answer == value


def test_latex_between_tags_is_read() -> None:
    assert ask_answer(Reply("<answer>\\frac{1}{2}</answer>")).answer == "\\frac{1}{2}"
    assert ask_answer(Reply('{"answer": "\\\\frac{1}{2}"}')).answer == "\\frac{1}{2}"


@pytest.mark.parametrize("form", BETWEEN)
@pytest.mark.parametrize(
    "words", ["I do not know", "unknown", "N/A", "NaN", "Unsure", "41 or 42", "maybe 41", "not 41"]
)
def test_words_between_marks_that_leave_it_open_are_no_answer(form: str, words: str) -> None:
    assert ask_answer(Reply(form.format(words))).answer is None


@pytest.mark.parametrize("text", ['{"answer": NaN}', '{"answer": 1e999}', '{"answer": -Infinity}'])
def test_a_number_of_json_that_is_none_is_no_answer(text: str) -> None:
    assert ask_answer(Reply(text)).answer is None


@pytest.mark.parametrize("form", BETWEEN)
@pytest.mark.parametrize(
    "around",
    [
        *("Agent 1 answered {}, but I cannot tell.", "Agent 2 said: {}\n\nI cannot tell."),
        *("Agent 2 wrote this:\n\n{}\n\nI cannot tell.", "{} No, that is wrong."),
        *("Suppose {}. Then we get a contradiction.", "{} is wrong.", "{}\nWait, that fails."),
    ],
)
def test_an_answer_between_marks_that_is_not_the_authors_is_none(around: str, form: str) -> None:
    if form == "<answer>{}":
        form += "</answer>"
    said = around.replace("{}", form.removeprefix("Answer: ").removeprefix("So: "))
    assert ask_answer(Reply(said.format(41))).answer is None
    assert ask_letter(Reply(said.format("A"))).answer is None


@pytest.mark.parametrize(
    "stated",
    ["Answer: {}", "**Answer:** {}", "The answer is {}.", "\\boxed{{{}}}", "{}", "#### {}"],
)
def test_a_quotation_states_nothing(stated: str) -> None:
    for value, ask in (("41", ask_answer), ("A", ask_letter)):
        quoted = "> " + stated.format(value)
        assert ask(Reply(f"{quoted}\n\nI do not know.")).answer is None
        assert ask(Reply(f"I do not know what to make of this:\n{quoted}")).answer is None
        other = {"41": "73", "A": "B"}[value]
        assert ask(Reply(f"{quoted}\n\nI find \\boxed{{{other}}}.")).answer == other


CHOSEN = [
    *("B is correct.", "I choose option B.", "b", "(b)", "B - blue", "\\boxed{\\text{blue}}"),
    *("**B) blue**", "blue", "Option B is correct.", "I think.\n\nB) blue", "**blue**", "(B) blue"),
    *("The answer is blue.", "Answer: blue", "The correct option is B.", "(B) is correct.", "B"),
    *("So it's B.", "It is B.", "Therefore, B.", "Choice: B", "Letter: B", "Selected option: B"),
    *("Answer - B", "Answer → B", "✅ B", "I think.\nThus it is (B)."),
    *('{"answer": "B"}', '{"choice": "B"}', "<answer>B</answer>", "\\boxed{B}", "\\boxed{blue}"),
    *(
        "**Answer: B**",
        "### Final answer\nB",
        "Option (B) is the right answer.",
        "B.",
        "\\boxed{b}",
    ),
    *("Option A is wrong. Option B is correct.", "The answer is **B) blue**.", "\\boxed{B. blue}"),
    *(
        "My choice: B",
        "\\boxed{\\text{B) blue}}",
        "Answer: B\nConfidence: 80%",
        "Option B blue is correct.",
    ),
]


@pytest.mark.parametrize("text", CHOSEN)
def test_a_letter_or_the_text_of_an_option_is_read_in_whatever_form(text: str) -> None:
    assert ask_letter(Reply(text)).answer == "B"


NEITHER_OF_TWO = [
    *("\\boxed{A,\\ C}", "\\boxed{A,\\,C}", "\\boxed{A: yes, C: no}", "\\boxed{A or B}"),
    *("\\boxed{A, C}", "\\boxed{A;~C}", "\\boxed{A \\text{ and } C}", "\\boxed{A} or \\boxed{C}"),
    *("\\boxed{A \\land C}", "\\boxed{A / C}", "\\boxed{A \\quad, C}", "\\boxed{(A), (C)}"),
    *("Answer: A. Wait, actually it is C.", "Options A and C are correct.", "Answer: A or C"),
    *("\\boxed{A}. No, that is wrong: it should be another.", "Option A or C is correct."),
    *("A cat", "**A** is warm, **C** is cold", "\\boxed{E}", "\\boxed{}", "red or blue", ""),
    *(
        "\\boxed{A}\\boxed{C}",
        "\\boxed{AC}",
        "\\boxed{A?}",
        "\\boxed{\\{A,C\\}}",
        "A cat is correct",
    ),
    *("The answer is A, or possibly C", "Answer: A. Hmm, C.", "\\boxed{A} \\text{ or } \\boxed{C}"),
    *("\\boxed{A}, no, B", "\\boxed{A} wait, B", "The answer is A, sorry, B"),
    "\\boxed{A} is wrong.",
    *("It is A cat.", "Answer - A good one.", "So it is A or C.", "Therefore, A cat."),
    *("Agent 1 says \\boxed{A}, but I think otherwise.", "My peer says the answer is A."),
    "Suppose the answer is A. Contradiction. Thus it is B.",
    *("It is not the case that the answer is A", "If the answer is A, it fails."),
    *("Option A is not correct.", "A)\nred\nB)\nblue", "I like red and blue.", "\\boxed{A\\&C}"),
]


@pytest.mark.parametrize("text", NEITHER_OF_TWO)
def test_two_letters_or_none_are_no_answer_and_are_asked_for(text: str) -> None:
    reading = ask_letter(Reply(text))
    assert (reading.answer, reading.reask, reading.missing) == (None, ASK_LETTER, ("answer",))
    assert reading.flags


UNSTATED = [
    *("So 5.", "I cannot tell.", "The answer is 73 or 74.", "The answer is not 73.", "3 4", ""),
    *("The answer is unclear.", "The answer is between 70 and 80", "Answer: 73 or 74", "Answer:"),
    *("There are 5 apples and 6 pears.", "The answer is maybe 73", "\\boxed{3} or \\boxed{4}"),
    *("\\boxed{}", "\\boxed{41}. Wait, no, that is wrong.", '{"answer": 1, "final_answer": 2}'),
    *("Peer 2 says \\boxed{9}.", "Answer: I do not know", "The answer is in the box", "Well."),
    "End your reply with your answer in \\boxed{}, and put nothing else into the box.",
    "<think>Perhaps \\boxed{41}? No.</think> I am not able to answer.",
    "maybe \\boxed{9}</think>I do not know.",
    "<think>It may be \\boxed{41}",
    "[THINK]\\boxed{41}[/THINK]",
    "<|channel|>analysis<|message|>\\boxed{41}",
    "\\boxed{" + "1" * 1001 + "}",
    *("The answer is x=5 and y=6.", "x = 5 or x = 6", "The answer is x = 5 or x = 6"),
    *("Thus x = 5 or x = 6", "The answer is 3 (mod 7).", "Answer: x - 5", "The answer is (5, 6"),
    *("The answer is\n1. 73\n2. 74", "Answer:\n1. 73\n2. 74", '{"answer": null}'),
    *("\\boxed{73}, no, 74", "\\boxed{73} wait, 74", "The answer is 73, sorry, 74"),
    *("\\boxed{73} is wrong.", "\\boxed{73} is not right", "$\\boxed{73}$ can't be right."),
    *("Agent 1 says the answer is 73.", "My peer says the answer is 73", "Others say \\boxed{73}"),
    *("If the answer is 73, then 7 divides it.", "Suppose the answer is 73. It fails."),
    *("It is not the case that the answer is 73", "I don't think the answer is 73."),
]


@pytest.mark.parametrize("text", UNSTATED)
def test_what_states_no_answer_is_asked_for_and_never_made_up(text: str) -> None:
    reading = ask_answer(Reply(text))
    assert (reading.answer, reading.reask) == (None, ASK_ANSWER)
    assert reading.flags


# The letters that stand for these numbers where there are options.
LETTERS = {"41": "A", "42": "B", "3": "C", "4": "D"}


@pytest.mark.parametrize(
    ("text", "reason", "found", "flag"),
    [
        ("So \\boxed{4", "length", None, "cut off"),
        ("\\boxed{4} and more", "length", "4", None),
        ("\\boxed{3} no: \\boxed{4", "max_tokens", None, "cut off"),
        ("The answer is 4", "length", None, "cut off"),
        ("4", "length", None, "cut off"),
        ("<think> \\boxed{41}", "length", None, "cut off"),
        ("<think>x</think>\\boxed{42} and", "length", "42", None),
        ("First, \\boxed{41} is a guess, but", "content_filter", None, "filtered"),
        ("\\boxed{41}", "SAFETY", None, "filtered"),
        ("\\boxed{41}", "FinishReason.RECITATION", None, "filtered"),
        ("\\boxed{41}", "refusal", None, "refused"),
        ("The sum is \\boxed{4", "error", None, "failed"),
        ("\\boxed{4}", "error", None, "failed"),
        ("\\boxed{4}", "end_turn", "4", None),
        ("\\boxed{4}", "stop_sequence", "4", None),
    ],
)
def test_what_was_not_said_to_the_end_or_not_meant_is_no_answer(
    text: str, reason: str, found: str | None, flag: str | None
) -> None:
    flags = (flag,) if flag else ()
    reading = ask_answer(Reply(text, finish_reason=reason))
    assert (reading.answer, reading.flags) == (found, flags)
    in_letters = re.sub(r"41|42|3|4", lambda number: LETTERS[number[0]], text)
    reading = ask_letter(Reply(in_letters, finish_reason=reason))
    assert (reading.answer, reading.flags) == (LETTERS.get(found or ""), flags)


@pytest.mark.parametrize(
    "reasoning",
    [
        "<think>{}</think>",
        "{}</think>",
        "<thinking>{}</thinking>",
        "<thought>{}</thought>",
        "<internal_thoughts>{}</internal_thoughts>",
        "<thinking process>{}</thinking process>",
        "<reflection>{}</reflection>",
        "[THINK]{}[/THINK]",
        "<|begin_of_thought|>{}<|end_of_thought|>",
        "◁think▷{}◁/think▷",
        "<seed:think>{}</seed:think>",
        "&lt;think&gt;{}&lt;/think&gt;",
        "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>",
        "analysisIt is {}.assistantfinal",
        "<|START_THINKING|>{}<|END_THINKING|>",
    ],
)
def test_reasoning_is_parted_and_neither_answers_nor_is_public(reasoning: str) -> None:
    text = reasoning.format("maybe \\boxed{41}")
    assert ask_answer(Reply(text + "\\boxed{42}")).public == "\\boxed{42}"
    assert ask_answer(Reply(text + "\\boxed{42}")).answer == "42"
    assert ask_answer(Reply(text + "I do not know.")).answer is None
    assert ask_answer(Reply(text)).public is None


FORMS = st.sampled_from(
    [
        *("The answer is {}.", "Answer: {}", "**Answer:** {}", "#### {}", "<answer>{}</answer>"),
        *("Final answer: **{}**", "So, the answer is ${}$.", "\\boxed{{{}}}", "{}", "**{}**"),
        "The answer is {} apples.",
    ]
)
PREFACES = st.sampled_from(
    ["", "I add.\n", "<think>No: \\boxed{1}</think>", "First 3, then 4.\n\n", "Let me see.\n"]
)


@pytest.mark.slow
@given(PREFACES, FORMS, st.integers(0, 10**6) | st.decimals(0, 1000, places=2))
def test_every_number_is_read_in_every_form(preface: str, form: str, number: object) -> None:
    assert ask_answer(Reply(preface + form.format(number))).answer == str(number)


SPACES = st.sampled_from([" ", "\\ ", "\\,", "~", "\\quad ", "", "\\;"])


@given(
    st.permutations("ABCD"),
    st.sampled_from([",", ";", " or", " and", "/", " \\text{ or }", ",\\ "]),
    SPACES,
    st.sampled_from(["{}", "({})", "\\text{{{}}}", "{}."]),
)
def test_two_letters_in_one_box_are_no_answer(
    letters: list[str], between: str, space: str, form: str
) -> None:
    first, second = (form.format(letter) for letter in letters[:2])
    gap = between + space if between.strip()[-1:] in ",;/}" else f"{between} "
    assert ask_letter(Reply(f"\\boxed{{{first}{gap}{second}}}")).answer is None


PIECES = [
    *("<think>", "</think>", "\\boxed{", "}", "4", "The answer is ", "Answer: ", "\n", "A", "or"),
    *("{", '"answer": ', "**", "Wait, "),
]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    st.sampled_from(["stop", "length", "content_filter", None]),
)
def test_nothing_inside_an_open_thought_and_nothing_filtered_answers(
    text: str, reason: str | None
) -> None:
    for read in (ask_answer, ask_letter):
        reading = read(Reply(text, finish_reason=reason))
        assert (reading.answer is None) == bool(reading.flags) == (reading.reask is not None)
        assert reading.answer is None or reason != "content_filter"
        assert read(Reply(f"<think>{text.replace('</think>', '')}")).answer is None


LETTER_FORMS = st.sampled_from(
    [
        *("The answer is {}.", "Answer: {}", "**Answer:** {}", "({})", "Option {} is correct."),
        *(
            "\\boxed{{{}}}",
            "\\boxed{{\\text{{{}}}}}",
            "**{}) {option}**",
            "{}",
            "<answer>{}</answer>",
        ),
        *('{{"answer": "{}"}}', "I choose option {}.", "The correct option is ({}).", "{option}"),
        *(
            "My choice: {}",
            "The answer is **{}) {option}**.",
            "\\boxed{{{option}}}",
            "{}. {option}",
        ),
    ]
)


@settings(max_examples=60)
@given(PREFACES, LETTER_FORMS, st.sampled_from("ABCD"))
def test_every_letter_is_read_in_every_form(preface: str, form: str, letter: str) -> None:
    option = OPTIONS["ABCD".index(letter)]
    said = preface + form.format(letter, option=option)
    assert ask_letter(Reply(said, finish_reason="stop")).answer == letter
