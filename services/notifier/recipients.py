"""Addresses as the envelope takes them: nothing but the address, its domain in ASCII."""

from email.utils import parseaddr

import idna


class BadRecipient(ValueError):
    """Nobody can be reached at this address; the text does not repeat it."""


def envelope_address(text: str) -> str:
    """The bare address of `Name <address>` or `address`, its domain by IDNA 2008. Raises BadRecipient."""
    address = parseaddr(text)[1]
    local, _, domain = address.rpartition("@")
    if not local or not domain or not text.isprintable() or " " in address:
        raise BadRecipient("not an address")
    try:
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise BadRecipient("not an address") from error
    return f"{local}@{ascii_domain}"
