"""Who may write to a destination mailbox: a lease in SQL whose epoch every ledger transaction reads again.

Leases are renewed per worker, not per mailbox: a lease lives while its owner's one row does (joint 38).
"""

import asyncio
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select, update

from mailhaul import budget
from mailhaul.db import SECOND, Database, now, upsert
from mailhaul.failpoints import failpoint
from mailhaul.ids import MailboxId
from services.copier.tables import copier_lease, copier_worker

TAKING = failpoint("copier.lease_taking")
TAKEN = failpoint("copier.lease_taken")


class LockFile:
    """A file that stays locked while this process lives, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def close(self) -> None:
        """Remove the file, then let go of it: nobody can mistake a file that is gone for a dead process."""
        self.path.unlink(missing_ok=True)
        os.close(self._handle)


def proven_dead(lock_file: str) -> bool:
    """Whether the process that locked the file is gone; a file that cannot be seen from here proves nothing."""
    if not lock_file:
        return False
    try:
        handle = os.open(lock_file, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


class Worker:
    """One process (or one part of it) that may hold leases; its own row is renewed once a second."""

    def __init__(self, database: Database, owner: str, lock_file: Path | None, lease_seconds: float) -> None:
        self.database, self.owner = database, owner
        self.lease = int(lease_seconds * SECOND)
        self._path = lock_file
        self._lock: LockFile | None = None

    async def start(self) -> None:
        """Lock the file and enter the worker's row; call before any lease is taken."""
        if self._path is not None:
            self._lock = LockFile(self._path)
        await self.renew()

    async def renew(self) -> budget.Standing:
        """Keep every lease and connection of this worker, and learn what is stopped or parked."""
        return await self.database.write(self._renew)

    def _renew(self, tx: Connection) -> budget.Standing:
        at = now(tx)
        lock_file = str(self._lock.path.resolve()) if self._lock else ""
        row = {"owner": self.owner, "expires_at": at + self.lease, "lock_file": lock_file}
        upsert(tx, copier_worker, [row], ["owner"])
        return budget.renew(tx, self.owner, self.lease, at)

    async def acquire(self, mailbox_id: MailboxId) -> int | None:
        """A new epoch of the mailbox's lease, or None while another living worker holds it."""
        TAKING()
        epoch, holder, lock_file = await self.database.read(_holder, mailbox_id)
        dead = holder if await asyncio.to_thread(proven_dead, lock_file) else ""
        taken = await self.database.write(self._acquire, mailbox_id, epoch, dead)
        if dead and taken is not None:
            with suppress(OSError):
                os.unlink(lock_file)
        TAKEN()
        return taken

    def _acquire(self, tx: Connection, mailbox_id: MailboxId, seen: int, dead: str) -> int | None:
        found = tx.execute(
            select(copier_lease.c.epoch, copier_lease.c.owner)
            .where(copier_lease.c.mailbox_id == mailbox_id)
            .with_for_update()
        ).first()
        if found is None:
            tx.execute(insert(copier_lease).values(mailbox_id=mailbox_id, epoch=1, owner=self.owner))
            return 1
        epoch = int(found.epoch)
        stolen = bool(dead) and found.owner == dead and epoch == seen
        if found.owner is not None and found.owner != self.owner and not stolen and _lives(tx, found.owner):
            return None
        tx.execute(
            update(copier_lease)
            .where(copier_lease.c.mailbox_id == mailbox_id)
            .values(epoch=epoch + 1, owner=self.owner)
        )
        return epoch + 1

    async def release(self, mailbox_id: MailboxId, epoch: int) -> None:
        """Let another worker take the mailbox at once; nothing happens when one already did."""
        await self.database.write(_release, mailbox_id, epoch, self.owner)

    async def close(self) -> None:
        """Give everything back."""
        await self.database.write(_leave, self.owner)
        if self._lock is not None:
            self._lock.close()


def _holder(tx: Connection, mailbox_id: MailboxId) -> tuple[int, str, str]:
    found = tx.execute(
        select(copier_lease.c.epoch, copier_lease.c.owner, copier_worker.c.lock_file)
        .join_from(copier_lease, copier_worker, copier_lease.c.owner == copier_worker.c.owner, isouter=True)
        .where(copier_lease.c.mailbox_id == mailbox_id)
    ).first()
    return (int(found.epoch), found.owner or "", found.lock_file or "") if found else (0, "", "")


def _lives(tx: Connection, owner: str) -> bool:
    expires = tx.execute(select(copier_worker.c.expires_at).where(copier_worker.c.owner == owner)).scalar()
    return expires is not None and int(expires) > now(tx)


def _release(tx: Connection, mailbox_id: MailboxId, epoch: int, owner: str) -> None:
    mine = (copier_lease.c.mailbox_id == mailbox_id, copier_lease.c.epoch == epoch, copier_lease.c.owner == owner)
    tx.execute(update(copier_lease).where(*mine).values(owner=None))


def _leave(tx: Connection, owner: str) -> None:
    tx.execute(update(copier_lease).where(copier_lease.c.owner == owner).values(owner=None))
    tx.execute(delete(copier_worker).where(copier_worker.c.owner == owner))
    # Rows of workers that died long ago say nothing any more: no row means not alive.
    tx.execute(delete(copier_worker).where(copier_worker.c.expires_at < now(tx) - 3600 * SECOND))
