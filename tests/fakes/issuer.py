"""An OpenID provider on this machine: publishes its keys, signs tokens, and lies when told to."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from chalicelib.kernel.clock import HOUR, SECOND
from tests.fakes.shop import SetClock, Shop

AUDIENCE = "client-of-the-shop"
OTHER_AUDIENCE = "the-client-of-another-app"
DISCOVERY, KEYS = "/.well-known/openid-configuration", "/keys"


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One of the name for all tests: they take long to make."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def published(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """A key as the set shows it."""
    kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


def unsigned(header: dict[str, Any], claims: dict[str, Any] | bytes) -> str:
    """The part of a token that is signed."""
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    parts = (json.dumps(header).encode(), body)
    return ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts)


@dataclass
class Issuer:
    """What it is asked for lies in `answers`: a status, headers and a body by path."""

    url: str
    clock: SetClock
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.publish(published(rsa_key("a"), "a"), published(ec_key("b"), "b"))
        self.tell(DISCOVERY, {"issuer": self.url, "jwks_uri": self.url + KEYS})

    def publish(self, *rows: dict[str, Any]) -> None:
        self.tell(KEYS, {"keys": rows})

    def tell(self, path: str, document: Any, status: int = 200, **headers: str) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers[path] = (status, headers, body)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of Ada's token, made now, good for an hour; what is changed to None is absent."""
        now = self.clock.at // SECOND
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada-5",
            "token_use": "id",
            "email": "ada@example.com",
            "email_verified": True,
            "iat": now,
            "exp": now + HOUR // SECOND,
        }
        return {name: value for name, value in {**usual, **changes}.items() if value is not None}

    def token(self, kid: str = "a", key: Any = None, alg: str = "RS256", **changes: Any) -> str:
        signer = key or rsa_key("a")
        return jwt.encode(self.claims(**changes), signer, algorithm=alg, headers={"kid": kid})


@contextmanager
def issuing(clock: SetClock) -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            status, headers, body = issuer.answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # the other side had enough
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = Issuer(f"http://127.0.0.1:{server.server_port}", clock)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()


def trust(shop: Shop, issuer: str, audience: str = AUDIENCE, program_id: str = "") -> None:
    """The program takes the tokens of this issuer, as if its process had started so."""
    parameters: Any = shop.runtime._parameters
    told = {"issuer": issuer, "audiences": [audience, OTHER_AUDIENCE]}
    parameters[f"oidc.{program_id or shop.program_id}"] = json.dumps(told)
    shop.runtime.__dict__.pop("issuers", None)
