"""Triggers leave here: round robin over customers, within the caps per customer and per source server (joint 13)."""

import json
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, select, update

from mailhaul.budget import StopLevel, parked_servers, stops
from mailhaul.db import Microseconds, from_microseconds
from mailhaul.events import Endpoint, Event, Rules, RunTriggered
from mailhaul.ids import CustomerId, MailboxId, MigrationId, RowId, RunId, SecretRef, derive
from mailhaul.states import MigrationState, Scope
from services.scheduler.case import Policy
from services.scheduler.corrections import rules_of
from services.scheduler.tables import mailbox_run, migration, row, run, timer
from services.scheduler.timers import NOWHERE
from services.scheduler.words import Phase, TimerKind

box = mailbox_run.c


def release(tx: Connection, policy: Policy, at: Microseconds) -> list[Event]:
    """Trigger what is due and has room; one scheduler at a time, so that the caps hold over all of them."""
    lock = select(timer.c.due_at).where(timer.c.migration_id == NOWHERE, timer.c.kind == TimerKind.ORPHANS.value)
    if tx.execute(lock.with_for_update(skip_locked=True)).first() is None:
        return []
    chosen = tx.execute(_chosen(tx, policy, at)).all()
    if not chosen:
        return []
    keys = and_(box.migration_id == bindparam("m"), box.run_no == bindparam("r"), box.mailbox_id == bindparam("b"))
    tx.execute(
        update(mailbox_run).where(keys).values(phase=Phase.FLYING.value, due_at=at, trigger_no=box.trigger_no + 1),
        [{"m": each.migration_id, "r": each.run_no, "b": each.mailbox_id} for each in chosen],
    )
    return [_trigger(each, at) for each in chosen]


def recall(tx: Connection, policy: Policy, at: Microseconds) -> None:
    """Take back triggers that nobody answered in a day, dead letters for example: no mailbox flies for ever.

    Triggering again harms nothing: the copier ignores the older trigger, and its ledger knows what was done. A settling
    is given up: its run's outcome stands, and the next run settles at its start.
    """
    overdue = and_(box.phase == Phase.FLYING.value, box.due_at <= at - policy.answer_timeout)
    settling = and_(overdue, box.scope == Scope.SETTLE.value)
    tx.execute(update(mailbox_run).where(settling).values(phase=Phase.OVER.value, due_at=None))
    goals = {MigrationState.CANCELLED: Phase.CANCELLED, MigrationState.PAUSED: Phase.HELD}
    for state, phase in goals.items():
        mine = select(migration.c.migration_id).where(migration.c.state == state.value)
        tx.execute(update(mailbox_run).where(overdue, box.migration_id.in_(mine)).values(phase=phase.value))
    tx.execute(update(mailbox_run).where(overdue).values(phase=Phase.QUEUED.value, due_at=at))


def _chosen(tx: Connection, policy: Policy, at: Microseconds) -> Select[Any]:
    """The mailboxes to trigger now, with all that their triggers say.

    Ranked three times: within a customer on a server, in the order of the index; on the server, where customers take
    turns, up to its room; within the customer, up to the customer's room and in turn with the other customers.
    """
    due = (box.phase == Phase.QUEUED.value, box.due_at <= at, *_not_stopped(tx, at))
    pair = [box.source_server, box.customer_id]
    pairs = tx.execute(select(func.count()).select_from(select(*pair).where(*due).distinct().subquery())).scalar_one()
    # Deep enough to fill this transaction; what lies deeper is not even sorted.
    depth = 2 * policy.releases_per_tick // max(1, pairs) + 1
    in_pair = (
        select(
            *(box[name] for name in (*_KEY, "customer_id", "source_server", "turn")),
            func.row_number().over(partition_by=pair, order_by=[box.turn, box.due_at, box.mailbox_id]).label("in_pair"),
        )
        .where(*due)
        .subquery("in_pair")
    )
    front = select(in_pair).where(in_pair.c.in_pair <= depth).cte("front")
    by_server = _with_room(front, policy)
    by_customer = (
        select(
            by_server,
            func.row_number()
            .over(
                partition_by=by_server.c.customer_id,
                order_by=[by_server.c.turn, by_server.c.on_server, by_server.c.mailbox_id],
            )
            .label("of_customer"),
        )
        .where(by_server.c.on_server <= by_server.c.server_room)
        .cte("by_customer")
    )
    return (
        select(mailbox_run, row, run.c.run_id, migration.c.surplus, migration.c.switch_advised)
        .join(by_customer, and_(*(box[name] == by_customer.c[name] for name in _KEY)))
        .join(row, row.c.row_id == box.row_id)
        .join(run, and_(run.c.migration_id == box.migration_id, run.c.run_no == box.run_no))
        .join(migration, migration.c.migration_id == box.migration_id)
        .where(by_customer.c.of_customer <= by_customer.c.customer_room)
        .order_by(by_customer.c.turn, by_customer.c.of_customer, by_customer.c.customer_id)
        .limit(policy.releases_per_tick)
    )


