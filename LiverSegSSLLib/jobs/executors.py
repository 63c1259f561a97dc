"""Where the cases of a job run: on this computer's cores, or on a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import TypeVar

from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.events import SILENT, Reporter

Item = TypeVar("Item")
Result = TypeVar("Result")


def usable_cores() -> int:
    """Cores that this process may use (a container or scheduler may give fewer than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def open_executor(where: str = "local", workers: int = 0) -> Iterator[Executor]:
    """An executor for case-parallel work.

    :param where: ``local`` or ``dask:ADDRESS`` of a running Dask scheduler (``dask:tcp://node1:8786``).
    :param workers: local processes; 0: one a core.
    :raises BadInputError: ``where`` is neither.
    """
    if where == "local":
        pool = ProcessPoolExecutor(
            max_workers=workers or usable_cores(),
            # Not fork: SimpleITK's and torch's thread pools do not survive it.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_end_with_parent,
        )
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    elif where.startswith("dask:"):
        try:
            from distributed import Client
        except ImportError:
            raise BadInputError(
                "Dask is not installed", where, "install it with: pip install 'liversegssl[cluster]'"
            ) from None
        with Client(where.removeprefix("dask:")) as client:
            yield client.get_executor()
    else:
        raise BadInputError("is not an executor", where, "use local or dask:ADDRESS")


def map_cases(
    executor: Executor,
    function: Callable[..., Result],
    items: Mapping[str, Sequence[object]],
    stage: str,
    report: Reporter = SILENT,
) -> Iterator[tuple[str, Result]]:
    """Call ``function(*arguments)`` for each named item, in parallel; yields (name, result) as they finish.

    Which finishes first depends on the machine: who writes results down must not depend on the order.
    """
    futures: dict[Future[Result], str] = {
        executor.submit(function, *arguments): name for name, arguments in items.items()
    }
    report.progress(stage, 0, len(futures))
    for done, future in enumerate(as_completed(futures), start=1):
        name = futures[future]
        result = future.result()
        yield name, result
        report.progress(stage, done, len(futures), name)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(137)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
