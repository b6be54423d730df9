"""Programs: publish a version, read the versions there are, move the test clock."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from chalicelib.api.endpoints import (
    EVERYBODY_KNOWN,
    JSON,
    SHOP,
    Answer,
    Call,
    Resource,
    Told,
)
from chalicelib.api.paging import PageQuery, cursor_to, place_of
from chalicelib.api.shapes import Moment, MomentText
from chalicelib.domain.errors import Refusal
from chalicelib.domain.program.document import ProgramDocument
from chalicelib.domain.program.program import PublishedVersion, current_terms
from chalicelib.domain.program.warnings import warnings_of
from chalicelib.domain.texts import text_in
from chalicelib.kernel.clock import EARLIEST, from_datetime, local_date, to_rfc3339
from chalicelib.services import programs
from chalicelib.services.context import Here
from chalicelib.services.memberships import Desk
from chalicelib.services.reconciliation import advance_test_clocks
from chalicelib.services.sweeps import sweep_test_program

resource = Resource(__name__, "programs")

YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml")


class VersionView(msgspec.Struct, frozen=True):
    """One published version, without its document."""

    program_id: str
    version: int
    in_force_from: MomentText


class ProgramView(msgspec.Struct, frozen=True):
    """One published version. The document has every default written out."""

    program_id: str
    version: int
    mode: str
    published_at: MomentText
    document: ProgramDocument


class WarningView(msgspec.Struct, frozen=True):
    """What the owner may regret, and where it stands."""

    field: str
    reason: str
    line: int | None


class PublishedView(ProgramView, frozen=True):
    """A version that was published, and what its owner may regret."""

    warnings: list[WarningView]


class LanguageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In which language texts shall be, where the program has it."""

    language: Annotated[str, Meta(max_length=35)] | None = None


class PublicCurrency(msgspec.Struct, frozen=True):
    """What members collect; `money` where its unit is a minor unit of the program's money."""

    label: str
    goal: int | None
    money: bool


class PublicReward(msgspec.Struct, frozen=True):
    """What they get for it."""

    id: str
    name: str
    kind: str
    currency: str | None
    cost: int


class TillButtonView(msgspec.Struct, frozen=True):
    """Something that the till sells with one touch."""

    id: str
    label: str
    unit_price: int
    categories: list[str]
    labels: list[str]


class PublicProgramView(msgspec.Struct, frozen=True):
    """What the shop's pages and apps may show of a program, and the versions that are current."""

    name: str
    money: str
    currencies: dict[str, PublicCurrency]
    rewards: list[PublicReward]
    terms_version: str | None
    privacy_version: str | None
    till: list[TillButtonView]


class VersionsView(msgspec.Struct, frozen=True):
    """Versions, newest first."""

    data: list[VersionView]
    next_cursor: str | None


class TestClockRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What time it shall be in the program."""

    now: Moment


class TestClockView(msgspec.Struct, frozen=True):
    """What time it is in the program."""

    now: MomentText


@resource.endpoint(
    "POST",
    "/v1/programs",
    callers=SHOP,
    body=bytes,
    body_types=(JSON, *YAML_TYPES),
    body_schema=ProgramDocument,
    answer=PublishedView,
    status=HTTPStatus.CREATED,
    audited=True,
)
def publish(call: Call) -> Answer | Refusal:
    """Publish a program document as the next version.

    YAML or JSON. In a test program it is in force at once, in a live one ten seconds later, when
    every process knows of it. Whatever is wrong with it is listed in full, each mistake with its
    path, line and reason. The document that is in force already is not published again. What the
    owner may regret is told in `warnings`, and published all the same.
    """
    from chalicelib.adapters.documents import Unreadable, read_document

    try:
        document = read_document(call.body)
    except Unreadable as unreadable:
        detail = "the document cannot be read"
        return Refusal("invalid_program", detail, (unreadable.error,))
    outcome = programs.publish(call.context, call.here, document.data, call.runtime.looks)
    if isinstance(outcome, Refusal):
        errors = (replace(one, line=document.line_of(one.field)) for one in outcome.errors)
        return replace(outcome, errors=tuple(errors))
    number = outcome.version.version
    told = Told(None, {"version": number - 1}, {"version": number})
    view = _view(call, outcome.version)
    warnings = [
        WarningView(one.field, one.reason, document.line_of(one.field))
        for one in warnings_of(view.document)
    ]
    published = PublishedView(**msgspec.structs.asdict(view), warnings=warnings)
    return Answer(published, replayed=outcome.replayed, told=told)


@resource.endpoint("GET", "/v1/programs", callers=SHOP, query=PageQuery, answer=VersionsView)
def list_versions(call: Call) -> VersionsView | Refusal:
    """List the program's versions, newest first."""
    place = place_of(call, "versions", call.query.cursor)
    if isinstance(place, Refusal):
        return place
    rows = call.here.program.in_force[::-1]
    if place is not None:
        rows = tuple(row for row in rows if row[1] < int(place))
    page = rows[: call.query.limit]
    views = [VersionView(call.here.program_id, number, to_rfc3339(at)) for at, number in page]
    following = page[-1][1] if len(rows) > len(page) else None
    return VersionsView(views, cursor_to(call, "versions", following))


