"""Domains that an operator granted to a customer; nobody moves mail into any other."""

from sqlalchemy import Connection, delete, select

from mailhaul.addresses import BadHost, parse_address, parse_host
from mailhaul.db import Microseconds, insert_missing
from mailhaul.directory.tables import directory_domain
from mailhaul.errors import RequestInvalid
from mailhaul.ids import CustomerId


def canonical_domain(domain: str) -> str:
    """A domain in its one spelling. Raises RequestInvalid(`bad_domain`) when it is none."""
    # IDNA 2008 as the dial policy and the intake read it: to Python's own codec `faß.de` would be `fass.de`.
    try:
        name = parse_host(domain)
    except BadHost as error:
        raise RequestInvalid("bad_domain", "a domain looks like example.com") from error
    if "." not in name or parse_address(name) is not None:
        raise RequestInvalid("bad_domain", "a domain looks like example.com")
    return name


def grant(tx: Connection, customer_id: CustomerId, domain: str, granted_by: str, at: Microseconds) -> str:
    """Grant a domain, once; returns its canonical spelling."""
    name = canonical_domain(domain)
    row = {"customer_id": customer_id, "domain": name, "granted_by": granted_by, "granted_at": at}
    insert_missing(tx, directory_domain, [row])
    return name


def revoke(tx: Connection, customer_id: CustomerId, domain: str) -> bool:
    """Take a grant back; False when there was none."""
    gone = tx.execute(
        delete(directory_domain).where(
            directory_domain.c.customer_id == customer_id, directory_domain.c.domain == canonical_domain(domain)
        )
    )
    return gone.rowcount > 0


def granted(tx: Connection, customer_id: CustomerId, domain: str) -> bool:
    """Whether the customer may move mail into the domain; a subdomain needs a grant of its own."""
    try:
        name = canonical_domain(domain)
    except RequestInvalid:
        return False
    found = tx.execute(
        select(directory_domain.c.domain).where(
            directory_domain.c.customer_id == customer_id, directory_domain.c.domain == name
        )
    ).first()
    return found is not None


def granted_domains(tx: Connection, customer_id: CustomerId | None = None) -> list[tuple[CustomerId, str]]:
    """The grants of one customer or of all, in order."""
    query = select(directory_domain.c.customer_id, directory_domain.c.domain).order_by(
        directory_domain.c.customer_id, directory_domain.c.domain
    )
    if customer_id is not None:
        query = query.where(directory_domain.c.customer_id == customer_id)
    return [(CustomerId(customer), domain) for customer, domain in tx.execute(query)]