def _with_room(front: Any, policy: Policy) -> Any:
    """What is due, with its rank on its server and the room that is left there and for its customer."""
    servers, customers = _flying(box.source_server, "servers"), _flying(box.customer_id, "customers")
    server_room = policy.mailboxes_per_server - func.coalesce(servers.c.flying, 0)
    customer_room = policy.mailboxes_per_customer - func.coalesce(customers.c.flying, 0)
    rank = func.row_number().over(
        partition_by=front.c.source_server, order_by=[front.c.turn, front.c.in_pair, front.c.customer_id]
    )
    return (
        select(
            front,
            rank.label("on_server"),
            server_room.label("server_room"),
            customer_room.label("customer_room"),
        )
        .outerjoin(servers, servers.c.name == front.c.source_server)
        .outerjoin(customers, customers.c.name == front.c.customer_id)
        .where(front.c.in_pair <= customer_room)
        .cte("by_server")
    )


_KEY = ("migration_id", "run_no", "mailbox_id")


def _flying(column: Any, name: str) -> Any:
    """Mailboxes in flight by customer or by server."""
    return (
        select(column.label("name"), func.count().label("flying"))
        .where(box.phase == Phase.FLYING.value)
        .group_by(column)
        .cte(name)
    )


def _not_stopped(tx: Connection, at: Microseconds) -> list[Any]:
    """Servers that are parked or stopped, and customers that are stopped, wait."""
    stopped = stops(tx).reasons
    servers = {*parked_servers(tx, at), *(name for level, name in stopped if level == StopLevel.SERVER)}
    customers = {name for level, name in stopped if level == StopLevel.CUSTOMER}
    mailboxes = {name for level, name in stopped if level == StopLevel.MAILBOX}
    named = ((box.source_server, servers), (box.customer_id, customers), (box.mailbox_id, mailboxes))
    return [column.not_in(sorted(names)) for column, names in named if names]


def _trigger(each: Row[Any], at: Microseconds) -> RunTriggered:
    values = each._mapping
    trigger_no = values[box.trigger_no] + 1
    surplus = values[migration.c.surplus]
    if surplus == "auto":
        # Joint 27: repair until the owner was told to switch, report from then on.
        surplus = "report" if values[migration.c.switch_advised] else "repair"
    return RunTriggered(
        event_id=derive("trigger", values[box.migration_id], values[box.run_no], values[box.mailbox_id], trigger_no),
        at=from_microseconds(at),
        migration_id=MigrationId(values[box.migration_id]),
        customer_id=CustomerId(values[box.customer_id]),
        run_id=RunId(values[run.c.run_id]),
        run_no=values[box.run_no],
        trigger_no=trigger_no,
        failures=values[box.failures],
        mailbox_id=MailboxId(values[box.mailbox_id]),
        row_id=RowId(values[box.row_id]),
        row_version=values[row.c.row_version],
        scope=Scope(values[box.scope]),
        folder_id=None,
        source=Endpoint(
            host=values[row.c.host],
            port=values[row.c.port],
            tls=values[row.c.tls],
            address=values[row.c.pinned_address],
        ),
        source_user=values[row.c.source_user],
        master_user=values[row.c.master_user],
        secret_ref=SecretRef(values[row.c.secret_ref]),
        destination=values[row.c.destination],
        rules=_rules(values[row.c.rules]),
        surplus=surplus,
    )


@lru_cache(maxsize=1024)
def _rules(stored: str) -> Rules:
    return rules_of(json.loads(stored))
