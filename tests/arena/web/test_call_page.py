"""Test the page of a call: the exact prompt, the whole reply, and hostile text as text."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from arena import MOTIONS, Agent, Arena, Arm, Study, run_stages
from arena.errors import StudyError
from arena.store.database import open_live, query
from arena.types import BaseModel, Reply, Request
from arena.web.pages import PAGES
from arena.web.pages.call import find_step, request_or_reason
from arena.web.prompts import rebuild_request
from arena.web.site import Ask, Row, Site
from arena.web.words import render
from protocols import named
from protocols.scoring import score
from tests.arena.web.conftest import RunningViewer
from tests.arena.web.private_words import PRIVATE, plant
from tests.arena.web.transcripts import ENDLESS, play, turn, write_store

call = dict((kind, make) for kind, _, make in PAGES)["call"]
SECOND = (
    "select episode, seat, step from turns where seat = 'opposition' and step = 1"
    " order by episode limit 1"
)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with words in every private place."""
    return plant(tmp_path_factory.mktemp("planted") / "planted.duckdb")


def made(db: Path, episode: str, seat: str, step: int, *, private: bool = True) -> str:
    """Return the page as HTML."""
    site = Site(db, private=private)
    return render(site, call(site, episode, {"seat": seat, "step": str(step)}))


def stored(db: Path, where: str) -> Row:
    """Return the first turn that meets a condition."""
    return query(db, f"from turns where {where} order by episode, seat, step limit 1").dicts()[0]


@pytest.mark.slow
@pytest.mark.parametrize("store", ["planted", "tournament", "peers"])
def test_every_stored_prompt_is_rebuilt_to_the_very_request_that_was_sent(
    store: str, request: pytest.FixtureRequest
) -> None:
    db: Path = request.getfixturevalue(store)
    with open_live(db, ("calls",)) as con:
        ask = Ask(con)
        for row in ask("from turns order by episode, seat, step limit 60"):
            place = row["episode"], row["seat"], row["step"]
            turn, play, attempts = find_step(ask, *place)
            assert turn is not None, place
            seat = ask("from seats where episode = ? and seat = ?", place[:2])[0]
            rebuilt, reason = request_or_reason(ask, turn, seat, attempts, play)
            assert rebuilt is not None, (place, reason)
            assert rebuilt.same_hash, place


def test_a_changed_turn_no_longer_meets_the_stored_hash(planted: Path) -> None:
    row = stored(planted, "step = 1 and seat = 'opposition'")
    with open_live(planted, ()) as con:
        seat = Ask(con)("from seats where episode = ? and seat = ?", [row["episode"], row["seat"]])[
            0
        ]
        assert rebuild_request(Ask(con), row, seat, []).same_hash
        assert not rebuild_request(
            Ask(con), row, seat | {"system": "You are somebody else."}, []
        ).same_hash


