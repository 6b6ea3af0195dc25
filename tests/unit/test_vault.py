"""The vault opens a secret where it belongs and nowhere else."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import Connection, select, update

from mailhaul import vault
from mailhaul.db import Database
from mailhaul.errors import SecretUnavailable
from mailhaul.events import Endpoint
from mailhaul.ids import CustomerId, MigrationId, RowId, SecretRef
from mailhaul.vault import Binding, Opener, Sealer, canonical_endpoints, vault_key, vault_secret
from mailhaul.vault_keys import load_opener, load_sealer, make_vault_keys

CANARY = "canary-7d1e-päss"
CUSTOMER = CustomerId("customer-1")
MIGRATION = MigrationId("migration-1")
SOURCE = Endpoint(host="imap.example.org", port=993, tls="implicit")
ROW = Binding.of_row(
    customer_id=CUSTOMER, migration_id=MIGRATION, row_id=RowId("row-1"), source=SOURCE, source_user="a@example.org"
)
OTHER_ROW = replace(ROW, row_id=RowId("row-2"))


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Sealer, Opener]:
    private, public = tmp_path / "vault.key", tmp_path / "vault.pub"
    make_vault_keys(private, public)
    return load_sealer(public), load_opener(private)


@pytest.fixture
async def sealed(database: Database, keys: tuple[Sealer, Opener]) -> SecretRef:
    def submit(tx: Connection) -> SecretRef:
        keys[0].make_key(tx, CUSTOMER, MIGRATION, 1)
        return keys[0].seal_all(tx, [(ROW, SecretStr(CANARY)), (OTHER_ROW, SecretStr("another"))], 1)[0]

    return await database.write(submit)


async def test_joint_30_the_panel_seals_and_cannot_open(
    database: Database, keys: tuple[Sealer, Opener], sealed: SecretRef
) -> None:
    secret = await database.read(keys[1].open, sealed, ROW)
    assert secret.get_secret_value() == CANARY
    assert CANARY not in repr(secret) + str(secret)
    assert not any("priv" in name for name in vars(keys[0]))

    def everything(tx: Connection) -> bytes:
        rows = [*tx.execute(select(vault_secret)), *tx.execute(select(vault_key))]
        return repr(rows).encode()

    assert CANARY.encode() not in await database.read(everything)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"customer_id": "customer-2"}, "secret_void"),
        ({"migration_id": "migration-2"}, "secret_misplaced"),
        ({"row_id": "row-2"}, "secret_misplaced"),
        ({"row_id": None}, "secret_misplaced"),
        ({"user": "b@example.org"}, "secret_void"),
        ({"master_user": "root"}, "secret_void"),
        ({"places": ("imap.attacker.test 993 implicit",)}, "secret_void"),
        ({"places": ("imap.example.org 143 none",)}, "secret_void"),
        ({"places": ()}, "secret_void"),
    ],
)
async def test_joint_31_a_changed_binding_opens_nothing(
    database: Database, keys: tuple[Sealer, Opener], sealed: SecretRef, change: dict[str, object], code: str
) -> None:
    with pytest.raises(SecretUnavailable) as caught:
        await database.read(keys[1].open, sealed, replace(ROW, **change))  # type: ignore[arg-type]
    assert caught.value.code == code
    assert CANARY not in repr(caught.value) + str(caught.value)


async def test_joint_31_a_moved_ciphertext_opens_nothing(
    database: Database, keys: tuple[Sealer, Opener], sealed: SecretRef
) -> None:
    def move(tx: Connection) -> SecretRef:
        stolen = tx.execute(select(vault_secret.c.ciphertext).where(vault_secret.c.secret_ref == sealed)).scalar_one()
        tx.execute(update(vault_secret).where(vault_secret.c.row_id == "row-2").values(ciphertext=stolen))
        other = tx.execute(select(vault_secret.c.secret_ref).where(vault_secret.c.row_id == "row-2")).scalar_one()
        return SecretRef(other)

    moved = await database.write(move)
    with pytest.raises(SecretUnavailable) as caught:
        await database.read(keys[1].open, moved, OTHER_ROW)
    assert caught.value.code == "secret_void"


async def test_joint_31_a_secret_of_the_migration_opens_for_its_rows_only(
    database: Database, keys: tuple[Sealer, Opener], sealed: SecretRef
) -> None:
    whole = Binding(
        customer_id=CUSTOMER, migration_id=MIGRATION, row_id=None, places=("google",), user="admin@example.org"
    )
    ref = await database.write(keys[0].seal, whole, SecretStr("service-account"), 2)
    for row in ("row-1", "row-2"):
        opened = await database.read(keys[1].open, ref, replace(whole, row_id=RowId(row)))
        assert opened.get_secret_value() == "service-account"
    with pytest.raises(SecretUnavailable):
        await database.read(keys[1].open, ref, replace(whole, migration_id=MigrationId("migration-2")))


async def test_joint_32_another_rows_reference_is_refused(
    database: Database, keys: tuple[Sealer, Opener], sealed: SecretRef
) -> None:
    with pytest.raises(SecretUnavailable, match="another row"):
        await database.read(keys[1].open, sealed, OTHER_ROW)
    with pytest.raises(SecretUnavailable) as caught:
        await database.read(keys[1].open, SecretRef("none"), ROW)
    assert caught.value.code == "credentials_expired"


async def test_joint_30_shredding_the_key_ends_it(
    database: Database, keys: tuple[Sealer, Opener], sealed: SecretRef
) -> None:
    kept = await database.read(lambda tx: tx.execute(select(vault_secret)).mappings().all())
    await database.write(vault.shred, MIGRATION)
    # Even with the secrets brought back from a copy of the database.
    await database.write(lambda tx: tx.execute(vault_secret.insert(), [dict(row) for row in kept]).rowcount)
    with pytest.raises(SecretUnavailable, match="shredded"):
        await database.read(keys[1].open, sealed, ROW)
    with pytest.raises(SecretUnavailable, match="shredded"):
        await database.write(keys[0].seal, ROW, SecretStr("late"), 3)


async def test_a_corrected_row_forgets_its_old_secret(
    database: Database, keys: tuple[Sealer, Opener], sealed: SecretRef
) -> None:
    await database.write(vault.shred_secrets, [sealed, SecretRef("")])
    with pytest.raises(SecretUnavailable) as caught:
        await database.read(keys[1].open, sealed, ROW)
    assert caught.value.code == "credentials_expired"


async def test_joint_06_secrets_without_a_submission_go_after_an_hour(
    database: Database, keys: tuple[Sealer, Opener]
) -> None:
    def wizard(tx: Connection, migration: str) -> SecretRef:
        keys[0].make_key(tx, CUSTOMER, MigrationId(migration), 0, provisional=True)
        binding = replace(ROW, migration_id=MigrationId(migration))
        return keys[0].seal(tx, binding, SecretStr(CANARY), 0, provisional=True)

    left, kept = await database.write(wizard, "left"), await database.write(wizard, "kept")
    await database.write(vault.confirm, MigrationId("kept"))
    hour = 3600 * 1_000_000
    assert await database.write(vault.shred_orphans, hour - 1) == 0
    assert await database.write(vault.shred_orphans, hour) == 2
    binding = replace(ROW, migration_id=MigrationId("kept"))
    assert (await database.read(keys[1].open, kept, binding)).get_secret_value() == CANARY
    with pytest.raises(SecretUnavailable):
        await database.read(keys[1].open, left, replace(ROW, migration_id=MigrationId("left")))


async def test_one_call_seals_for_one_migration(
    database: Database, keys: tuple[Sealer, Opener], sealed: SecretRef
) -> None:
    pairs = [(ROW, SecretStr("a")), (replace(ROW, migration_id=MigrationId("migration-2")), SecretStr("b"))]
    with pytest.raises(ValueError, match="one migration"):
        await database.write(keys[0].seal_all, pairs, 1)
    assert await database.write(keys[0].seal_all, [], 1) == []


def test_another_vault_opens_nothing(tmp_path: Path) -> None:
    make_vault_keys(tmp_path / "a.key", tmp_path / "a.pub")
    first = (tmp_path / "a.key").read_bytes()
    make_vault_keys(tmp_path / "a.key", tmp_path / "a.pub")
    assert (tmp_path / "a.key").read_bytes() == first
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.key", "a.pub"]
    (tmp_path / "a.key").chmod(0o640)
    with pytest.raises(ValueError, match="can be read by others"):
        load_opener(tmp_path / "a.key")


def test_endpoints_have_one_spelling() -> None:
    spelt = Endpoint(host="IMAP.Example.ORG.", port=993, tls="implicit", address="192.0.2.1")
    assert canonical_endpoints([spelt]) == canonical_endpoints([SOURCE]) == ("imap.example.org 993 implicit",)
    assert canonical_endpoints([replace(SOURCE, host="mäil.example")]) == ("xn--mil-qla.example 993 implicit",)


@given(st.lists(st.text(max_size=3), min_size=2, max_size=2), st.lists(st.text(max_size=3), min_size=2, max_size=2))
def test_different_bindings_have_different_bytes(first: list[str], second: list[str]) -> None:
    one = replace(ROW, user=first[0], master_user=first[1])
    two = replace(ROW, user=second[0], master_user=second[1])
    assert (one.info() == two.info()) == (first == second)
