"""The composition root: reads the environment once and puts everything together.

The only module that knows which adapter stands behind which port.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from chalicelib.adapters.vault import Vault
from chalicelib.domain.ports import (
    ApplePassBuilder,
    ApplePushService,
    Files,
    GoogleWallet,
    IdentityIssuers,
    Metrics,
    Payments,
    Queue,
    Store,
    StoreApi,
    StoreSystem,
    WalletCallbacks,
    WebhookSender,
)
from chalicelib.domain.program.program import Mode
from chalicelib.domain.stores.connection import Connection, StoreKind
from chalicelib.kernel.clock import Clock, FullJitter, Pause, SystemClock
from chalicelib.kernel.ids import Ids, RandomIds
from chalicelib.services.access import Doorkeeper
from chalicelib.services.catalog import Catalog
from chalicelib.services.context import Context, Keyring, enter
from chalicelib.services.stores import access_of
from chalicelib.services.wallets import Wallets

if TYPE_CHECKING:
    from chalicelib.adapters.look_book import FolderOfLooks

T = TypeVar("T")

LOOKS = Path(__file__).resolve().parent.parent / "passes"
_TEST_KEYS = ("sk_test_", "rk_test_")  # docs.stripe.com, "API keys"
APPLE_PUSH_HOST = "api.push.apple.com"
GOOGLE_WALLET_URL = "https://walletobjects.googleapis.com"


@dataclass(frozen=True)
class Settings:
    """What the environment says."""

    region: str
    ledger_table: str
    orders_table: str
    records_table: str
    wallet_queue_url: str
    google_queue_url: str
    parked_queue_url: str
    due_queue_url: str
    webhooks_queue_url: str
    stores_queue_url: str
    jobs_queue_url: str
    files_bucket: str
    base_url: str  # empty: as each caller reached us
    parameters_path: str
    apns_host: str
    apns_port: int
    apns_authority: str  # PEM of who signed the push service's certificate; empty: the public ones
    google_wallet_url: str
    stripe_url: str  # empty: Stripe's own
    local_webhooks: bool  # for development: webhooks may go to this machine

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises `KeyError` where something needed is missing."""
        return cls(
            region=environment.get("AWS_REGION") or environment["AWS_DEFAULT_REGION"],
            ledger_table=environment["LEDGER_TABLE"],
            orders_table=environment["ORDERS_TABLE"],
            records_table=environment["RECORDS_TABLE"],
            wallet_queue_url=environment.get("WALLET_QUEUE_URL", ""),
            google_queue_url=environment.get("GOOGLE_QUEUE_URL", ""),
            parked_queue_url=environment.get("PARKED_QUEUE_URL", ""),
            due_queue_url=environment.get("DUE_QUEUE_URL", ""),
            webhooks_queue_url=environment.get("WEBHOOKS_QUEUE_URL", ""),
            stores_queue_url=environment.get("STORES_QUEUE_URL", ""),
            jobs_queue_url=environment.get("JOBS_QUEUE_URL", ""),
            files_bucket=environment.get("FILES_BUCKET", ""),
            base_url=environment.get("BASE_URL", "").rstrip("/"),
            parameters_path=environment["PARAMETERS_PATH"],
            apns_host=environment.get("APNS_HOST") or APPLE_PUSH_HOST,
            apns_port=int(environment.get("APNS_PORT") or 443),
            apns_authority=environment.get("APNS_CA", ""),
            google_wallet_url=environment.get("GOOGLE_WALLET_URL") or GOOGLE_WALLET_URL,
            stripe_url=environment.get("STRIPE_URL", ""),
            local_webhooks=environment.get("LOCAL_WEBHOOKS") == "true",
        )


