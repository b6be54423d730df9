"""Regular expressions that mean the whole text.

A `$` also matches before a newline at the end, so that `EUR` and a line break would be a currency.
What stands here instead means the end in Python and in the ECMA dialect of JSON Schema alike.
"""


def whole(pattern: str) -> str:
    """The expression that matches texts which are `pattern` and nothing else."""
    return rf"^(?:{pattern})(?![\s\S])"
