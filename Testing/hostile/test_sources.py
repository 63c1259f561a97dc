"""No source of ours may read what could run, start a shell or run text: a new one fails here before it is used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "LiverSegSSLLib").rglob("*.py"), *(ROOT / "LiverSegSSL").rglob("*.py")])

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "code", "codeop", "pty"}
"""Not imported, whole or in part."""

LISTENERS = {"socketserver", "http.server", "xmlrpc.server", "wsgiref", "asyncio", "ftplib", "telnetlib", "smtplib"}

CALLS = {
    "eval": "runs text",
    "exec": "runs text",
    "compile": "runs text",
    "__import__": "imports by a name",
    "os.system": "starts a shell",
    "os.popen": "starts a shell",
    "subprocess.getoutput": "starts a shell",
    "subprocess.getstatusoutput": "starts a shell",
    "yaml.load": "makes any object; only with a SafeLoader of ours",
    "yaml.load_all": "makes any object",
    "yaml.unsafe_load": "makes any object",
    "yaml.full_load": "makes any object",
    "torch.jit.load": "runs what is in the file",
    "torch.hub.load": "runs what is on a server",
    "torch.package.PackageImporter": "runs what is in the file",
    "pandas.read_pickle": "runs what is in the file",
    "pd.read_pickle": "runs what is in the file",
    "np.loadtxt": "is not used",
    "blosc2.open": "follows what the file names",
    "tarfile.open": "unpacks to anywhere",
    "zipfile.ZipFile": "unpacks to anywhere",
    "shutil.unpack_archive": "unpacks to anywhere",
    "load_pickle": "runs what is in the file",
    "get_network_from_plans": "calls what plans name",
    "initialize_from_trained_model_folder": "runs what is in the checkpoint",
    "pydoc.locate": "imports by a name",
    "runpy.run_path": "runs a file",
}

ALLOWED = {
    ("LiverSegSSLLib/rounds/recipe.py", "yaml.load"),  # with a SafeLoader
    ("LiverSegSSLLib/rounds/equipment.py", "runpy.run_path"),  # torch/version.py as installed, without importing torch
    # Of constants, or of names that are looked up among those of our own.
    ("LiverSegSSLLib/cli/main.py", "importlib.import_module"),
    ("LiverSegSSLLib/jobs/child.py", "importlib.import_module"),  # of a job on standard input, from its parent
}


def found(source: str, path: str) -> Iterator[str]:
    """What a source does that none may do, in words."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (
            f"imports {name}" for name in names if name.split(".")[0] in MODULES or name in LISTENERS | {"pydoc.locate"}
        )
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {word.arg: word.value for word in node.keywords}
            if (path, called) in ALLOWED:
                continue
            short = called.rpartition(".")[2]
            if called in CALLS or (short in CALLS and "_" in short):
                yield f"calls {called}: it {CALLS.get(called, CALLS.get(short))}"
            if called == "importlib.import_module":
                yield "imports by a name"
            if called.endswith("torch.load") and not is_constant(given.get("weights_only"), True):
                yield "calls torch.load without weights_only=True"
            if (
                short == "load"
                and called.startswith(("np.", "numpy."))
                and not is_constant(given.get("allow_pickle"), False)
            ):
                yield f"calls {called} without allow_pickle=False"
            if "shell" in given and not is_constant(given["shell"], False):
                yield f"starts a shell: {called}"
            if called.startswith("subprocess.") and node.args and not argument_list(node.args[0]):
                yield f"gives {called} something else than a list"
            if called.startswith("socket.") and called != "socket.gethostname":
                yield f"opens a connection: {called}"


def is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def argument_list(node: ast.expr) -> bool:
    """Not text: a list, a name or a call, which type checks hold to be lists."""
    return not isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_of_ours_runs_nothing(source: Path) -> None:
    path = source.relative_to(ROOT).as_posix()
    assert list(found(source.read_text(encoding="utf-8"), path)) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "import torch; torch.load(x)",
        "import torch; torch.load(x, weights_only=False)",
        "import torch; torch.load(x, weights_only=flag)",
        "np.load(x)",
        "np.load(x, allow_pickle=True)",
        "yaml.load(x, Loader=yaml.Loader)",
        "subprocess.run('ls', shell=True)",
        "subprocess.run(f'ls {x}')",
        "subprocess.Popen(['ls'], shell=flag)",
        "os.system('ls')",
        "eval(x)",
        "exec(x)",
        "importlib.import_module(x)",
        "socket.create_server(x)",
        "import http.server",
        "from batchgenerators.utilities.file_and_folder_operations import load_pickle; load_pickle(x)",
        "predictor.initialize_from_trained_model_folder(x)",
        "blosc2.open(x)",
        "zipfile.ZipFile(x).extractall()",
    ],
)
def test_and_this_is_how_one_would_be_found(line: str) -> None:
    assert list(found(line, "LiverSegSSLLib/new.py"))


def test_all_sources_are_looked_at() -> None:
    assert len(SOURCES) > 300
