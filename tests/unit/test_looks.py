"""Templates of passes and the values that are put in."""

from pathlib import Path

import pytest

from chalicelib.adapters.looks import Looks, fill
from chalicelib.domain.errors import Fault

VALUES = {"points": 7, "points.label": "Points", "name": "Ada"}


def test_a_placeholder_alone_keeps_the_type_of_its_value() -> None:
    assert fill("{points}", VALUES) == 7
    assert fill("{points} {points.label} of {name}", VALUES) == "7 Points of Ada"


def test_doubled_braces_are_braces() -> None:
    assert fill("{{points}} {points}", VALUES) == "{points} 7"


def test_an_element_that_asks_for_what_is_absent_is_left_out_whole() -> None:
    template = [{"key": "a", "value": "{points}"}, {"key": "b", "value": {"x": ["{stamps}"]}}]
    assert fill(template, VALUES) == [
        {"key": "a", "value": 7},
        {"key": "b", "value": {"x": []}},
    ]
    assert fill([{"key": "b", "value": "{stamps}"}], VALUES) == []


def test_a_member_that_asks_for_what_is_absent_is_left_out_alone() -> None:
    assert fill({"a": "{name}", "b": "{stamps}", "c": True}, VALUES) == {"a": "Ada", "c": True}
    assert fill("{stamps}", VALUES) is None


def test_values_are_never_templates_themselves() -> None:
    assert fill("{name}", {"name": "{points}"}) == "{points}"


def test_a_look_that_is_none_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Fault):
        Looks(tmp_path).get("classic").apple  # noqa: B018
