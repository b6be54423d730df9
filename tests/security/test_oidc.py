"""Members who sign in at an OIDC issuer: whose tokens are good, and who he is in the program."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from app import app
from chalicelib.adapters.memory.store import memory_store
from chalicelib.adapters.oidc import MAX_DOCUMENT_BYTES, IssuerClient, OidcIssuers
from chalicelib.adapters.public_http import PublicHttp
from chalicelib.domain.access.callers import Identity, Role
from chalicelib.domain.stores.facts import CustomerSaid
from chalicelib.events.operator import on_operator
from chalicelib.kernel.clock import DAY, HOUR, MINUTE, SECOND
from chalicelib.services.access import BELIEVED
from chalicelib.services.context import Context, enter
from chalicelib.services.identities import recognize
from tests.fakes.interference import Crash, DiesAfter, interfered
from tests.fakes.issuer import (
    AUDIENCE,
    DISCOVERY,
    KEYS,
    OTHER_AUDIENCE,
    Issuer,
    ec_key,
    issuing,
    published,
    rsa_key,
    trust,
    unsigned,
)
from tests.fakes.shop import Reply, Shop, goods
from tests.fakes.stores import ADA, GUEST, VERIFIED, Storefront
from tests.races.corner import at_once
from tests.security.test_callers import path_of

ACCOUNT = "oidc:ada-5"
STEPS = 8  # one more than a first look at a token has
STEPS_WITH_AN_ORDER = 12


@pytest.fixture
def shop() -> Shop:
    """A program of a point for each unit of money."""
    made = Shop(memory_store(), local_webhooks=True)
    assert made.publish("points").status == 201
    made.clock.at += HOUR
    return made


@pytest.fixture
def issuer(shop: Shop) -> Iterator[Issuer]:
    """The issuer that the program trusts."""
    with issuing(shop.clock) as one:
        trust(shop, one.url)
        yield one


def me(shop: Shop, token: str) -> Reply:
    return shop.call("GET", "/v1/me", key=token)


def member_of(shop: Shop, token: str) -> str:
    reply = me(shop, token)
    assert reply.status == 200, reply.raw
    return str(reply.json["member"]["id"])


def refused(shop: Shop, token: str) -> tuple[int, str]:
    reply = me(shop, token)
    return reply.status, reply.code


def external_id(shop: Shop, member_id: str) -> str | None:
    found: str | None = shop.call("GET", f"/v1/members/{member_id}").json["external_id"]
    return found


def points(shop: Shop, member_id: str) -> int:
    return shop.balance(member_id, "points")


UNAUTHORIZED, STRANGER, AWAY = (401, "unauthorized"), (403, "not_enrolled"), (503, "unavailable")


# --- Good tokens ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kid", "key", "alg"), [("a", rsa_key, "RS256"), ("b", ec_key, "ES256")])
def test_a_token_of_the_issuer_is_as_good_as_ours(
    shop: Shop, issuer: Issuer, kid: str, key: Callable[[str], Any], alg: str
) -> None:
    ada, bob = shop.enrol(external_id=ACCOUNT), shop.enrol(external_id="bob")
    token = issuer.token(kid, key(kid), alg)
    assert member_of(shop, token) == ada
    for route in app.operations:
        if "member_id" not in route.path:
            continue
        mine, others = (
            shop.call(route.method, path_of(route, member_id=one), key=token) for one in (ada, bob)
        )
        if Role.MEMBER in route.callers:
            assert mine.status not in (401, 403, 500), (route.path, mine.raw)
            assert others.status == 404, route.path
        elif route.callers:
            assert (mine.code, others.code) == ("forbidden", "forbidden"), route.path


def test_a_token_in_an_array_of_one_audience_is_good(shop: Shop, issuer: Issuer) -> None:
    ada = shop.enrol(external_id=ACCOUNT)
    assert member_of(shop, issuer.token(aud=[AUDIENCE])) == ada


def test_each_app_of_a_program_may_be_a_client_of_its_own(shop: Shop, issuer: Issuer) -> None:
    ada = shop.enrol(external_id=ACCOUNT)
    assert member_of(shop, issuer.token(aud=OTHER_AUDIENCE)) == ada
    both = shop.call("GET", "/v1/me", key=issuer.token(aud=[AUDIENCE, OTHER_AUDIENCE]))
    assert both.status == 401  # it is for one of them, and nobody can say for which


@pytest.mark.parametrize(
    "changes",
    [{"exp": -30}, {"iat": 30}, {"iat": -30, "nbf": 30}],
    ids=["just expired", "made in a moment", "begins in a moment"],
)
def test_the_issuers_clock_may_differ_a_little(
    shop: Shop, issuer: Issuer, changes: dict[str, int]
) -> None:
    ada = shop.enrol(external_id=ACCOUNT)
    now = shop.clock.at // SECOND
    token = issuer.token(**{name: now + seconds for name, seconds in changes.items()})
    assert member_of(shop, token) == ada


def test_tokens_of_an_issuer_go_by_the_real_clock(shop: Shop, issuer: Issuer) -> None:
    ada = shop.enrol(external_id=ACCOUNT)
    shop.call("PUT", "/v1/test_clock", {"now": "2028-01-01T00:00:00Z"})
    assert member_of(shop, issuer.token()) == ada
    assert refused(shop, issuer.token(iat=shop.clock.at // SECOND + 9_999_999)) == UNAUTHORIZED


# --- Forged ones ----------------------------------------------------------------------------------


def hs256(text: str, secret: bytes) -> str:
    signature = hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def pem(kid: str = "a") -> bytes:
    return rsa_key(kid).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def with_header(issuer: Issuer, key: Any, alg: str = "RS256", **header: Any) -> str:
    return jwt.encode(issuer.claims(), key, algorithm=alg, headers=header)


def tampered(issuer: Issuer) -> str:
    header, _, signature = issuer.token().split(".")
    body = unsigned({}, issuer.claims(sub="eve")).split(".")[1]
    return f"{header}.{body}.{signature}"


def nested(issuer: Issuer, *, in_header: bool) -> str:
    deep = b"[" * 7_000
    return unsigned({}, deep) + "." if not in_header else f"{base64.b64encode(deep).decode()}.e30."


FORGED: dict[str, Callable[[Issuer], str]] = {
    "alg none": lambda at: unsigned({"alg": "none", "kid": "a"}, at.claims()) + ".",
    "alg none in capitals": lambda at: unsigned({"alg": "NONE", "kid": "a"}, at.claims()) + ".",
    "alg none with a signature": lambda at: (
        unsigned({"alg": "none", "kid": "a"}, at.claims()) + "." + at.token().split(".")[2]
    ),
    "no signature": lambda at: at.token().rpartition(".")[0] + ".",
    "HS256 with the public key": lambda at: hs256(
        unsigned({"alg": "HS256", "kid": "a"}, at.claims()), pem()
    ),
    "HS256 with the published modulus": lambda at: hs256(
        unsigned({"alg": "HS256", "kid": "a"}, at.claims()),
        published(rsa_key("a"), "a")["n"].encode(),
    ),
    "RS384": lambda at: at.token(alg="RS384"),
    "PS256": lambda at: at.token(alg="PS256"),
    "another key": lambda at: at.token(key=rsa_key("c")),
    "another key of the set": lambda at: at.token("b"),
    "another curve": lambda at: at.token("b", ec.generate_private_key(ec.SECP384R1()), "ES384"),
    "a key that it brings itself": lambda at: with_header(
        at, rsa_key("c"), kid="a", jwk=published(rsa_key("c"), "a"), jku="https://evil.example"
    ),
    "no kid": lambda at: with_header(at, rsa_key("a")),
    "a kid that is no text": lambda at: unsigned({"alg": "RS256", "kid": 1}, at.claims()) + ".eA",
    "an unknown kid": lambda at: at.token("x"),
    "another content": tampered,
    "another issuer": lambda at: at.token(iss="https://issuer.example"),
    "the issuer with a slash": lambda at: at.token(iss=at.url + "/"),
    "no issuer": lambda at: at.token(iss=None),
    "an issuer that is a list": lambda at: (
        unsigned({"alg": "RS256", "kid": "a"}, at.claims(iss=[at.url])) + ".eA"
    ),
    "another audience": lambda at: at.token(aud="another-client"),
    "an audience beside ours": lambda at: at.token(aud=[AUDIENCE, "another-client"]),
    "no audience": lambda at: at.token(aud=None),
    "an access token of Cognito": lambda at: at.token(
        token_use="access", aud=None, client_id=AUDIENCE
    ),
    "an access token with an audience": lambda at: at.token(token_use="access"),
    "expired": lambda at: at.token(exp=at.clock.at // SECOND - 60),
    "no expiry": lambda at: at.token(exp=None),
    "an expiry that is a text": lambda at: at.token(exp=str(at.clock.at)),
    "an expiry that is none": lambda at: at.token(exp=float("inf")),
    "an expiry that is true": lambda at: at.token(exp=True),
    "not yet good": lambda at: at.token(nbf=at.clock.at // SECOND + 61),
    "a beginning that is a text": lambda at: at.token(nbf="0"),
    "made in the future": lambda at: at.token(iat=at.clock.at // SECOND + 61),
    "no time": lambda at: at.token(iat=None),
    "no subject": lambda at: at.token(sub=None),
    "an empty subject": lambda at: at.token(sub=""),
    "a subject that is a number": lambda at: at.token(sub=5),  # a member has this external id, too
    "a subject without end": lambda at: at.token(sub="x" * 256),
    "a subject of two lines": lambda at: at.token(sub="ada-5\n"),
    "a subject of no letters": lambda at: at.token(sub="\ud800"),
    "a subject that is a list": lambda at: at.token(sub=["ada-5"]),
    "lists in lists": lambda at: nested(at, in_header=False),
    "lists in lists in the header": lambda at: nested(at, in_header=True),
    "no object": lambda _: unsigned({"alg": "RS256", "kid": "a"}, b"[1]") + ".eA",
    "no JSON": lambda _: unsigned({"alg": "RS256", "kid": "a"}, b"\xff") + ".eA",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_fault_35_a_token_that_its_issuer_would_not_sign_is_no_token(
    shop: Shop, issuer: Issuer, forge: Callable[[Issuer], str], caplog: pytest.LogCaptureFixture
) -> None:
    for account in (ACCOUNT, "oidc:5", "oidc:", "oidc:" + "x" * 120):
        shop.enrol(external_id=account, **({"email": "ada@example.com"} if "-" in account else {}))
    token = forge(issuer)
    assert refused(shop, token) == UNAUTHORIZED
    assert "failed" not in caplog.text
    assert me(shop, issuer.token()).status == 200  # so it was for what was forged


def test_without_an_issuer_nobody_is_asked(shop: Shop) -> None:
    shop.enrol(external_id=ACCOUNT)
    with issuing(shop.clock) as issuer:
        assert refused(shop, issuer.token()) == UNAUTHORIZED
        assert issuer.asked == []


def test_fault_36_a_token_for_one_program_opens_nothing_of_another(
    shop: Shop, issuer: Issuer
) -> None:
    """Two programs with an issuer each, and a third at the issuer of the first."""
    ada = shop.enrol(external_id=ACCOUNT)
    made = [
        on_operator({"action": "create_program", "name": "Other", "mode": "test"}) for _ in range(2)
    ]
    key = rsa_key("c")
    with issuing(shop.clock) as other:
        other.publish(published(key, "a"))
        trust(shop, other.url, program_id=made[0]["program_id"])
        trust(shop, issuer.url, "another-client", made[1]["program_id"])
        for token in (other.token(key=key), issuer.token(aud="another-client")):
            for path in ("/v1/me", f"/v1/members/{ada}/account"):
                assert shop.call("GET", path, key=token).code == "not_enrolled"
        assert refused(shop, other.token(key=key, iss=issuer.url)) == UNAUTHORIZED
        assert refused(shop, issuer.token(iss=other.url)) == UNAUTHORIZED
    assert member_of(shop, issuer.token()) == ada


def test_a_token_that_is_meant_for_two_programs_is_for_none(shop: Shop, issuer: Issuer) -> None:
    shop.enrol(external_id=ACCOUNT)
    made = on_operator({"action": "create_program", "name": "Other", "mode": "test"})
    trust(shop, issuer.url, program_id=made["program_id"])
    assert refused(shop, issuer.token()) == UNAUTHORIZED


# --- The issuer's keys ----------------------------------------------------------------------------


def test_keys_are_asked_for_once_an_hour(shop: Shop, issuer: Issuer) -> None:
    shop.enrol(external_id=ACCOUNT)
    for _ in range(59):
        member_of(shop, issuer.token())
        shop.clock.at += MINUTE
    assert issuer.asked == [DISCOVERY, KEYS]
    shop.clock.at += MINUTE
    member_of(shop, issuer.token())
    assert issuer.asked == [DISCOVERY, KEYS] * 2


def test_unknown_keys_are_asked_for_once_a_minute(shop: Shop, issuer: Issuer) -> None:
    shop.enrol(external_id=ACCOUNT)
    for number in range(20):
        assert refused(shop, issuer.token(f"x{number}")) == UNAUTHORIZED
        shop.clock.at += 6 * SECOND
    assert issuer.asked == [DISCOVERY, KEYS] * 2


def test_new_keys_are_found_and_old_ones_forgotten(shop: Shop, issuer: Issuer) -> None:
    ada = shop.enrol(external_id=ACCOUNT)
    old = issuer.token(iat=shop.clock.at // SECOND)
    assert member_of(shop, old) == ada
    issuer.publish(published(rsa_key("c"), "c"))
    shop.clock.at += BELIEVED
    assert member_of(shop, issuer.token("c", rsa_key("c"))) == ada
    assert refused(shop, old) == UNAUTHORIZED


def test_an_issuer_that_is_away_makes_nobody_a_stranger(shop: Shop, issuer: Issuer) -> None:
    """An app throws a token away that is answered 401, so it is 503 until we know better."""
    ada = shop.enrol(external_id=ACCOUNT)
    keys = issuer.answers.pop(KEYS)
    assert refused(shop, issuer.token()) == AWAY
    assert me(shop, issuer.token()).headers["retry-after"]
    issuer.answers[KEYS] = keys
    assert refused(shop, issuer.token()) == AWAY
    assert issuer.asked == [DISCOVERY, KEYS]
    shop.clock.at += MINUTE
    assert member_of(shop, issuer.token()) == ada
    del issuer.answers[KEYS]
    shop.clock.at += HOUR
    assert member_of(shop, issuer.token()) == ada  # by the keys that were good an hour ago
    assert refused(shop, issuer.token("x")) == AWAY
    shop.clock.at += DAY - HOUR
    assert refused(shop, issuer.token()) == AWAY


def test_an_issuer_that_nobody_answers_for_is_away(shop: Shop) -> None:
    with issuing(shop.clock) as issuer:
        trust(shop, issuer.url)
    assert refused(shop, issuer.token()) == AWAY


BAD_ANSWERS: dict[str, Callable[[Issuer], None]] = {
    "a huge set": lambda at: at.tell(
        KEYS, {"keys": [published(rsa_key("a"), "a")], "x": "x" * MAX_DOCUMENT_BYTES}
    ),
    "a huge description": lambda at: at.tell(
        DISCOVERY, {"issuer": at.url, "jwks_uri": at.url + KEYS, "x": "x" * MAX_DOCUMENT_BYTES}
    ),
    "lists in lists": lambda at: at.tell(KEYS, b"[" * MAX_DOCUMENT_BYTES),
    "no JSON": lambda at: at.tell(KEYS, b"\xff<html>"),
    "no set": lambda at: at.tell(KEYS, [1]),
    "no keys": lambda at: at.tell(KEYS, {"keys": 5}),
    "keys that are none": lambda at: at.tell(KEYS, {"keys": ["a"]}),
    "a key of odd parts": lambda at: at.tell(
        KEYS, {"keys": [{"kid": "a", "kty": "RSA", "crv": [], "n": 5}]}
    ),
    "another issuer": lambda at: at.tell(
        DISCOVERY, {"issuer": "https://issuer.example", "jwks_uri": at.url + KEYS}
    ),
    "keys nowhere": lambda at: at.tell(DISCOVERY, {"issuer": at.url}),
    "keys at no address": lambda at: at.tell(DISCOVERY, {"issuer": at.url, "jwks_uri": 5}),
    "an error": lambda at: at.tell(KEYS, {"keys": [published(rsa_key("a"), "a")]}, 500),
    "elsewhere": lambda at: at.tell(KEYS, b"", 302, location=at.url + DISCOVERY),
}


@pytest.mark.parametrize("spoil", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_what_an_issuer_should_not_answer_is_no_set_of_keys(
    shop: Shop, issuer: Issuer, spoil: Callable[[Issuer], None], caplog: pytest.LogCaptureFixture
) -> None:
    shop.enrol(external_id=ACCOUNT)
    spoil(issuer)
    assert refused(shop, issuer.token()) == AWAY
    assert f"the keys of {issuer.url} cannot be had" in caplog.text


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://keys.example/keys",
        "https://10.0.0.1/keys",
        "https://keys.example/keys",
        "file:///etc/passwd",
    ],
)
def test_fault_39_keys_are_fetched_from_public_hosts_alone(
    shop: Shop, issuer: Issuer, address: str
) -> None:
    """The tests' own guard fails a connection to anywhere but this machine. The name is one that
    resolves to the inside."""
    shop.enrol(external_id=ACCOUNT)
    issuer.tell(DISCOVERY, {"issuer": issuer.url, "jwks_uri": address})
    client = IssuerClient(shop.program_id, issuer.url, AUDIENCE)
    http = PublicHttp(allow_local=True, resolve=lambda *_: ["10.0.0.1"])
    shop.runtime.issuers = OidcIssuers([client], http)
    assert refused(shop, issuer.token()) == AWAY


def test_an_issuer_on_this_machine_is_for_development_alone(shop: Shop) -> None:
    other = Shop(shop.runtime.context.store)
    with issuing(other.clock) as issuer:
        trust(other, issuer.url)
        assert refused(other, issuer.token()) == AWAY
        assert issuer.asked == []


@pytest.mark.parametrize(
    "row",
    [
        published(rsa_key("weak", 1024), "a"),
        published(rsa_key("a"), "a", use="enc"),
        published(rsa_key("a"), "a", alg="RS512"),
        {**published(rsa_key("a"), "a"), **RSAAlgorithm.to_jwk(rsa_key("a"), as_dict=True)},
        {**published(rsa_key("a"), "a"), "kty": "oct", "k": "c2VjcmV0"},
        {**published(rsa_key("a"), "a"), "n": "!"},
    ],
    ids=["weak", "for another use", "for another algorithm", "private", "symmetric", "broken"],
)
def test_a_key_that_is_none_of_ours_is_left_out_of_the_set(
    shop: Shop, issuer: Issuer, row: dict[str, Any]
) -> None:
    ada = shop.enrol(external_id=ACCOUNT)
    issuer.publish(row, published(ec_key("b"), "b"))
    text = unsigned({"alg": "RS256", "kid": "a"}, issuer.claims())
    symmetric = unsigned({"alg": "HS256", "kid": "a"}, issuer.claims())
    weak = sign(text, rsa_key("weak", 1024))
    for token in (issuer.token(), weak, hs256(symmetric, b"secret")):
        assert refused(shop, token) == UNAUTHORIZED
    assert member_of(shop, issuer.token("b", ec_key("b"), "ES256")) == ada


def sign(text: str, key: Any) -> str:
    """RS256 with a key of any size: the library refuses small ones."""
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


# --- Who he is ------------------------------------------------------------------------------------


def test_who_is_not_enrolled_is_told_so_and_known_the_moment_he_is(
    shop: Shop, issuer: Issuer
) -> None:
    token = issuer.token()
    for path in ("/v1/me", "/v1/members/mem_1/account", "/v1/members"):
        reply = shop.call("GET", path, key=token)
        assert (reply.status, reply.code) == STRANGER
    ada = shop.enrol(external_id=ACCOUNT)
    assert member_of(shop, token) == ada


@pytest.mark.parametrize("verified", [True, "true"])
def test_the_owner_of_the_address_is_given_the_account(
    shop: Shop, issuer: Issuer, verified: object
) -> None:
    ada = shop.enrol(email="Ada@Example.com")
    assert member_of(shop, issuer.token(email_verified=verified)) == ada
    assert external_id(shop, ada) == ACCOUNT
    moved = issuer.token(email="countess@example.com", email_verified=False)
    assert member_of(shop, moved) == ada


@pytest.mark.parametrize("verified", [None, False, "false", "True", 1, "yes", ["true"]])
def test_an_address_that_is_not_verified_is_nobodys(
    shop: Shop, issuer: Issuer, verified: object
) -> None:
    ada = shop.enrol(email="ada@example.com")
    assert refused(shop, issuer.token(email_verified=verified)) == STRANGER
    assert external_id(shop, ada) is None


@pytest.mark.parametrize(
    "email", [None, "", 5, ["ada@example.com"], "ada", "a\ud800@example.com", "eve@example.com"]
)
def test_an_address_that_no_member_has_is_nobodys(
    shop: Shop, issuer: Issuer, email: object
) -> None:
    shop.enrol(email="ada@example.com")
    assert refused(shop, issuer.token(email=email)) == STRANGER


def test_who_has_another_external_id_keeps_it_and_is_found_by_his_address(
    shop: Shop, issuer: Issuer
) -> None:
    ada = shop.enrol(email="ada@example.com", external_id="crm-7")
    for _ in range(2):
        assert member_of(shop, issuer.token()) == ada
        shop.clock.at += BELIEVED
    assert external_id(shop, ada) == "crm-7"
    assert refused(shop, issuer.token(email_verified=False)) == STRANGER


def test_the_account_is_stronger_than_the_address(shop: Shop, issuer: Issuer) -> None:
    ada, other = shop.enrol(external_id=ACCOUNT), shop.enrol(email="ada@example.com")
    assert member_of(shop, issuer.token()) == ada
    assert external_id(shop, other) is None


def test_nobody_gets_at_an_account_without_the_shops_secret(shop: Shop, issuer: Issuer) -> None:
    page = shop.call("POST", "/v1/keys", {"kind": "publishable", "name": "page"}).json["secret"]
    reply = shop.call("POST", "/v1/members", {"external_id": ACCOUNT}, key=page)
    assert reply.status == 422
    body = {**Storefront(shop).body, "source": "oidc"}
    assert shop.call("POST", "/v1/stores", body).json["errors"][0]["field"] == "source"
    assert refused(shop, issuer.token(email=None)) == STRANGER


# --- What waited for him --------------------------------------------------------------------------


def bought(shop: Shop) -> Storefront:
    """A store that kept an order of a guest, of 10 points, from before anybody joined."""
    store = Storefront(shop)
    assert store.takes(store.order("1", customer=GUEST)) == ["kept"]
    shop.clock.at += DAY
    return store


def test_what_a_guest_bought_is_his_who_proves_the_address(shop: Shop, issuer: Issuer) -> None:
    bought(shop)
    ada = shop.enrol(email="ada@example.com")
    assert refused(shop, issuer.token(email_verified=False)) == STRANGER
    assert points(shop, ada) == 0
    for _ in range(3):
        assert me(shop, issuer.token()).json["account"]["balances"]["points"]["available"] == 10
        shop.clock.at += BELIEVED
    assert [one for one in shop.runtime.context.store.stores._kept.values() if one] == []


def test_orders_that_were_kept_later_are_his_at_his_next_token(shop: Shop, issuer: Issuer) -> None:
    """Also where the account found him and not the address, which he need not have told us."""
    store = Storefront(shop)
    then = shop.clock.at
    ada = shop.enrol(external_id=ACCOUNT)
    assert member_of(shop, issuer.token()) == ada
    assert store.takes(store.order("2", customer=GUEST, placed_at=then - DAY)) == ["kept"]
    shop.clock.at += BELIEVED
    assert member_of(shop, issuer.token()) == ada
    assert points(shop, ada) == 10


def test_the_store_and_the_issuer_may_both_say_whose_an_order_is(
    shop: Shop, issuer: Issuer
) -> None:
    store = bought(shop)
    ada = shop.enrol(email="ada@example.com")
    assert member_of(shop, issuer.token()) == ada
    store.takes(CustomerSaid(VERIFIED), topic="customers/update")
    store.takes(store.order("1", customer=ADA, placed_at=shop.clock.at - DAY))
    assert points(shop, ada) == 10
    assert external_id(shop, ada) == ACCOUNT


def test_while_he_is_restricted_everything_waits(shop: Shop, issuer: Issuer) -> None:
    bought(shop)
    ada = shop.enrol(email="ada@example.com")
    path = f"/v1/members/{ada}/restriction"
    assert shop.call("PUT", path, {"restricted": True}).status == 200
    assert member_of(shop, issuer.token()) == ada
    assert (external_id(shop, ada), points(shop, ada)) == (None, 0)
    assert shop.call("PUT", path, {"restricted": False}).status == 200
    shop.clock.at += BELIEVED
    assert member_of(shop, issuer.token()) == ada
    assert (external_id(shop, ada), points(shop, ada)) == (ACCOUNT, 10)


def test_who_was_merged_is_who_he_was_merged_into(shop: Shop, issuer: Issuer) -> None:
    old, new = shop.enrol(external_id=ACCOUNT), shop.enrol(external_id="crm-7")
    shop.order(old, "1", goods(500))
    assert shop.call("POST", f"/v1/members/{new}/merge", {"member_id": old}).status == 200
    reply = me(shop, issuer.token())
    assert reply.json["member"]["id"] == new
    assert reply.json["account"]["balances"]["points"]["available"] == 5


def test_who_was_erased_is_nobody(shop: Shop, issuer: Issuer) -> None:
    ada = shop.enrol(email="ada@example.com")
    ours = shop.call("POST", f"/v1/members/{ada}/tokens").json["token"]
    assert member_of(shop, issuer.token()) == ada
    assert shop.call("DELETE", f"/v1/members/{ada}").status == 200
    assert refused(shop, issuer.token()) == refused(shop, ours) == (404, "member_not_found")
    shop.clock.at += BELIEVED
    assert refused(shop, issuer.token()) == STRANGER


# --- What it costs, and what is remembered --------------------------------------------------------


@pytest.fixture
def calls(shop: Shop) -> list[str]:
    """The calls of the store, as they are made."""
    made: list[str] = []

    def noting(name: str, call: partial[Any]) -> Any:
        made.append(name)
        return call()

    context = shop.runtime.context
    object.__setattr__(context, "store", interfered(context.store, noting))
    return made


def test_after_the_first_call_a_token_costs_what_ours_costs(
    shop: Shop, issuer: Issuer, calls: list[str]
) -> None:
    ada = shop.enrol(external_id=ACCOUNT)
    ours = shop.call("POST", f"/v1/members/{ada}/tokens").json["token"]
    theirs = issuer.token()
    member_of(shop, theirs)
    costs = []
    for token in (ours, theirs):
        calls.clear()
        member_of(shop, token)
        costs.append(list(calls))
    assert costs[0] == costs[1]


def test_who_a_token_is_of_is_believed_for_a_minute_and_never_beyond_its_end(
    shop: Shop, issuer: Issuer
) -> None:
    ada = shop.enrol(external_id=ACCOUNT)
    token = issuer.token(email=None)
    assert member_of(shop, token) == ada
    shop.call("PATCH", f"/v1/members/{ada}", {"external_id": "crm-7"})
    shop.clock.at += BELIEVED - 1
    assert member_of(shop, token) == ada
    shop.clock.at += 1
    assert refused(shop, token) == STRANGER
    shop.call("PATCH", f"/v1/members/{ada}", {"external_id": ACCOUNT})
    short = issuer.token(exp=shop.clock.at // SECOND - 30)
    assert member_of(shop, short) == ada
    shop.clock.at += 30 * SECOND
    assert refused(shop, short) == UNAUTHORIZED


def test_no_token_and_no_address_is_in_any_log(
    shop: Shop, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    bought(shop)
    tokens = [issuer.token(), issuer.token("x"), issuer.token(key=rsa_key("c"))]
    refused(shop, tokens[0])
    shop.enrol(email="ada@example.com")
    for token in tokens:
        me(shop, token)
    issuer.tell(KEYS, {"keys": "ada@example.com"})
    shop.clock.at += HOUR
    me(shop, tokens[1])
    issuer.answers.clear()
    shop.clock.at += MINUTE
    me(shop, tokens[1])
    assert "cannot be had" in caplog.text
    for secret in (*(part for one in tokens for part in one.split(".")[1:]), "ada@", "ada-5"):
        assert secret not in caplog.text
    assert tokens[0] not in repr(vars(shop.runtime.doorkeeper._members))


# --- Two at once, and half done -------------------------------------------------------------------


def identity(shop: Shop) -> Identity:
    return Identity(shop.program_id, "ada-5", "ada@example.com", shop.clock.at + HOUR)


def known(shop: Shop, context: Context | None = None) -> Any:
    within = context or shop.runtime.context
    here = enter(within, shop.program_id)
    assert here is not None
    return recognize(within, here, identity(shop))


def interrupted(shop: Shop, step: int, what: Callable[[], Any]) -> Context:
    """The context of a process before whose call `step` something else happens."""
    left = [step]

    def around(_: str, call: partial[Any]) -> Any:
        left[0] -= 1
        if left[0] == -1:
            what()
        return call()

    context = shop.runtime.context
    return replace(context, store=interfered(context.store, around))


@pytest.mark.parametrize("step", range(STEPS_WITH_AN_ORDER))
def test_two_first_calls_at_once_give_everything_once(shop: Shop, step: int) -> None:
    bought(shop)
    ada = shop.enrol(email="ada@example.com")
    assert known(shop, interrupted(shop, step, lambda: known(shop))).id == ada
    assert (external_id(shop, ada), points(shop, ada)) == (ACCOUNT, 10)


def test_sixteen_first_calls_at_once_give_everything_once(shop: Shop) -> None:
    bought(shop)
    ada = shop.enrol(email="ada@example.com")
    assert {one.id for one in at_once(lambda _: known(shop))} == {ada}
    assert (external_id(shop, ada), points(shop, ada)) == (ACCOUNT, 10)


@pytest.mark.parametrize("step", range(STEPS))
def test_an_external_id_that_the_shop_gives_meanwhile_stays(shop: Shop, step: int) -> None:
    ada, given = shop.enrol(email="ada@example.com"), []

    def give() -> None:
        given.append(shop.call("PATCH", f"/v1/members/{ada}", {"external_id": "crm-7"}).status)

    assert known(shop, interrupted(shop, step, give)).id == ada
    assert external_id(shop, ada) == ("crm-7" if given == [200] else ACCOUNT)


@pytest.mark.parametrize("step", range(STEPS))
def test_an_account_that_the_shop_gives_another_meanwhile_is_the_others(
    shop: Shop, step: int
) -> None:
    ada, made = shop.enrol(email="ada@example.com"), []
    around = interrupted(
        shop, step, lambda: made.append(shop.call("POST", "/v1/members", {"external_id": ACCOUNT}))
    )
    found = known(shop, around).id
    others = [one.json["id"] for one in made if one.status == 201]
    assert found == known(shop).id == (others or [ada])[0]


@pytest.mark.parametrize("effects", range(8))
def test_a_call_that_dies_at_any_step_is_mended_by_the_next(shop: Shop, effects: int) -> None:
    bought(shop)
    ada = shop.enrol(email="ada@example.com")
    context = shop.runtime.context
    with suppress(Crash):
        dying = replace(context, store=interfered(context.store, DiesAfter(effects)))
        known(shop, dying)
    assert known(shop).id == ada
    assert (external_id(shop, ada), points(shop, ada)) == (ACCOUNT, 10)
