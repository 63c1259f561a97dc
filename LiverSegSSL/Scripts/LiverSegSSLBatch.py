"""The loop without a window: the verbs and options of ``liversegssl``, run by Slicer's own Python, beside Slicer.

    Slicer --no-splash --no-main-window --python-script LiverSegSSLBatch.py -- run DATA --recipe default

Exit codes: 0 done, 1 failed, 2 bad input. Slicer does not end by itself after a script, so this does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run a verb; returns the exit code, whatever happens."""
    try:
        module = str(Path(__file__).resolve().parents[1])
        if module not in sys.path:  # the script was named alone, without the module's path
            sys.path.append(module)
        from LiverSegSSLPanel.library import panel_readiness, slicer_python

        ready = panel_readiness()
        if not ready.ok:
            sys.stderr.write(f"Error: {ready.reason} – install with the module LiverSegSSL, or with pip\n")
            return 1
        if in_slicer():
            return run_beside(slicer_python(), arguments)
        from LiverSegSSLLib.cli.main import main as liversegssl

        return liversegssl(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except BaseException:  # nothing may keep Slicer open, waiting for somebody who is not there
        traceback.print_exc()
        return 1


def in_slicer() -> bool:
    """Whether this runs inside the application."""
    return hasattr(sys.modules.get("slicer"), "app")


def run_beside(python: str, arguments: list[str]) -> int:
    """Run a verb in a process of its own, and wait for it. Inside Slicer no worker process can be started: there
    ``sys.executable`` is a launcher, which does not hand on the pipe that a worker is given its work by."""
    import LiverSegSSLLib

    library = str(Path(LiverSegSSLLib.__file__).resolve().parents[1])
    paths = [library, *filter(None, [os.environ.get("PYTHONPATH")])]
    # Safe path: no module comes from the folder that Slicer was started in.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
    code = subprocess.call([python, "-m", "LiverSegSSLLib.cli.main", *arguments], env=environment)
    return code if code >= 0 else 1  # ended by a signal


def verb_arguments(argv: list[str]) -> list[str]:
    """What was meant for us: all after ``--`` where Slicer has left that, else all after the name of the script."""
    return argv[argv.index("--") + 1 :] if "--" in argv else argv[1:]


def leave(code: int) -> None:
    """End Slicer with an exit code; outside Slicer, this Python."""
    sys.stdout.flush()
    sys.stderr.flush()
    if in_slicer():
        import slicer.util

        slicer.util.exit(code)
    else:
        sys.exit(code)


if __name__ == "__main__":
    leave(main(verb_arguments(sys.argv)))
