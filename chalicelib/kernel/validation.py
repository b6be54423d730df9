"""What msgspec says of a wrong input, as the place and the reason."""

import re

import msgspec


def place_and_reason(error: msgspec.ValidationError) -> tuple[str, str]:
    """`Expected `int`, got `str` - at `$.lines[0].quantity`` as `lines[0].quantity` and the rest.

    A field that is missing or unknown is part of the place.
    """
    reason, _, where = str(error).partition(" - at ")
    place = re.sub(r"^(`key` in )?`?\$|`$", "", where)
    field = re.search(r"field `([^`]+)`", reason)
    if field:
        place += f".{field.group(1)}"
    return place.lstrip("."), reason.replace("`", "")
