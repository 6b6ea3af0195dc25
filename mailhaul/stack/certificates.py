"""A private certificate authority for the demo and the tests; nothing outside the stack ever trusts it."""

from pathlib import Path

import trustme


class Authority:
    """One CA in one directory: `ca_file` is what clients trust, `issue` makes a server's pair."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.ca_file = directory / "ca.pem"
        self._ca = trustme.CA(organization_name="Mailhaul", organization_unit_name="embedded stack")
        self._ca.cert_pem.write_to_path(str(self.ca_file))

    def issue(self, name: str, *hosts: str) -> tuple[Path, Path]:
        """Certificate chain and private key (0600) for these host names and addresses, as `name`.pem and `name`.key."""
        issued = self._ca.issue_cert(*hosts)
        chain = self.directory / f"{name}.pem"
        key = self.directory / f"{name}.key"
        chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.touch(mode=0o600)
        key.write_bytes(issued.private_key_pem.bytes())
        return chain, key
