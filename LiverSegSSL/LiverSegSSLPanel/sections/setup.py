"""Set up: what is installed, what is missing, and which Python runs the jobs."""

from __future__ import annotations

from typing import ClassVar

from LiverSegSSLPanel.sections.section import Section


class SetupSection(Section):
    """Set up: what is installed, what is missing, and which Python runs the jobs."""

    FILE: ClassVar[str] = "SetupSection.ui"