@resource.endpoint(
    "GET",
    "/v1/programs/current",
    callers=EVERYBODY_KNOWN,
    query=LanguageQuery,
    answer=PublicProgramView,
)
def read_current(call: Call) -> PublicProgramView | Refusal:
    """Read what may be shown of the program: its names, currencies and rewards."""
    program = call.context.catalog.current(call.here.program)
    if program is None:
        return programs.NOT_FOUND
    names = program.currency_names
    language = program.language_for(call.query.language)
    today = local_date(call.here.now, program.zone)
    return PublicProgramView(
        program.name,
        program.money,
        {
            one.name: PublicCurrency(
                text_in(one.label, language, program.language), one.goal, one.money
            )
            for one in program.currencies
        },
        [
            PublicReward(
                one.id,
                text_in(one.name, language, program.language),
                one.terms.kind,
                names.get(one.currency),
                one.cost,
            )
            for one in program.rewards
        ],
        current_terms(program.terms, today),
        current_terms(program.privacy, today),
        [
            TillButtonView(
                one.id,
                text_in(one.label, language, program.language),
                one.unit_price,
                list(one.categories),
                list(one.labels),
            )
            for one in program.till
        ],
    )


@resource.endpoint("GET", "/v1/programs/{version}", callers=SHOP, answer=ProgramView)
def read_version(call: Call, version: str) -> ProgramView | Refusal:
    """Read one version with its document."""
    if not version.isascii() or not version.isdigit() or len(version) > 9:
        return programs.NOT_FOUND
    found = programs.read_version(call.context, call.here, int(version))
    return found if isinstance(found, Refusal) else _view(call, found)


@resource.endpoint(
    "PUT",
    "/v1/test_clock",
    callers=SHOP,
    body=TestClockRequest,
    answer=TestClockView,
    audited=True,
)
def set_test_clock(call: Call) -> Answer | Refusal:
    """Set the clock of a test program.

    It stands still until it is set again, and only goes forward. What is due by then is written
    down. Keys, tokens and signatures go by the real clock all the same.
    """
    now = from_datetime(call.body.now)
    if now < EARLIEST:
        return Refusal("invalid_request", "now lies before 1970")
    head = programs.set_test_clock(call.context, call.here, now)
    if isinstance(head, Refusal):
        return head
    here = Here(head, now)
    sweep_test_program(call.context, here)
    payments = call.runtime.payments(here.program_id, head.mode)
    if payments is not None:
        advance_test_clocks(Desk(call.context, here, payments))
    told = Told(None, {"now": to_rfc3339(call.here.now)}, {"now": to_rfc3339(now)})
    return Answer(TestClockView(to_rfc3339(now)), told=told)


def _view(call: Call, version: PublishedVersion) -> ProgramView:
    return ProgramView(
        version.program_id,
        version.version,
        call.here.program.mode.value,
        to_rfc3339(version.published_at),
        programs.document_of(version),
    )
