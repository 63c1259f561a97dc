"""Propose: have pseudo labels made."""

from __future__ import annotations

from typing import ClassVar

from LiverSegSSLPanel.sections.section import Section


class ProposeSection(Section):
    """Propose: have pseudo labels made."""

    FILE: ClassVar[str] = "ProposeSection.ui"
