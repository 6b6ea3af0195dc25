"""One thread that writes to SQLite, committing waiting transactions together."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Generic, Self, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")
GROUP_LIMIT = 64  # a larger group would hold the file too long for the other processes


class Job(Generic[T]):
    """A transaction function on its way; as a context it keeps the error for whoever waits."""

    def __init__(self, run: Callable[[Connection], T]) -> None:
        self._run = run
        self._value: T | None = None
        self.error: BaseException | None = None
        self.future: Future[T] = Future()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self.error = error
        return True

    def run(self, tx: Connection) -> None:
        """Run the function inside the transaction."""
        self._value = self._run(tx)

    def answer(self, failure: BaseException | None) -> None:
        """Tell the waiting side, once the commit has succeeded or `failure` stopped it."""
        error = self.error or failure
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(self._value)  # type: ignore[arg-type]  # run() has set it


class _Failure:
    """Holds the error of a whole group, such as a commit that did not go through."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.error = error
        return True


def commit_group(engine: Engine, jobs: list[Job[object]]) -> None:
    """Run the jobs in one transaction, each in a savepoint of its own, and answer them after the commit.

    A job that fails is rolled back alone. Nothing is answered before the commit, so no caller ever acts on a
    write that may still vanish.
    """
    living = [job for job in jobs if job.future.set_running_or_notify_cancel()]
    if not living:
        return
    with _Failure() as failure:
        if len(living) == 1:
            # Alone, the transaction itself is the savepoint.
            with living[0] as job, engine.begin() as tx:
                job.run(tx)
        else:
            with engine.begin() as tx:
                for job in living:
                    with job, tx.begin_nested():
                        job.run(tx)
    for job in living:
        job.answer(failure.error)


class Writer:
    """The single writer of an embedded database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[Job[object] | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="mailhaul-db-writer", daemon=True)
        self._thread.start()

    def submit(self, run: Callable[[Connection], T]) -> Future[T]:
        """Queue a transaction function; the future is answered after its commit."""
        job = Job(run)
        with self._gate:
            if self._closed:
                raise RuntimeError("the database is closed")
            self._jobs.put(job)  # type: ignore[arg-type]  # the queue does not look at the value
        return job.future

    def close(self) -> None:
        """Finish what is queued, then end the thread."""
        with self._gate:
            already, self._closed = self._closed, True
        if not already:
            self._jobs.put(None)
        self._thread.join()

    def _loop(self) -> None:
        ending = False
        while not ending:
            first = self._jobs.get()
            if first is None:
                return
            group = [first]
            while len(group) < GROUP_LIMIT and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    ending = True
                    break
                group.append(following)
            commit_group(self._engine, group)


def run_now(engine: Engine, run: Callable[[Connection], T]) -> T:
    """Run one transaction in the calling thread."""
    with engine.begin() as tx:
        return run(tx)
