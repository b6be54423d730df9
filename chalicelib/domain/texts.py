"""Texts that members read, in one language or in several."""

from typing import Annotated

import msgspec

from chalicelib.kernel.patterns import whole

Language = Annotated[str, msgspec.Meta(pattern=whole(r"[a-z]{2}(-[A-Z]{2})?"))]
Plain = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
Short = Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
Label = Short | Annotated[dict[Language, Short], msgspec.Meta(min_length=1, max_length=40)]
Text = Plain | Annotated[dict[Language, Plain], msgspec.Meta(min_length=1, max_length=40)]


def text_in(text: str | dict[str, str], locale: str | None, language: str) -> str:
    """A text in the reader's language; else in the program's; else in any.

    `de-AT` is answered with `de-AT`, else with `de` (RFC 4647, section 3.4, lookup).
    """
    if isinstance(text, str):
        return text
    wanted = locale or ""
    for one in (wanted, wanted.partition("-")[0], language, language.partition("-")[0]):
        if one in text:
            return text[one]
    return next(iter(text.values()))