class Runtime:
    """Everything that handlers use. What few of them need is made when it is first asked for."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        parameters: Mapping[str, str],
        clock: Clock | None = None,
        ids: Ids | None = None,
        pause: Pause | None = None,
    ) -> None:
        self._settings = settings
        self._parameters = parameters
        self.base_url = settings.base_url
        keyring = Keyring(bytes.fromhex(parameters["master_key"]))
        self.context = Context(
            store=store,
            catalog=Catalog(store.programs),
            keyring=keyring,
            clock=clock or SystemClock(),
            ids=ids or RandomIds(),
            pause=pause or FullJitter(),
            payments=self.payments,
            sealer=Vault(keyring.key("store secrets")),
            base_url=settings.base_url,
        )
        self.doorkeeper = Doorkeeper(self.context, lambda: self.issuers)
        self._builders: dict[str, ApplePassBuilder] = {}
        self._push_services: dict[str, ApplePushService] = {}
        self._payments: dict[str, Payments] = {}
        self._systems: dict[StoreKind, StoreSystem] = {}

    @cached_property
    def looks(self) -> "FolderOfLooks":
        """The designs of the passes."""
        from chalicelib.adapters.look_book import FolderOfLooks

        return FolderOfLooks(LOOKS)

    def apple_passes(self, program_id: str) -> ApplePassBuilder | None:
        """Of a program, by its own certificate or the common one; None where there is neither."""
        return self._of_program("apple", self._builders, program_id, self._builder)

    @property
    def apple_certificates(self) -> list[ApplePassBuilder]:
        """One for every certificate that was given."""
        names = [name for name in self._parameters if re.fullmatch(r"apple(\..+)?", name)]
        found = (self.apple_passes(name.partition(".")[2]) for name in sorted(names))
        return [one for one in found if one is not None]

    @cached_property
    def google(self) -> GoogleWallet | None:
        """None where no Google service account was given."""
        google = self._json("google")
        if google is None:
            return None
        from chalicelib.adapters.google.wallet import REQUEST_SECONDS, Addresses, GoogleLoyalty
        from chalicelib.adapters.http import Http

        public = self._settings.base_url
        return GoogleLoyalty(
            looks=self.looks.looks,
            service_account=google["service_account"],
            issuer_id=google["issuer_id"],
            logo_url=google["logo_url"],
            http=Http(),
            clock=self.context.clock,
            base_url=self._settings.google_wallet_url,
            addresses=Addresses(f"{public}/stamps", f"{public}/google/callbacks")
            if public
            else None,
            redemption_issuers=google.get("redemption_issuers", ()),
            request_seconds=REQUEST_SECONDS,
        )

    @cached_property
    def google_callbacks(self) -> WalletCallbacks | None:
        """Who reads what Google tells us; None where Google Wallet is not set up."""
        google = self._json("google")
        if google is None:
            return None
        from chalicelib.adapters.google.callbacks import KEYS_URL, GoogleCallbacks
        from chalicelib.adapters.http import Http

        real = self._settings.google_wallet_url == GOOGLE_WALLET_URL
        keys = KEYS_URL if real else f"{self._settings.google_wallet_url}/keys"
        return GoogleCallbacks(google["issuer_id"], Http(), self.context.clock, keys)

    @cached_property
    def issuers(self) -> IdentityIssuers | None:
        """Whose ID tokens are good beside our own tokens; None where no program has an issuer."""
        names = [name for name in self._parameters if name.startswith("oidc.")]
        if not names:
            return None
        from chalicelib.adapters.oidc import REQUEST_SECONDS, IssuerClient, OidcIssuers
        from chalicelib.adapters.public_http import PublicHttp

        told = {name.partition(".")[2]: json.loads(self._parameters[name]) for name in names}
        clients = [
            IssuerClient(of, one["issuer"], audience)
            for of, one in told.items()
            for audience in one["audiences"]
        ]
        local = self._settings.local_webhooks
        return OidcIssuers(clients, PublicHttp(allow_local=local, seconds=REQUEST_SECONDS))

    def store_system(self, kind: StoreKind) -> StoreSystem:
        """Who reads what stores of a kind say."""
        if kind not in self._systems:
            self._systems[kind] = self._system(kind)
        return self._systems[kind]

    def store_api(self, connection: Connection) -> StoreApi | None:
        """The API of a store; None where its owner gave us no token, or there is no program yet."""
        access = access_of(self.context, connection)
        here = enter(self.context, connection.program_id)
        program = self.context.catalog.in_force(here.program, here.now) if here else None
        if access is None or program is None:
            return None
        return self.store_system(connection.kind).api(connection, access, program.money)

    def _system(self, kind: StoreKind) -> StoreSystem:
        local = self._settings.local_webhooks
        if kind is StoreKind.SHOPIFY:
            from chalicelib.adapters.stores.shopify import Shopify

            return Shopify(allow_local=local)
        if kind is StoreKind.WOOCOMMERCE:
            from chalicelib.adapters.public_http import PublicHttp
            from chalicelib.adapters.stores.woocommerce import WooCommerce

            return WooCommerce(PublicHttp(allow_local=local))
        from chalicelib.adapters.http import Http
        from chalicelib.adapters.stores.square import Square

        return Square(Http(), allow_local=local)

    @cached_property
    def webhook_sender(self) -> WebhookSender:
        """Who reaches the endpoints of outgoing webhooks."""
        from chalicelib.adapters.webhooks import Webhooks

        return Webhooks(allow_local=self._settings.local_webhooks)

    @cached_property
    def files(self) -> Files:
        """Where the files of imports and exports lie."""
        from chalicelib.adapters.s3 import S3Files

        return S3Files(self._settings.files_bucket, self._settings.region)

    def wallets(self, program_id: str, mode: Mode, google: Queue) -> Wallets:
        """The wallets that a program may reach: a test program never reaches a real phone.

        `google` is the queue of Google's worker.
        """
        test_and_real = mode is Mode.TEST and self._settings.apns_host == APPLE_PUSH_HOST
        return Wallets(
            None
            if test_and_real
            else self._of_program("apple", self._push_services, program_id, self._push_service),
            google if self._reaches_google(mode) else None,
        )

    def google_of(self, mode: Mode) -> GoogleWallet | None:
        """Google Wallet for a program, where it may reach it."""
        return self.google if self._reaches_google(mode) else None

    def _reaches_google(self, mode: Mode) -> bool:
        is_real = self._settings.google_wallet_url == GOOGLE_WALLET_URL
        return "google" in self._parameters and not (mode is Mode.TEST and is_real)

    def wallet_names(self, program_id: str) -> list[str]:
        """The wallets that a program's pass can be put in."""
        offered = {"apple": self.apple_passes(program_id), "google": self.google}
        return [name for name, wallet in offered.items() if wallet is not None]

    def payments(self, program_id: str, mode: Mode) -> Payments | None:
        """Who takes a program's money; None where nobody does.

        A test program never charges anybody, and a live one is never paid with test cards.
        """
        found = self._of_program("stripe", self._payments, program_id, self._payment_service)
        if self._settings.stripe_url or found is None:
            return found
        account = self._json(self._name_of("stripe", program_id)) or {}
        is_test = account["secret_key"].startswith(_TEST_KEYS)
        return found if is_test is (mode is Mode.TEST) else None

    def _payment_service(self, account: dict[str, Any]) -> Payments:
        from chalicelib.adapters.stripe.payments import StripePayments

        return StripePayments(
            account["secret_key"],
            tuple(account["webhook_secrets"]),
            self._settings.stripe_url or None,
        )

    def _of_program(
        self,
        what: str,
        made: dict[str, T],
        program_id: str,
        make: Callable[[dict[str, Any]], T],
    ) -> T | None:
        """What is made of a program's secret, once for each secret: its own, or the common one."""
        name = self._name_of(what, program_id)
        if name not in made:
            secret = self._json(name)
            if secret is None:
                return None
            made[name] = make(secret)
        return made[name]

    def _name_of(self, what: str, program_id: str) -> str:
        own = f"{what}.{program_id}"
        return own if own in self._parameters else what

    def _builder(self, apple: dict[str, Any]) -> ApplePassBuilder:
        from chalicelib.adapters.apple.passbook import Signer
        from chalicelib.adapters.apple.passes import ApplePasses

        return ApplePasses(
            self.looks.looks,
            Signer(apple["certificate"].encode(), apple["key"].encode(), apple["wwdr"].encode()),
            apple["pass_type_id"],
            apple["team_id"],
            apple["organization_name"],
            apple.get("nfc_key"),
        )

    def _push_service(self, apple: dict[str, Any]) -> ApplePushService:
        from chalicelib.adapters.apple.apns import ApnsClient

        return ApnsClient(
            self._settings.apns_host,
            self._settings.apns_port,
            apple["certificate"].encode(),
            apple["key"].encode(),
            apple["pass_type_id"],
            self._settings.apns_authority.encode() or None,
        )

    def _json(self, name: str) -> dict[str, Any] | None:
        text = self._parameters.get(name)
        return json.loads(text) if text else None