@pytest.mark.slow
def test_the_prompt_shows_whose_turn_and_which_face_it_was_made_of(
    page: Page, serve: Callable[[Path], RunningViewer], planted: Path
) -> None:
    episode, seat, step = query(planted, SECOND).rows[0]
    page.goto(f"{serve(planted).url}/call/{episode}?seat={seat}&step={step}")
    expect(page.get_by_text("the rebuilt request has the stored hash")).to_be_visible()
    own = page.locator(".quoted.private")
    expect(own).to_contain_text("own notes: private thoughts and rating")
    expect(own).to_contain_text("[private thoughts: THOUGHTS-PLANTED opposition]")
    page.locator(".quoted:not(.private) a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("proposition, opening")


def test_raw_reply_reasoning_reask_and_tokens_are_all_there(planted: Path) -> None:
    row = stored(planted, "reask_text is not null")
    text = made(planted, row["episode"], row["seat"], row["step"])
    for words in ("RAW-PLANTED", "REASONING-PLANTED", "Asked again", "REASKED-PLANTED"):
        assert words in text
    row = stored(planted, "logprobs is not null")
    text = made(planted, row["episode"], row["seat"], row["step"])
    assert "served-9" in text
    assert 'class="p4" title="60.7%' in text
    assert 'class="p1"' in text
    assert " &lt;b&gt;</span>" in text


def test_a_call_without_a_reply_has_a_page_with_its_error(planted: Path) -> None:
    row = query(planted, "from call_ends where status = 'failed' limit 1").dicts()[0]
    text = made(planted, row["episode"], row["seat"], row["step"])
    assert "ERROR-PLANTED" in text
    assert "400" in text
    assert "Raw reply" not in text


@pytest.mark.slow
def test_an_import_says_that_its_prompts_were_not_published(published_store: Path) -> None:
    row = stored(published_store, "seat = 'proposition'")
    assert "not published" in made(published_store, row["episode"], row["seat"], row["step"])


def test_both_replies_of_who_was_asked_twice_stand_as_faces_in_an_aside(planted: Path) -> None:
    asides = "from turns t join episodes e using (episode) where e.study = 'planted asked aside'"
    shown = "select t.episode, unnest(t.prompt).face as face, unnest(t.prompt).text as text"
    texts = query(planted, f"select text from ({shown} {asides}) where text is not null").rows
    assert not [text for (text,) in texts if any(word in text for word in PRIVATE)]
    twice = query(planted, f"select episode from ({shown} {asides}) where face = 'reask_text'").rows
    (episode,) = twice[0]
    told, hidden = (made(planted, episode, "speaker", 0, private=each) for each in (True, False))
    assert "the rebuilt request has the stored hash" in told
    assert "REASKED-PLANTED" in told
    assert not [word for word in PRIVATE if word in hidden]


class ReadsItself(BaseModel):
    """Speaks with a short and a long private thought, and gives numbers off what it reads."""

    name = "local/reads-itself"
    simulated = True
    capabilities = frozenset({"prefill", "measures", "readouts", "choices"})

    async def __call__(self, request: Request) -> Reply:
        if request.sampling.readouts:
            return Reply('{"state": [0.5]}', measures={"logprob_sum": -1.0})
        step = request.place.step
        thought = "PLANTED" if step else "PLANTED and thought through at length"
        return Reply(
            f"<thoughts>{thought}</thoughts><speech>said {step}</speech><rating>7{step}</rating>"
        )


@pytest.mark.slow
@pytest.mark.parametrize("form", ["transcript", "chat"])
def test_what_a_model_reads_again_is_rebuilt_and_on_no_public_page(
    tmp_path: Path, form: str
) -> None:
    path = tmp_path / "a.duckdb"
    one = Agent("one", ReadsItself())
    sides = {"proposition": one, "opposition": one}
    played = Study("d", [Arm("d", named("debate"), [sides], {"form": form})], MOTIONS[:1])
    run_stages(
        Arena(path), [played, score("s", of=played, estimators=["read_logprob_sum", "p_ik"])]
    )
    rows = query(path, "select episode, seat, step, prompt from turns where phase = 'read'").rows
    assert len(rows) == 12
    assert "PLANTED" in str([prompt for *_, prompt in rows])
    for *place, _ in rows:
        hidden, told = made(path, *place, private=False), made(path, *place)
        assert "PLANTED" not in hidden
        assert "rating: 7" not in hidden
        assert "may not see" not in told
        assert "said" in told


@pytest.mark.slow
def test_nothing_private_stands_on_a_public_page_of_any_turn(planted: Path) -> None:
    for row in query(planted, "select episode, seat, step from turns").rows:
        text = made(planted, *row, private=False)
        assert not any(word in text for word in PRIVATE), row
        assert "sha256" not in text


@pytest.mark.slow
def test_hostile_text_is_shown_and_does_nothing(
    page: Page, serve: Callable[[Path], RunningViewer], planted: Path
) -> None:
    row = stored(planted, "contains(public, '<script>')")
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    page.goto(f"{serve(planted).url}/call/{row['episode']}?seat={row['seat']}&step={row['step']}")
    expect(page.get_by_text("<script>alert(1)</script>").first).to_be_visible()
    assert page.locator("main script, main img").count() == 0
    assert page.locator(".control", has_text="U+202E").count() > 0
    assert page.locator(".control", has_text="U+001B").count() > 0


@pytest.mark.slow
def test_an_endless_reply_is_cut_with_a_link_to_all_of_it_as_plain_text(
    serve: Callable[[Path], RunningViewer], tmp_path: Path
) -> None:
    db = write_store(
        tmp_path / "x.duckdb",
        [
            *play("e1", "question", {"path 1": "m"}),
            turn("e1", "path 1", 0, text=f"<b>{ENDLESS}", prompt=[]),
        ],
    )
    assert len(made(db, "e1", "path 1", 0)) < 100_000
    with urllib.request.urlopen(
        f"{serve(db).url}/text/e1?{'seat=' + quote('path 1')}&step=0&what=text"
    ) as answer:
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.read().decode() == f"<b>{ENDLESS}"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"seat": "opposition"},
        {"seat": "opposition", "step": "-1"},
        {"seat": "nobody", "step": "0"},
        {"seat": "opposition", "step": "9" * 30},
    ],
)
def test_what_is_not_there_is_said(planted: Path, query: dict[str, str]) -> None:
    episode = stored(planted, "true")["episode"]
    with pytest.raises(StudyError, match="step"):
        call(Site(planted), episode, query)


def test_a_piece_that_a_store_cannot_rebuild_says_why(tmp_path: Path) -> None:
    gone = [{"episode": "elsewhere", "seat": "a", "step": 3, "face": "public"}]
    db = write_store(
        tmp_path / "x.duckdb",
        [*play("e1", "question", {"a": "m"}), turn("e1", "a", 0, prompt=gone)],
    )
    assert "which is not in this store" in made(db, "e1", "a", 0)
    leaked = [{"episode": "e1", "seat": "b", "step": 0, "face": "own"}]
    db = write_store(
        tmp_path / "y.duckdb",
        [
            *play("e1", "question", {"a": "m", "b": "m"}),
            turn("e1", "b", 0),
            turn("e1", "a", 0, prompt=leaked),
        ],
    )
    assert "may not see" in made(db, "e1", "a", 0)


@pytest.mark.slow
def test_the_page_has_no_violations_of_accessibility(
    page: Page, serve: Callable[[Path], RunningViewer], planted: Path
) -> None:
    for where in ("reask_text is not null", "logprobs is not null and step = 2"):
        row = stored(planted, where)
        page.goto(
            f"{serve(planted).url}/call/{row['episode']}?seat={row['seat']}&step={row['step']}"
        )
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
