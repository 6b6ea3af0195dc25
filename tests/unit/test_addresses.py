"""The dial policy's rules about hosts and addresses, as tables."""

import ipaddress

import pytest

from mailhaul.addresses import BadHost, is_allowed, parse_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Mail.Example.COM.", "mail.example.com"),
        (" imap.example.com ", "imap.example.com"),
        ("faß.de", "xn--fa-hia.de"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("ｍａｉｌ.example", "mail.example"),
        ("localhost", "localhost"),
        ("my_host.example.com", "my_host.example.com"),
        ("192.0.2.1", "192.0.2.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
    ],
)
def test_hosts(text: str, host: str) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        "-a.example",
        "a-.example",
        "x" * 64 + ".example",
        ".".join(["x" * 60] * 5),
        "imap://example.com",
        "example.com:993",
        "example.com/x",
        "user@example.com",
        "exa mple.com",
        "example.com\r\nX",
        "127.1",
        "0x7f000001",
        "2130706433",
        "1.2.3.0x4",
        "fe80::1%eth0",
        "xn--a.example",
        "[::1",
    ],
)
def test_no_hosts(text: str) -> None:
    with pytest.raises(BadHost):
        parse_host(text)


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"]
)
def test_public_addresses(text: str) -> None:
    assert is_allowed(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2002:a00:1::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "3fff::1",
        "100::1",
        "5f00::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "2a00::5efe:7f00:1",
        "2a00::200:5efe:a00:1",
    ],
)
def test_denied_addresses(text: str) -> None:
    assert not is_allowed(ipaddress.ip_address(text))


def test_an_operators_network_opens_what_it_names_and_no_more() -> None:
    allow = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd12::/32"))
    assert is_allowed(ipaddress.ip_address("10.1.2.3"), allow)
    assert is_allowed(ipaddress.ip_address("64:ff9b::a01:203"), allow)
    assert is_allowed(ipaddress.ip_address("fd12::1"), allow)
    assert not is_allowed(ipaddress.ip_address("10.2.0.1"), allow)
    assert not is_allowed(ipaddress.ip_address("64:ff9b::a02:1"), allow)
