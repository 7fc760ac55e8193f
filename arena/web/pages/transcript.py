"""The page of any episode: a debate, or lanes of seats, whichever of the two addresses was used."""

from __future__ import annotations

from arena.web.pages.debate import debate_page
from arena.web.pages.question import question_page
from arena.web.pages.turns import find_episode
from arena.web.site import Page, Query, Site


def transcript(site: Site, name: str, query: Query) -> Page:
    """Return the page of the episode with this id, or this unique beginning of an id.

    Raises StudyError if no episode, or more than one, begins with `name`.
    """
    with site.store(("saw",)) as ask:
        episode = find_episode(ask, name)
        make = debate_page if episode.kind == "debate" else question_page
        return make(site, ask, episode, query)
