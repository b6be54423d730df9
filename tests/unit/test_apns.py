"""Our client of Apple's push service, against a stand-in that speaks the protocol."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters.apple.apns import ApnsClient
from chalicelib.domain.errors import PushRefused, Unavailable
from chalicelib.domain.ports import PushOutcome
from chalicelib.kernel.clock import MINUTE, SECOND
from local.apns import GONE_SINCE, PushService
from local.certificates import PASS_TYPE_ID, Certificates
from tests.fakes.shop import SetClock


@pytest.fixture
def strict_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets both sides look at the other's certificate as Python 3.13 and later do."""
    make_context = ssl.create_default_context

    def strict(*args: Any, **named: Any) -> ssl.SSLContext:
        context = make_context(*args, **named)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)


@pytest.fixture
def service(certificates: Certificates, tmp_path: Path) -> Iterator[PushService]:
    service = PushService(certificates, tmp_path, streams=50)
    yield service
    service.stop()


@pytest.fixture
def client(service: PushService, certificates: Certificates) -> Iterator[ApnsClient]:
    client = make_client(service.port, certificates)
    yield client
    close(client)


def close(client: ApnsClient) -> None:
    """Ends the connection, where there is one."""
    if client._connection:
        client._connection.close()


def make_client(
    port: int,
    certificates: Certificates,
    timeout_seconds: float = 5,
    clock: SetClock | None = None,
) -> ApnsClient:
    return ApnsClient(
        "localhost",
        port,
        certificates.pass_certificate.encode(),
        certificates.pass_key.encode(),
        PASS_TYPE_ID,
        certificates.apns_authority.encode(),
        timeout_seconds=timeout_seconds,
        clock=clock,
    )


def test_many_pushes_go_over_one_connection_within_the_services_limit(
    service: PushService, client: ApnsClient
) -> None:
    tokens = [f"{number:064x}" for number in range(300)]
    results = client.push(tokens)
    assert [(one.token, one.outcome) for one in results] == [
        (token, PushOutcome.SENT) for token in tokens
    ]
    assert sorted(push["token"] for push in service.stats.pushes) == tokens
    assert service.stats.connections == 1
    assert 1 < service.stats.most_streams <= 50
    assert {
        (one["topic"], one["push_type"], one["priority"], one["payload"])
        for one in service.stats.pushes
    } == {(PASS_TYPE_ID, "background", "5", "{}")}


def test_each_answer_means_what_apple_says(client: ApnsClient) -> None:
    results = client.push(["gone-1", "bad-1", "busy-1", "forbidden-1", "reset-1", "good"])
    assert [(one.outcome, one.reason, one.gone_since) for one in results] == [
        (PushOutcome.GONE, "Unregistered", GONE_SINCE),
        (PushOutcome.GONE, "BadDeviceToken", None),
        (PushOutcome.RETRY, "TooManyRequests", None),
        (PushOutcome.REFUSED, "BadCertificate", None),
        (PushOutcome.RETRY, "stream reset", None),
        (PushOutcome.SENT, "", None),
    ]


def test_an_answer_that_nobody_understands_is_one_failed_push(client: ApnsClient) -> None:
    results = client.push(["odd-1", "good-1", "deep-1", "good-2"])
    assert [one.outcome for one in results] == [
        PushOutcome.RETRY,
        PushOutcome.SENT,
        PushOutcome.RETRY,
        PushOutcome.SENT,
    ]


def test_thousands_of_error_texts_do_not_stop_the_connection(
    service: PushService, client: ApnsClient
) -> None:
    results = client.push([f"bad-{number}" for number in range(3000)])
    assert {one.outcome for one in results} == {PushOutcome.GONE}
    assert service.stats.connections == 1
    assert len(service.stats.pushes) == 3000


def test_a_service_that_is_down_is_asked_again_on_a_new_connection(
    service: PushService, client: ApnsClient
) -> None:
    (result,) = client.push(["down-1"])
    assert (result.outcome, result.reason) == (PushOutcome.RETRY, "ServiceUnavailable")
    assert client.push(["good"])[0].outcome is PushOutcome.SENT
    assert service.stats.connections == 2


def test_what_a_lost_connection_took_is_to_be_tried_again(client: ApnsClient) -> None:
    results = client.push(["drop-1", "a", "b"])
    assert {one.outcome for one in results} == {PushOutcome.RETRY}
    assert [one.token for one in results] == ["drop-1", "a", "b"]
    assert client.push(["a"])[0].outcome is PushOutcome.SENT


def test_what_goaway_left_is_sent_again_once(service: PushService, client: ApnsClient) -> None:
    results = client.push(["away-1", "a", "b"])
    assert [one.outcome for one in results] == [PushOutcome.SENT] * 3
    assert service.stats.connections == 2
    assert sorted(one["token"] for one in service.stats.pushes) == ["a", "away-1", "b"]


def test_a_window_that_shrinks_below_what_was_sent_is_waited_for(
    service: PushService, client: ApnsClient
) -> None:
    tokens = ["narrow-1", *(f"{number:064x}" for number in range(120))]
    results = client.push(tokens)
    assert [(one.token, one.outcome) for one in results] == [
        (token, PushOutcome.SENT) for token in tokens
    ]
    assert sorted(one["token"] for one in service.stats.pushes) == sorted(tokens)
    assert service.stats.connections == 1


