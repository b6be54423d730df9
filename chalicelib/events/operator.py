"""What only the operator may do, called through AWS with his own rights (`aws lambda invoke`)."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from chalicelib import wiring
from chalicelib.domain.access.keys import KeyKind
from chalicelib.domain.errors import Corrupt, Refusal
from chalicelib.domain.program.program import Mode
from chalicelib.services.context import enter
from chalicelib.services.keys import KeyRequest, create_key
from chalicelib.services.programs import create_program


class CreateProgram(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    tag_field="action",
    tag="create_program",
):
    """Make an empty program and its first secret key."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    mode: Literal["live", "test"] = "live"


class CreateKey(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="action", tag="create_key"
):
    """Make another secret key of a program whose keys were lost."""

    program_id: str


def on_operator(event: Any) -> dict[str, Any]:
    """Obeys one action. The secret in the answer is shown this once."""
    try:
        action = msgspec.convert(event, CreateProgram | CreateKey)
    except msgspec.ValidationError as error:
        return {"error": str(error)}
    context = wiring.runtime().context
    if isinstance(action, CreateProgram):
        program_id = create_program(context, action.name, Mode(action.mode)).program_id
    else:
        program_id = action.program_id
    here = enter(context, program_id)
    if here is None:
        return {"error": "there is no such program"}
    issued = create_key(context, here, KeyRequest(KeyKind.SECRET, "operator"), None)
    if isinstance(issued, Refusal):
        raise Corrupt("a new random id is taken")
    return {"program_id": program_id, "key_id": issued.key.id, "secret_key": issued.secret}