@dataclass(frozen=True)
class Queues:
    """Where messages go. The routers have these alone: no secret, no table."""

    wallet: Queue  # members whose cards may have changed
    google: Queue  # members whose cards changed for Google Wallet, and what is said to them
    due: Queue  # members of whom something may be due
    webhooks: Queue  # entries that were written, and deliveries that are due
    stores: Queue  # what takes its time of connected stores
    parked: Queue  # records that we could not read
    jobs: Queue  # parts of imports and exports


_RUNTIME: list[Runtime] = []
_QUEUES: list[Queues] = []


def runtime() -> Runtime:
    """The one of this process, made at the first call."""
    if not _RUNTIME:
        _RUNTIME.append(_runtime_of(Settings.of_environment(os.environ)))
    return _RUNTIME[0]


def queues() -> Queues:
    """Those of this process, made at the first call."""
    if not _QUEUES:
        _QUEUES.append(_queues_of(Settings.of_environment(os.environ)))
    return _QUEUES[0]


def metrics() -> Metrics:
    """Where figures for alarms go."""
    from chalicelib.adapters.metrics import LoggedMetrics

    return LoggedMetrics(SystemClock(), os.environ.get("REGULARS_STAGE", ""))


def install(new_runtime: Runtime, new_queues: Queues) -> None:
    """Puts ready ones in place of those of the environment."""
    _RUNTIME[:] = [new_runtime]
    _QUEUES[:] = [new_queues]


def _runtime_of(settings: Settings) -> Runtime:
    from chalicelib.adapters.aws import make_client
    from chalicelib.adapters.dynamo.store import dynamo_store
    from chalicelib.adapters.parameters import read_parameters

    store = dynamo_store(
        make_client("dynamodb", settings.region),
        settings.ledger_table,
        settings.orders_table,
        settings.records_table,
    )
    return Runtime(settings, store, read_parameters(settings.parameters_path, settings.region))


def _queues_of(settings: Settings) -> Queues:
    from chalicelib.adapters.sqs import SqsQueue

    return Queues(
        wallet=SqsQueue(settings.wallet_queue_url, settings.region),
        google=SqsQueue(settings.google_queue_url, settings.region),
        due=SqsQueue(settings.due_queue_url, settings.region),
        webhooks=SqsQueue(settings.webhooks_queue_url, settings.region),
        stores=SqsQueue(settings.stores_queue_url, settings.region),
        parked=SqsQueue(settings.parked_queue_url, settings.region),
        jobs=SqsQueue(settings.jobs_queue_url, settings.region),
    )
