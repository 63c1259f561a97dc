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
        SOURCES.append({"category": category, **properties})
