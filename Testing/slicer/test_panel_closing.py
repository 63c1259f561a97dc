"""Slicer is closed while jobs run; and jobs that were left running are found again, shown and cancelled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6")

from Testing.slicer.panels import MODULE, NAME, open_cohort, open_module

QUESTION = r"Jobs are running\nStill running: slow_count\.\nLeft running, it goes on without Slicer"


def start_count(folder: Path, detached: bool = True) -> Any:
    """A job that counts to three once it is told to go on; it says that it runs."""
    from LiverSegSSLPanel.jobs import start_job

    parameters = {"to": 3, "folder": str(folder)}
    verb = "slow_count" if detached else "export"
    job = start_job(verb, parameters, folder, module="Testing.slicer.slow_verbs", detached=detached)
    while not job.poll():
        pass
    return job


@pytest.fixture
def widget(host: Any) -> Any:
    return open_module(host)


def test_without_jobs_nobody_asks(host: Any, widget: Any) -> None:
    host.process(lambda: not widget.panel.jobs.running, 60)
    assert host.close_window() and not host.popups


def test_closing_can_be_thought_better_of(host: Any, widget: Any, tmp_path: Path) -> None:
    job = start_count(tmp_path / "job")
    widget.panel.jobs.watch(job)
    host.expect(QUESTION, "Do not close")
    assert not host.close_window() and host.main_window.isVisible()
    (tmp_path / "job" / "go").touch()
    host.process(lambda: not widget.panel.jobs.running, 60)
    assert job.result == {"sum": 3}
    assert host.close_window() and len(host.popups) == 1


def test_a_job_that_is_left_running_goes_on(host: Any, widget: Any, tmp_path: Path) -> None:
    job = start_count(tmp_path / "job")
    widget.panel.jobs.watch(job)
    host.expect(QUESTION, "Leave them running")
    assert host.close_window()
    host.quit()
    assert job.running
    (tmp_path / "job" / "go").touch()
    assert job.wait(60) == {"sum": 3}


def test_jobs_are_stopped_when_slicer_ends_and_not_before(host: Any, widget: Any, tmp_path: Path) -> None:
    job = start_count(tmp_path / "job")
    widget.panel.jobs.watch(job)
    host.expect(QUESTION, "Stop them")
    assert host.close_window()
    assert job.running, "Slicer asks about the scene now, and the person may stay"
    host.quit()
    assert not job.running and job.state == "cancelled"


def test_jobs_go_on_when_slicer_stays_after_all_and_the_panel_goes(host: Any, widget: Any, tmp_path: Path) -> None:
    job = start_count(tmp_path / "job")
    widget.panel.jobs.watch(job)
    host.expect(QUESTION, "Stop them")
    assert host.close_window()
    host.main_window.show()  # the person has thought better of it when Slicer asked about the scene
    host.unload(NAME)
    assert job.running
    (tmp_path / "job" / "go").touch()
    assert job.wait(60) == {"sum": 3}


def test_what_ends_with_slicer_is_named_and_cannot_be_left(host: Any, widget: Any, tmp_path: Path) -> None:
    job = start_count(tmp_path / "job", detached=False)
    widget.panel.jobs.watch(job)
    seen = []

    def look(window: Any) -> None:
        seen.extend(sorted(button.text.replace("&", "") for button in window.buttons()))
        window.reject()

    host.expect(r"Ends with Slicer: Export\.", look)
    assert not host.close_window()
    assert seen == ["Do not close", "Stop them"]
    job.cancel()
    host.process(lambda: not widget.panel.jobs.running, 60)


def test_a_panel_that_is_gone_asks_no_more(host: Any, widget: Any, tmp_path: Path) -> None:
    job = start_count(tmp_path / "job")
    widget.panel.jobs.watch(job)
    host.unload(NAME)
    assert host.close_window() and not host.popups and job.running
    job.cancel()


def test_without_a_main_window_there_is_nothing_to_ask(headless_host: Any) -> None:
    open_module(headless_host)
    headless_host.unload(NAME)


def test_a_job_that_was_left_running_is_found_shown_and_followed(host: Any, widget: Any, tmp_path: Path) -> None:
    import qt
    from LiverSegSSLPanel.sections.job_view import JobView

    page = qt.QWidget()
    layout, button = qt.QVBoxLayout(page), qt.QPushButton()
    ended = []
    view = JobView(widget.panel, layout, button, "Count")
    view.adopt({"slow_count"}, ended.append)
    folder = tmp_path / "workspace" / "jobs" / "1-count"
    left = leave_running(folder)
    assert not widget.ui.runningJobs.visible
    open_cohort(widget, tmp_path)
    (job,) = widget.panel.logic.runningJobs()
    host.process(lambda: widget.ui.runningJobs.visible)
    label = host.find("runningJobLabel")
    assert label.text == "slow_count – Starting …" and view.job is job and button.text == "Cancel"
    (folder / "go").touch()
    host.process(lambda: not job.running, 60)
    host.process(lambda: bool(ended))
    assert ended == [job] and job.result == {"sum": 3} and button.text == "Count"
    assert not widget.ui.runningJobs.visible
    left.wait(60)


def test_a_found_job_is_cancelled_without_holding_the_window_up(host: Any, widget: Any, tmp_path: Path) -> None:
    left = leave_running(tmp_path / "workspace" / "jobs" / "1-count")
    open_cohort(widget, tmp_path)
    (job,) = widget.panel.logic.runningJobs()
    host.process(lambda: widget.ui.runningJobs.visible)
    host.click(host.find("runningJobCancelButton"))
    assert host.find("runningJobLabel").text == "slow_count – Cancelling …"
    host.process(lambda: not widget.ui.runningJobs.visible, 60)
    assert job.state == "cancelled"
    assert "RunningJobs" not in host.slowest()[0] or host.slowest()[1] < 100
    left.wait(60)


LEAVE = """
import sys, time
sys.path.insert(0, {module!r})
from pathlib import Path
from LiverSegSSLPanel.jobs import start_job
folder = Path(sys.argv[1])
job = start_job("slow_count", {{"to": 3, "folder": str(folder)}}, folder, None, "Testing.slicer.slow_verbs", True)
while not job.poll():
    time.sleep(0.01)
"""


def leave_running(folder: Path) -> subprocess.Popen[bytes]:
    """An earlier Slicer that starts a job and ends."""
    environment = {**os.environ, "PYTHONPATH": str(MODULE.parent)}
    earlier = subprocess.Popen([sys.executable, "-c", LEAVE.format(module=str(MODULE)), str(folder)], env=environment)
    assert earlier.wait(60) == 0
    return earlier
