"""The DNS records that a customer sets at the switch, written out for each domain."""

from dataclasses import dataclass

from services.notifier.letter import Records


@dataclass(frozen=True, slots=True, kw_only=True)
class DNS:
    """The platform's records, as `platform.dns.*` has them."""

    mx: tuple[str, ...]
    spf: str
    dkim: tuple[str, ...]
    webmail: str


def records(domain: str, dns: DNS) -> Records:
    """MX, SPF and DKIM of one domain; a DKIM setting reads `selector._domainkey CNAME target`."""
    name = f"{domain}."
    rows = [(name, "MX", value) for value in dns.mx]
    if dns.spf:
        rows.append((name, "TXT", f'"{dns.spf}"'))
    for setting in dns.dkim:
        selector, kind, value = ([*setting.split(None, 2), "", ""])[:3]
        rows.append((f"{selector}.{name}", kind, value))
    return Records(tuple(rows))
