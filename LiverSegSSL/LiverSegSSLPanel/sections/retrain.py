"""Retrain: train on what the cohort has by now."""

from __future__ import annotations

from typing import ClassVar

from LiverSegSSLPanel.sections.section import Section


class RetrainSection(Section):
    """Retrain: train on what the cohort has by now."""

    FILE: ClassVar[str] = "RetrainSection.ui"