def test_a_window_that_stays_shut_is_left_for_a_new_connection_once(
    service: PushService, certificates: Certificates
) -> None:
    client = make_client(service.port, certificates, timeout_seconds=1)
    # 50 streams at a time: each fifty begins with one that shuts the window for the rest.
    tokens = [f"{number:064x}" for number in range(150)]
    tokens[0], tokens[50] = "shut-1", "shut-2"
    results = client.push(tokens)
    assert [one.outcome for one in results] == [PushOutcome.SENT] * 100 + [PushOutcome.RETRY] * 50
    assert {one.reason for one in results[100:]} == {"not sent"}
    assert service.stats.connections == 2


def test_a_connection_that_was_closed_between_two_batches_is_opened_anew(
    service: PushService, client: ApnsClient
) -> None:
    assert client.push(["a"])[0].outcome is PushOutcome.SENT
    service.drop_connections()
    assert client.push(["b"])[0].outcome is PushOutcome.SENT
    assert service.stats.connections == 2


def test_a_connection_that_died_without_a_word_costs_no_push_its_time(
    service: PushService, certificates: Certificates
) -> None:
    client = make_client(service.port, certificates, timeout_seconds=0.5)
    assert client.push(["first"])[0].outcome is PushOutcome.SENT
    assert client.push(["second"])[0].outcome is PushOutcome.SENT
    assert service.stats.connections == 1
    service.fall_silent()
    assert client.push(["third"])[0].outcome is PushOutcome.SENT
    assert service.stats.connections == 2
    assert [push["token"] for push in service.stats.pushes] == ["first", "second", "third"]
    close(client)


def test_a_service_that_hangs_holds_nobody_up_a_second_time(
    service: PushService, certificates: Certificates
) -> None:
    clock = SetClock()
    client = make_client(service.port, certificates, timeout_seconds=0.3, clock=clock)
    assert client.push(["hang-1"])[0].outcome is PushOutcome.RETRY
    began = time.monotonic()
    for _ in range(50):
        with pytest.raises(Unavailable):
            client.push(["second"])
    assert time.monotonic() - began < 0.3
    clock.at += 21 * SECOND
    assert client.push(["second"])[0].outcome is PushOutcome.SENT
    close(client)


def test_no_service_is_unavailable(service: PushService, certificates: Certificates) -> None:
    client = make_client(service.port, certificates)
    service.stop()
    with pytest.raises(Unavailable):
        client.push(["a"])


def test_a_service_we_do_not_trust_is_told_nothing(
    service: PushService, certificates: Certificates
) -> None:
    client = ApnsClient(
        "localhost",
        service.port,
        certificates.pass_certificate.encode(),
        certificates.pass_key.encode(),
        PASS_TYPE_ID,
    )
    with pytest.raises(Unavailable):
        client.push(["a"])
    assert service.stats.pushes == []


@pytest.mark.usefixtures("strict_tls")
def test_the_stand_in_certificates_are_good_enough_for_later_pythons(client: ApnsClient) -> None:
    assert client.push(["a"])[0].outcome is PushOutcome.SENT


def test_nothing_to_push_opens_no_connection(service: PushService, client: ApnsClient) -> None:
    assert client.push([]) == []
    assert service.stats.connections == 0


def test_a_device_that_was_told_too_often_is_left_alone_and_no_other_one(
    service: PushService, certificates: Certificates
) -> None:
    clock = SetClock()
    client = make_client(service.port, certificates, clock=clock)

    def told() -> list[str]:
        return [str(push["token"]) for push in service.stats.pushes]

    assert [one.outcome for one in client.push(["busy-1", "ok-1"])] == [
        PushOutcome.RETRY,
        PushOutcome.SENT,
    ]
    assert client.push(["busy-1", "ok-1"])[0].reason == "backing off"
    assert sorted(told()) == ["busy-1", "ok-1", "ok-1"]
    clock.at += 31 * SECOND
    assert client.push(["busy-1"])[0].reason == "TooManyRequests"
    clock.at += 31 * SECOND  # now it waits twice as long
    assert client.push(["busy-1"])[0].reason == "backing off"
    clock.at += 31 * SECOND
    assert client.push(["busy-1"])[0].reason == "TooManyRequests"
    assert told().count("busy-1") == 3
    close(client)


def test_after_a_refusal_nothing_is_sent_for_some_minutes(
    service: PushService, certificates: Certificates
) -> None:
    clock = SetClock()
    client = make_client(service.port, certificates, clock=clock)
    assert client.push(["forbidden-1"])[0].outcome is PushOutcome.REFUSED
    with pytest.raises(PushRefused):
        client.push(["ok-1"])
    assert len(service.stats.pushes) == 1
    clock.at += 5 * MINUTE
    assert client.push(["ok-1"])[0].outcome is PushOutcome.SENT
    close(client)


def test_closed_streams_are_dropped(service: PushService, client: ApnsClient) -> None:
    client.push([f"{number:064x}" for number in range(2000)])
    assert client._connection is not None
    assert len(client._connection._http2.streams) < 600
    assert service.stats.most_streams <= 50
