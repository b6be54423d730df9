"""Programs: make one, publish its versions, move the clock of a test program."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec

from chalicelib.domain.errors import Contended, Corrupt, FieldError, Refusal
from chalicelib.domain.ledger.size import check_size
from chalicelib.domain.ports import LookBook, Programs
from chalicelib.domain.program.card import looks_of
from chalicelib.domain.program.checking import check
from chalicelib.domain.program.document import ProgramDocument, parse
from chalicelib.domain.program.numbers import Numbers
from chalicelib.domain.program.program import Mode, ProgramHead, PublishedVersion
from chalicelib.kernel.canonical import canonical_json, fingerprint
from chalicelib.kernel.clock import Instant
from chalicelib.services.catalog import PROPAGATION
from chalicelib.services.context import Context, Here

TRIES = 5
NOT_FOUND = Refusal("version_not_found", "the program has no such version")


@dataclass(frozen=True)
class Published:
    """A version, just published or by the same document before."""

    version: PublishedVersion
    replayed: bool


def create_program(context: Context, name: str, mode: Mode) -> ProgramHead:
    """Makes an empty program. It takes nobody in before its first version is published."""
    head = ProgramHead(context.ids.new("prg"), mode, name)
    if not context.store.programs.create(head):
        raise Corrupt("a new random id is taken")
    return head


def publish(context: Context, here: Here, data: Any, looks: LookBook) -> Published | Refusal:
    """Publishes a document as the next version.

    It is in force at once in a test program, and in a live one once every process knows of it.

    The document that is in force already is not published again. What is wrong with a document
    is told in full: every mistake with the path where it stands.
    """
    document = parse(data)
    errors = document if isinstance(document, list) else check(document)
    if not isinstance(document, list):
        errors += _check_looks(document, looks)
    if isinstance(document, list) or errors:
        return _invalid(errors)
    for _ in range(TRIES):
        outcome = _publish_next(context, here, document)
        if outcome is not None:
            return outcome
    raise Contended("the program was published again and again")


def _check_looks(document: ProgramDocument, looks: LookBook) -> list[FieldError]:
    """A look that phones would refuse is refused now."""
    currencies = frozenset(document.currencies)
    return [
        FieldError(at, problem)
        for at, look in looks_of(document.look, document.card)
        for problem in looks.problems(look, currencies)
    ]


def _publish_next(
    context: Context, here: Here, document: ProgramDocument
) -> Published | Refusal | None:
    programs = context.store.programs
    was = programs.head(here.program_id)
    if was is None:
        raise Corrupt("a program is gone")
    plain = msgspec.to_builtins(document)
    mark = fingerprint(plain)
    current = _current(programs, was)
    if current is not None and current.fingerprint == mark:
        return Published(current, replayed=True)
    numbers = (current.numbers if current else Numbers()).extended_by(document)
    wrong = [*check_size(document, numbers), *_removed_plans(document, numbers)]
    if wrong:
        return _invalid(wrong)
    number = current.version + 1 if current else 1
    version = PublishedVersion(
        was.program_id, number, canonical_json(plain), numbers, mark, here.now
    )
    # Whatever came before the first version is decided by it too, so only a later one has to wait.
    waits = PROPAGATION if was.mode is Mode.LIVE and was.in_force else 0
    since = max([here.now + waits, *(at for at, _ in was.in_force)])
    head = replace(
        was,
        name=document.name,
        in_force=(*was.in_force, (since, number)),
        revision=was.revision + 1,
    )
    return Published(version, replayed=False) if programs.publish(version, head, was) else None


def _removed_plans(document: ProgramDocument, numbers: Numbers) -> list[FieldError]:
    """Somebody may still pay for a plan that was sold once."""
    reason = "was sold once: it is retired, not removed"
    return [
        FieldError(f"plans.{one}", reason) for one in numbers.plans if one not in document.plans
    ]


def _current(programs: Programs, head: ProgramHead) -> PublishedVersion | None:
    return None if head.current is None else programs.version(head.program_id, head.current)


def _invalid(errors: list[FieldError]) -> Refusal:
    return Refusal("invalid_program", "the program cannot be published", tuple(errors))


def read_version(context: Context, here: Here, version: int | None) -> PublishedVersion | Refusal:
    """One version; None is the newest."""
    number = here.program.current if version is None else version
    if number is None:
        return NOT_FOUND
    return context.store.programs.version(here.program_id, number) or NOT_FOUND


def document_of(version: PublishedVersion) -> ProgramDocument:
    """The document as it was published."""
    return msgspec.json.decode(version.document, type=ProgramDocument)


def set_test_clock(context: Context, here: Here, now: Instant) -> ProgramHead | Refusal:
    """Stops a test program's clock at `now`. Once stopped it only goes forward."""
    if here.program.mode is not Mode.TEST:
        return Refusal("live_program", "only a test program has a clock of its own")
    for _ in range(TRIES):
        was = context.store.programs.head(here.program_id)
        if was is None:
            raise Corrupt("a program is gone")
        if was.test_now is not None and now < was.test_now:
            error = FieldError("now", "lies before the time that the clock shows")
            return Refusal("clock_goes_forward", "a clock only goes forward", (error,))
        head = replace(was, test_now=now, revision=was.revision + 1)
        if context.store.programs.replace_head(head, was):
            return head
    raise Contended("the clock was set again and again")
