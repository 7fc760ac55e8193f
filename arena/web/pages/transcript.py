"""The page of any episode: a debate as a debate, everything else in lanes, whichever of the two addresses was asked for."""

from __future__ import annotations

from arena.web.pages.debate import debate_page
from arena.web.pages.question import question_page
from arena.web.pages.turns import episode_kind, find_episode
from arena.web.site import Page, Query, Site


def transcript(site: Site, name: str, query: Query) -> Page:
    """The episode of this id, or whose id alone begins so.  Raises StudyError where there is none, or are several."""
    with site.store(()) as ask:
        episode = find_episode(ask, name)
        make = debate_page if episode_kind(episode) == "debate" else question_page
        return make(site, ask, episode, query)
