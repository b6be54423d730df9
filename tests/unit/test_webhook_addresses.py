"""Where webhooks may not go: evil URLs at save and at send, names that change their mind."""

import socket
import threading
import time
from typing import Any

import pytest

from chalicelib.adapters.public_http import Resolve
from chalicelib.adapters.webhooks import Webhooks
from chalicelib.domain.webhooks.addresses import is_public, read_url

PUBLIC = "93.184.215.14"

EVIL_URLS = (
    "http://shop.example/",  # not encrypted
    "ftp://shop.example/",
    "file:///etc/passwd",
    "gopher://shop.example/_x",
    "//shop.example/",
    "shop.example",
    "",
    "https://",
    "https:///hooks",
    "https://localhost/",
    "https://LOCALHOST/",
    "http://localhost:8000/",
    "http://127.0.0.1/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://2130706433/",  # decimal
    "https://0x7f000001/",  # hexadecimal
    "https://0x7f.1/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://0177.0.0.1/",  # octal
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",  # carrier-grade NAT
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.170.2/v2/credentials",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://93.184.215.14/",  # public, but an address
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00:ec2::254]/",
    "https://[::ffff:127.0.0.1/",
    "https://user@shop.example/",
    "https://user:secret@shop.example/",
    "https://shop.example@127.0.0.1/",
    "https://shop.example:22/",
    "https://shop.example:80/",
    "https://shop.example:6379/",
    "https://shop.example:99999/",
    "https://shop.example:/",
    "https://shop.example\\@127.0.0.1/",
    "https://shop.example\t/",
    "https://shop.example\r\nX-Evil: 1/",
    "https://shop.example/ x",
    "https://shop.example/#x",
    "https://shop.example./",
    "https://shop..example/",
    "https://-shop.example/",
    "https://shop_1.example/",
    "https://１２７.０.０.１/",
    "https://ⓛocalhost/",
    "https://127。0。0。1/",
    "https://metadata/",
    "https://shop.example/" + "a" * 500,
)
EVIL_ADDRESSES = (
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.31.255.255",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "168.63.129.16",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:8.8.8.8",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "",
    "localhost",
)


def resolving_to(*addresses: str) -> Resolve:
    return lambda host, port: list(addresses)  # noqa: ARG005


def refuses_to_connect(*_: Any) -> None:
    raise AssertionError("a connection was made")


def test_fault_39_more_than_thirty_evil_urls_are_refused_at_save_and_at_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "create_connection", refuses_to_connect)
    monkeypatch.setattr(socket.socket, "connect", refuses_to_connect)
    sender = Webhooks(resolve=resolving_to(PUBLIC))
    assert len(EVIL_URLS) > 30
    for url in EVIL_URLS:
        assert sender.problem(url), url
        sent = sender.send(url, {}, b"{}")
        assert sent.status is None and sent.trouble, url


def test_fault_39_a_good_name_at_an_evil_address_is_refused_at_save_and_at_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket.socket, "connect", refuses_to_connect)
    for address in EVIL_ADDRESSES:
        for found in ([address], [PUBLIC, address], []):
            sender = Webhooks(resolve=resolving_to(*found))
            assert sender.problem("https://shop.example/") == "is not on the public internet"
            sent = sender.send("https://shop.example/", {}, b"{}")
            assert sent.trouble == "the address is not on the public internet"


def test_fault_39_a_name_that_changes_its_mind_is_connected_to_as_it_was_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: public at save, public when it is judged, and this machine the next moment."""
    answers = iter([[PUBLIC], [PUBLIC], ["127.0.0.1"]])
    asked: list[tuple[str, int]] = []
    connected: list[Any] = []

    def connect(self: socket.socket, address: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    def rebinding(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return next(answers)

    monkeypatch.setattr(socket.socket, "connect", connect)
    sender = Webhooks(resolve=rebinding)
    assert sender.problem("https://shop.example/hooks") is None
    assert sender.send("https://shop.example/hooks", {}, b"{}").trouble == (
        "no answer: NewConnectionError"
    )
    assert connected == [(PUBLIC, 443)]  # the address that was judged, by its number
    again = sender.send("https://shop.example/hooks", {}, b"{}")
    assert again.trouble == "the address is not on the public internet"
    assert len(connected) == 1
    assert len(asked) == 3


def test_a_name_that_cannot_be_resolved_is_refused() -> None:
    def nothing(host: str, port: int) -> list[str]:
        raise socket.gaierror

    assert Webhooks(resolve=nothing).problem("https://shop.example/") == "cannot be resolved"


def test_a_name_server_that_never_answers_holds_up_nobody() -> None:
    over = threading.Event()

    def never(host: str, port: int) -> list[str]:
        over.wait(30)
        return [PUBLIC]

    began = time.monotonic()
    sender = Webhooks(resolve=never, seconds=0.2)
    assert sender.problem("https://shop.example/") == "cannot be resolved"
    sent = sender.send("https://shop.example/", {}, b"{}")
    assert sent.trouble == "the address cannot be resolved"
    assert time.monotonic() - began < 5
    over.set()


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://shop.example", "shop.example", "/"),
        ("https://SHOP.Example/a?b=c", "shop.example", "/a?b=c"),
        ("https://xn--grn-ioa.example:8443/h", "xn--grn-ioa.example:8443", "/h"),
        ("https://shop.example:443/h", "shop.example", "/h"),
    ],
)
def test_usual_urls_are_good(url: str, authority: str, path: str) -> None:
    target = read_url(url, allow_local=False)
    assert not isinstance(target, str)
    assert (target.authority, target.path) == (authority, path)


def test_this_machine_is_reached_for_development_only_and_by_its_two_names_only() -> None:
    for url in ("http://localhost:8000/h", "http://127.0.0.1:9/h"):
        assert isinstance(read_url(url, allow_local=False), str)
        assert not isinstance(read_url(url, allow_local=True), str)
    evil = [url for url in EVIL_URLS if not url.lower().startswith(("http://l", "http://127.0"))]
    for url in evil:
        assert isinstance(read_url(url, allow_local=True), str), url
