"""Tallies and windows: packed and unpacked the same, and counting what a list of days says."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.counting.tallies import Tallies, Tally
from chalicelib.domain.counting.windows import Calendar, Lifetime, Rolling, UntilIdle, Window
from chalicelib.kernel.clock import add_months

FIRST = date(2026, 1, 1).toordinal()
TALLIES = st.lists(
    st.builds(
        lambda counter, start, lasts, amount: Tally(counter, start, start + lasts, amount),
        st.integers(1, 60),
        st.integers(FIRST, FIRST + 4000),
        st.integers(0, 400),
        st.integers(1, 10**12),
    ),
    max_size=30,
    unique_by=lambda one: (one.counter, one.start),
)
DAYS = st.lists(st.tuples(st.integers(0, 700), st.integers(1, 50)), max_size=25)


@given(TALLIES)
def test_what_is_packed_comes_back(tallies: list[Tally]) -> None:
    packed = Tallies(tallies)
    assert Tallies.unpacked(packed.packed()) == packed
    assert sorted(packed) == sorted(tallies)


def _counted(window: Window, days: list[tuple[int, int]]) -> list[Tally]:
    tallies: list[Tally] = []
    for day, amount in sorted(days):
        tallies = window.add(tallies, 1, FIRST + day, amount)
        tallies = [one for one in tallies if window.kept(one, FIRST + day)]
    return tallies


def _plain(days: list[tuple[int, int]], today: int, first: int) -> int:
    return sum(amount for day, amount in days if first <= FIRST + day <= today)


@given(DAYS, st.integers(0, 60))
def test_windows_count_what_lies_in_them(days: list[tuple[int, int]], later: int) -> None:
    today = FIRST + max((day for day, _ in days), default=0) + later
    now = date.fromordinal(today)
    firsts = {
        "day": now,
        "week": now - timedelta(days=now.weekday()),
        "month": now.replace(day=1),
        "quarter": now.replace(month=(now.month - 1) // 3 * 3 + 1, day=1),
        "year": now.replace(month=1, day=1),
    }
    for period, first in firsts.items():
        window = Calendar(period)
        assert window.value(_counted(window, days), today) == _plain(days, today, first.toordinal())
    rolling = Rolling(days=30)
    assert rolling.value(_counted(rolling, days), today) == _plain(days, today, today - 29)
    assert Lifetime().value(_counted(Lifetime(), days), today) == sum(one for _, one in days)


@given(DAYS, st.integers(0, 60))
def test_a_pause_begins_anew(days: list[tuple[int, int]], later: int) -> None:
    window = UntilIdle(months=1)
    whole, last = 0, None
    for day, amount in sorted(days):
        there = date.fromordinal(FIRST + day)
        if last is not None and there >= add_months(last, 1):
            whole = 0
        whole, last = whole + amount, there
    today = date.fromordinal(FIRST + max((day for day, _ in days), default=0) + later)
    if last is not None and today >= add_months(last, 1):
        whole = 0
    assert window.value(_counted(window, days), today.toordinal()) == whole


@given(DAYS, st.integers(0, 24))
def test_what_is_taken_back_is_as_if_it_had_never_been(
    days: list[tuple[int, int]], which: int
) -> None:
    kinds: list[Window] = [Lifetime(), Calendar("month"), Rolling(days=90)]
    if which >= len(days):
        return
    day, amount = sorted(days)[which]
    today = FIRST + max(one for one, _ in days)
    without = sorted(days)
    without.remove((day, amount))
    for window in kinds:
        back = window.add(_counted(window, days), 1, FIRST + day, -amount)
        expected = window.value(_counted(window, without), today)
        assert window.value(back, today) == expected


@given(DAYS, DAYS)
def test_two_members_become_one_as_if_one_had_counted(
    mine: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    today = FIRST + max((day for day, _ in [*mine, *others]), default=0)
    kinds: list[Window] = [Lifetime(), Calendar("month"), Rolling(days=90)]
    for window in kinds:
        both = window.together([*_counted(window, mine), *_counted(window, others)])
        expected = window.value(_counted(window, [*mine, *others]), today)
        assert window.value(both, today) == expected


def test_before_a_pause_of_both_nothing_counts() -> None:
    window = UntilIdle(days=10)
    early, late = Tally(1, FIRST, FIRST + 5, 3), Tally(1, FIRST + 15, FIRST + 16, 4)
    assert window.together([late, early]) == [late]
    bridge = Tally(1, FIRST + 14, FIRST + 14, 5)
    assert window.together([early, bridge]) == [Tally(1, FIRST, FIRST + 14, 8)]
