"""The syntax of what a row names: a destination address, and the host of a source with or without a port."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from mailhaul.addresses import BadHost, parse_address, parse_host
from mailhaul.ids import canonical_address
from mailhaul.intake.rows import Rule

# RFC 5322 §3.2.3 dot-atom; RFC 6531 §3.3 adds every character beyond ASCII. Quoted local parts are refused.
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_LOCAL = re.compile(rf"{_ATEXT}(\.{_ATEXT})*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMERIC = re.compile(r"\d+|0x[0-9a-f]*")  # a last label that some resolvers would take for part of an address
_BRACKETED = re.compile(r"\[(?P<host>[^\[\]]*)\](:(?P<port>.*))?")


class Broken(Exception):
    """A value breaks a rule; the value itself is in no way part of this."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule.value)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    port: int | None


def address(text: str) -> str:
    """The canonical form of a destination address (RFC 5321 §4.5.3.1: 64 octets before the @, 254 in all).

    Raises Broken.
    """
    local, _, domain = text.rpartition("@")
    if not _LOCAL.fullmatch(local) or not local.isprintable() or not domain.isprintable():
        raise Broken(Rule.BAD_ADDRESS)
    canonical = canonical_address(text)
    ascii_domain = canonical.rpartition("@")[2]
    labels = ascii_domain.split(".")
    if len(labels) < 2 or not _name_is_sound(ascii_domain) or _NUMERIC.fullmatch(labels[-1]):
        raise Broken(Rule.BAD_ADDRESS)
    if len(canonical.partition("@")[0].encode()) > 64 or len(canonical.encode()) > 254:
        raise Broken(Rule.BAD_ADDRESS)
    return canonical


def host(text: str) -> Host:
    """A source server: a name, an address, `name:port`, `address:port` or `[address]:port`.

    A URL, a path and a user name are refused by name. Whether the address may be dialled, and whether the port is one
    of those that are open to customers, is for the dial policy. Raises Broken.
    """
    if "://" in text or any(mark in text for mark in "/\\@?#"):
        raise Broken(Rule.HOST_IS_URL)
    literal = _literal(text)
    if literal is not None:  # first, because an IPv6 address is full of colons
        return Host(str(literal), None)
    name, port = _port_apart(text)
    literal = _literal(name)
    if literal is not None:
        return Host(str(literal), port)
    if name.startswith("["):
        raise Broken(Rule.BAD_HOST)
    try:
        return Host(parse_host(name), port)
    except BadHost:
        raise Broken(Rule.BAD_HOST) from None  # the cause would quote the name


def literal_address(name: str) -> IPv4Address | IPv6Address | None:
    """The address that a canonical host stands for without asking any resolver (RFC 6761 §6.3 for localhost)."""
    if name == "localhost" or name.endswith(".localhost"):
        return IPv4Address("127.0.0.1")
    return _literal(name)


def _literal(text: str) -> IPv4Address | IPv6Address | None:
    return parse_address(text) if text.isascii() else None


def _port_apart(text: str) -> tuple[str, int | None]:
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed is not None:
        name, port = bracketed.group("host", "port")
        if not isinstance(_literal(name), IPv6Address):
            raise Broken(Rule.BAD_HOST)
    elif text.count(":") == 1:
        name, _, port = text.partition(":")
    else:
        name, port = text, None
    if port is None:
        return name, None
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port, re.ASCII) or int(port) > 65535:
        raise Broken(Rule.HOST_PORT)
    return name, int(port)


def _name_is_sound(name: str) -> bool:
    """RFC 1123 §2.1: letters, digits and inner hyphens, 63 octets a label, 253 in all."""
    return 0 < len(name) <= 253 and all(_LABEL.fullmatch(label) for label in name.split("."))
