"""Segments: which of the program's groups a member belongs to."""

import msgspec

from chalicelib.api.endpoints import SHOP, Call, Resource
from chalicelib.domain.errors import Refusal
from chalicelib.services import segments

resource = Resource(__name__, "segments")


class SegmentsView(msgspec.Struct, frozen=True):
    """The segments that hold now, in the order of the program."""

    member_id: str
    segments: list[str]


@resource.endpoint("GET", "/v1/members/{member_id}/segments", callers=SHOP, answer=SegmentsView)
def read_segments(call: Call, member_id: str) -> SegmentsView | Refusal:
    """Read the segments that a member is in now: evaluated as it is asked for, never stored."""
    found = segments.segments_of(call.context, call.here, member_id)
    return found if isinstance(found, Refusal) else SegmentsView(member_id, found)
