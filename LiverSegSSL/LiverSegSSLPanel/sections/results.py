"""Results: figures, report, masks to take away."""

from __future__ import annotations

from typing import ClassVar

from LiverSegSSLPanel.sections.section import Section


class ResultsSection(Section):
    """Results: figures, report, masks to take away."""

    FILE: ClassVar[str] = "ResultsSection.ui"
