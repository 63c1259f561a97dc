"""Who reviews: a name that is kept on this computer, by default the one of the user."""

from __future__ import annotations

from typing import Any

from LiverSegSSLPanel import settings
from LiverSegSSLPanel.logic_scene import user_name

KEY = "reviewer"


def reviewer() -> str:
    """The name that is written beside what is judged."""
    return settings.read(KEY) or user_name()


class ReviewerName:
    """The line in which the reviewer writes the name; emptied, it is the user's again.

    :param line: a QLineEdit.
    """

    def __init__(self, line: Any) -> None:
        self._line = line
        line.text = reviewer()
        line.connect("editingFinished()", self._edited)

    def _edited(self) -> None:
        settings.write(KEY, self._line.text.strip())
        self._line.text = reviewer()
