"""The program's processes by ``fork`` from one that has loaded everything: a start takes 20 ms instead of 5 s.

The tree of processes is the real one (command line → job → workers, nnU-Net's children), with its pipes, sessions and
groups; only ``exec`` and the loading of libraries are left out.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import pkgutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import IO, Any, ClassVar

import LiverSegSSLLib
from LiverSegSSLLib import engine
from LiverSegSSLLib.jobs import executors, runner

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "MPLBACKEND": "agg",
}
"""Environment of the process that is forked: pools of threads do not survive it."""


_LIBRARIES = ("matplotlib.pyplot", "scipy.ndimage", "skimage.measure", "sqlalchemy.dialects.sqlite")
_LEARNING = ("nnunetv2.inference.predict_from_raw_data", "nnunetv2.training.nnUNetTrainer.nnUNetTrainer")


def fork_everything() -> None:
    """From now on the program's own processes are forked."""
    like_subprocess = type("subprocess", (), {**vars(subprocess), "Popen": ForkedPopen})
    vars(runner)["subprocess"] = vars(engine)["subprocess"] = like_subprocess

    class Forking:
        """``multiprocessing`` with one way to start."""

        get_context = staticmethod(lambda _method: multiprocessing.get_context("fork"))
        parent_process = staticmethod(multiprocessing.parent_process)

    vars(executors)["multiprocessing"] = Forking


def load_libraries(*, learning: bool) -> None:
    """Load what takes long to load: with ``learning`` also nnU-Net, of which only what it loads stays, because it reads
    its environment when it is loaded."""
    import SimpleITK
    import torch

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    torch.set_num_threads(1)
    for name in (*_LIBRARIES, *(_LEARNING if learning else ())):
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.split(".")[0] == "nnunetv2"]:
        del sys.modules[name]
    for module in pkgutil.walk_packages(LiverSegSSLLib.__path__, "LiverSegSSLLib."):
        # (Of these rooms, what nnU-Net's children use loads nnU-Net.)
        if not module.name.startswith(("LiverSegSSLLib.learn.", "LiverSegSSLLib.predict.")):
            importlib.import_module(module.name)


def forked(call: Callable[[], int | None], before: Callable[[], None] = lambda: None) -> int:
    """Call in a forked process; the exit code is the call's answer. Returns the process's id.

    :param before: is called first, in the new process.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        before()
        code = int(call() or 0)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)


class ForkedPopen:
    """``subprocess.Popen`` for ``python -m MODULE ARGUMENT…``, as far as the program uses it."""

    _pipes: ClassVar[set[int]] = set()
    """Our ends of all pipes, which a new process must not hold."""

    def __init__(
        self,
        args: list[str],
        *,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        env: Mapping[str, str],
        start_new_session: bool = False,
        **_text: Any,
    ) -> None:
        assert args[1] == "-m", args
        self.args = args
        self.returncode: int | None = None
        theirs: list[tuple[int, int]] = []  # file descriptor, what it becomes
        ends: list[int] = []
        self.stdin: IO[str] | None = None
        self.stdout: IO[str] | None = None
        self.stderr: IO[str] | None = None
        for target, wish, name in ((0, stdin, "stdin"), (1, stdout, "stdout"), (2, stderr, "stderr")):
            if wish == subprocess.PIPE:
                read, write = os.pipe()
                ours, other = (write, read) if target == 0 else (read, write)
                # Not closed with the object: a forked process inherits the object too.
                setattr(self, name, open(ours, "w" if target == 0 else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
                self._pipes.add(ours)
                theirs.append((other, target))
                ends.append(other)
            elif wish == subprocess.STDOUT:
                theirs.append((1, target))
            elif wish is not None:
                theirs.append((wish if isinstance(wish, int) else wish.fileno(), target))

        def begin() -> None:
            if start_new_session:
                os.setsid()
            for source, target in theirs:
                os.dup2(source, target)
            for end in (*ends, *self._pipes):
                os.close(end)
            self._pipes.clear()
            os.environ.clear()
            os.environ.update(env)
            sys.argv = ["-m", *args[3:]]
            sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
            sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115

        self.pid = forked(lambda: importlib.import_module(args[2]).main(), begin)
        for end in ends:
            os.close(end)

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        return self._wait(os.WNOHANG)

    def wait(self, timeout: float | None = None) -> int:
        """Block until it has ended."""
        code = self._wait(0)
        assert code is not None
        return code

    def kill(self) -> None:
        """End it."""
        if self.poll() is None:
            os.kill(self.pid, 9)

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:  # another thread was faster
                pid, status = self.pid, 0
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode
