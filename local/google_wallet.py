"""A stand-in for Google Wallet and Google's token endpoint, on this machine alone.

    python -m local.google_wallet --port 8444 --folder .local/google --fail 503:2 --delay-ms 500

It keeps loyalty classes and objects as JSON files and writes every request to `requests.jsonl`,
without its body: what a member's object once said is forgotten with it.
`service_account.json` is the key file to call it with. It refuses what Google would refuse: bodies
against the discovery document (where google-api-python-client is installed), tokens, identifiers,
and what "REST Resource: loyaltyclass" and "Error codes and exceptions" say of states.

It plays the member too: `POST /_local/save {"objectId": "..."}` and `POST /_local/delete` say to
the address in the object's class that the pass was saved or deleted, signed by the keys of `/keys`.
"""

import argparse
import json
import re
import secrets
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from chalicelib.kernel.clock import DAY, SECOND, Clock, SystemClock
from local.discovery import Discovery
from local.google_callbacks import Callbacks
from local.loopback import LoopbackServer

EMAIL = "regulars@stand-in.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
TOKEN_AUDIENCE = "https://oauth2.googleapis.com/token"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_SECONDS = 3599
SKEW_SECONDS = 300
MOST_MESSAGES = 10  # of one resource: "REST Resource: loyaltyobject"
ALERTS_A_DAY = 3  # of one pass: "Trigger push notifications"
EVENTS = {"/_local/save": "save", "/_local/delete": "del"}
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
NAMES = {"loyaltyClass": "Wallet Object Class", "loyaltyObject": "Wallet Object"}

Resource = dict[str, Any]


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class BadGrant(Exception):
    """An assertion that gets no token."""


