"""Taking replies apart: what is read, what is not, and that nothing private becomes public."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.parsing import blocks, tags
from protocols.parsing.numbers import number_in
from protocols.parsing.tags import (
    ASK_BOTH,
    ASK_RATING,
    ASK_SPEECH,
    speech_and_confidence,
    speech_only,
)

WELL = "<thoughts>I may lose</thoughts>\n<speech>Hear me</speech>\n<rating>{}</rating>"


def test_a_well_formed_reply_is_read_whole() -> None:
    reading = speech_and_confidence(WELL.format(70))
    assert (reading.public, reading.thoughts, reading.confidence) == ("Hear me", "I may lose", 0.7)
    assert (reading.confidence_status, reading.flags, reading.reask) == ("read", (), None)


def test_a_rating_that_was_not_asked_for_is_not_read() -> None:
    reading = speech_only(WELL.format(70))
    assert (reading.public, reading.thoughts) == ("Hear me", "I may lose")
    assert (reading.confidence, reading.confidence_status, reading.reask) == (
        None,
        "not asked",
        None,
    )


NUMBERS = {
    "75": 0.75,
    " 75 \n": 0.75,
    "75.": 0.75,
    "72.5": 0.725,
    "75%": 0.75,
    "75 %": 0.75,
    "75 percent": 0.75,
    "75 per cent": 0.75,
    "75/100": 0.75,
    "75 out of 100.": 0.75,
    "75% of 100": 0.75,
    "7.5/10": 0.75,
    "0.75/1": 0.75,
    "I'd say 75 percent, all told": 0.75,
    "**75**": 0.75,
    "<b>75</b>": 0.75,
    "- 75": 0.75,
    "75 (seventy-five)": 0.75,
    "75, that is 75%": 0.75,
    "0": 0.0,
    "100": 1.0,
    "1%": 0.01,
    "0.5%": 0.005,
    "1.5": 0.015,
    "٧٥": 0.75,
    "７５": 0.75,
    "7５": 0.75,
    "eighty": 0.8,
    "seventy-five percent": 0.75,
    "one hundred": 1.0,
    "75 (out of 100)": 0.75,
    "75 on a 0-100 scale": 0.75,
    "75 on a scale of 0 to 100": 0.75,
    "72,5 %": 0.725,
    "0.85 (85%)": 0.85,
    "75 - over the last speech I fell below them": 0.75,
    "80 - one strong rebuttal remains": 0.8,
    "80, no one answered my case": 0.8,
    "85 (one of my best)": 0.85,
    "80%. One point of theirs still stands.": 0.8,
    "ninety, since no one objected": 0.9,
    "one percent": 0.01,
}


@pytest.mark.parametrize("words", NUMBERS)
def test_numbers_are_read_as_people_write_them(words: str) -> None:
    assert number_in(words) == (NUMBERS[words], "read")


DOUBTS = {
    "": "no number",
    "very likely": "no number",
    "½": "no number",
    "1e2": "no number",
    "75pts": "no number",
    "75.5.2": "no number",
    "101": "out of range",
    "-5": "out of range",
    "−5": "out of range",
    "minus 5": "out of range",
    "150%": "out of range",
    "11/10": "out of range",
    "9" * 400: "out of range",
    "70-80": "several numbers",
    "70–80": "several numbers",
    "70 or 75": "several numbers",
    "75/90": "several numbers",
    "75/1000": "several numbers",
    "75,5": "several numbers",
    "one or 75": "several numbers",
    "75 or one": "several numbers",
    "75 minus one": "several numbers",
    "seventy point one": "several numbers",
    "one": "ambiguous scale",
    "0.75": "ambiguous scale",
    ".75": "ambiguous scale",
    "1": "ambiguous scale",
    "1.0": "ambiguous scale",
}


@pytest.mark.parametrize("words", DOUBTS)
def test_what_leaves_a_doubt_is_not_a_confidence(words: str) -> None:
    reading = speech_and_confidence(WELL.format(words))
    assert (reading.public, reading.confidence, reading.confidence_status) == (
        "Hear me",
        None,
        DOUBTS[words],
    )
    assert reading.reask == ASK_RATING


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ("<thoughts>t</thoughts><speech>s</speech>", "no rating tag"),
        ("<think>t <rating>70</rating>", "no rating tag"),
        ("<speech>s</speech>7 of us", "no rating tag"),
        ("<speech>s</speech>Their 70 percent is wrong.", "no rating tag"),
        ("<speech>s</speech><rating>70 <rating>80", "several numbers"),
        ("<speech>s</speech><rating>70</rating> Rating: 80", "several numbers"),
        ("<speech>s</speech><rating>70</rating><rating>80</rating>", "several numbers"),
        ("<speech>s</speech><rating>70</rating><rating>about</rating>", "several numbers"),
    ],
)
def test_a_rating_that_cannot_be_read_has_a_reason_and_is_asked_for(
    reply: str, status: str
) -> None:
    reading = speech_and_confidence(reply)
    assert (reading.confidence, reading.confidence_status) == (None, status)
    assert reading.reask in (ASK_RATING, ASK_BOTH)


def test_the_same_number_in_two_tags_is_one_number() -> None:
    assert (
        speech_and_confidence(
            "<rating>70</rating><speech>s</speech><rating>70%</rating>"
        ).confidence
        == 0.7
    )


@pytest.mark.parametrize(
    "reply",
    [
        "<THOUGHTS>p</Thoughts><SPEECH>s</speech><Rating>70</RATING>",
        "< thoughts >p</ thoughts ><\nspeech>s< / speech><rating >70</rating >",
        '<thoughts lang="en">p</thoughts><speech x=1>s</speech><rating id=a>70</rating>',
        "＜thoughts＞p＜/thoughts＞＜speech＞s＜／speech＞＜rating＞70％＜/rating＞",
        "Here you go:\n**<thoughts>**p</thoughts> and <speech>s</speech>"
        "\n\n<rating>70</rating> Thank you.",
    ],
)
def test_tags_are_read_in_any_case_with_blanks_and_attributes(reply: str) -> None:
    reading = speech_and_confidence(reply)
    assert (reading.public, reading.confidence, reading.flags) == ("s", 0.7, ())
    assert reading.thoughts in ("p", "**p")


@pytest.mark.parametrize(
    "reply",
    [
        "I forgot all tags. SECRET",
        "s SECRET</speech>",
        "<speech>s</speech><speech>SECRET</speech>",
        "<speech>s <speech>SECRET</speech></speech>",
        "<speech>s <thoughts>SECRET</thoughts></speech>",
        "<speech>s <thoughts>SECRET</speech>",
        "<speech>s </thoughts>SECRET</speech>",
        "<speech>s <thoughts SECRET</speech>",
        "<speech>s </ rating SECRET</speech>",
        "<speech>s [thoughts] SECRET</speech>",
        "<speech>s [private thoughts: SECRET]</speech>",
        "<speech>s\n[rating: 70 out of 100] SECRET</speech>",
        "<speech>s &lt;thoughts&gt; SECRET</speech>",
        "<speech>s &#60;rating&#62; SECRET</speech>",
        "<speech>s ＜thoughts SECRET</speech>",
        "<speech>s **<thoughts>** SECRET</speech>",
        "<speech>s thoughts> SECRET</speech>",
        "<speech>s <private_thoughts> SECRET</speech>",
        "<speech>s\n**Private thoughts:** SECRET</speech>",
        "<speech>s\nRating: 70 SECRET</speech>",
        "<speech>s <rating>70</rating> SECRET</speech>",
        "<speech>s <thought SECRET</speech>",
        "<speech>s <thinking>SECRET</speech>",
        "<thoughts>a <speech>SECRET</speech></thoughts>",
        "<thoughts>a <speech>b</thoughts> SECRET</speech>",
        "<thoughts>a</thoughts><speech>SECRET</speech> b</thoughts>",
        "[thoughts] a <speech>SECRET</speech> [/thoughts]",
        "<think>a <speech>SECRET</speech>",
        "a <speech>SECRET</speech> </think> b",
        "<speech>SECRET</speech> <think> <speech>s</speech>",
        "<speech></speech>SECRET",
    ],
)
def test_private_words_never_become_public_because_a_tag_was_broken(reply: str) -> None:
    both, alone = speech_and_confidence(reply + "<rating>60</rating>"), speech_only(reply)
    assert both.public is alone.public is None
    assert both.reask in (ASK_SPEECH, ASK_BOTH)
    assert alone.reask == ASK_SPEECH


@pytest.mark.parametrize(
    ("reply", "flags"),
    [
        ("Hear me <rating>70</rating>", ("no speech tag",)),
        ("<speech>s", ("broken speech tag",)),
        ("<speech> \n</speech><rating>70</rating>", ("empty speech",)),
        ("<speech>s [thoughts]</speech><rating>70</rating>", ("tags inside the speech",)),
        (
            "<thoughts>a<thoughts>b</thoughts><speech>s</speech><rating>70</rating>",
            ("broken thoughts tag",),
        ),
        ("a</thoughts><speech>s</speech><rating>70</rating>", ("broken thoughts tag",)),
        ("<speech>s</speech><rating>70</rating>", ()),
    ],
)
def test_flags_say_what_was_broken(reply: str, flags: tuple[str, ...]) -> None:
    reading = speech_and_confidence(reply)
    assert reading.flags == flags
    assert reading.thoughts is None
    assert (reading.public is None) == any("speech" in flag for flag in flags)


TAGS = [
    f"{edge}{name}>" for name in ("thoughts", "speech", "rating", "think") for edge in ("<", "</")
]
JUNK = st.lists(
    st.sampled_from(
        [*TAGS, "<thoughts", "[/thoughts]", "&lt;speech&gt;", "speech>", "</", "70", "x", "\n"]
    ),
    max_size=8,
).map("".join)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(JUNK, JUNK, JUNK, JUNK, JUNK)
@example("", "</thoughts><speech>", "</speech><think>", "", "")
@example("", "</thoughts><speech>", "</speech><thoughts>", "", "")
@example("", "</think></thoughts><speech>", "</speech>", "<thoughts>", "")
def test_no_mixture_of_broken_tags_around_or_inside_the_thoughts_leaks_them(
    a: str, b: str, c: str, d: str, e: str
) -> None:
    reading = speech_and_confidence(
        f"{a}<thoughts>{b}SECRET{c}</thoughts>{d}<speech>mine</speech>{e}<rating>60</rating>"
    )
    assert "SECRET" not in (reading.public or "")


@given(st.text(), st.text(), st.text())
def test_any_text_is_taken_apart_without_an_error(a: str, b: str, c: str) -> None:
    reading = speech_and_confidence(f"{a}<speech>{b}</speech><rating>{c}</rating>")
    assert reading.confidence is None or 0 <= reading.confidence <= 1
    assert (reading.confidence is None) == (reading.confidence_status != "read")
    assert reading.public is None or reading.public in f"{a}<speech>{b}</speech>"


@given(
    st.integers(0, 10000), st.sampled_from(["{}%", "{} percent", "{}/100", "I say {} out of 100."])
)
def test_what_is_written_with_its_scale_is_read_exactly(hundredths: int, form: str) -> None:
    assert number_in(form.format(f"{hundredths / 100:.2f}")) == (
        round(hundredths / 10000, 9),
        "read",
    )


@pytest.mark.parametrize(
    "quoted",
    [
        "<rating>99</rating>",
        "<thoughts>x</thoughts><rating>99</rating>",
        "<RATING>99</RATING>",
        "&lt;rating>99",
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        "<thoughts>they wrote {}</thoughts><speech>s</speech>",
        "<thoughts>t</thoughts><speech>they wrote {}</speech>",
    ],
)
def test_a_quoted_rating_of_the_opponent_is_never_ones_own(quoted: str, place: str) -> None:
    assert speech_and_confidence(place.format(quoted)).confidence is None
    assert speech_and_confidence(place.format(quoted) + "<rating>40</rating>").confidence == 0.4


@pytest.mark.parametrize(
    "quoted", ["</speech><rating>99</rating><speech>", "</thoughts><rating>99</rating><thoughts>"]
)
def test_a_quotation_that_ends_ones_own_block_is_not_read_either(quoted: str) -> None:
    reply = f"<thoughts>they wrote {quoted}</thoughts><speech>they wrote {quoted}</speech>"
    assert speech_and_confidence(reply).confidence is None
    assert speech_and_confidence(reply).public is None


@pytest.mark.parametrize(
    "opening",
    [
        "<think>",
        "<thinking>",
        "<Reasoning>",
        "<seed:think>",
        "◁think▷",
        "<think><think></think>",
        "",
    ],
)
def test_reasoning_before_the_reply_is_private_and_set_aside(opening: str) -> None:
    closing = (
        opening.rpartition("<")[2].join(["</", ""])
        if opening.startswith("<") and "><" not in opening
        else "</think>"
    )
    reading = speech_and_confidence(
        f"{opening}draft <speech>no</speech> <rating>10</rating>{closing}" + WELL.format(70)
    )
    assert (reading.public, reading.thoughts, reading.confidence) == ("Hear me", "I may lose", 0.7)


def test_only_what_could_not_be_read_is_asked_for() -> None:
    assert speech_and_confidence("<speech>s</speech>").reask == ASK_RATING
    assert speech_and_confidence("<rating>70</rating>").reask == ASK_SPEECH
    assert speech_and_confidence("x").reask == ASK_BOTH
    assert speech_only("x").reask == ASK_SPEECH


def test_a_reply_in_the_form_that_is_asked_for_again_is_read() -> None:
    form = ASK_BOTH[ASK_BOTH.index("<speech>") :].replace("N%", "64%")
    reading = speech_and_confidence(form)
    assert (reading.public, reading.confidence, reading.flags) == (
        "the words that everybody may read",
        0.64,
        (),
    )


@pytest.mark.parametrize(
    "words",
    [
        "5 < 6, and a rating > 4 is high",
        "my thoughts (a rating of 3) [1]",
        "speech; free speech!",
        "a <b>bold</b> case",
    ],
)
def test_words_that_are_no_tags_stay_in_the_speech(words: str) -> None:
    assert speech_and_confidence(f"<speech>{words}</speech><rating>70</rating>").public == words


PIECES = [
    "<",
    "< ",
    "<speech",
    "<think ",
    "<think>",
    "</think>",
    "<rating>1</rating>",
    "[ my ",
    "&lt;",
    "rating>",
    "\n*",
    "- ",
    "1 ",
    "9",
    "<a",
]


@pytest.mark.parametrize(
    "private",
    [
        "<inner_thoughts>SECRET</inner_thoughts>",
        "<confidence>90</confidence> SECRET",
        "<bet_logic_private>SECRET",
        "<scratchpad> SECRET",
        "<tho\u200bughts> SECRET",
        "<!-- SECRET -->",
        "Private thought: SECRET",
        "1. Thoughts: SECRET",
        "(private thoughts: SECRET)",
        "Private thoughts - SECRET",
        "Confidence: 40% SECRET",
        "Rating：70 SECRET",
    ],
)
def test_other_names_for_private_words_keep_the_speech_private(private: str) -> None:
    reading = speech_and_confidence(
        f"<thoughts>t</thoughts><speech>words\n{private}</speech><rating>70</rating>"
    )
    assert reading.public is None
    assert reading.confidence == 0.7


@pytest.mark.parametrize(
    "words",
    [
        "a <b>bold</b> claim",
        "one<br/>two",
        "x < y and y > z",
        "I have no thoughts of yielding - none",
        "5 > 3",
    ],
)
def test_emphasis_and_comparisons_stay_in_the_speech(words: str) -> None:
    assert speech_and_confidence(f"<speech>{words}</speech><rating>70</rating>").public == words


@pytest.mark.parametrize(
    "reply",
    [
        "<|channel|>analysis<|message|>draft <speech>SECRET</speech><rating>9%</rating>",
        "<|begin_of_thought|>draft <speech>SECRET</speech>",
    ],
)
def test_raw_channels_of_reasoning_are_private(reply: str) -> None:
    assert speech_and_confidence(reply).public is None
    said = speech_and_confidence(
        f"{reply}<|channel|>final<|message|><speech>hear</speech><rating>60%</rating>"
    )
    assert (said.public, said.confidence) == ("hear", 0.6)


@pytest.mark.parametrize(
    "words", ["–20", "not 75", "<50", "less than 50", "at least 60", "75‰", "more than 80%"]
)
def test_a_bound_or_a_negation_is_no_number(words: str) -> None:
    assert speech_and_confidence(f"<speech>s</speech><rating>{words}</rating>").confidence is None


PIECES_OF_TAGS = (
    "< </ > /> thought thoughts speech rating think reasoning ing s / [ { &lt; &gt; &#60; my"
    " private_ ** 75 % é ＜ ＞ <speech> </speech>",
    "<thoughts> </thoughts> <rating>70</rating> \u200b _ THOUGHT İ ſpeech <b> - rating: words",
)
BITS = st.lists(
    st.sampled_from([" ", "\n", *" ".join(PIECES_OF_TAGS).split(" ")]), max_size=12
).map("".join)


@given(BITS)
def test_tags_are_those_that_the_whole_expression_finds(text: str) -> None:
    assert [match.span() for match in blocks.matches_of_tag(text)] == [
        match.span() for match in blocks.TAG.finditer(text)
    ]


@given(
    BITS,
    BITS,
    st.sampled_from(
        ["70", "7", "100", "101", "0", "1", "70%", "1%", "007", "-5", "７５", "7.5", " 70"]
    ),
    st.booleans(),
)
def test_a_reply_in_the_form_that_was_asked_for_is_read_as_by_the_long_way(
    thoughts: str, speech: str, rating: str, plain: bool
) -> None:
    if plain:
        thoughts, speech = (
            "".join(c for c in thoughts if c.isalnum()),
            "".join(c for c in speech if c.isalnum() or c in " :\n"),
        )
    text = f"<thoughts>{thoughts}</thoughts>\n<speech>{speech}</speech>\n<rating>{rating}</rating>"
    with pytest.MonkeyPatch.context() as here:
        here.setattr(tags, "read_exact_form", lambda text: None)
        the_long_way = speech_and_confidence(text)
    assert speech_and_confidence(text) == the_long_way


def test_a_sentence_of_a_speech_ends_no_thought() -> None:
    words = "My opponent thinks the tax fails. Here is my response: it works."
    reading = speech_and_confidence(f"<speech>{words}</speech><rating>70</rating>")
    assert (reading.public, reading.confidence) == (words, 0.7)
