"""What can go wrong.

    Refusal                 a value: the caller may not have this; nothing was stored
    Fault (Exception)       the system could not do its work
     +- Contended           lost to other writers again and again; the caller may retry
     +- Unavailable         the store, a secret or a wallet cannot be reached; retry later
     +- PushRefused         Apple does not take pushes from us: somebody must look
     +- Corrupt             stored bytes are not what we wrote

Refusals are returned, faults are raised; `api/problems.py` maps both to HTTP.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One wrong field of an input: where it is and why it is wrong."""

    field: str
    reason: str
    line: int | None = None  # of a program document


@dataclass(frozen=True)
class Refusal:
    """A stable code for programs, a sentence for people."""

    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()


class Fault(Exception):
    """The system could not do its work."""


class Contended(Fault):
    """Lost to other writers again and again; nothing was stored."""


class Unavailable(Fault):
    """Something we depend on cannot be reached now."""


class PushRefused(Fault):
    """Apple does not take pushes from us: the certificate or the topic is wrong."""


class Corrupt(Fault):
    """Stored bytes are not what we wrote."""
