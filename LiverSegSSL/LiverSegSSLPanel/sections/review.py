"""Review: the queue, and a person's verdicts and corrections."""

from __future__ import annotations

from typing import ClassVar

from LiverSegSSLPanel.sections.section import Section


class ReviewSection(Section):
    """Review: the queue, and a person's verdicts and corrections."""

    FILE: ClassVar[str] = "ReviewSection.ui"