class GoogleWalletStandIn:
    """The server. Port 0 takes a free one; `failures` are the statuses of the next API calls."""

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        key: RSAPrivateKey | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.folder = folder
        self.failures: Iterator[int] = iter(())
        self.delay_seconds = 0.0  # before each answer
        for kind in NAMES:
            (folder / kind).mkdir(parents=True, exist_ok=True)
        self._clock = clock or SystemClock()
        self._callbacks = Callbacks(folder)
        self._alerts: dict[str, list[int]] = {}  # of each object, the seconds of its alerts
        self._discovery = Discovery.installed("walletobjects.v1")
        self.tokens: dict[str, int] = {}  # given out, and until which second
        self.requests: list[dict[str, Any]] = []  # method, path, query, body, status of the answer
        self._lock = threading.Lock()
        self._server = LoopbackServer(port, _handler(self))
        self.url = self._server.url
        self._key = key or self._stored_key()
        self._write("service_account", self.service_account)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.stop()

    @property
    def service_account(self) -> dict[str, str]:
        """The key file, as Google Cloud hands it out."""
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {
            "type": "service_account",
            "private_key": pem.decode(),
            "client_email": EMAIL,
            "token_uri": f"{self.url}/token",
        }

    def stored(self, kind: str, resource_id: str) -> Resource | None:
        """A `loyaltyClass` or `loyaltyObject` as it is now."""
        path = self.folder / kind / f"{resource_id}.json"
        return json.loads(path.read_bytes()) if path.exists() else None

    def answer(self, verb: str, target: str, authorization: str, body: bytes) -> tuple[int, Any]:
        """One request: the status and the JSON that it is answered with."""
        address = urlsplit(target)
        if address.path in EVENTS:
            return self._play(EVENTS[address.path], body)  # unlocked: who is told asks for keys
        if address.path == "/keys":
            return 200, self._callbacks.keys(self._clock.now())
        time.sleep(self.delay_seconds)
        with self._lock:
            if address.path == "/token":
                status, answer, sent = *self._give_token(verb, body), None
            else:
                status, answer, sent = self._serve(verb, address, authorization, body)
            row = {"method": verb, "path": address.path, "query": dict(parse_qsl(address.query))}
            row["status"] = status
            with (self.folder / "requests.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")
            self.requests.append({**row, "body": sent})
        return status, answer

    def _play(self, event: str, body: bytes) -> tuple[int, Any]:
        """The member saves or deletes his pass; the status that the callback was answered with."""
        try:
            with self._lock:
                url, said = self._change_of_users(event, json.loads(body)["objectId"])
        except (ValueError, KeyError, TypeError):
            return _error(400, "No objectId was given, or its class names no callback.")
        except Refused as refused:
            return _error(refused.status, refused.message)
        headers = {"content-type": "application/json", "user-agent": "Googlebot"}
        request = urllib.request.Request(url, said, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return 200, {"answered": answer.status}
        except urllib.error.HTTPError as error:
            return 200, {"answered": error.code}
        except OSError as error:
            return _error(503, f"The callback could not be delivered: {error}")

    def _change_of_users(self, event: str, object_id: str) -> tuple[str, bytes]:
        """Where the callback goes, and the callback."""
        found = self._existing("loyaltyObject", object_id)
        url = self._existing("loyaltyClass", found["classId"])["callbackOptions"]["url"]
        self._write(f"loyaltyObject/{object_id}", {**found, "hasUsers": event == "save"})
        now = self._clock.now()
        return url, self._callbacks.message(found["classId"], object_id, event, now)

    def _give_token(self, verb: str, body: bytes) -> tuple[int, Any]:
        form = dict(parse_qsl(body.decode()))
        try:
            if verb != "POST" or form.get("grant_type") != JWT_BEARER:
                raise BadGrant("Invalid grant_type")
            self._verify(form.get("assertion", ""))
        except (BadGrant, jwt.InvalidTokenError) as error:
            return 400, {"error": "invalid_grant", "error_description": str(error)}
        token = f"ya29.{secrets.token_urlsafe(32)}"
        self.tokens[token] = self._now() + TOKEN_SECONDS
        return 200, {"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}

    def _verify(self, assertion: str) -> None:
        """By "Using OAuth 2.0 for Server to Server Applications", at the time of our own clock."""
        claims = jwt.decode(
            assertion,
            self._key.public_key(),
            algorithms=["RS256"],
            audience=TOKEN_AUDIENCE,
            issuer=EMAIL,
            options={
                "require": ["iss", "aud", "iat", "exp", "scope"],
                "verify_exp": False,
                "verify_iat": False,
            },
        )
        issued, ends = int(claims["iat"]), int(claims["exp"])
        if ends - issued > 3600 or not issued - SKEW_SECONDS <= self._now() < ends:
            raise BadGrant("Invalid JWT: Token must be a short-lived token (60 minutes)")
        if SCOPE not in claims["scope"].split(" "):
            raise BadGrant("Invalid OAuth scope")

    def _serve(
        self, verb: str, address: SplitResult, authorization: str, body: bytes
    ) -> tuple[int, Any, Any]:
        """Status, answer, and what was sent."""
        sent = None
        try:
            sent = json.loads(body) if body else None
            failure = next(self.failures, None)
            if failure is not None:
                raise Refused(failure, "The stand-in was told to fail")
            if self.tokens.get(authorization.removeprefix("Bearer "), 0) <= self._now():
                raise Refused(401, "Request had invalid authentication credentials.")
            self._validate(verb, address, sent)
            return 200, self._work(verb, address, sent), sent
        except json.JSONDecodeError:
            return *_error(400, "Invalid JSON payload received."), sent
        except Refused as refused:
            return *_error(refused.status, refused.message), sent

    def _validate(self, verb: str, address: SplitResult, sent: Any) -> None:
        """By the discovery document: the call, its parameters, its body."""
        if self._discovery is None:
            return
        method = self._discovery.method(verb, address.path)
        if method is None:
            raise Refused(404, "Method not found.")
        for name, _ in parse_qsl(address.query):
            if name not in method.query:
                raise Refused(400, f'Unknown name "{name}": Cannot bind query parameter.')
        if method.request and not isinstance(sent, dict):
            raise Refused(400, "The request has no body.")
        if method.request:
            problems = self._discovery.problems(method.request, sent, whole=verb != "PATCH")
            _refuse_if(problems)

    def _work(self, verb: str, address: SplitResult, sent: Any) -> Resource:
        """By the "Method: ..." pages of the two resources."""
        pattern = r"/walletobjects/v1/(loyaltyClass|loyaltyObject)(?:/([^/]+)(/addMessage)?)?"
        found = re.fullmatch(pattern, address.path)
        if found is None:
            raise Refused(404, "Method not found.")
        kind, resource_id = found[1], unquote(found[2] or "")
        if found[3]:
            return self._add_message(kind, resource_id, (sent or {}).get("message", {}))
        match verb, bool(resource_id):
            case "GET", False:
                return self._list(kind, dict(parse_qsl(address.query)))
            case "POST", False:
                return self._insert(kind, sent)
            case "GET", True:
                return self._existing(kind, resource_id)
            case "PATCH", True:
                return self._patch(kind, resource_id, sent)
        raise Refused(501, "The stand-in does not know this call.")

    def _existing(self, kind: str, resource_id: str) -> Resource:
        _check_id(resource_id)
        resource = self.stored(kind, resource_id)
        if resource is None:
            raise Refused(404, f"{NAMES[kind]} {resource_id} not found.")
        return resource

    def _list(self, kind: str, query: dict[str, str]) -> Resource:
        """Everything of a class, or of an issuer, on one page."""
        paths = sorted((self.folder / kind).glob("*.json"))
        resources = [json.loads(path.read_bytes()) for path in paths]
        if kind == "loyaltyClass":
            issuer = query.get("issuerId", "") + "."
            found = [one for one in resources if one["id"].startswith(issuer)]
        else:
            found = [one for one in resources if one["classId"] == query.get("classId")]
        return {"resources": found, "pagination": {"resultsPerPage": len(found)}}

    def _insert(self, kind: str, sent: Resource) -> Resource:
        _check_id(sent["id"])
        if self.stored(kind, sent["id"]) is not None:
            raise Refused(409, f"{NAMES[kind]} {sent['id']} already exists.")
        return self._keep(kind, _merged({}, sent))

    def _patch(self, kind: str, resource_id: str, sent: Resource) -> Resource:
        was = self._existing(kind, resource_id)
        if sent.get("id", resource_id) != resource_id:
            raise Refused(400, "The resource has another ID.")
        if kind == "loyaltyClass" and sent.get("reviewStatus") != "UNDER_REVIEW":
            raise Refused(400, "An approved class is updated with reviewStatus UNDER_REVIEW.")
        once = {name: value for name, value in sent.items() if name != "notifyPreference"}
        return self._keep(kind, _merged(was, once))  # the wish is for this request alone

    def _add_message(self, kind: str, resource_id: str, message: Resource) -> Resource:
        """By "Trigger push notifications"; an id that is there already is taken once more."""
        was = self._existing(kind, resource_id)
        messages = [*was.get("messages", []), message]
        if len(messages) > MOST_MESSAGES:
            raise Refused(400, f"There are more than {MOST_MESSAGES} messages.")
        if message.get("messageType") == "TEXT_AND_NOTIFY":
            since = self._now() - DAY // SECOND
            alerts = [one for one in self._alerts.get(resource_id, []) if one > since]
            if len(alerts) >= ALERTS_A_DAY:
                raise Refused(403, "QuotaExceededException: too many notifications.")
            self._alerts[resource_id] = [*alerts, self._now()]
        changed = {**was, "messages": messages}
        self._write(f"{kind}/{resource_id}", changed)
        return {"resource": changed}

    def _keep(self, kind: str, resource: Resource) -> Resource:
        if self._discovery is not None:
            schema = kind[0].upper() + kind[1:]
            _refuse_if(self._discovery.problems(schema, resource, whole=True))
        if kind == "loyaltyClass":
            resource["reviewStatus"] = "APPROVED"  # which Google's machines do by themselves
        else:
            self._existing("loyaltyClass", resource["classId"])
            _check_balances(resource)
        self._write(f"{kind}/{resource['id']}", resource)
        return resource

    def _write(self, name: str, value: Any) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(value, indent=2) + "\n")

    def _stored_key(self) -> RSAPrivateKey:
        """The key of the folder: a restart goes on with it."""
        path = self.folder / "service_account.json"
        if not path.exists():
            return generate_private_key(public_exponent=65537, key_size=2048)
        pem = json.loads(path.read_bytes())["private_key"]
        key = load_pem_private_key(pem.encode(), password=None)
        assert isinstance(key, RSAPrivateKey)
        return key

    def _now(self) -> int:
        return self._clock.now() // SECOND


def _error(status: int, message: str) -> tuple[int, Resource]:
    """An answer of the kind that all Google APIs give."""
    name = STATUSES.get(status, "INTERNAL")
    return status, {"error": {"code": status, "message": message, "status": name}}


def _merged(was: Any, patch: Any) -> Any:
    """Patch semantics: objects are merged, null removes, everything else is replaced."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(was) if isinstance(was, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _refuse_if(problems: list[str]) -> None:
    if problems:
        raise Refused(400, "Invalid JSON payload received. " + " ".join(problems))


def _check_id(resource_id: str) -> None:
    if not re.fullmatch(r"\d+\.[\w.-]+", resource_id, re.ASCII):
        raise Refused(400, f"Invalid resource ID: {resource_id}.")


def _check_balances(resource: Resource) -> None:
    """A balance has one form ("LoyaltyPointsBalance")."""
    for place in ("loyaltyPoints", "secondaryLoyaltyPoints"):
        balance = resource.get(place, {"balance": {"int": 0}}).get("balance", {})
        if len(balance) != 1:
            raise Refused(400, f"{place}.balance must have exactly one form.")


def _handler(stand_in: GoogleWalletStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            authorization = self.headers.get("authorization", "")
            status, answer = stand_in.answer(self.command, self.path, authorization, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json; charset=UTF-8")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = _respond  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Says nothing: `requests.jsonl` has it all."""

    return Handler


def _failures(text: str) -> Iterator[int]:
    """`503` fails every call, `503:2` the first two."""
    status, _, count = text.partition(":")
    return repeat(int(status), int(count)) if count else repeat(int(status))


def main() -> None:
    """Serves until it is interrupted or ended."""
    parser = argparse.ArgumentParser(prog="python -m local.google_wallet")
    parser.add_argument("--port", type=int, default=8444)
    parser.add_argument("--folder", type=Path, default=Path(".local/google"))
    parser.add_argument("--fail", type=_failures, help="503: every call; 503:2: the first two")
    parser.add_argument("--delay-ms", type=int, default=0, help="before each answer")
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with GoogleWalletStandIn(options.folder, options.port) as stand_in:
        if options.fail is not None:
            stand_in.failures = options.fail
        stand_in.delay_seconds = options.delay_ms / 1000
        print(f"Google Wallet stands in at {stand_in.url}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
