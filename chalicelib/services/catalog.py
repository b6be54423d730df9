"""Compiled programs, kept warm. A published version never changes, so neither does what is kept."""

import msgspec

from chalicelib.domain.errors import Corrupt
from chalicelib.domain.ports import Programs
from chalicelib.domain.program.compiling import compile_program
from chalicelib.domain.program.document import ProgramDocument
from chalicelib.domain.program.program import Program, ProgramHead
from chalicelib.kernel.clock import Instant

KEPT = 256  # compiled versions a process keeps


class Catalog:
    """The way from a program's id and version to its rules."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._compiled: dict[tuple[str, int], Program] = {}

    def version(self, program_id: str, version: int) -> Program:
        """One version. Raises `Corrupt` where there is none of it."""
        key = (program_id, version)
        program = self._compiled.get(key)
        if program is None:
            program = self._compile(program_id, version)
            if len(self._compiled) >= KEPT:
                self._compiled.pop(next(iter(self._compiled)))
            self._compiled[key] = program
        return program

    def in_force(self, head: ProgramHead, occurred_at: Instant) -> Program | None:
        """The version that decides what occurred then; None before the first was published."""
        version = head.in_force_at(occurred_at)
        return None if version is None else self.version(head.program_id, version)

    def current(self, head: ProgramHead) -> Program | None:
        """The newest version: the one whose names and look are shown."""
        return None if head.current is None else self.version(head.program_id, head.current)

    def _compile(self, program_id: str, version: int) -> Program:
        stored = self._programs.version(program_id, version)
        if stored is None:
            raise Corrupt(f"version {version} of program {program_id} is missing")
        document = msgspec.json.decode(stored.document, type=ProgramDocument)
        return compile_program(document, stored.numbers, version)
