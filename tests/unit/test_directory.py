"""Granted domains."""

import pytest

from mailhaul import directory
from mailhaul.db import Database
from mailhaul.errors import RequestInvalid
from mailhaul.ids import CustomerId

ONE, TWO = CustomerId("customer-1"), CustomerId("customer-2")


async def test_joint_29_only_granted_domains_are_destinations(database: Database) -> None:
    assert await database.write(directory.grant, ONE, "Example.ORG.", "operator", 1) == "example.org"
    await database.write(directory.grant, ONE, "example.org", "operator", 2)
    await database.write(directory.grant, TWO, "münchen.example", "operator", 2)
    assert await database.read(directory.granted, ONE, "EXAMPLE.org")
    assert await database.read(directory.granted, TWO, "xn--mnchen-3ya.example")
    assert not await database.read(directory.granted, TWO, "example.org")
    assert not await database.read(directory.granted, ONE, "sub.example.org")
    assert not await database.read(directory.granted, ONE, "no domain")
    await database.write(directory.grant, ONE, "faß.example", "operator", 3)
    assert not await database.read(directory.granted, ONE, "fass.example")
    assert await database.read(directory.granted, ONE, "xn--fa-hia.example")
    await database.write(directory.revoke, ONE, "faß.example")
    assert await database.read(directory.granted_domains) == [(ONE, "example.org"), (TWO, "xn--mnchen-3ya.example")]
    assert await database.read(directory.granted_domains, ONE) == [(ONE, "example.org")]
    assert await database.write(directory.revoke, ONE, "example.org")
    assert not await database.write(directory.revoke, ONE, "example.org")
    assert not await database.read(directory.granted, ONE, "example.org")


@pytest.mark.parametrize("domain", ["", "localhost", "a..b", "a@b.example", "x" * 64 + ".example", ".example"])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(RequestInvalid):
        directory.canonical_domain(domain)
