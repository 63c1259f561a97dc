"""Settings as they come back from the file: after a restart a flag or a number is a text."""

from typing import Any

from PySide6 import QtCore


class Settings(QtCore.QSettings):
    """A QSettings that never remembers types; the application's does so within a session, not after a restart."""

    _host_shell = True

    def value(self, key: str, default: Any = None) -> Any:  # type: ignore[override]
        if not self.contains(key):
            return default
        found = super().value(key)
        if isinstance(found, bool):
            return "true" if found else "false"
        return str(found) if isinstance(found, int | float) else found
