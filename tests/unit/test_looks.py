"""Templates of passes and the values that are put in."""

from pathlib import Path

import pytest

from chalicelib.adapters.looks import Looks, Template
from chalicelib.domain.errors import Fault

VALUES = {"points": 7, "points.label": "Points", "name": "Ada"}


def test_a_placeholder_alone_keeps_the_type_of_its_value() -> None:
    assert Template("{points}").fill(VALUES) == 7
    assert Template("{points} {points.label} of {name}").fill(VALUES) == "7 Points of Ada"


def test_doubled_braces_are_braces() -> None:
    assert Template("{{points}} {points}").fill(VALUES) == "{points} 7"


def test_an_element_that_asks_for_what_is_absent_is_left_out_whole() -> None:
    template = [{"key": "a", "value": "{points}"}, {"key": "b", "value": {"x": ["{stamps}"]}}]
    assert Template(template).fill(VALUES) == [
        {"key": "a", "value": 7},
        {"key": "b", "value": {"x": []}},
    ]
    assert Template([{"key": "b", "value": "{stamps}"}]).fill(VALUES) == []


def test_a_member_that_asks_for_what_is_absent_is_left_out_alone() -> None:
    assert Template({"a": "{name}", "b": "{stamps}", "c": True}).fill(VALUES) == {
        "a": "Ada",
        "c": True,
    }
    assert Template("{stamps}").fill(VALUES) is None


def test_values_are_never_templates_themselves() -> None:
    assert Template("{name}").fill({"name": "{points}"}) == "{points}"


def test_a_look_that_is_none_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Fault):
        Looks(tmp_path).get("classic").apple  # noqa: B018
