"""Imports: members and orders from files."""

from http import HTTPStatus
from typing import Literal

import msgspec

from chalicelib import wiring
from chalicelib.api.endpoints import SHOP, Call, Resource
from chalicelib.api.paging import PageQuery, cursor_to, place_of
from chalicelib.api.shapes import MomentText
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.jobs.imports import Format, Import, Kind
from chalicelib.domain.jobs.status import Status
from chalicelib.kernel.clock import to_rfc3339
from chalicelib.services import imports
from chalicelib.services.imports import MAX_BYTES, Wish

URL_SECONDS = 3600

resource = Resource(__name__, "imports")


class ImportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the rows of the file are. Orders come as `ndjson`: one of them has lines of its own.

    A dry run says what would happen to each row by itself, and writes nothing.
    """

    kind: Literal["members", "orders"]
    format: Literal["csv", "ndjson"]
    dry_run: bool = False


class ImportView(msgspec.Struct, frozen=True):
    """An import. `status` is `waiting` (for its file), `running`, `done` or `failed`.

    `upload_url` takes the file by one PUT, for an hour; asked for again there is another. `created`
    are rows that brought something, `unchanged` those that had been there. `failure` says why the
    file as a whole could not be read.
    """

    id: str
    kind: str
    format: str
    dry_run: bool
    status: str
    created_at: MomentText
    started_at: MomentText | None
    ended_at: MomentText | None
    upload_url: str | None
    max_bytes: int
    rows: int
    done: int
    created: int
    unchanged: int
    refused: int
    failure: str | None


class ImportsView(msgspec.Struct, frozen=True):
    """Imports, newest first."""

    data: list[ImportView]
    next_cursor: str | None


class RowErrorView(msgspec.Struct, frozen=True):
    """A row that was refused. `row` counts as a spreadsheet does: the header of a CSV file is 1."""

    row: int
    field: str
    code: str
    reason: str


class RowErrorsView(msgspec.Struct, frozen=True):
    """The first 5,000 rows that were refused, in their order. They are kept for 30 days."""

    data: list[RowErrorView]
    next_cursor: str | None


@resource.endpoint(
    "POST",
    "/v1/imports",
    callers=SHOP,
    body=ImportRequest,
    answer=ImportView,
    status=HTTPStatus.CREATED,
    keyed=True,
    audited=True,
)
def create(call: Call) -> ImportView | Refusal:
    """Create an import, and learn where its file goes.

    PUT the file to `upload_url`, then start the import. With an Idempotency-Key the same request
    again is answered with the same import.
    """
    request: ImportRequest = call.body
    wish = Wish(Kind(request.kind), Format(request.format), request.dry_run)
    if wish.kind is Kind.ORDERS and wish.format is Format.CSV:
        error = FieldError("format", "orders come as ndjson")
        return Refusal("invalid_request", error.reason, (error,))
    made = imports.create_import(call.context, call.here, wish, call.idempotency_key)
    return made if isinstance(made, Refusal) else _view(call, made)


@resource.endpoint(
    "POST",
    "/v1/imports/{import_id}/start",
    callers=SHOP,
    answer=ImportView,
    status=HTTPStatus.ACCEPTED,
    audited=True,
)
def start(call: Call, import_id: str) -> ImportView | Refusal:
    """Start an import whose file was put. To start it again changes nothing."""
    files, queue = call.runtime.files, wiring.queues().jobs
    started = imports.start_import(call.context, call.here, files, queue, import_id)
    return started if isinstance(started, Refusal) else _view(call, started)


@resource.endpoint("GET", "/v1/imports", callers=SHOP, query=PageQuery, answer=ImportsView)
def list_imports(call: Call) -> ImportsView | Refusal:
    """List imports, newest first."""
    place = place_of(call, "imports", call.query.cursor)
    if isinstance(place, Refusal):
        return place
    found, following = call.context.store.imports.newest(
        call.here.program_id, place, call.query.limit
    )
    views = [_view(call, one) for one in found]
    return ImportsView(views, cursor_to(call, "imports", following))


@resource.endpoint("GET", "/v1/imports/{import_id}", callers=SHOP, answer=ImportView)
def read(call: Call, import_id: str) -> ImportView | Refusal:
    """Read how far an import is."""
    found = imports.find_import(call.context, call.here, import_id)
    return found if isinstance(found, Refusal) else _view(call, found)


@resource.endpoint(
    "GET",
    "/v1/imports/{import_id}/errors",
    callers=SHOP,
    query=PageQuery,
    answer=RowErrorsView,
)
def list_errors(call: Call, import_id: str) -> RowErrorsView | Refusal:
    """List the rows that were refused, and why."""
    purpose = f"import errors {import_id}"
    place = place_of(call, purpose, call.query.cursor)
    if isinstance(place, Refusal):
        return place
    after, limit = int(place or 0), call.query.limit
    found = imports.errors_of(call.context, call.here, import_id, after, limit)
    if isinstance(found, Refusal):
        return found
    views = [RowErrorView(one.row, one.field, one.code, one.reason) for one in found]
    following = found[-1].row if len(found) == limit else None
    return RowErrorsView(views, cursor_to(call, purpose, following))


def _view(call: Call, one: Import) -> ImportView:
    key = call.caller.key if call.caller else None
    may_put = one.status is Status.WAITING and key is not None and key.may("imports:write")
    return ImportView(
        id=one.id,
        kind=one.kind.value,
        format=one.format.value,
        dry_run=one.dry_run,
        status=one.status.value,
        created_at=to_rfc3339(one.created_at),
        started_at=to_rfc3339(one.started_at) if one.started_at is not None else None,
        ended_at=to_rfc3339(one.ended_at) if one.ended_at is not None else None,
        upload_url=call.runtime.files.upload_url(one.upload, URL_SECONDS) if may_put else None,
        max_bytes=MAX_BYTES,
        rows=one.rows,
        done=one.counts.done,
        created=one.counts.created,
        unchanged=one.counts.unchanged,
        refused=one.counts.refused,
        failure=one.failure,
    )
