"""Host names and addresses as the dial policy sees them: pure, so that every rule is a row in a table."""

import ipaddress
import re
from collections.abc import Iterable

import idna

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Underscores are no host names (RFC 952), but mail servers that bear them exist and resolve.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291 §2.5.5.1, deprecated
_6TO4 = ipaddress.IPv6Network("2002::/16")  # RFC 3056
_TEREDO = ipaddress.IPv6Network("2001::/32")  # RFC 4380
_ISATAP = re.compile(rb"[\x00\x02]\x00\x5e\xfe", re.DOTALL)  # RFC 5214 §6.1, in the interface identifier
# What `ipaddress.is_global` of Python 3.11 lets through although no mail server of the public internet is there.
_ALSO_DENIED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # RFC 6890: protocol assignments
        "192.88.99.0/24",  # RFC 7526: the 6to4 relays' anycast
        "64:ff9b:1::/48",  # RFC 8215: NAT64 within a network
        "fec0::/10",  # RFC 3879: site-local
        "5f00::/16",  # RFC 9602: segment routing
        "3fff::/20",  # RFC 9637: documentation
        "100::/64",  # RFC 6666: discard
    )
)


class BadHost(ValueError):
    """Not a host name and not an address; the text says which rule it broke."""


def parse_host(text: str) -> str:
    """A host name in ASCII (IDNA 2008, UTS 46) and lower case, or an address in its usual form. Raises BadHost.

    Shorthands of old resolvers (`127.1`, `0x7f000001`, `2130706433`) are none: they hide an address from the eye.
    """
    host = text.strip().removesuffix(".")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if (address := parse_address(host)) is not None:
        return str(address)
    if not host:
        raise BadHost("empty")
    if not host.isascii() or "xn--" in host.lower():
        try:
            host = idna.encode(host, uts46=True, std3_rules=True).decode("ascii")
        except idna.IDNAError as error:
            raise BadHost("no international domain name") from error
    host = host.lower()
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadHost("no host name")
    if re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1]):
        raise BadHost("neither a name nor a whole address")
    return host


def parse_address(text: str) -> Address | None:
    """An address without a zone, or None."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def embedded(address: Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that packets to `address` end at, by translation or tunnel."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    low = ipaddress.IPv4Address(address.packed[12:])
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return [low]
    if address in _6TO4 and address.sixtofour is not None:
        return [address.sixtofour]
    if address in _TEREDO and address.teredo is not None:
        return list(address.teredo)
    return [low] if _ISATAP.fullmatch(address.packed[8:12]) else []


def is_allowed(address: Address, allow: Iterable[Network] = ()) -> bool:
    """Whether a source may be there: public, or inside a network that the operator allows; unwrapped first."""
    networks = tuple(allow)
    if any(address in network for network in networks if network.version == address.version):
        return True
    inner = embedded(address)
    if inner:
        return all(is_allowed(one, networks) for one in inner)
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved or address.is_unspecified)
        and not any(address in network for network in _ALSO_DENIED if network.version == address.version)
    )
