"""What ships: every file of the library is listed for CMake, and an installed copy finds its resources."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# As much of Slicer as an extension's CMake asks for: files keep their relative paths beside the module's script.
SLICER = {
    "SlicerConfig.cmake": """
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake)
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR modules)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR modules)
""",
    "Nothing.cmake": "",
    "UseSlicer.cmake": """
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  foreach(file IN LISTS MY_SCRIPTS MY_RESOURCES)
    get_filename_component(folder ${file} DIRECTORY)
    configure_file(${file} ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}/${file} COPYONLY)
    install(FILES ${file} DESTINATION ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}/${folder})
  endforeach()
endmacro()
""",
}


def listed(variable: str, file: str = "Library.cmake") -> list[str]:
    text = (ROOT / file).read_text()
    return re.search(rf"set\({variable}\n(.*?)\n\s*\)", text, re.S)[1].split()


def on_disk(folder: str) -> set[str]:
    files = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts and path.suffix != ".pyc"}


@pytest.mark.parametrize(
    ("variable", "folder"), [("LIVERSEGSSL_LIBRARY", "LiverSegSSLLib"), ("LIVERSEGSSL_RESOURCES", "Resources")]
)
def test_every_file_is_listed_and_every_listed_file_is_there(variable, folder):
    names = listed(variable)
    assert names == sorted(set(names)), "sort Library.cmake, each file once"
    assert set(names) == on_disk(folder)


def test_every_file_of_the_module_is_listed_and_every_listed_file_is_there():
    file = "LiverSegSSL/CMakeLists.txt"
    scripts = [
        name.replace("${MODULE_NAME}", "LiverSegSSL")
        for variable in ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES")
        for name in listed(variable, file)
    ]
    assert len(scripts) == len(set(scripts)), "list each file once"
    assert {f"LiverSegSSL/{name}" for name in scripts} == on_disk("LiverSegSSL") - {file}


@pytest.mark.skipif(not (shutil.which("cmake") and shutil.which("cc")), reason="no CMake, or no compiler")
def test_the_extension_is_built_and_installed_so_that_the_module_finds_its_library(tmp_path):
    slicer, build, place = tmp_path / "slicer", tmp_path / "build", tmp_path / "place"
    slicer.mkdir()
    for name, text in SLICER.items():
        (slicer / name).write_text(text)
    settings = [f"-DSlicer_DIR={slicer}", "-DBUILD_TESTING=OFF"]
    # Built from a copy: CMake must not need anything beside the tree.
    source = tmp_path / "source"
    shutil.copytree(ROOT / "LiverSegSSL", source / "LiverSegSSL", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("CMakeLists.txt", "Library.cmake"):
        shutil.copy(ROOT / name, source / name)
    for folder in ("LiverSegSSLLib", "Resources"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["cmake", "-S", source, "-B", build, *settings], check=True, capture_output=True)
    subprocess.run(["cmake", "--install", build, "--prefix", place], check=True, capture_output=True)
    shutil.rmtree(source)
    script = (
        "from LiverSegSSLPanel.library import find_library; assert find_library()\n"
        "import LiverSegSSLLib; from LiverSegSSLLib.rounds.recipe import load_recipe\n"
        "print(LiverSegSSLLib.__file__); load_recipe('default')"
    )
    for folder in (build / "modules", place / "modules"):
        assert (folder / "LiverSegSSL.py").is_file() and (folder / "Resources/UI/LiverSegSSL.ui").is_file()
        done = subprocess.run(
            [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{script}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert str(folder) in done.stdout
        # The batch script runs by its own path alone.
        batch = [sys.executable, folder / "Scripts/LiverSegSSLBatch.py", "--", "--version"]
        done = subprocess.run(batch, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_catalogue_entry_says_what_cmake_says():
    entry = json.loads((ROOT / "LiverSegSSL.json").read_text())
    assert set(entry) <= {
        *("$schema", "build_dependencies", "build_subdirectory", "category", "scm_revision", "scm_url", "tier")
    }
    cmake = (ROOT / "CMakeLists.txt").read_text()
    said = dict(re.findall(r'set\(EXTENSION_(\w+) "([^"]*)"\)', cmake))
    assert re.search(r"^project\((\w+)\)", cmake, re.M)[1] == "LiverSegSSL"
    assert entry["build_dependencies"] == said["DEPENDS"].split()
    assert entry["scm_url"] == said["HOMEPAGE"] and entry["scm_url"].rpartition("/")[2].startswith("Slicer")
    raw = f"https://raw.githubusercontent.com/{entry['scm_url'].partition('github.com/')[2]}/{entry['scm_revision']}/"
    for name in (said["ICONURL"], *said["SCREENSHOTURLS"].split()):
        assert name.startswith(raw) and (ROOT / name.removeprefix(raw)).is_file(), name
