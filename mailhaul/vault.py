"""Secrets: sealed to a key of their migration by whoever takes them, opened only where the vault's private key is.

HPKE (RFC 9180, base mode, X25519, HKDF-SHA256, AES-256-GCM) seals both layers: each secret to its migration's public
key, and that key's private half to the vault's public key. What a secret is bound to (joint 31) is HPKE's `info`,
so that a ciphertext opens nowhere else. Deleting the migration's key makes all its secrets unreadable.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from pydantic import SecretStr
from sqlalchemy import BigInteger, Column, Connection, Index, LargeBinary, Table, Text, delete, select, update

from mailhaul.addresses import BadHost, parse_host
from mailhaul.db import Microseconds, metadata
from mailhaul.errors import SecretUnavailable, Side
from mailhaul.events import Endpoint
from mailhaul.ids import CustomerId, MigrationId, RowId, SecretRef, derive

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
ORPHAN_AFTER = 3600 * 1_000_000  # an hour, in microseconds

vault_key = Table(
    "vault_key",
    metadata,
    Column("migration_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sealed_private_key", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("orphan_at", BigInteger),  # when to shred it, while no submission is committed
)
vault_secret = Table(
    "vault_secret",
    metadata,
    Column("secret_ref", Text, primary_key=True),
    Column("migration_id", Text, nullable=False),
    Column("row_id", Text, nullable=False),  # empty: of the whole migration
    Column("ciphertext", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("orphan_at", BigInteger),
    Index(None, "migration_id"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What a secret may be used for; another value in any field opens nothing (joint 31)."""

    customer_id: CustomerId
    migration_id: MigrationId
    row_id: RowId | None  # None: a secret of the whole migration
    places: tuple[str, ...]  # canonical endpoints, or the provider's name
    user: str
    master_user: str = ""

    @classmethod
    def of_row(
        cls,
        *,
        customer_id: CustomerId,
        migration_id: MigrationId,
        row_id: RowId,
        source: Endpoint,
        source_user: str,
        master_user: str = "",
    ) -> Self:
        """The binding of a row's own password, as every event about the row can rebuild it."""
        return cls(
            customer_id=customer_id,
            migration_id=migration_id,
            row_id=row_id,
            places=canonical_endpoints([source]),
            user=source_user,
            master_user=master_user,
        )

    def info(self) -> bytes:
        """The fields as bytes that no other fields give: each with its length before it."""
        scope = "migration" if self.row_id is None else "row"
        fields = [
            "mailhaul secret 1",
            self.customer_id,
            self.migration_id,
            scope,
            self.row_id or "",
            *(self.user, self.master_user),
            *self.places,
        ]
        return _framed(fields)


def _framed(fields: Iterable[str]) -> bytes:
    encoded = [field.encode() for field in fields]
    return b"".join(len(field).to_bytes(4, "big") + field for field in encoded)


def canonical_endpoints(endpoints: Iterable[Endpoint]) -> tuple[str, ...]:
    """Host, port and TLS mode of each, in one spelling and order; the pinned address is not part of it."""
    return tuple(sorted({f"{_canonical_host(end.host)} {end.port} {end.tls}" for end in endpoints}))


def _canonical_host(host: str) -> str:
    try:
        return parse_host(host)
    except BadHost:  # refused elsewhere; one spelling of it is enough here
        return host.strip().lower()


def _key_info(customer_id: str, migration_id: str) -> bytes:
    return _framed(["mailhaul migration key 1", customer_id, migration_id])


class Sealer:
    """Holds the vault's public key: it can make keys and seal, and never open."""

    def __init__(self, vault_public_key: X25519PublicKey) -> None:
        self._vault_public_key = vault_public_key

    def make_key(
        self,
        tx: Connection,
        customer_id: CustomerId,
        migration_id: MigrationId,
        at: Microseconds,
        *,
        provisional: bool = False,
    ) -> None:
        """Make the migration's key pair; `provisional` while its submission is not in the same transaction."""
        private_key = X25519PrivateKey.generate()
        sealed = SUITE.encrypt(
            private_key.private_bytes_raw(), self._vault_public_key, _key_info(customer_id, migration_id)
        )
        tx.execute(
            vault_key.insert().values(
                migration_id=migration_id,
                customer_id=customer_id,
                public_key=private_key.public_key().public_bytes_raw(),
                sealed_private_key=sealed,
                created_at=at,
                orphan_at=at + ORPHAN_AFTER if provisional else None,
            )
        )

    def seal(
        self, tx: Connection, binding: Binding, secret: SecretStr, at: Microseconds, *, provisional: bool = False
    ) -> SecretRef:
        """Seal and store one secret. Raises SecretUnavailable when the migration's key is gone."""
        return self.seal_all(tx, [(binding, secret)], at, provisional=provisional)[0]

    def seal_all(
        self,
        tx: Connection,
        secrets: Iterable[tuple[Binding, SecretStr]],
        at: Microseconds,
        *,
        provisional: bool = False,
    ) -> list[SecretRef]:
        """Seal and store the secrets of one migration with one statement."""
        pairs = list(secrets)
        if not pairs:
            return []
        migration_id = pairs[0][0].migration_id
        public_key = _migration_public_key(tx, migration_id)
        rows = []
        for binding, secret in pairs:
            if binding.migration_id != migration_id:
                raise ValueError("the secrets of one call belong to one migration")
            ciphertext = SUITE.encrypt(secret.get_secret_value().encode(), public_key, binding.info())
            # The ciphertext holds a fresh ephemeral key, so its digest is as unique as a random number.
            digest = sha256(ciphertext).hexdigest()
            rows.append(
                {
                    "secret_ref": derive("secret", migration_id, binding.row_id or "", digest),
                    "migration_id": migration_id,
                    "row_id": binding.row_id or "",
                    "ciphertext": ciphertext,
                    "created_at": at,
                    "orphan_at": at + ORPHAN_AFTER if provisional else None,
                }
            )
        tx.execute(vault_secret.insert(), rows)
        return [SecretRef(str(row["secret_ref"])) for row in rows]


