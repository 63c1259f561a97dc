"""The module in the stand-in host, and a small cohort open in it: what the tests of the sections begin with."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from Testing.integration.loop_cohort import write_small_cohort

MODULE = Path(__file__).resolve().parents[2] / "LiverSegSSL"
NAME = "LiverSegSSL"


def open_module(host: Any) -> Any:
    """Load the module and open it, with every section unfolded; returns the object of its Widget class."""
    host.load(MODULE / f"{NAME}.py")
    widget = host.open(NAME)
    for section in widget.sections:
        section.button.collapsed = False
    host.process()
    widget.logic.device, widget.logic.workers = "cpu", 1
    return widget


def open_cohort(widget: Any, folder: Path) -> list[Any]:
    """Write a cohort of four small studies (GED4 and T2; two GED4 labelled) and open it; returns its rows."""
    from LiverSegSSLPanel.notices import Notice

    shutil.copytree(_small_cohort(), folder, dirs_exist_ok=True)
    data = folder / "data"
    rows = widget.logic.openCohort(data, folder / "workspace")
    widget.panel.tell(Notice.COHORT)
    return rows


@cache
def _small_cohort() -> Path:
    """Written once in a process: painting the phantom takes longer than most tests."""
    folder = tempfile.TemporaryDirectory(prefix="small-cohort-")
    atexit.register(folder.cleanup)
    write_small_cohort(Path(folder.name))
    return Path(folder.name)


def section(widget: Any, name: str) -> Any:
    """A section by the first part of its class's name: ``Review``."""
    return next(one for one in widget.sections if type(one).__name__ == f"{name}Section")


def tick(host: Any, widget: Any, text: str) -> None:
    """Click the box of the entry that begins with a text."""
    rows = [row for row in range(widget.count) if widget.item(row).text().startswith(text)]
    assert len(rows) == 1, [widget.item(row).text() for row in range(widget.count)]
    place = widget.visualItemRect(widget.item(rows[0]))
    host.click(widget, place.left() + 10, place.center().y())
