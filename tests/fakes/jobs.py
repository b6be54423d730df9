"""Imports and exports in tests: the file is put, and every message of the queue is worked."""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from chalicelib.adapters.memory.files import MemoryFiles
from tests.fakes.interference import Around, Crash, interfered
from tests.fakes.shop import Reply, Shop


def handle(body: str, received: int = 1) -> bool:
    """Works one message as the Lambda does; whether it is done."""
    from app import on_jobs

    attributes = {"ApproximateReceiveCount": str(received)}
    record = {"messageId": "1", "body": body, "attributes": attributes}
    answer: dict[str, Any] = on_jobs({"Records": [record]}, None)
    return answer == {"batchItemFailures": []}


def work(shop: Shop) -> int:
    """Works every message, also those that come of it; how many there were."""
    done = 0
    queue: list[str] = shop.queues.jobs.messages  # type: ignore[attr-defined]
    while queue:
        assert handle(queue.pop(0))
        done += 1
    return done


def begin(shop: Shop, content: bytes | str, kind: str, **more: Any) -> str:
    """An import whose file is there and that is started; its id."""
    wish = {"kind": kind, "format": "ndjson", **more}
    made = shop.call("POST", "/v1/imports", wish)
    assert made.status == 201, made.raw
    import_id = str(made.json["id"])
    raw = content.encode() if isinstance(content, str) else content
    put_upload(shop, import_id, raw)
    assert shop.call("POST", f"/v1/imports/{import_id}/start").status == 202
    return import_id


def finish(shop: Shop, mend: Callable[[], None] = lambda: None) -> int:
    """Works the queue; a message whose worker died, or failed, comes again. How many did."""
    queue: list[str] = shop.queues.jobs.messages  # type: ignore[attr-defined]
    received: Counter[str] = Counter()
    troubles = 0
    while queue:
        body = queue.pop(0)
        received[body] += 1
        try:
            is_done = handle(body, received[body])
        except Crash:
            is_done = False
        if not is_done:
            troubles += 1
            mend()
            queue.append(body)
    return troubles


def put_upload(shop: Shop, import_id: str, content: bytes) -> None:
    """What a caller's PUT to `upload_url` does."""
    assert isinstance(shop.files, MemoryFiles)
    shop.files.write(f"uploads/{shop.program_id}/{import_id}", content)


def bring(shop: Shop, content: bytes | str, kind: str, **more: Any) -> dict[str, Any]:
    """Imports a file; what became of it."""
    import_id = begin(shop, content, kind, **more)
    work(shop)
    return state(shop, import_id)


def state(shop: Shop, import_id: str) -> dict[str, Any]:
    found: dict[str, Any] = shop.call("GET", f"/v1/imports/{import_id}").json
    return found


def counts(found: dict[str, Any]) -> tuple[int, int, int]:
    """Created, unchanged, refused."""
    return (found["created"], found["unchanged"], found["refused"])


def errors(shop: Shop, import_id: str) -> list[dict[str, Any]]:
    reply: Reply = shop.call("GET", f"/v1/imports/{import_id}/errors", query={"limit": "100"})
    rows: list[dict[str, Any]] = reply.json["data"]
    return rows


def lines(*rows: dict[str, Any]) -> str:
    return "\n".join(json.dumps(row) for row in rows)


def read_file(shop: Shop, name: str) -> Iterator[dict[str, Any]]:
    """The rows of a file of an export."""
    for line in gzip.decompress(shop.files.contents[name]).splitlines():
        yield json.loads(line)


def beset(shop: Shop, around: Around) -> None:
    """From now on something happens around every call of the store."""
    context = shop.runtime.context
    shop.runtime.context = replace(context, store=interfered(context.store, around))
