"""Clients of AWS, all from one botocore session: the second costs 2 ms, a new session 50."""

from functools import lru_cache
from typing import Any

from botocore.config import Config
from botocore.session import Session, get_session

CONNECT_SECONDS = 2
READ_SECONDS = 5
ATTEMPTS = 4
CONNECTIONS = 20

_CONFIG = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    max_pool_connections=CONNECTIONS,
    parameter_validation=False,
)


@lru_cache(maxsize=1)
def _session() -> Session:
    return get_session()


def make_client(
    service: str, region: str, endpoint: str | None = None, config: Config | None = None
) -> Any:
    """A low-level client. Credentials and endpoints are those of the environment; `config` says
    what this service needs beside what all have."""
    merged = _CONFIG.merge(config) if config is not None else _CONFIG
    return _session().create_client(
        service, region_name=region, endpoint_url=endpoint, config=merged
    )
