"""Images and chats in the viewer: served as what they are, published, and nothing private."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import httpx
import pytest

from arena.arena import Arena
from arena.cli.main import main
from arena.images import Image
from arena.studies.study import Arm, Study
from arena.types import Subject
from arena.web.app import application
from arena.web.publish import publish
from protocols.debate import debate
from protocols.judging import jury
from tests.fake_agents import agent
from tests.protocols.test_debate_forms import reply

# A study, two juries, and a publication: several seconds.
pytestmark = pytest.mark.slow

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
HASH = Image(PICTURE).hash
VERDICT = "<reasons>It is one.</reasons><winner>proposition</winner><rating>80</rating>"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with a debate as a chat about an image, and a jury that saw it or not."""
    path = tmp_path_factory.mktemp("images") / "a.duckdb"
    arena = Arena(path)
    lineup = {"proposition": agent("p", reply), "opposition": agent("o", reply)}
    subject = Subject("It is a cat.", images=(PICTURE,))  # type: ignore[arg-type]
    arena.run(Study("s", [Arm("x", debate, [lineup], {"form": "chat"})], [subject]))
    judge = agent("judge", lambda _: VERDICT)
    for name, shown in (("seen", "shown"), ("unseen", "hidden")):
        judging = jury(name, "s", [judge], orders=["as played"], images=shown)  # type: ignore[arg-type]
        arena.run(judging.write(path))
    return path


def get(store: Path, *addresses: str) -> list[httpx.Response]:
    """Return the answers of the viewer."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=application(store))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return [await client.get(address) for address in addresses]

    return asyncio.run(ask())


def test_an_image_is_served_as_what_it_is_and_as_nothing_else(store: Path) -> None:
    found, missing = get(store, f"/image.png/{HASH}", f"/image.png/{HASH[:-1]}")
    assert found.content == PICTURE
    assert found.headers["content-type"] == "image/png"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self'" in found.headers["content-security-policy"]
    assert missing.status_code == 404
    # Whatever the ending of the address says.
    assert get(store, f"/image.gif/{HASH}")[0].headers["content-type"] == "image/png"


def test_pages_show_images_and_the_messages_of_a_chat(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [(episode,)] = Arena(store).sql("select episode from episodes where study = 's'").rows
    assert main(["show", episode, "--public", "--db", str(store)]) == 0
    shown = capsys.readouterr().out
    assert "\nIt is a cat.\n" in shown
    assert shown.count(f"\nimage 1 of 1: image/png, sha256 {HASH}\n") == 1
    debate_page, call, text = get(
        store,
        f"/debate/{episode}",
        f"/call/{episode}?seat=proposition&step=2",
        f"/text/{episode}?seat=proposition&step=2&what=prompt",
    )
    shown = f'<img class="picture" src="/image.png/{HASH}"'
    assert debate_page.text.count(shown) == call.text.count(shown) == 1
    assert "the rebuilt request has the stored hash" in call.text
    assert call.text.count("<h3>User message</h3>") == 3
    assert call.text.count("its own words</h3>") == 2
    # It has read its own two speeches, and the two of the other side.
    assert debate_page.text.count("(verbatim)") == 2 * (0 + 1 + 2)
    assert f"[image/png {HASH}]" in text.text
    assert text.text.count("=== assistant ===") == 2


def test_published_pages_hold_the_image_and_no_private_words(store: Path, tmp_path: Path) -> None:
    publish(store, tmp_path / "public")
    assert (tmp_path / "public" / "image" / f"{HASH}.png").read_bytes() == PICTURE
    pages = [file.read_text() for file in (tmp_path / "public").rglob("*.html")]
    assert any(f'src="../image/{HASH}.png"' in page for page in pages)
    assert not any("I fear what" in page for page in pages)


def test_a_judge_sees_the_images_of_the_motion_or_not(store: Path) -> None:
    sql = """
        select study, count(image), count(distinct e.episode) from episodes e
        left join saw s on s.episode = e.episode and face = 'image'
        where protocol = 'judging' group by study order by study
    """
    assert [tuple(row) for row in Arena(store).sql(sql).rows] == [("seen", 1, 1), ("unseen", 0, 1)]


def test_rereading_and_forgetting_know_images(store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(store.read_bytes())
    summary = Arena(copy).reread("s")
    assert (summary.episodes, summary.turns, summary.left_out) == (1, 6, {})
    for study, left in (("seen", 1), ("unseen", 1), ("s", 0)):
        assert main(["forget", "--db", str(copy), "--study", study, "--all", "--yes"]) == 0
        assert Arena(copy).sql("select count(*) from images").rows[0][0] == left
