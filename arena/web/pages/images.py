"""An image that a subject or a prompt holds, as it was given, and those of an episode."""

from __future__ import annotations

import base64

from arena.errors import StudyError
from arena.images import Image
from arena.web.site import Ask, Document, Query, Site

IMAGE_KINDS = ("image.png", "image.jpeg", "image.webp", "image.gif")
IMAGE = "select base64 from images where image = ?"
# Queries with `in ($episodes)` are those of `Ask.rows`.
IMAGES_OF_SUBJECT = """
    select e.of, i.image, i.media_type
    from (select p.episode as of, unnest(m.images) as image,
                 generate_subscripts(m.images, 1) as place
          from plays p join subjects m using (subject)
          where p.episode in ($episodes) and m.images is not null) e
    join images i using (image) order by e.of, e.place
"""


def image(site: Site, name: str, query: Query) -> Document:
    """Return an image by its hash.  Raises StudyError if there is none."""
    with site.store(()) as ask:
        rows = ask(IMAGE, [name])
    if not rows:
        raise StudyError(f"there is no image {name[:80]!r} in {site.db.name}")
    # Whatever the store says, only what begins as an image is served, and as that.
    found = Image(base64.b64decode(rows[0]["base64"]), f"the stored image {name[:80]}")
    return Document(found.data, found.media_type)


def images_of(site: Site, ask: Ask, episode: str) -> list[str]:
    """Return the addresses of the images of an episode's subject, in order."""
    rows = ask.rows(episode, IMAGES_OF_SUBJECT)
    return [site.image(row["image"], row["media_type"]) for row in rows]
