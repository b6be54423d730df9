"""Compiled programs, kept warm. A published version never changes, so neither does what is kept."""

from dataclasses import dataclass

import msgspec

from chalicelib.domain.errors import Corrupt
from chalicelib.domain.ports import Programs
from chalicelib.domain.program.compiling import compile_program
from chalicelib.domain.program.document import ProgramDocument
from chalicelib.domain.program.program import Mode, Program, ProgramHead
from chalicelib.kernel.clock import SECOND, Instant

KEPT = 256  # programs and compiled versions a process keeps
HEAD_KEPT = 5 * SECOND  # how long a process believes what it read of a live program
PROPAGATION = 2 * HEAD_KEPT  # how long after its publication a live version comes in force


class Catalog:
    """The way from a program's id and version to its rules.

    What a process remembers of a live program may be some seconds old. That decides nothing wrong:
    a version comes in force only when every process must have heard of it. A test program is read
    for every call, since its clock may have been set.
    """

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._compiled: dict[tuple[str, int], Program] = {}
        self._heads: dict[str, tuple[ProgramHead, Instant]] = {}

    def head(self, program_id: str, now: Instant) -> ProgramHead | None:
        """A program as it is, or as it was a moment ago. `now` is the world's time."""
        known = self._heads.get(program_id)
        if known is not None and now < known[1]:
            return known[0]
        head = self._programs.head(program_id)
        if head is not None and head.mode is Mode.LIVE and head.current is not None:
            if len(self._heads) >= KEPT:
                self._heads.clear()
            self._heads[program_id] = (head, now + HEAD_KEPT)
        return head

    def version(self, program_id: str, version: int) -> Program:
        """One version. Raises `Corrupt` where there is none of it."""
        key = (program_id, version)
        program = self._compiled.get(key)
        if program is None:
            program = self._compile(program_id, version)
            if len(self._compiled) >= KEPT:
                self._compiled.pop(next(iter(self._compiled)), None)
            self._compiled[key] = program
        return program

    def in_force(self, head: ProgramHead, occurred_at: Instant) -> Program | None:
        """The version that decides what occurred then; None before the first was published."""
        version = head.in_force_at(occurred_at)
        return None if version is None else self.version(head.program_id, version)

    def versions(self, head: ProgramHead) -> "_Versions":
        """All versions of a program that has one."""
        return _Versions(self, head)

    def current(self, head: ProgramHead) -> Program | None:
        """The newest version: the one whose names and look are shown."""
        return None if head.current is None else self.version(head.program_id, head.current)

    def _compile(self, program_id: str, version: int) -> Program:
        stored = self._programs.version(program_id, version)
        if stored is None:
            raise Corrupt(f"version {version} of program {program_id} is missing")
        document = msgspec.json.decode(stored.document, type=ProgramDocument)
        return compile_program(document, stored.numbers, version)


@dataclass(frozen=True)
class _Versions:
    """The versions of one program, as the rules look them up."""

    catalog: Catalog
    head: ProgramHead

    def version(self, number: int) -> Program:
        return self.catalog.version(self.head.program_id, number)

    def newest(self) -> Program:
        return self.version(self.head.current or 1)

    def at(self, occurred_at: Instant) -> Program:
        program = self.catalog.in_force(self.head, occurred_at)
        if program is None:
            raise Corrupt("a program has members and no version")
        return program
