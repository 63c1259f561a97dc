"""PythonQt's rules (SLICER.md 4.1), one by one, as the stand-in host keeps them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture
def qt(headless_host: Any) -> Any:
    import qt

    return qt


def test_properties_are_read_as_values(qt: Any) -> None:
    button = qt.QPushButton("Apply")
    assert (button.text, button.enabled, button.checked) == ("Apply", True, False)
    with pytest.raises(TypeError, match="not callable"):
        button.text()
    assert qt.QLabel().size.width() > 0
    assert qt.QTableWidget(2, 3).columnCount == 3


def test_writing_a_property_sets_it_and_setters_exist(qt: Any) -> None:
    button = qt.QPushButton()
    button.enabled = False
    assert not button.isEnabled()
    button.setEnabled(True)
    assert button.enabled
    button.setText("Run")
    assert button.text == "Run"


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        ("QPushButton", "enabled", "no"),
        ("QPushButton", "enabled", 1),
        ("QPushButton", "text", 5),
        ("QPushButton", "text", None),
        ("QSpinBox", "value", 2.5),
        ("QSpinBox", "value", True),
        ("QDoubleSpinBox", "value", "2"),
        ("QLabel", "alignment", "left"),
    ],
)
def test_a_wrongly_typed_property_fails_the_test(
    headless_host: Any, qt: Any, cls: str, name: str, value: object
) -> None:
    widget = getattr(qt, cls)()
    before = getattr(widget, name)
    with pytest.raises(AttributeError, match="does not accept an object of type"):
        setattr(widget, name, value)
    assert getattr(widget, name) == before
    assert len(headless_host.forgive(r"\[property\]")) == 1


def test_a_read_only_property_cannot_be_written(qt: Any) -> None:
    with pytest.raises(AttributeError, match="not writable"):
        qt.QSpinBox().cleanText = "3"


def test_unknown_attributes_raise_in_both_directions(qt: Any) -> None:
    button = qt.QPushButton()
    with pytest.raises(AttributeError, match="no attribute named 'txet'"):
        button.txet  # noqa: B018
    with pytest.raises(AttributeError, match="creating new attributes on C\\+\\+ objects is not allowed"):
        button.caseId = "P1"
    with pytest.raises(AttributeError, match="Slot 'click' can not be overwritten"):
        button.click = None
    with pytest.raises(AttributeError, match="Signal 'clicked' can not be overwritten"):
        button.clicked = None


def test_a_class_derived_in_python_may_have_attributes(qt: Any) -> None:
    class Row(qt.QWidget):
        def __init__(self, parent: Any = None) -> None:
            super().__init__(parent)
            self.caseId = "P1"

    row = Row()
    assert row.caseId == "P1"
    row.windowTitle = "Row"
    assert row.windowTitle == "Row"
    assert isinstance(row, qt.QWidget)
    assert row.className() == "QWidget"


def test_a_derived_object_keeps_its_attributes_while_qt_keeps_it(qt: Any) -> None:
    class Row(qt.QWidget):
        pass

    parent = qt.QWidget()
    Row(parent).caseId = "P7"
    assert parent.children()[0].caseId == "P7"


def test_name_is_the_object_name(qt: Any) -> None:
    label = qt.QLabel()
    label.name = "statusLabel"
    assert (label.objectName, label.name) == ("statusLabel", "statusLabel")


def test_dynamic_properties_are_attributes_once_they_are_there(qt: Any) -> None:
    label = qt.QLabel()
    label.setProperty("phase", "GED4")
    assert label.phase == "GED4"
    label.phase = "T2"
    assert label.property("phase") == "T2"
    assert label.property("other") is None


def test_children_are_found_by_their_name(qt: Any) -> None:
    parent = qt.QWidget()
    layout = qt.QVBoxLayout(parent)
    button = qt.QPushButton("Go")
    button.name = "goButton"
    layout.addWidget(button)
    assert parent.goButton is button
    assert parent.findChildren(qt.QPushButton) == (button,)
    assert isinstance(parent.children(), tuple)


def test_a_missing_signal_fails_the_test(headless_host: Any, qt: Any) -> None:
    button = qt.QPushButton()
    with pytest.raises(AttributeError, match=r"no signal 'clickd\(\)'"):
        button.connect("clickd()", print)
    with pytest.raises(AttributeError, match=r"currentIndexChanged\(QString\)"):
        qt.QComboBox().connect("currentIndexChanged(QString)", print)
    assert len(headless_host.forgive(r"\[signal\]")) == 2


def test_a_missing_signal_fails_the_test_even_if_the_error_is_swallowed(tmp_path: Path) -> None:
    pytest.importorskip("slicer")
    pytest.importorskip("PySide6")
    from Testing.host.host import Host

    with pytest.raises(AssertionError, match=r"no signal 'nothing\(\)'"), Host(tmp_path):
        import contextlib

        import qt

        with contextlib.suppress(AttributeError):
            qt.QPushButton().connect("nothing()", print)


def test_the_signature_says_how_many_arguments_come(qt: Any) -> None:
    button = qt.QPushButton()
    got: list[tuple] = []
    button.connect("clicked()", lambda *args: got.append(args))
    button.connect("clicked(bool)", lambda *args: got.append(args))
    button.clicked.connect(lambda *args: got.append(args))
    button.click()
    assert got == [(), (False,), (False,)]


@given(count=st.integers(0, 5), defaults=st.booleans(), bound=st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arguments_are_cut_to_what_the_callable_takes(
    headless_host: Any, count: int, defaults: bool, bound: bool
) -> None:
    """cellChanged(int,int) has two: a callable that takes fewer gets fewer, with a default or without."""
    import qt

    names = [f"a{index}" for index in range(count)]
    default = "=None" if defaults or count > 2 else ""
    text = ", ".join(f"{name}{default}" for name in names)
    scope: dict[str, Any] = {}
    head = f"def slot({'self, ' if bound else ''}{text}):\n"
    exec(head + f"    got.append(({', '.join(names)}{',' if names else ''}))", scope)
    got: list[tuple] = []
    scope["got"] = got
    target = scope["slot"].__get__(object()) if bound else scope["slot"]
    table = qt.QTableWidget(4, 4)
    table.connect("cellClicked(int,int)", target)
    table.cellClicked.emit(1, 3)
    assert got == [((1, 3)[: min(count, 2)] + (None,) * max(0, count - 2))]


def test_partials_and_qt_methods_get_all_arguments(headless_host: Any, qt: Any) -> None:
    button, got = qt.QPushButton(), []
    button.checkable = True
    button.connect("toggled(bool)", functools.partial(lambda *args: got.append(args), "fixed"))
    other = qt.QLabel()
    button.connect("toggled(bool)", other.setEnabled)
    button.checked = True
    button.checked = False
    assert got == [("fixed", True), ("fixed", False)]
    assert not other.enabled
    button.clicked.connect(other.clear)
    button.click()
    assert "clear" in str(headless_host.forgive(r"\[exception\]")[0])


def test_a_lambda_with_a_default_is_overwritten_by_the_argument(qt: Any) -> None:
    """The trap of `lambda i=i: …` on a signal with an argument is the same as in the application."""
    button, got = qt.QPushButton(), []
    button.connect("clicked(bool)", lambda index=7: got.append(index))
    button.connect("clicked()", lambda index=7: got.append(index))
    button.click()
    assert got == [False, 7]


def test_connections_hold_the_object_of_a_bound_method(headless_host: Any, qt: Any) -> None:
    heard: list[str] = []

    class Panel:
        def hear(self) -> None:
            heard.append("click")

    button = qt.QPushButton()
    button.connect("clicked()", Panel().hear)
    button.click()
    assert heard == ["click"]


def test_disconnect_needs_the_same_callable(qt: Any) -> None:
    button, got = qt.QPushButton(), []

    def hear() -> None:
        got.append(1)

    assert button.connect("clicked()", hear)
    assert not button.disconnect("clicked()", print)
    assert button.disconnect("clicked()", hear)
    button.click()
    assert got == []


def test_an_exception_in_a_slot_fails_the_test_and_nothing_else_stops(headless_host: Any, qt: Any) -> None:
    button, got = qt.QPushButton(), []
    button.connect("clicked()", lambda: 1 / 0)
    button.connect("clicked()", lambda: got.append(1))
    button.click()
    assert got == [1]
    assert "ZeroDivisionError" in headless_host.forgive(r"\[exception\]")[0].text


def test_an_exception_in_an_observer_and_in_an_overridden_method_fails_the_test(headless_host: Any, qt: Any) -> None:
    import slicer

    tag = slicer.mrmlScene.AddObserver("ModifiedEvent", lambda caller, event: 1 / 0)
    slicer.mrmlScene.Modified()
    slicer.mrmlScene.RemoveObserver(tag)
    assert "vtkMRMLScene" in headless_host.forgive("ZeroDivisionError")[0].text

    class Broken(qt.QWidget):
        def sizeHint(self) -> Any:
            raise KeyError("hint")

    page = qt.QWidget()
    layout = qt.QVBoxLayout(page)
    broken = Broken()
    layout.addWidget(broken)
    layout.sizeHint()
    assert "KeyError" in headless_host.forgive("called by Qt")[0].text


def test_enumerations_are_integers_flat_and_scoped(qt: Any) -> None:
    assert qt.Qt.AlignLeft == qt.Qt.AlignmentFlag.AlignLeft == 1
    assert isinstance(qt.Qt.AlignLeft | qt.Qt.AlignTop, int)
    label = qt.QLabel()
    label.alignment = qt.Qt.AlignRight | qt.Qt.AlignTop
    assert label.alignment == 0x22
    label.setAlignment(1 | 0x80)
    assert label.alignment == 0x81
    item = qt.QListWidgetItem("case")
    item.setCheckState(2)
    assert item.checkState() == qt.Qt.Checked == 2
    item.setData(qt.Qt.UserRole + 1, "P1")
    assert item.data(257) == "P1"
    policy = qt.QSizePolicy(qt.QSizePolicy.Expanding, 5)
    assert policy.verticalPolicy() == qt.QSizePolicy.Preferred
    with pytest.raises(AttributeError):
        qt.Qt.AlignmentFlag.AlignSideways  # noqa: B018


def test_settings_come_back_as_text(headless_host: Any, qt: Any) -> None:
    import slicer

    slicer.app.settings().setValue("LiverSegSSL/Flag", True)
    slicer.app.settings().setValue("LiverSegSSL/Rounds", 3)
    again = qt.QSettings()
    assert again.value("LiverSegSSL/Flag") == "true"
    assert again.value("LiverSegSSL/Rounds") == "3"
    assert again.value("LiverSegSSL/Other", 7) == 7
    assert slicer.util.settingsValue("LiverSegSSL/Flag", False, converter=slicer.util.toBool) is True
    assert slicer.util.settingsValue("LiverSegSSL/Rounds", 1, converter=int) == 3


def test_a_pathlib_path_is_refused_everywhere(headless_host: Any, qt: Any, tmp_path: Path) -> None:
    import ctk

    with pytest.raises(TypeError, match="pathlib"):
        qt.QLabel(tmp_path)
    with pytest.raises(TypeError, match="pathlib"):
        qt.QIcon(tmp_path)
    with pytest.raises(TypeError, match="pathlib"):
        qt.QLineEdit().setText(tmp_path)
    with pytest.raises(TypeError, match="pathlib"):
        ctk.ctkDirectoryButton().directory = tmp_path
    assert len(headless_host.forgive(r"\[argument\]")) == 4


def test_classes_are_flat_and_keyword_arguments_and_callables_are_refused(qt: Any) -> None:
    assert qt.QShortcut and qt.QAction and qt.QKeySequence and qt.QTimer
    with pytest.raises(AttributeError):
        qt.QtWidgets  # noqa: B018
    with pytest.raises(AttributeError):
        qt.Signal  # noqa: B018
    with pytest.raises(TypeError, match="keyword"):
        qt.QPushButton(text="Go")
    with pytest.raises(TypeError, match="callable"):
        qt.QMenu().addAction("Go", print)


def test_what_qt_5_does_not_have_is_not_there(qt: Any) -> None:
    with pytest.raises(AttributeError):
        qt.QCheckBox().checkStateChanged  # noqa: B018


def test_a_destroyed_object_says_so(qt: Any) -> None:
    label = qt.QLabel("x")
    assert label
    label.delete()
    assert not label
    with pytest.raises(ValueError, match="destroyed"):
        label.text  # noqa: B018


def test_virtual_methods_are_overridden_and_the_base_is_called_by_its_class(headless_host: Any, qt: Any) -> None:
    class Watcher(qt.QObject):
        def __init__(self) -> None:
            qt.QObject.__init__(self)
            self.kinds: list[int] = []

        def eventFilter(self, target: Any, event: Any) -> bool:
            self.kinds.append(event.type())
            return False

    class Field(qt.QLineEdit):
        sizes = 0

        def resizeEvent(self, event: Any) -> None:
            self.sizes += 1
            qt.QLineEdit.resizeEvent(self, event)

    field, watcher = Field(), Watcher()
    field.installEventFilter(watcher)
    field.resize(300, 40)
    field.show()
    headless_host.process()
    assert field.sizes >= 1
    assert qt.QEvent.Show in watcher.kinds
    field.close()


def test_value_objects_have_methods_and_operators(qt: Any) -> None:
    assert qt.QSize(3, 4) == qt.QSize(3, 4)
    assert (qt.QPoint(1, 2) + qt.QPoint(3, 4)).x() == 4
    assert qt.QColor(qt.Qt.red).name() == "#ff0000"
    assert qt.QKeySequence("Ctrl+N").toString() == "Ctrl+N"
    widget = qt.QWidget()
    widget.minimumSize = qt.QSize(20, 30)
    assert widget.minimumHeight == 30


def test_models_written_in_python_feed_a_view(headless_host: Any, qt: Any) -> None:
    class Cases(qt.QAbstractTableModel):
        rows = (("P1", "GED4"), ("P2", "T2"))

        def rowCount(self, parent: Any = None) -> int:
            return len(self.rows)

        def columnCount(self, parent: Any = None) -> int:
            return 2

        def data(self, index: Any, role: int = 0) -> Any:
            return self.rows[index.row()][index.column()] if role == qt.Qt.DisplayRole else None

    model, view = Cases(), qt.QTableView()
    view.setModel(model)
    assert view.model() is model
    assert model.data(model.index(1, 1)) == "T2"
    assert view.model().rowCount() == 2


def test_a_single_shot_fires_once_and_its_exception_counts(headless_host: Any, qt: Any) -> None:
    got: list[int] = []
    qt.QTimer.singleShot(1, lambda: got.append(1))
    qt.QTimer.singleShot(1, lambda: 1 / 0)
    headless_host.process(lambda: got and headless_host.troubles)
    assert got == [1]
    headless_host.forgive("single shot")
