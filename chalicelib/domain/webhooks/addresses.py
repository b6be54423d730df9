"""Where webhooks may go: to public hosts of the internet and to nothing else.

Who makes an endpoint names an address that our servers then call. It must never be one of our own
network, of the cloud's metadata, or of this machine (OWASP, "Server-Side Request Forgery Prevention
Cheat Sheet"). The name is judged when the endpoint is saved; what it resolves to is judged then and
before every connection, and the connection goes to just the address that was judged.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

MAX_URL_CHARACTERS = 500
PORTS = frozenset({443, 8443})
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1"})  # for development only

# A name of at least two labels whose last one starts with a letter: neither an address nor any of
# the odd ways to write one (0x7f.1, 2130706433, 0177.0.0.1).
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?")
_MAX_NAME = 253

_IPV4_REFUSED = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv4Network("168.63.129.16/32"),  # a cloud's metadata on a public address
)
_IPV6_PUBLIC = IPv6Network("2000::/3")  # so neither NAT64 (64:ff9b::/96) nor mapped addresses
_IPV6_REFUSED = (
    IPv6Network("2001::/23"),  # protocol assignments, Teredo and ORCHID among them
    IPv6Network("2002::/16"),  # 6to4: an IPv4 address inside
    IPv6Network("3fff::/20"),  # documentation
)


@dataclass(frozen=True)
class Target:
    """The parts of an address that was found good."""

    host: str
    port: int
    path: str  # with its query
    is_local: bool = False  # this machine, over http

    @property
    def authority(self) -> str:
        """What the Host header says."""
        usual = self.port == (80 if self.is_local else 443)
        return self.host if usual else f"{self.host}:{self.port}"


def read_url(url: str, *, allow_local: bool) -> Target | str:
    """The target of a URL, or why no webhook is sent there.

    With `allow_local`, for development, `http://localhost` and `http://127.0.0.1` are good at any
    port.
    """
    if len(url) > MAX_URL_CHARACTERS or not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        return f"is not a URL of at most {MAX_URL_CHARACTERS} printable ASCII characters"
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "is not a URL"
    if "@" in parts.netloc:
        return "has a user or a password in it"
    if parts.fragment or url.endswith("#"):
        return "has a fragment"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if allow_local and parts.scheme == "http" and host in LOCAL_HOSTS:
        return Target(host, 80 if port is None else port, path, is_local=True)
    if parts.scheme != "https":
        return "is not an https URL"
    if parts.netloc.endswith(":") or (port is not None and port not in PORTS):
        return "has another port than 443 or 8443"
    # `[v1.a]` is an address of a kind to come (RFC 3986, section 3.2.2), and reads as a name.
    if len(host) > _MAX_NAME or not _NAME.fullmatch(host) or "[" in parts.netloc:
        return "has no public host name"
    return Target(host, port or 443, path)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet. What is no address is not."""
    try:
        one = ip_address(address)
    except ValueError:
        return False
    if isinstance(one, IPv6Address):
        return _is_public_6(one)
    return _is_public_4(one)


def _is_public_4(one: IPv4Address) -> bool:
    if not one.is_global or one.is_multicast or one.is_reserved:
        return False
    return not any(one in network for network in _IPV4_REFUSED)


def _is_public_6(one: IPv6Address) -> bool:
    if one not in _IPV6_PUBLIC or not one.is_global or one.scope_id is not None:
        return False
    return not any(one in network for network in _IPV6_REFUSED)
