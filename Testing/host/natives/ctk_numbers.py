"""CTK's sliders and spin boxes."""

from typing import Any

from PySide6 import QtCore, QtWidgets

from .stored import stored


class _WithSpinBox(QtWidgets.QWidget):
    """What widgets around a spin box hand on to it. It is made by :meth:`__init__` and laid out by the widget."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._spin = QtWidgets.QDoubleSpinBox(self)

    def setValue(self, value: float) -> None:
        self._spin.setValue(value)

    def setMinimum(self, value: float) -> None:
        self._spin.setMinimum(value)

    def setMaximum(self, value: float) -> None:
        self._spin.setMaximum(value)

    def setRange(self, least: float, most: float) -> None:
        self._spin.setRange(least, most)

    def setSingleStep(self, value: float) -> None:
        self._spin.setSingleStep(value)

    def setDecimals(self, value: int) -> None:
        self._spin.setDecimals(value)

    def setSuffix(self, value: str) -> None:
        self._spin.setSuffix(value)

    def setPrefix(self, value: str) -> None:
        self._spin.setPrefix(value)

    value = QtCore.Property(float, lambda self: self._spin.value(), setValue)
    minimum = QtCore.Property(float, lambda self: self._spin.minimum(), setMinimum)
    maximum = QtCore.Property(float, lambda self: self._spin.maximum(), setMaximum)
    singleStep = QtCore.Property(float, lambda self: self._spin.singleStep(), setSingleStep)
    decimals = QtCore.Property(int, lambda self: self._spin.decimals(), setDecimals)
    suffix = QtCore.Property(str, lambda self: self._spin.suffix(), setSuffix)
    prefix = QtCore.Property(str, lambda self: self._spin.prefix(), setPrefix)


class ctkDoubleSpinBox(_WithSpinBox):
    """A QDoubleSpinBox in a widget, as CTK's is."""

    valueChanged = QtCore.Signal(float)
    decimalsChanged = QtCore.Signal(int)
    editingFinished = QtCore.Signal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._spin)
        self._spin.valueChanged.connect(self.valueChanged)
        self._spin.editingFinished.connect(self.editingFinished)

    text = QtCore.Property(str, lambda self: self._spin.text())


class ctkSliderWidget(_WithSpinBox):
    """A slider with a spin box."""

    valueChanged = QtCore.Signal(float)
    valueIsChanging = QtCore.Signal(float)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal, self)
        self._slider.setRange(0, 1000)
        self._spin.setRange(0.0, 99.0)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._spin)
        self._spin.valueChanged.connect(self._show)
        self._slider.sliderMoved.connect(self._moved)

    def _show(self, value: float) -> None:
        extent = self._spin.maximum() - self._spin.minimum()
        self._slider.setValue(round(1000 * (value - self._spin.minimum()) / extent) if extent else 0)
        self.valueChanged.emit(value)

    def _moved(self, position: int) -> None:
        extent = self._spin.maximum() - self._spin.minimum()
        self._spin.setValue(self._spin.minimum() + extent * position / 1000)

    tracking, setTracking = stored("tracking", "bool", True)
    pageStep, setPageStep = stored("pageStep", "double", 10.0)
    tickInterval, setTickInterval = stored("tickInterval", "double", 0.0)
    spinBoxVisible, setSpinBoxVisible = stored("spinBoxVisible", "bool", True)


class ctkRangeWidget(QtWidgets.QWidget):
    """Two values, least and most, in spin boxes."""

    valuesChanged = QtCore.Signal(float, float)
    minimumValueChanged = QtCore.Signal(float)
    maximumValueChanged = QtCore.Signal(float)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high = QtWidgets.QDoubleSpinBox(self), QtWidgets.QDoubleSpinBox(self)
        self._high.setValue(99.0)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for spin, changed in ((self._low, self.minimumValueChanged), (self._high, self.maximumValueChanged)):
            layout.addWidget(spin)
            spin.valueChanged.connect(changed)
            spin.valueChanged.connect(lambda _: self.valuesChanged.emit(self._low.value(), self._high.value()))

    def setValues(self, least: float, most: float) -> None:
        self._low.setValue(least)
        self._high.setValue(most)

    def setRange(self, least: float, most: float) -> None:
        self._low.setRange(least, most)
        self._high.setRange(least, most)

    minimumValue = QtCore.Property(float, lambda self: self._low.value(), lambda self, v: self._low.setValue(v))
    maximumValue = QtCore.Property(float, lambda self: self._high.value(), lambda self, v: self._high.setValue(v))
    minimum = QtCore.Property(float, lambda self: self._low.minimum(), lambda self, v: self.setRange(v, self.maximum))
    maximum = QtCore.Property(float, lambda self: self._low.maximum(), lambda self, v: self.setRange(self.minimum, v))
    singleStep, setSingleStep = stored("singleStep", "double", 1.0)
    decimals, setDecimals = stored("decimals", "int", 2)


class qMRMLSliderWidget(ctkSliderWidget):
    """ctkSliderWidget with the units of a scene."""

    quantity, setQuantity = stored("quantity", "QString", "")

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene

    def mrmlScene(self) -> Any:
        return getattr(self, "_scene", None)


class qMRMLSpinBox(ctkDoubleSpinBox):
    """ctkDoubleSpinBox with the units of a scene."""

    quantity, setQuantity = stored("quantity", "QString", "")

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene

    def mrmlScene(self) -> Any:
        return getattr(self, "_scene", None)
