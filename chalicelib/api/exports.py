"""Exports: everything that a program knows, as files."""

from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from chalicelib import wiring
from chalicelib.api.endpoints import SHOP, Call, Resource
from chalicelib.api.paging import PageQuery, cursor_to, place_of
from chalicelib.api.shapes import MomentText
from chalicelib.domain.errors import Refusal
from chalicelib.domain.jobs.exports import ASKED, MANIFEST, Export, Kind
from chalicelib.domain.jobs.status import Status
from chalicelib.kernel.clock import to_rfc3339
from chalicelib.services import exports

URL_SECONDS = 3600

resource = Resource(__name__, "exports")

Kinds = Annotated[
    tuple[Literal["members", "entries", "events"], ...], Meta(min_length=1, max_length=3)
]


class ExportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall be exported: profiles, the ledger with its hashes, events as webhooks say them."""

    kinds: Kinds = ("members", "entries", "events")


class ExportView(msgspec.Struct, frozen=True):
    """An export. `status` is `running` or `done`. `rows` counts what was written so far."""

    id: str
    kinds: list[str]
    status: str
    created_at: MomentText
    ended_at: MomentText | None
    rows: dict[str, int]


class FileView(msgspec.Struct, frozen=True):
    """A file of JSON lines, compressed by gzip; `url` gives it for an hour."""

    name: str
    kind: str
    rows: int
    bytes: int
    sha256: str
    url: str


class ExportFilesView(ExportView, frozen=True):
    """An export and, once it is done, its files. The manifest lists them with their digests."""

    manifest_url: str | None
    files: list[FileView]


class ExportsView(msgspec.Struct, frozen=True):
    """Exports, newest first."""

    data: list[ExportView]
    next_cursor: str | None


@resource.endpoint(
    "POST",
    "/v1/exports",
    callers=SHOP,
    body=ExportRequest,
    answer=ExportView,
    status=HTTPStatus.CREATED,
    keyed=True,
    audited=True,
)
def create(call: Call) -> ExportView | Refusal:
    """Begin an export. With an Idempotency-Key the same request again is the same export."""
    kinds = [kind for kind in ASKED if kind.value in call.body.kinds]
    queue = wiring.queues().jobs
    made = exports.create_export(call.context, call.here, queue, kinds, call.idempotency_key)
    return made if isinstance(made, Refusal) else _view(made)


@resource.endpoint("GET", "/v1/exports", callers=SHOP, query=PageQuery, answer=ExportsView)
def list_exports(call: Call) -> ExportsView | Refusal:
    """List exports, newest first."""
    place = place_of(call, "exports", call.query.cursor)
    if isinstance(place, Refusal):
        return place
    found, following = call.context.store.exports.newest(
        call.here.program_id, place, call.query.limit
    )
    return ExportsView([_view(one) for one in found], cursor_to(call, "exports", following))


@resource.endpoint("GET", "/v1/exports/{export_id}", callers=SHOP, answer=ExportFilesView)
def read(call: Call, export_id: str) -> ExportFilesView | Refusal:
    """Read how far an export is, and where its files are. They are kept for a week."""
    found = exports.find_export(call.context, call.here, export_id)
    if isinstance(found, Refusal):
        return found

    def url(name: str) -> str:
        return call.runtime.files.download_url(found.path(name), URL_SECONDS)

    is_done = found.status is Status.DONE
    files = [
        FileView(one.name, one.kind.value, one.rows, one.size, one.sha256, url(one.name))
        for one in (found.files if is_done else ())
    ]
    return ExportFilesView(
        **msgspec.structs.asdict(_view(found)),
        manifest_url=url(MANIFEST) if is_done else None,
        files=files,
    )


def _view(one: Export) -> ExportView:
    return ExportView(
        id=one.id,
        kinds=[kind.value for kind in one.kinds],
        status=one.status.value,
        created_at=to_rfc3339(one.created_at),
        ended_at=to_rfc3339(one.ended_at) if one.ended_at is not None else None,
        rows={
            kind.value: sum(file.rows for file in one.files if file.kind is kind)
            for kind in (*one.kinds, Kind.HEADS)
        },
    )
