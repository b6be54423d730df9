"""A new version of a program changes many cards: they are brought to their phones one page a time.

A page is a message. It sends the message of the next page before it notes how far it came, so a
worker that dies loses nothing; a page that another worker went beyond is dropped. Each page waits
some seconds for its turn, so that thousands of phones do not fetch at once, and each card is sent
as it is then: the latest state only.
"""

import json
from dataclasses import dataclass

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ports import PASS_SHARDS, Queue, RefreshProgress
from chalicelib.services.context import Context, enter
from chalicelib.services.passes import PassKey
from chalicelib.services.sweeps import message
from chalicelib.services.wallets import Wallets, refresh_all

PAGE = 50  # passes of one message
EVERY_SECONDS = 10  # from page to page: with four shards 20 passes a second
SETTLE_SECONDS = 15  # until every process knows of a new version, and every list of a new pass


@dataclass(frozen=True)
class Page:
    """The passes of one shard whose member ids are above `after`."""

    program_id: str
    version: int
    shard: int
    after: str | None = None

    def message(self) -> str:
        """As the queue carries it."""
        return json.dumps(
            {
                "program_id": self.program_id,
                "version": self.version,
                "shard": self.shard,
                "after": self.after,
            }
        )


def first_pages(program_id: str, version: int) -> list[str]:
    """The messages that begin it."""
    return [Page(program_id, version, shard).message() for shard in range(PASS_SHARDS)]


def refresh_page(context: Context, wallets: Wallets, queue: Queue, page: Page) -> None:
    """Works one page. Raises `Unavailable` where this process does not know the version yet."""
    here = enter(context, page.program_id)
    if here is None or (here.program.current or 0) > page.version:
        return  # the newer version has pages of its own
    if here.program.current != page.version:
        raise Unavailable("the version is not known here yet")
    passes = context.store.passes
    was = passes.progress(page.program_id, page.shard)
    known = was if was is not None and was.version == page.version else None
    if known is not None and (page.after or "") < known.after:
        return
    rows = passes.of_program(page.program_id, page.shard, page.after, PAGE)
    keys = [PassKey(one.program_id, one.member_id) for one in rows]
    failed = refresh_all(context, wallets, keys)
    queue.send([message(key.program_id, key.member_id) for key in failed])
    now = context.clock.now()
    after = rows[-1].member_id if rows else page.after or ""
    if len(rows) == PAGE:
        following = Page(page.program_id, page.version, page.shard, after)
        queue.send([following.message()], EVERY_SECONDS)
    passes.put_progress(
        RefreshProgress(
            page.program_id,
            page.version,
            page.shard,
            after,
            (known.done if known else 0) + len(rows),
            known.began_at if known else now,
            None if len(rows) == PAGE else now,
        )
    )
