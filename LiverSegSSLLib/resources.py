"""Where the files live that ship beside the code: recipes, tables, templates."""

from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent
_PLACES = (_PACKAGE / "Resources", _PACKAGE.parent / "Resources")  # wheel; source tree and Slicer


def resource(*parts: str) -> Path:
    """The path of a shipped file, for example ``resource("Recipes", "default.yaml")``.

    :raises FileNotFoundError: the installation lacks the file.
    """
    for place in _PLACES:
        path = place.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"{'/'.join(parts)} is missing from this installation of LiverSegSSL")


@cache
def table(*parts: str) -> Any:
    """A shipped YAML file, parsed (cached: do not change what it returns)."""
    import yaml

    return yaml.safe_load(resource(*parts).read_text(encoding="utf-8"))
