"""The batch script in real processes: under plain Python, and in one whose ``slicer`` keeps the exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from Testing.integration.loop_cohort import write_small_cohort

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "LiverSegSSL" / "Scripts" / "LiverSegSSLBatch.py"

SLICER = """
class CommandOptions:
    runPythonAndExit = True
class App:
    def commandOptions(self): return options
    def exit(self, code):
        import pathlib
        pathlib.Path({record!r}).open("a").write(f"{{code}}\\n")
options, app = CommandOptions(), App()
"""
"""As Slicer's: ``exit`` only asks the application to end, and the script runs on."""

UTIL = """
def exit(status=0):
    from slicer import app
    app.commandOptions().runPythonAndExit = False
    app.exit(status)
"""

LIKE_SLICER = """
import slicer, runpy, sys
class Console:  # what PythonQt puts in place of the streams: write, flush and isatty, nothing else
    def __init__(self, stream): self._stream = stream
    def write(self, text): self._stream.write(text)
    def flush(self): self._stream.flush()
    def isatty(self): return False
sys.stdout, sys.stderr = Console(sys.stdout), Console(sys.stderr)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_small_cohort(tmp_path_factory.mktemp("cohort"))[0]


@pytest.fixture
def like_slicer(tmp_path):
    """Runs the script as Slicer would; gives the codes that ``slicer.util.exit`` was given, and what was printed."""
    record = tmp_path / "codes"
    package = tmp_path / "python" / "slicer"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(SLICER.format(record=str(record)))
    (package / "util.py").write_text(UTIL)

    def run(*arguments, broken=""):
        command = [sys.executable, "-c", LIKE_SLICER, str(SCRIPT), *map(str, arguments)]
        done = _run(command, tmp_path, [str(package.parent), broken] if broken else [str(package.parent)])
        assert done.returncode == 0, done.stderr  # Slicer's Python itself must not end
        return [int(line) for line in record.read_text().split()], done

    return run


def test_under_plain_python_it_ends_with_the_verbs_code(cohort, tmp_path):
    done = _run(
        [sys.executable, str(SCRIPT), "--", "inspect", str(cohort), "--workspace", str(tmp_path / "w")], tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "4 studies of" in done.stdout and "care layout" in done.stderr + done.stdout
    assert _run([sys.executable, str(SCRIPT), "inspekt", str(cohort)], tmp_path).returncode == 2
    assert _run([sys.executable, str(SCRIPT), "run", str(tmp_path / "nowhere")], tmp_path).returncode == 2


def test_in_slicer_the_application_is_asked_to_end_with_the_code(like_slicer, cohort, tmp_path):
    codes, done = like_slicer("--", "inspect", cohort, "--workspace", tmp_path / "w")
    assert codes == [0] and "4 studies of" in done.stdout


def test_bad_input_is_code_2_and_one_line(like_slicer, tmp_path):
    codes, done = like_slicer("run", tmp_path / "nowhere")
    assert codes == [2]
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("Error: ") and "is not there" in line


def test_in_slicer_the_verb_runs_in_a_process_of_its_own(like_slicer, tmp_path):
    """Where worker processes can be started, which inside Slicer they cannot."""
    spy = tmp_path / "spy"
    spy.mkdir()
    (spy / "click.py").write_text("import os, sys; print(os.getppid(), 'slicer' in sys.modules); raise SystemExit(3)")
    codes, done = like_slicer("doctor", broken=str(spy))
    assert codes == [3]
    assert done.stdout.split()[1] == "False"


def test_a_defect_is_code_1_and_does_not_keep_slicer_open(like_slicer, tmp_path):
    """A verb that raises what nobody expects: a library that cannot be imported whole."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "click.py").write_text("raise RuntimeError('a broken package')\n")
    codes, done = like_slicer("doctor", broken=str(broken))
    assert codes == [1]
    assert "RuntimeError: a broken package" in done.stderr


def test_without_arguments_the_help_is_shown(like_slicer):
    codes, done = like_slicer()
    assert codes in ([0], [2]) and "Usage" in done.stdout + done.stderr


def _run(command, folder, paths=()):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
