"""Speech and rating in the forms in which models write them, and what must stay private in them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.types import Reply
from protocols.parsing.numbers import NUMBER_WORDS, number_in
from protocols.parsing.tags import speech_and_confidence, speech_only

# Thoughts t, speech s and a rating of 80.
WHOLE = [
    "**Thoughts:** t\n\n**Speech:** s\n\n**Rating:** 80/100",
    "Thoughts: t\nSpeech: s\nRating: 80/100",
    "**Thoughts**: t\n**Speech**: s\n**Rating**: 80",
    "## Thoughts\nt\n\n## Speech\ns\n\n## Rating\n80/100",
    "### Private Thoughts\nt\n### Opening Speech\ns\n### Confidence: 80%",
    "**Private thoughts**\nt\n\n**Speech**\ns\n\n**Rating**\n80",
    "1. Thoughts: t\n2. Speech: s\n3. Rating: 80%",
    "My thoughts: t\nMy speech: s\nMy rating: 80",
    "Rating: 80\nThoughts: t\nSpeech: s",
    "**Thoughts:** t\n**Speech:** s\n<rating>80</rating>",
    "# Thoughts\nt\n# Rebuttal speech\ns\n# Confidence level\n80 out of 100",
    '{"thoughts":"t","speech":"s","rating":80}',
    '```json\n{"thoughts": "t", "speech": "s", "rating": 80}\n```',
    '{"private_thoughts": "t", "openingSpeech": "s", "confidence": "80%"}',
    '```\n{"speech": "s",\n "thoughts": "t", "rating": "80/100"}\n```',
    "[private thoughts: t] s [rating: 80 out of 100]",
    "s\n[private thoughts: t]\n[rating: 80 out of 100]",
    "[thoughts: t]\n[speech: s]\n[rating: 80]",
    "<thoughts>t</thoughts> s <rating>80</rating>",
    "<thoughts>t</thoughts>\n**Speech:** s\n<rating>80</rating>",
    "<thoughts>t</thoughts><speech>s<rating>80</rating>",
    "<thoughts>t</thoughts>\n<speech>s\n\n<rating>80",
    "<thoughts>t</thoughts><speech>s</speech>[rating: 80 out of 100]",
    "&lt;thoughts&gt;t&lt;/thoughts&gt;&lt;speech&gt;s&lt;/speech&gt;&lt;rating&gt;80&lt;/rating&gt;",
    r"\u003cthoughts\u003et\u003c/thoughts\u003e\u003cspeech\u003es\u003c/speech\u003e"
    r"\u003crating\u003e80\u003c/rating\u003e",
    "<think>no</think><thoughts>t</thoughts><speech>s</speech><rating>80</rating>",
    "[THINK]<speech>no</speech>[/THINK]<thoughts>t</thoughts><speech>s</speech><rating>80</rating>",
    "```xml\n<thoughts>t</thoughts>\n<speech>s</speech>\n<rating>80</rating>\n```",
    "- Thoughts: t\n- Speech: s\n- Rating: 80",
    "**Thoughts:** t\n---\n**Speech:** s\n\n---\n**Rating:** 80\n---",
    "thoughts: |\n  t\nspeech: |\n  s\nrating: 80",
    'Sure!\n```json\n{"thoughts": "t", "speech": "s", "rating": 80}\n```\nDone.',
    "[thoughts]t[/thoughts][speech]s[/speech][rating]80[/rating]",
    "<thoughts>t</thoughts><speech>s</speech><rating>**80** / 100</rating>",
    "<thoughts>t</thoughts><speech>s</speech><rating>80 out of a possible 100</rating>",
    "<thoughts>t</thoughts><speech>s</speech><rating>0.8/1.0</rating>",
    "[Thoughts]\nt\n\n[Speech]\ns\n\n[Rating]\n80",
    "**[Private thoughts]**\nt\n\n**[Speech]**\ns\n\n**[Rating]**\n80%",
    "1) Thoughts\nt\n2) Speech\ns\n3) Rating\n80",
    '{"reply": {"thoughts": "t", "speech": "s", "rating": 80}}',
    "<thoughts>t</thoughts><opening_speech>s</opening_speech><rating>80</rating>",
]


# The same with the speech first, as the debate asks for it since its version 2.
SPEECH_FIRST = [
    "<speech>s</speech>\n<thoughts>t</thoughts>\n<rating>80</rating>",
    "**Speech:** s\n\n**Thoughts:** t\n\n**Rating:** 80/100",
    "Speech: s\nThoughts: t\nRating: 80/100",
    "## Speech\ns\n\n## Thoughts\nt\n\n## Rating\n80/100",
    "### Opening Speech\ns\n### Private Thoughts\nt\n### Confidence: 80%",
    "**Speech**\ns\n\n**Private thoughts**\nt\n\n**Rating**\n80",
    "1. Speech: s\n2. Thoughts: t\n3. Rating: 80%",
    "My speech: s\nMy thoughts: t\nMy rating: 80",
    "**Speech:** s\n**Thoughts:** t\n<rating>80</rating>",
    '{"speech":"s","thoughts":"t","rating":80}',
    '```json\n{"speech": "s", "thoughts": "t", "rating": 80}\n```',
    "[speech: s]\n[private thoughts: t]\n[rating: 80 out of 100]",
    "[speech: s]\n[thoughts: t]\n[rating: 80]",
    "<speech>s</speech>\n[private thoughts: t]\n[rating: 80 out of 100]",
    "<speech>s</speech>\n[thoughts]t[/thoughts]\n[rating]80[/rating]",
    "<speech>s<thoughts>t</thoughts><rating>80</rating>",
    "<speech>s\n\n<thoughts>t</thoughts>\n\n<rating>80",
    "<speech>s</speech><thoughts>t<rating>80</rating>",
    "<speech>s</speech><thoughts>t</thoughts>[rating: 80 out of 100]",
    "&lt;speech&gt;s&lt;/speech&gt;&lt;thoughts&gt;t&lt;/thoughts&gt;&lt;rating&gt;80&lt;/rating&gt;",
    "<think>no</think><speech>s</speech><thoughts>t</thoughts><rating>80</rating>",
    "```xml\n<speech>s</speech>\n<thoughts>t</thoughts>\n<rating>80</rating>\n```",
    "- Speech: s\n- Thoughts: t\n- Rating: 80",
    "**Speech:** s\n---\n**Thoughts:** t\n\n---\n**Rating:** 80\n---",
    "speech: |\n  s\nthoughts: |\n  t\nrating: 80",
    "[speech]s[/speech][thoughts]t[/thoughts][rating]80[/rating]",
    "[Speech]\ns\n\n[Thoughts]\nt\n\n[Rating]\n80",
    "<opening_speech>s</opening_speech><thoughts>t</thoughts><rating>80</rating>",
    "<speech>s</speech><thoughts>t</thoughts>\nI'd say 80 percent.",
    "<speech>s</speech><thoughts>t</thoughts>\n80",
]


@pytest.mark.parametrize("reply", [*WHOLE, *SPEECH_FIRST])
def test_thoughts_speech_and_rating_are_read_in_the_first_reply(reply: str) -> None:
    reading = speech_and_confidence(reply)
    assert (reading.thoughts, reading.public, reading.confidence) == ("t", "s", 0.8)
    assert (reading.reask, reading.missing) == (None, ())


# A speech s, and a rating of 80 in some form.
RATED = [
    "<speech>s</speech> [rating: 80 out of 100]",
    "<speech>s<rating>80</rating>",
    "<speech>s\n\n<rating>80%</rating>\n",
    "<thoughts>t<speech>s</speech><rating>80</rating>",
    "<thoughts>t\n\n<speech>s</speech>\n<rating>80</rating>",
    "<speech>s</speech><rating>80",
    '<speech>s</speech><rating value="80"/>',
    "<speech>s</speech><rating 80</rating>",
    "<speech>s</speech>80</rating>",
    "<speech>s</speech><rating>&nbsp;80&nbsp;</rating>",
    "<speech>s</speech><confidence>80</confidence>",
    "<speech>s</speech><confidence_level>80%</confidence_level>",
    "<speech>s</speech>\n**Confidence:** 80/100",
    "<speech>s</speech>\nRating: 80",
    "<speech>s</speech>\nMy rating is 80.",
    "<speech>s</speech>\nRating - 80",
    "<speech>s</speech>\nConfidence level: 80%",
    "<speech>s</speech>\nConfidence:\n80%",
    "<speech>s</speech>\n## Rating\n80",
    "<speech>s</speech>\nI'd say 80 percent.",
    "<speech>s</speech>\n80",
    "<speech>s</speech>\n**80%**",
    "<speech>s</speech>\n$\\boxed{80}$",
    "<speech>s</speech><rating>$\\boxed{80}$</rating>",
    "<speech>s</speech><rating>eighty</rating>",
    "<speech>s</speech><rating>８０</rating>",
    "<speech>s</speech><rating>80 - reason</rating>",
    "<speech>s</speech><rating>80 (stake: 80 tokens)</rating>",
    "<speech>s</speech><rating>~80</rating>",
    "<speech>s</speech><rating>**80**</rating>",
    "&lt;speech&gt;s&lt;/speech&gt;&lt;rating&gt;80&lt;/rating&gt;",
    "<rating>80</rating><speech>s</speech>",
    "<SPEECH>s</SPEECH>< rating >80< / rating >",
    "< speech >s</ speech >< rating >80</ rating >",
    "<speech\n>s</speech\t><rating\n>80</rating >",
    "Speech: s\nRating: 80",
    '{"speech": "s", "rating": 80}',
]


@pytest.mark.parametrize("reply", RATED)
def test_a_rating_is_read_in_whatever_markup_it_is_stated(reply: str) -> None:
    reading = speech_and_confidence(reply)
    assert (reading.public, reading.confidence, reading.reask) == ("s", 0.8, None)


@pytest.mark.parametrize(
    "reply", ["80", "80%", "**80**", "80/100", "Rating: 80", "I meant 80%.", "<rating>80", "eighty"]
)
def test_a_rating_alone_is_all_that_a_second_ask_wants(reply: str) -> None:
    assert speech_and_confidence(reply).confidence == 0.8


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("75 (out of 100)", 0.75),
        ("75 on a 0-100 scale", 0.75),
        ("72,5 %", 0.725),
        ("0.85 (85%)", 0.85),
        ("90 because I answered more of their points", 0.9),
    ],
)
def test_a_number_beside_its_scale_is_read(words: str, value: float) -> None:
    assert speech_and_confidence(f"<speech>s</speech><rating>{words}</rating>").confidence == value


@pytest.mark.parametrize("scale", ["out of 10", "0 to 10", "0–10", "scale: 0-10", "/10"])
@pytest.mark.parametrize("label", ["Rating ({}): 8", "**Rating ({}):** 8", '<rating scale="{}">8'])
def test_a_scale_from_0_to_10_that_a_label_states_is_used(label: str, scale: str) -> None:
    for speech in ("<speech>s</speech>\n", "Speech: s\n"):
        reading = speech_and_confidence(speech + label.format(scale))
        assert (reading.public, reading.confidence) == ("s", 0.8)


@pytest.mark.parametrize("scale", ["1-10", "scale 1 to 10", "1-5", "out of 5", "0 to 7", "max 20"])
@pytest.mark.parametrize("label", ["Rating ({}): 5", "**Rating ({}):** 5", '<rating scale="{}">5'])
def test_a_number_on_any_other_scale_is_missing(label: str, scale: str) -> None:
    reading = speech_and_confidence(f"<speech>s</speech>\n{label.format(scale)}")
    assert (reading.public, reading.confidence) == ("s", None)
    assert reading.confidence_status == "ambiguous scale"


def test_a_percentage_is_one_on_every_scale_that_a_label_states() -> None:
    assert speech_and_confidence("Speech: s\nRating (1-10): 80%").confidence == 0.8


OPPOSITES = [
    *("80% that I lose", "chance of losing: 80", "80% that I am wrong", "opponent 80"),
    *("80% for my opponent", "80% they win", "opponent: 80%", "80% likely that the opponent wins"),
    *("previous rating: 80%", "previously 80", "earlier 80%", "4 stars", "4-star", "5 ★"),
]


@pytest.mark.parametrize("words", OPPOSITES)
@pytest.mark.parametrize("form", ["<rating>{}</rating>", "\nRating: {}", "\n{}", "\nMy {}"])
def test_a_number_about_others_losing_or_earlier_is_no_rating(form: str, words: str) -> None:
    reading = speech_and_confidence(f"<speech>s</speech>{form.format(words)}")
    assert (reading.public, reading.confidence) == ("s", None)


@pytest.mark.parametrize(
    "words",
    [
        "80 because the opponent conceded",
        "80, my opponent was weak",
        "80% sure I beat my opponent",
        "80 - they lost the thread",
        "I lost a point. 80",
    ],
)
def test_a_reason_that_names_others_changes_no_rating(words: str) -> None:
    assert speech_and_confidence(f"<speech>s</speech><rating>{words}</rating>").confidence == 0.8


PUBLIC = [
    "Confidence: in public bodies it is low",
    "see <https://a.example/b?c=d>",
    "write to <me@a.example>",
    "Rating: the agencies rate it as they are paid",
    "<core_claim>People trust it.</core_claim>",
    "<FINAL SPEECH>Here it is.</FINAL SPEECH>",
    "<opening_speech><argument_1>One.</argument_1></opening_speech>",
    "«La liberté» n'est pas «tout»",
    "it holds for x <y",
    "My opponent has second thoughts: none of them hold",
    "Private property: a right of all",
    "Self-driving cars: they save lives",
    "Die Gedanken sind frei, und das bleibt so: immer",
    "值得我们共同思考的问题是：谁付钱？",
    "Sicherheit: ein Recht aller",
    "Public schools (not private ones) serve all",
    "【论点一】 It works",
]


@pytest.mark.parametrize("words", PUBLIC)
def test_an_address_a_noun_and_the_name_of_a_part_are_public(words: str) -> None:
    reading = speech_and_confidence(f"<speech>{words}</speech><rating>80</rating>")
    assert (reading.public, reading.confidence) == (words, 0.8)


NAMES_OF_THOUGHTS = (
    *("思考", "内心", "考え", "생각", "أفكار", "विचार", "Мысли"),
    *("Gedanken", "Pensamientos", "Réflexions"),
)
PRIVATE = [
    "**Private thoughts** SECRET",
    "My private thoughts are: SECRET",
    "Internal monologue: SECRET",
    "Thought process: SECRET",
    "Reasoning: SECRET",
    "Confidence level: 83",
    "My confidence is: 83%",
    "Confidence: high",
    "Rating - eighty",
    "(thoughts) SECRET (/thoughts)",
    "⟨thoughts⟩ SECRET ⟨/thoughts⟩",
    "«thoughts» SECRET «/thoughts»",
    "˂thoughts˃ SECRET ˂/thoughts˃",
    "《thoughts》 SECRET",
    "```thoughts\nSECRET\n```",
    r"\u003cthoughts\u003e SECRET \u003c/thoughts\u003e",
    "&amp;lt;thoughts&amp;gt; SECRET",
    "&amp;amp;lt;thoughts&amp;amp;gt; SECRET",
    "<th\u043eughts> SECRET",
    "Private th\u043eughts: SECRET",
    "## My thinking\nSECRET",
    "So I said (confidence: 83%) SECRET",
    "<analysis>SECRET</analysis>",
    "<strategy>SECRET</strategy>",
    "<private_argument>SECRET</private_argument>",
    "<bet_logic_private>SECRET</bet_logic_private>",
    "**bet_logic_private>**\nSECRET",
    "<opening_speech>words</opening_speech>\n---\nSECRET",
    "**PRIVATE BID REPORT**\nSECRET",
    *(f"<{name}>SECRET</{name}>" for name in NAMES_OF_THOUGHTS),
    "【思考】SECRET【/思考】",
    "So it is. 【内心】 SECRET",
    "《思考》 SECRET",
    "Thoughts (private): SECRET",
    "Plan (for my eyes): SECRET",
    "Strategy (not shown): SECRET",
    "**Notes (hidden from others)**\nSECRET",
    *(f"{label}: SECRET" for label in ("Private", "**Private**", "Internal", "Privado", "私密")),
    *(f"{label}: SECRET" for label in NAMES_OF_THOUGHTS),
    "Meine privaten Gedanken: SECRET",
    "我的思考：SECRET",
    "## Self-assessment\nSECRET",
    "**Self-evaluation:** SECRET",
    "## 思考\nSECRET",
    *("评分：80", "оценка: 80%", "Bewertung: 80", "Confianza: 80", "自信度：80", "**Fiducia:** 80"),
]


@pytest.mark.parametrize(
    "attributes",
    ["to='self'", "private", 'visibility="private"', 'public="no"', "for=me", "hidden=true", "x"],
)
def test_a_speech_whose_tag_may_say_that_it_is_for_nobody_is_not_public(attributes: str) -> None:
    reading = speech_and_confidence(f"<speech {attributes}>SECRET</speech><rating>80</rating>")
    assert (reading.public, reading.confidence) == (None, 0.8)
    assert speech_only(f"<speech {attributes}>SECRET<rating>80</rating>").public is None


@pytest.mark.parametrize("private", PRIVATE)
@pytest.mark.parametrize(
    "form",
    [
        "<speech>words\n{}</speech><rating>80</rating>",
        "<thoughts>t</thoughts> words\n{} <rating>80</rating>",
        "<speech>words\n{}<rating>80</rating>",
        "**Thoughts:** t\n**Speech:** words\n{}\n**Rating:** 80",
    ],
)
def test_words_that_are_private_by_their_name_are_never_public(form: str, private: str) -> None:
    reading = speech_and_confidence(form.format(private))
    assert reading.public is None
    assert "public" in reading.missing
    assert reading.reask is not None
    told = json.dumps({"thoughts": "t", "speech": f"words\n{private}", "rating": 80})
    assert speech_and_confidence(told).public is None


# Forms of a label; the same one stands over every part of a reply.
LABELS = [
    "**{}:** ",
    "{}: ",
    "**{}**\n",
    "**{}**: ",
    "## {}\n",
    "- {}: ",
    "2. **{}:** ",
    "__{}:__ ",
]


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    "name",
    [
        *("Strategy", "Analysis", "Strategic considerations", "Explanation of my rating"),
        *("Why I chose this rating", "What I won't say", "Стратегия", "战略"),
    ],
)
def test_words_under_another_label_are_no_part_of_the_speech(label: str, name: str) -> None:
    parts = [("Thoughts", "t"), ("Speech", "s"), (name, "SECRET"), ("Rating", "80")]
    written = [label.format(part) + words for part, words in parts]
    labelled = speech_and_confidence("\n".join(written))
    assert (labelled.public, labelled.thoughts, labelled.confidence) == (None, "t", 0.8)
    assert labelled.flags == ("tags inside the speech",)
    for middle in ((written[1], written[2]), (written[2], written[1])):
        tagged = ["<thoughts>t</thoughts>", *middle, "<rating>80</rating>"]
        assert speech_and_confidence("\n".join(tagged)).public is None


def test_a_larger_heading_ends_a_speech_and_a_smaller_one_is_a_part_of_it() -> None:
    form = "## Speech\ns\n{}\nwords\n## Rating\n80"
    for part in ("### Economy", "**Economy:**", "## Conclusion", "## First argument"):
        assert speech_and_confidence(form.format(part)).public == f"s\n{part}\nwords"
    for other in ("## Economy", "# Economy", "Explanation of my rating:", "### My bet explained"):
        assert speech_and_confidence(form.format(other)).public is None


DOUBTFUL_SPEECHES = [
    "[Speech]\ns\n[Strategy]\nSECRET\n[Rating]\n80",
    "[Speech]\ns [Thoughts] SECRET\n[Rating]\n80",
    "**Speech:**\ns\n\nThoughts\nSECRET\n\n**Rating:** 80",
    "1) Speech\ns\n2) What I think\nSECRET\n3) Rating\n80",
    "<opening_speech>s</opening_speech><closing_speech>t</closing_speech><rating>80</rating>",
    "Speech: a\nSpeech: b\nRating: 80",
    "<speech>a\n<speech>b</speech><rating>80</rating>",
    "<thoughts>t <speech>s</speech> and more <rating>80</rating>",
    "<thoughts>t <speech>s</speech> and more",
    "<thoughts>t <speech>s</speech>",
    "<thoughts>t <speech>a</speech><speech>b</speech><rating>80</rating>",
    "a <thoughts>t</thoughts> b <rating>80</rating>",
    "Here is my reply: <thoughts>t</thoughts><rating>80</rating>",
    "<thoughts>t</thoughts> s",
    "<thoughts>t</thoughts> s <rating>80</rating> and more",
    "<thoughts>t Speech: s</thoughts><rating>80</rating>",
    "<speech>s <rating>80</rating> and more words",
    "<speech>s",
    "s <rating>80</rating>",
    '{"speech": "a", "Speech": "b", "rating": 80}',
    "**Thoughts:** t\n**Speech:** s\n\n80",
    "[private thoughts: t s [rating: 80 out of 100]",
]


@pytest.mark.parametrize("reply", DOUBTFUL_SPEECHES)
def test_a_speech_of_which_the_end_or_the_place_is_in_doubt_is_not_public(reply: str) -> None:
    assert speech_and_confidence(reply).public is None
    assert speech_only(reply).public is None


DOUBTFUL_RATINGS = [
    *("0.8", "75-80", "between 70 and 80", "less than 50", "not 75", "1e2", "½", "3 4"),
    *("95%+", "almost 100%", "up to 80%", "max 60%", "at best 40%", "exceeds 80%", "at most 80"),
    *("+5", "+10%", "up 5 points", "down by 10", "five points more", "80 or higher", "80 at least"),
    *("nearly eighty", "at least ８０", "no more than 80", "north of 80", "80 minimum", "≥ 80"),
    *(
        "in excess of 80",
        "close to 0",
        "80 plus",
        "I would not say 80",
        "isn't 80",
        "increased by 10",
        "a cap of 80",
    ),
]


@pytest.mark.parametrize("words", DOUBTFUL_RATINGS)
@pytest.mark.parametrize(
    "form", ["<rating>{}</rating>", "\nRating: {}", "\n[rating: {}]", "\n{}", "<rating>{}"]
)
def test_a_bound_a_change_and_a_doubtful_scale_are_no_rating(form: str, words: str) -> None:
    reading = speech_and_confidence(f"<speech>s</speech>{form.format(words)}")
    assert (reading.public, reading.confidence) == ("s", None)
    assert reading.confidence_status != "read"
    assert reading.missing == ("confidence",)


@pytest.mark.parametrize(
    "ratings",
    [
        "<rating>70</rating><rating>80</rating>",
        "<rating>70</rating>\nRating: 80",
        "Rating: 70\nConfidence: 80",
    ],
)
def test_two_numbers_are_no_rating(ratings: str) -> None:
    reading = speech_and_confidence(f"<speech>s</speech>\n{ratings}")
    assert (reading.confidence, reading.confidence_status) == (None, "several numbers")


@pytest.mark.parametrize(
    ("text", "reason", "public", "confidence"),
    [
        ("<speech>s</speech><rating>8", "length", "s", None),
        ("<speech>s</speech>\nRating: 8", "length", "s", None),
        ("<speech>s</speech>\n8", "MAX_TOKENS", "s", None),
        ("<speech>s</speech><rating>80</rating> I ad", "length", "s", 0.8),
        ('<speech>s</speech><rating value="80"/> I ad', "length", "s", 0.8),
        ("<speech>s and then", "max_tokens", None, None),
        ("**Speech:** s and then", "length", None, None),
        ("<thoughts>t</thoughts> s <rating>80</rating>", "length", None, None),
        ("<speech>s</speech><rating>80</rating>", "content_filter", "s", None),
        ("<speech>s</speech><rating>80</rating>", "SAFETY", "s", None),
        ("<speech>s</speech><rating>80</rating>", "refusal", "s", None),
        ("<speech>s</speech><rating>80</rating>", "error", "s", None),
        ("<speech>s</speech><rating>80</rating>", "stop", "s", 0.8),
        ("<speech>s</speech><rating>80</rating>", "end_turn", "s", 0.8),
    ],
)
def test_what_was_not_said_to_the_end_or_not_meant_is_no_rating(
    text: str, reason: str, public: str | None, confidence: float | None
) -> None:
    reading = speech_and_confidence(Reply(text, finish_reason=reason))
    assert (reading.public, reading.confidence) == (public, confidence)
    assert (reading.reask is None) == (public == "s" and confidence == 0.8)


LINES = st.sampled_from(["a", "b c", "I hold this.", "1. one", "x < y", "> quoted", "**bold**", ""])
SAID = st.lists(LINES, min_size=1, max_size=4).map("\n".join).filter(lambda words: words.strip())
FORMS = st.sampled_from(
    [
        "<thoughts>{t}</thoughts><speech>{s}</speech><rating>{r}</rating>",
        "**Thoughts:** {t}\n**Speech:** {s}\n**Rating:** {r}",
        "## Thoughts\n{t}\n## Speech\n{s}\n## Rating\n{r}",
        "[private thoughts: {t}]\n{s}\n[rating: {r}]",
        "<thoughts>{t}</thoughts>\n{s}\n<rating>{r}</rating>",
        "<thoughts>{t}</thoughts>\n<speech>{s}\n<rating>{r}",
    ]
)


@pytest.mark.slow
@settings(max_examples=100)
@given(FORMS, SAID, st.integers(2, 100), st.sampled_from(["{}", "{}%", "{}/100", "{} percent"]))
def test_what_is_said_in_any_sane_form_is_read_as_it_was_said(
    form: str, speech: str, number: int, scale: str
) -> None:
    reply = form.format(t="SECRET", s=speech, r=scale.format(number))
    reading = speech_and_confidence(reply)
    assert reading.confidence == number / 100
    # A speech may look like something else, and is then asked for again, but never changed.
    assert reading.public in (speech.strip(), speech.strip().strip("*").strip(), None)
    assert "SECRET" not in (reading.public or "")
    assert (reading.public is None) == bool(reading.flags) == ("public" in reading.missing)


@given(
    st.integers(2, 100),
    st.sampled_from(
        [
            *(
                "at least {}",
                "{}+",
                "up to {}",
                "more than {}",
                "{} or more",
                "not {}",
                "almost {}",
            ),
            *("max {}", "at best {}", "+{}", "up {} points", "{} at most", "exceeds {}", "< {}"),
            *("{} or below", "no less than {}"),
        ]
    ),
    st.sampled_from(["{}", "{}%", "{} percent", "{}/100"]),
)
def test_no_bound_of_any_number_is_read(number: int, bound: str, scale: str) -> None:
    assert number_in(bound.format(scale.format(number)))[0] is None


@given(st.sampled_from(sorted(NUMBER_WORDS)), st.sampled_from(["{}", "{} percent", "about {}"]))
def test_numbers_in_words_are_read_as_in_digits(word: str, form: str) -> None:
    digits = form.format(NUMBER_WORDS[word])
    assert number_in(form.format(word)) == number_in(digits)


@given(
    st.integers(2, 100),
    st.sampled_from(["٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９", "०१२३४५६७८९", "০১২৩৪৫৬৭৮৯"]),
)
def test_digits_of_every_script_are_digits(number: int, script: str) -> None:
    digits = "".join(script[int(digit)] for digit in str(number))
    assert number_in(digits) == (number / 100, "read")


def test_what_is_too_long_for_a_speech_is_not_read() -> None:
    long = speech_and_confidence("<speech>" + "s" * 200_000 + "</speech><rating>80</rating>")
    assert (long.public, long.confidence, long.flags) == (None, None, ("reply too long",))
    # Reasoning does not count.
    thought = "<think>" + "t" * 200_000 + "</think><speech>s</speech><rating>80</rating>"
    assert speech_and_confidence(thought).confidence == 0.8


OWNERS = ["", "my ", "my own ", "private ", "my private ", "inner ", "internal ", "own secret "]
THOUGHTS = [
    *("thoughts", "thought", "thought process", "thinking", "reasoning", "monologue", "musings"),
    *("deliberations", "reflections", "chain of thought", "scratchpad", "notes to self"),
    *("thinking process", "reasoning process", "reflection", "notes to myself"),
]
UNDER_LABELS = ["{}: ", "**{}:** ", "**{}**: ", "## {}:\n", "- {}: ", "> {}: ", "3. {}: ", "({}: "]
UNDER_LABELS += ["*{}*: ", "__{}:__\n", "{} : ", "{}：", "[{}: ", "\n\n### {}: "]


def as_it_is(label: str) -> str:
    return label


def in_wide_letters(label: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "a" <= c.lower() <= "z" else c for c in label)


def with_invisible_marks(label: str) -> str:
    return label[:2] + "\u200b" + label[2:]


def in_cyrillic_letters(label: str) -> str:
    return label.translate(str.maketrans("oaecp", "оаеср"))


DISGUISES = [as_it_is, in_wide_letters, with_invisible_marks, in_cyrillic_letters]


@settings(max_examples=60)
@given(
    st.sampled_from(OWNERS),
    st.sampled_from(THOUGHTS),
    st.sampled_from(UNDER_LABELS),
    st.sampled_from([str.lower, str.title, str.upper, str.capitalize]),
    st.sampled_from(DISGUISES),
    SAID,
)
def test_words_under_any_label_of_thoughts_are_not_public(
    owner: str,
    name: str,
    label: str,
    case: Callable[[str], str],
    disguise: Callable[[str], str],
    words: str,
) -> None:
    private = label.format(disguise(case(owner + name))) + "SECRET"
    for speech in (f"{words}\n{private}", f"{private}\n{words}"):
        assert speech_and_confidence(f"<speech>{speech}</speech><rating>80</rating>").public is None


RATINGS = [
    *("rating", "confidence", "confidence level", "confidence score", "self-rating", "certainty"),
    *("stake", "bet", "confidence in winning", "win probability"),
]


@settings(max_examples=30)
@given(
    st.sampled_from(OWNERS[:5]),
    st.sampled_from(RATINGS),
    st.sampled_from(UNDER_LABELS),
    st.integers(0, 100),
    st.sampled_from(["{}", "{}%", "{}/100", "about {}", "**{}**", "{} out of 100", "~{}"]),
    SAID,
)
def test_a_rating_under_any_label_is_not_public(
    owner: str, name: str, label: str, number: int, form: str, words: str
) -> None:
    private = label.format(owner + name) + form.format(number)
    for speech in (f"{words}\n{private}", f"{private}\n{words}"):
        assert speech_and_confidence(f"<speech>{speech}</speech><rating>80</rating>").public is None


STATED_IN = [
    *("<rating>{}</rating>", "\nRating: {}", "\n[rating: {} out of 100]", "<confidence>{}%"),
    *("\n**Confidence:** {}/100", '<rating value="{}"/>', "\nMy rating is {}."),
]


@settings(max_examples=40)
@given(
    st.integers(2, 100),
    st.integers(2, 100),
    st.sampled_from(STATED_IN),
    st.sampled_from(STATED_IN),
)
def test_two_statements_are_a_rating_only_if_they_agree(
    one: int, other: int, first: str, second: str
) -> None:
    stated = first.format(one) + second.format(other)
    reading = speech_and_confidence(f"<speech>s</speech>{stated}")
    assert (reading.public, reading.confidence) == ("s", one / 100 if one == other else None)


@pytest.mark.parametrize(
    "reply",
    [
        # Where the speech ends is not beyond doubt, so that none of it is public.
        "<speech>s <thoughts>SECRET</thoughts> more <rating>80</rating>",
        "<speech>s <thoughts>SECRET <rating>80</rating>",
        "<speech>s \N{MATHEMATICAL LEFT ANGLE BRACKET}thoughts\N{MATHEMATICAL RIGHT ANGLE BRACKET}"
        "SECRET</thoughts><rating>80</rating>",
        "s <thoughts>SECRET</thoughts><rating>80</rating>",
    ],
)
def test_a_speech_before_thoughts_is_public_only_where_its_end_is_beyond_doubt(reply: str) -> None:
    assert speech_and_confidence(reply).public is None