class Opener:
    """Holds the vault's private key: validator, copier and watcher."""

    def __init__(self, vault_private_key: X25519PrivateKey) -> None:
        self._vault_private_key = vault_private_key

    def open(self, tx: Connection, secret_ref: SecretRef, binding: Binding) -> SecretStr:
        """Open a secret for the row and server that `binding` tells, taken from the event.

        Raises SecretUnavailable: `credentials_expired` when it was shredded, `secret_misplaced` when the reference
        belongs to another migration or row (joint 32), `secret_void` when what it is bound to changed (joint 31).
        """
        stored = tx.execute(
            select(vault_secret.c.migration_id, vault_secret.c.row_id, vault_secret.c.ciphertext).where(
                vault_secret.c.secret_ref == secret_ref
            )
        ).one_or_none()
        if stored is None:
            raise _unavailable("credentials_expired", f"the secret {secret_ref} is gone")
        if stored.migration_id != binding.migration_id or stored.row_id not in ("", binding.row_id):
            raise _unavailable("secret_misplaced", f"the secret {secret_ref} belongs to another row")
        if stored.row_id == "":
            binding = replace(binding, row_id=None)
        private_key = self._migration_private_key(tx, binding)
        try:
            plain = SUITE.decrypt(stored.ciphertext, private_key, binding.info())
        except InvalidTag as error:
            raise _unavailable(
                "secret_void", f"the secret {secret_ref} was given for another server or user"
            ) from error
        return SecretStr(plain.decode())

    def _migration_private_key(self, tx: Connection, binding: Binding) -> X25519PrivateKey:
        sealed = tx.execute(
            select(vault_key.c.sealed_private_key).where(vault_key.c.migration_id == binding.migration_id)
        ).scalar_one_or_none()
        if sealed is None:
            raise _unavailable("credentials_expired", f"the key of migration {binding.migration_id} was shredded")
        try:
            raw = SUITE.decrypt(sealed, self._vault_private_key, _key_info(binding.customer_id, binding.migration_id))
        except InvalidTag as error:
            raise _unavailable(
                "secret_void", f"the key of migration {binding.migration_id} is another customer's or another vault's"
            ) from error
        return X25519PrivateKey.from_private_bytes(raw)


def _unavailable(code: str, text: str) -> SecretUnavailable:
    return SecretUnavailable(code, text, side=Side.PLATFORM)


def _migration_public_key(tx: Connection, migration_id: MigrationId) -> X25519PublicKey:
    raw = tx.execute(
        select(vault_key.c.public_key).where(vault_key.c.migration_id == migration_id)
    ).scalar_one_or_none()
    if raw is None:
        raise _unavailable("credentials_expired", f"the key of migration {migration_id} was shredded")
    return X25519PublicKey.from_public_bytes(raw)


def confirm(tx: Connection, migration_id: MigrationId) -> None:
    """The submission (or correction) is committed with this transaction: what was provisional stays."""
    for table in (vault_key, vault_secret):
        tx.execute(update(table).where(table.c.migration_id == migration_id).values(orphan_at=None))


def shred_secrets(tx: Connection, secret_refs: Iterable[SecretRef]) -> None:
    """Forget single secrets, such as one that a correction replaced."""
    refs = [ref for ref in secret_refs if ref]
    if refs:
        tx.execute(delete(vault_secret).where(vault_secret.c.secret_ref.in_(refs)))


def shred(tx: Connection, migration_id: MigrationId) -> None:
    """Delete the migration's key, which makes every copy of its secrets unreadable, and the secrets too."""
    for table in (vault_key, vault_secret):
        tx.execute(delete(table).where(table.c.migration_id == migration_id))


def shred_orphans(tx: Connection, at: Microseconds) -> int:
    """Forget what was sealed ahead of a submission that never came; returns how many rows went."""
    gone = 0
    for table in (vault_key, vault_secret):
        gone += tx.execute(delete(table).where(table.c.orphan_at <= at)).rowcount
    return gone
