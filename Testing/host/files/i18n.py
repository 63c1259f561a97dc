"""`slicer.i18n`: texts pass a translator of the test, by default untouched; what was asked for is kept."""

from collections.abc import Callable

ASKED: set[str] = set()
TRANSLATOR: list[Callable[[str], str]] = [lambda text: text]


def getContext(sourceFile: str) -> str:
    return sourceFile


def tr(text: str) -> str:
    """The text in the user's language."""
    return translate("", text)


def translate(context: str, text: str) -> str:
    """The text in the user's language, looked up in a context."""
    if not isinstance(text, str):
        raise TypeError(f"translate takes a str, not {type(text).__name__}")
    ASKED.add(text)
    return TRANSLATOR[-1](text)
