"""The strip of bars, the timer of a review, and tasks followed by a timer: each by itself."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6")

from LiverSegSSLPanel.task import Steps, Task

from LiverSegSSLLib.errors import LabelError


@pytest.fixture
def strip(host: Any) -> Any:
    """A strip in a window of its own; ``strip.jumped`` is where the person went."""
    from LiverSegSSLPanel.sections.slice_strip import SliceStrip

    jumped: list[int] = []
    strip = SliceStrip(jumped.append)
    strip.jumped = jumped
    strip.resize(200, 60)
    strip.show()
    strip.show_case(20, [float(index % 5) for index in range(20)])
    host.process()
    yield strip
    strip.close()


def _pixels(strip: Any, x: int) -> set[str]:
    image = strip.grab().toImage()
    return {qt_name(image.pixelColor(x, y)) for y in range(image.height())}


def qt_name(colour: Any) -> str:
    return colour.name()


def test_bars_are_as_high_as_the_doubt(strip: Any) -> None:
    import qt

    bar = strip.palette.color(qt.QPalette.Highlight).name()
    image = strip.grab().toImage()

    def height(index: int) -> int:
        x = strip.left_of(index) + 2
        return sum(image.pixelColor(x, y).name() == bar for y in range(image.height()))

    assert height(0) == 0
    assert height(4) == pytest.approx(2 * height(2), abs=2) and height(4) > 40
    assert height(9) == height(4)


def test_what_was_changed_and_where_we_are_is_marked(strip: Any) -> None:
    import qt

    text = strip.palette.color(qt.QPalette.Text).name()
    assert text not in _pixels(strip, strip.left_of(5) + 2)
    strip.mark_changed([5])
    assert text in _pixels(strip, strip.left_of(5) + 2)
    strip.mark_current(10)
    assert text in _pixels(strip, strip.left_of(10))
    assert strip.words(5) == "Slice 5 (0 to 19) · doubt: 0 voxels · drawn in"


@pytest.mark.parametrize("dark", [False, True])
def test_its_colours_are_those_of_the_theme(host: Any, strip: Any, dark: bool) -> None:
    host.theme(dark)
    host.process()
    image = strip.grab().toImage()
    assert (image.pixelColor(strip.left_of(10) + 2, 2).lightness() < 128) == dark


def test_clicks_dragging_and_keys_go_to_slices(host: Any, strip: Any) -> None:
    from PySide6 import QtCore, QtTest

    host.click(strip, 55, 10)
    assert strip.jumped == [5]
    native = strip._native
    QtTest.QTest.mousePress(native, QtCore.Qt.MouseButton.LeftButton, pos=QtCore.QPoint(95, 10))
    for x in (105, 195, 400, -50):
        event_kind = QtCore.QEvent.Type.MouseMove
        move = _move(event_kind, x)
        host.application.sendEvent(native, move)
    QtTest.QTest.mouseRelease(native, QtCore.Qt.MouseButton.LeftButton, pos=QtCore.QPoint(5, 10))
    assert strip.jumped == [5, 9, 10, 19, 19, 0], "and not beyond the ends"
    strip.mark_current(7)
    strip.jumped.clear()
    for key in ("Left", "Right", "Up", "Down", "PgUp", "PgDown", "Home", "End"):
        host.press(strip, key)
    assert strip.jumped == [6, 8, 8, 6, 12, 2, 0, 19]
    strip.show_case(0)
    host.press(strip, "Right")
    host.click(strip, 55, 10)
    assert len(strip.jumped) == 8, "without a case there is nowhere to go"


def _move(kind: Any, x: int) -> Any:
    from PySide6 import QtCore, QtGui

    place = QtCore.QPointF(x, 10)
    left = QtCore.Qt.MouseButton.LeftButton
    none = QtCore.Qt.MouseButton.NoButton
    return QtGui.QMouseEvent(kind, place, place, none, left, QtCore.Qt.KeyboardModifier.NoModifier)


def test_seconds_count_while_the_person_is_active_and_looks_at_the_case(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LiverSegSSLPanel.sections import review_timer

    now, signs, beats = [0.0], [0], []
    monkeypatch.setattr(review_timer.time, "monotonic", lambda: now[0])
    timer = review_timer.ReviewTimer(lambda: signs[0], lambda: beats.append(now[0]))

    def work(seconds: int, active: bool = True) -> None:
        for _ in range(2 * seconds):
            now[0] += 0.5
            signs[0] += active
            timer.tick()

    timer.enter()
    timer.look_at("a")
    work(10)
    assert timer.spent("a") == 10 and len(beats) == 20
    work(120, active=False)
    assert timer.spent("a") == 70, "after a minute without a sign it pauses"
    work(5)
    assert timer.spent("a") == 75
    now[0] += 3600  # the computer slept
    work(1)
    assert timer.spent("a") == pytest.approx(75.5)
    timer.look_at("b")
    work(4)
    timer.leave()
    work(30)
    assert (timer.spent("a"), timer.spent("b")) == (75.5, 4.0)
    timer.look_at("")
    timer.cleanup()


def test_a_task_touches_the_scene_in_the_thread_that_polls_and_nothing_waits(host: Any) -> None:
    from LiverSegSSLPanel.sections.task_watch import TaskWatch

    gate, threads = threading.Event(), []

    def steps(fails: bool) -> Steps[str]:
        threads.append(threading.current_thread())
        word = yield lambda: (gate.wait(10), "done")[1]
        threads.append(threading.current_thread())
        yield lambda: threads.append(threading.current_thread())
        if fails:
            raise LabelError("cannot be done", "a case", "try another")
        return word

    said: list[str] = []
    watch = TaskWatch(said.append)
    with ThreadPoolExecutor(1) as executor:
        watch.follow(Task(steps(False), executor), said.append)
        watch.follow(Task(steps(True), executor), said.append)
        host.wait(0.1)
        assert watch.busy and said == []
        gate.set()
        host.process(lambda: not watch.busy)
        assert sorted(said) == ["a case: cannot be done – try another", "done"]
        main = threading.main_thread()
        assert [thread is main for thread in threads].count(False) == 2
        watch.follow(Task(steps(False), executor), said.append)
        watch.forget()
        host.wait(0.1)
        assert len(said) == 2, "nobody is told any more"
    watch.cleanup()


def test_a_task_that_fails_in_a_thread_or_at_once_says_so_when_asked() -> None:
    def steps(at_once: bool) -> Steps[None]:
        if at_once:
            raise LabelError("at once")
        yield lambda: (_ for _ in ()).throw(OSError("disk full"))

    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(LabelError, match="at once"):
            Task(steps(True), executor).wait()
        with pytest.raises(OSError, match="disk full"):
            Task(steps(False), executor).wait()


def test_a_parameter_of_the_review_is_kept_with_the_scene(host: Any, tmp_path: Path) -> None:
    from Testing.slicer.panels import open_module, section

    widget = open_module(host)
    box = section(widget, "Review").ui.networkBox
    assert box.checked and not box.visible
    box.checked = False
    assert widget.panel.parameters.reviewNetwork is False
    host.save_scene(tmp_path / "scene.mrb")
    host.close_scene()
    assert box.checked
    host.load_scene(tmp_path / "scene.mrb")
    assert not box.checked
