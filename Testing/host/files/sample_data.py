"""`SampleData`: the data sets that a module offers, kept and not downloaded."""

from typing import Any

SOURCES: list[dict[str, Any]] = []
CATEGORIES: dict[str, str] = {}


class SampleDataLogic:
    @staticmethod
    def registerCustomSampleDataCategory(
        category: str, title: str | None = None, allowMultipleRegistration: bool = True
    ) -> None:
        CATEGORIES[category] = title or category

    @staticmethod
    def registerCustomSampleDataSource(category: str = "Custom", **properties: Any) -> None:
        """The application wants the addresses as a text or a list, and of every other field as many."""
        uris, names = properties.get("uris"), properties.get("fileNames")
        if not isinstance(uris, str | list | tuple) or (isinstance(uris, list | tuple) and len(uris) != len(names)):
            raise TypeError(f"uris {uris!r} and fileNames {names!r} do not go together")
        SOURCES.append({"category": category, **properties})
