"""The kernel: canonical JSON, instants, cursors, signatures, money."""

import base64
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from chalicelib.kernel import canonical, clock, cursors, money, signatures
from chalicelib.kernel.ids import RandomIds

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
NOW = 1_795_000_000_000


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical.canonical_json({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'.encode()
    assert canonical.fingerprint({"a": 1, "b": 2}) == canonical.fingerprint({"b": 2, "a": 1})
    assert canonical.fingerprint({"a": 1}) != canonical.fingerprint({"a": "1"})


@pytest.mark.parametrize("value", [1.0, {"a": [0.1]}, ({"b": float("nan")},)])
def test_canonical_json_refuses_floats(value: object) -> None:
    with pytest.raises(TypeError):
        canonical.canonical_json(value)


@given(st.integers(clock.EARLIEST, clock.LATEST))
def test_an_instant_survives_being_written_and_read(instant: int) -> None:
    assert clock.from_rfc3339(clock.to_rfc3339(instant)) == instant


def test_a_written_instant_has_milliseconds_only_where_there_are_any() -> None:
    assert clock.to_rfc3339(0) == "1970-01-01T00:00:00Z"
    assert clock.to_rfc3339(1) == "1970-01-01T00:00:00.001Z"


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01T00:00:00", "20260101T000000Z", "x", ""])
def test_a_time_without_a_zone_or_a_day_alone_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        clock.from_rfc3339(text)


def test_a_business_day_is_the_programs_day() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    late = clock.from_datetime(datetime(2026, 6, 30, 22, 30, tzinfo=UTC))
    assert clock.local_date(late, berlin) == date(2026, 7, 1)
    assert clock.start_of_day(date(2026, 7, 1), berlin) == clock.from_rfc3339(
        "2026-06-30T22:00:00Z"
    )


def test_a_cursor_is_good_for_its_own_list_alone() -> None:
    cursor = cursors.sign_cursor(b"key", "p1/entries/m1", "17")
    assert cursors.read_cursor(b"key", "p1/entries/m1", cursor) == "17"
    for key, purpose in ((b"key", "p1/entries/m2"), (b"other", "p1/entries/m1")):
        with pytest.raises(cursors.BadCursor):
            cursors.read_cursor(key, purpose, cursor)


@given(st.text())
def test_a_made_up_cursor_is_refused(text: str) -> None:
    with pytest.raises(cursors.BadCursor):
        cursors.read_cursor(b"key", "list", text)


def test_our_signature_is_what_the_reference_library_verifies() -> None:
    signature = signatures.sign(SECRET, "msg_1", NOW, b'{"a": 1}')
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(NOW // 1000),
        "webhook-signature": signature,
    }
    reference = Webhook(SECRET)
    assert reference.sign("msg_1", clock.to_datetime(NOW), '{"a": 1}') == signature
    signatures.verify([SECRET], "msg_1", headers["webhook-timestamp"], signature, b'{"a": 1}', NOW)


@pytest.mark.parametrize(
    ("message_id", "timestamp", "signature", "body", "now"),
    [
        ("other", None, None, None, None),
        (None, "1", None, None, None),
        (None, "٣", None, None, None),
        (None, "9" * 40, None, None, None),
        (None, None, "", None, None),
        (None, None, "v1,***", None, None),
        (None, None, "v2,AAAA", None, None),
        (None, None, "v1,é", None, None),
        (None, None, None, b"{}", None),
        (None, None, None, None, NOW + signatures.TOLERANCE + 1000),
        (None, None, None, None, NOW - signatures.TOLERANCE - 1000),
        ("", None, None, None, None),
    ],
)
def test_a_bad_signature_is_refused(
    message_id: str | None,
    timestamp: str | None,
    signature: str | None,
    body: bytes | None,
    now: int | None,
) -> None:
    good = signatures.sign(SECRET, "msg_1", NOW, b'{"a": 1}')
    with pytest.raises(signatures.BadSignature):
        signatures.verify(
            [SECRET],
            "msg_1" if message_id is None else message_id,
            str(NOW // 1000) if timestamp is None else timestamp,
            good if signature is None else signature,
            b'{"a": 1}' if body is None else body,
            NOW if now is None else now,
        )


def test_during_a_rotation_either_secret_signs() -> None:
    old = "whsec_" + base64.b64encode(b"o" * 32).decode()
    both = " ".join(signatures.sign(s, "m", NOW, b"x") for s in (old, SECRET))
    signatures.verify([SECRET], "m", str(NOW // 1000), both, b"x", NOW)
    signatures.verify(
        [SECRET, old], "m", str(NOW // 1000), signatures.sign(old, "m", NOW, b"x"), b"x", NOW
    )


def test_fault_27_money_knows_the_decimals_of_its_currency() -> None:
    assert money.format_amount(1250, "EUR") == "12.50"
    assert money.format_amount(-5, "KWD") == "-0.005"
    assert money.format_amount(1250, "JPY") == "1250"
    assert not money.is_currency("XXX")


@pytest.mark.parametrize(
    ("text", "code", "amount"),
    [
        ("12.50", "EUR", 1250),
        ("12.505", "EUR", 1251),
        ("-0.005", "EUR", -1),
        ("1250", "JPY", 1250),
        ("0.005", "KWD", 5),
        ("1." + "0" * 38, "EUR", 100),
    ],
)
def test_decimal_texts_are_amounts(text: str, code: str, amount: int) -> None:
    assert money.minor_units(text, code) == amount


@pytest.mark.parametrize(
    "text", ["", "1e5", "NaN", "1,50", "+1", ".5", "1.", "١", "9" * 13, "9" * 40, "1." + "0" * 39]
)
def test_other_texts_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        money.minor_units(text, "EUR")


def test_identifiers_do_not_repeat_and_carry_their_prefix() -> None:
    ids = RandomIds()
    made = {ids.new("mem") for _ in range(1000)}
    assert len(made) == 1000
    assert all(one.startswith("mem_") and len(one) == 24 for one in made)
    assert len(ids.secret("rk_test")) == len("rk_test_") + 43
