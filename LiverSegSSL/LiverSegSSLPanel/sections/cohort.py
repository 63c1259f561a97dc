"""Cohort: the studies as a table, and opening one."""

from __future__ import annotations

from typing import ClassVar

from LiverSegSSLPanel.sections.section import Section


class CohortSection(Section):
    """Cohort: the studies as a table, and opening one."""

    FILE: ClassVar[str] = "CohortSection.ui"
