"""``liversegssl models``."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import pytest

from LiverSegSSLLib.cli.main import main
from LiverSegSSLLib.models import shelf as shelf_module
from LiverSegSSLLib.models.catalogue import weights_catalogue
from Testing.unit.models.conftest import sam2_tensors, save
from Testing.unit.models.source import Source


@pytest.fixture
def file(tmp_path):
    return save(tmp_path / "carried.pt", {"model": sam2_tensors()})


@pytest.fixture
def known(file, tmp_path, monkeypatch):
    """The shipped catalogue, with the checksum of the test's own small file for one entry; an empty shelf."""
    content = file.read_bytes()
    catalogue = weights_catalogue()
    mine = {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    catalogue["sam2.1-tiny"] = replace(catalogue["sam2.1-tiny"], **mine)
    monkeypatch.setattr(shelf_module, "weights_catalogue", lambda: catalogue)
    monkeypatch.setenv("LIVERSEGSSL_MODELS", str(tmp_path / "shelf"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return catalogue


def test_listing_makes_nothing_and_loads_nothing_heavy(tmp_path):
    heavy = ("torch", "numpy", "requests", "pooch", "sam2")
    script = (
        "import sys; from LiverSegSSLLib.cli.main import main\n"
        f"code = main(['models', '--folder', {str(tmp_path / 'shelf')!r}])\n"
        f"print('LOADED', [name for name in {heavy!r} if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "LOADED []" in done.stdout and "medsam2" in done.stdout and "absent" in done.stdout
    assert not (tmp_path / "shelf").exists()


def test_all_about_one(known, capsys):
    assert main(["models", "list", "medsam2"]) == 0
    said = capsys.readouterr().out
    assert "156040129" in said and known["medsam2"].sha256 in said and "research and education" in said
    assert "stunet" not in said


def test_carried_in_checked_found_and_removed(known, file, tmp_path, capsys):
    assert main(["models", "path", "sam2.1-tiny"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and "`liversegssl models fetch sam2.1-tiny`" in said.err
    assert main(["models", "import", str(file)]) == 0
    said = capsys.readouterr()
    kept = tmp_path / "shelf" / "sam2.1-tiny" / "sam2.1_hiera_tiny.pt"
    assert str(kept) in said.out and "Apache-2.0" in said.err
    assert main(["models", "path", "sam2.1-tiny"]) == 0
    assert capsys.readouterr().out == f"{kept}\n", "for scripts: the path and nothing else"
    assert main(["models", "verify"]) == 0
    assert capsys.readouterr().out == "sam2.1-tiny: whole\n"
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    assert main(["models", "verify"]) == 1
    assert "damaged" in capsys.readouterr().out
    assert main(["models", "remove", "sam2.1-tiny"]) == 0
    assert not kept.exists()
    assert main(["models", "remove", "sam2.1-tiny"]) == 0
    assert "was not here" in capsys.readouterr().out
    assert main(["models", "verify"]) == 0
    assert "No weights" in capsys.readouterr().out


def test_fetched_with_progress(known, file, capsys):
    with Source(file.read_bytes()) as source:
        known["sam2.1-tiny"] = replace(known["sam2.1-tiny"], source=source.url)
        assert main(["models", "fetch", "sam2.1-tiny"]) == 0
        said = capsys.readouterr()
        assert said.out.startswith("sam2.1-tiny: ") and "fetch sam2.1-tiny" in said.err
        source.status = 503
        assert main(["models", "remove", "sam2.1-tiny"]) == 0
        assert main(["models", "fetch", "sam2.1-tiny"]) == 1
        said = capsys.readouterr().err
        assert "answers 503" in said and "models import FILE" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fetch", "medsam"], "did you mean medsam2"),
        (["path", "medsam"], "did you mean medsam2"),
        (["list", "medsam"], "did you mean medsam2"),
        (["remove", "medsam2", "medsam"], "did you mean medsam2"),
        (["verfy"], "did you mean verify"),
        (["fetch"], "NAME"),
        (["import", "nowhere.pt"], "nowhere.pt: is not there"),
        (["import", "nowhere.pt", "--as", "medsam"], "nowhere.pt: is not there"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line_and_exit_code_2(arguments, says, known, capsys):
    assert main(["models", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_wrong_file_is_refused(known, tmp_path, capsys):
    wrong = tmp_path / "MedSAM2_latest.pt"
    wrong.write_bytes(b"<html>log in</html>")
    assert main(["models", "import", str(wrong)]) == 2
    said = capsys.readouterr().err
    assert "MedSAM2_latest.pt" in said and "trusted" in said and "Traceback" not in said
    assert main(["models", "import", str(wrong), "--as", "medsam2"]) == 2
    assert "has 19 bytes, MedSAM2_latest.pt has 156040129" in capsys.readouterr().err
