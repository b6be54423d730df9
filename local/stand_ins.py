"""The stand-ins of Apple's push service, Google Wallet and Stripe, and what the stack is told."""

import json
import secrets
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.package import ROOT
from local.certificates import ISSUER_ID, LOGO_URL, ensure
from local.processes import LOOPBACK, listening, refuse_taken, running
from local.stripe_stand_in import SECRET_KEY


@dataclass(frozen=True)
class StandIns:
    """Where the stand-ins write what they received, and how the stack reaches them."""

    apns_folder: Path
    google_folder: Path
    parameters: dict[str, str]
    secrets: dict[str, str]

    def google_pass(self, member_id: str) -> dict[str, Any] | None:
        """What Google has of a member, object and class; None where it has nothing whole now."""
        for path in (self.google_folder / "loyaltyObject").glob(f"*.{member_id}.json"):
            try:
                stored = json.loads(path.read_text())
                kind = self.google_folder / "loyaltyClass" / f"{stored['classId']}.json"
                return {"object": stored, "class": json.loads(kind.read_text())}
            except ValueError:
                return None  # it is just being written
        return None

    def send_payments_to(self, url: str) -> None:
        """Where Stripe's messages go from now on: to a program, which is known only now."""
        address = f"{self.parameters['StripeUrl']}/v1/webhook_endpoints"
        endpoints = _stripe("GET", address)["data"]
        _stripe("POST", f"{address}/{endpoints[0]['id']}", {"url": url})


@contextmanager
def running_stand_ins(
    folder: Path, apns_port: int, google_port: int, stripe_port: int
) -> Iterator[StandIns]:
    """All stand-ins, with certificates and keys kept in `folder`."""
    certificates = ensure(folder / "certificates")
    apns, google, stripe = folder / "apns", folder / "google", folder / "stripe"
    google_url = f"http://{LOOPBACK}:{google_port}"
    stripe_url = f"http://{LOOPBACK}:{stripe_port}"
    webhook_secret = f"whsec_{_secret(folder / 'webhook_secret')}"
    nowhere = f"http://{LOOPBACK}:{stripe_port}/nowhere"  # until there is a program
    hooks = ("--webhook-url", nowhere, "--webhook-secret", webhook_secret)
    with (
        _running("local.apns", apns_port, apns, lambda: listening(apns_port)),
        _running("local.google_wallet", google_port, google, lambda: _answers(google_url)),
        _running("local.stripe_stand_in", stripe_port, stripe, lambda: _answers(stripe_url), hooks),
    ):
        yield StandIns(
            apns_folder=apns,
            google_folder=google,
            parameters={
                "ApnsHost": "localhost",
                "ApnsPort": str(apns_port),
                "ApnsCertificateAuthority": certificates.apns_authority,
                "GoogleWalletUrl": google_url,
                "StripeUrl": stripe_url,
                "LocalWebhooks": "true",
            },
            secrets={
                "master_key": _secret(folder / "master_key"),
                "stripe": json.dumps(
                    {"secret_key": SECRET_KEY, "webhook_secrets": [webhook_secret]}
                ),
                "apple": json.dumps(certificates.apple),
                "google": json.dumps(_google(google)),
            },
        )


@contextmanager
def _running(
    module: str,
    port: int,
    folder: Path,
    ready: Callable[[], bool],
    more: Sequence[str] = (),
) -> Iterator[None]:
    refuse_taken(port, module)
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", module, "--port", str(port), "--folder", str(folder), *more]
    with running(module, command, folder.with_suffix(".log"), ready, work_folder=ROOT):
        yield


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _google(folder: Path) -> dict[str, Any]:
    """The parameter `google`; the stand-in writes the key file down when it starts."""
    account = json.loads((folder / "service_account.json").read_text())
    return {"service_account": account, "issuer_id": ISSUER_ID, "logo_url": LOGO_URL}


def _stripe(method: str, url: str, form: dict[str, str] | None = None) -> Any:
    body = urllib.parse.urlencode(form).encode() if form else None
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    request = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def _secret(file: Path) -> str:
    """Made once: what was signed with it stays good over restarts."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32))
    return file.read_text()
