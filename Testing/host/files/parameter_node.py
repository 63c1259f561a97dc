"""`slicer.parameterNodeWrapper`: typed parameters in a vtkMRMLScriptedModuleNode, and their connection to widgets."""

import typing
from typing import Any

import qt
import vtk

from . import connectors
from .parameter_fields import (
    Choice,
    Decimals,
    Default,
    Field,
    Maximum,
    Minimum,
    ObservedList,
    SingleStep,
    WithinRange,
)

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Maximum",
    "Minimum",
    "ObservedList",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "WithinRange",
    "findChildWidgetForParameter",
    "isParameterNodeWrapper",
    "parameterNodeWrapper",
]

SlicerParameterNamePropertyName = "SlicerParameterName"


class _ParameterNode:
    """What a decorated class gets."""

    allParameters: typing.ClassVar[dict[str, Field]] = {}
    _is_parameter_node_wrapper = True

    def __init__(self, parameterNode: Any) -> None:
        self.parameterNode = parameterNode
        self._guis: dict[int, tuple[dict[str, connectors.Connector], int]] = {}
        self._next = 0
        self._updating = False
        for field in self.allParameters.values():
            if not field.is_in(parameterNode):
                field.write(parameterNode, field.default)

    def default(self, name: str) -> Default:
        return Default(self._field(name).default)

    def isCached(self, name: str) -> bool:
        self._field(name)
        return False

    @classmethod
    def dataType(cls, name: str) -> Any:
        return cls.allParameters[name].annotation

    def getValue(self, name: str) -> Any:
        return self._field(name).read(self.parameterNode)

    def setValue(self, name: str, value: Any) -> None:
        self._field(name).write(self.parameterNode, value)

    def _field(self, name: str) -> Field:
        if name not in self.allParameters:
            raise ValueError(
                f"Cannot find a param with the given name: {name} (there are {', '.join(self.allParameters)})"
            )
        return self.allParameters[name]

    def connectGui(self, gui: Any) -> int:
        """Connect every widget with the dynamic property SlicerParameterName; the tag is for `disconnectGui`."""
        is_widget = getattr(gui, "isWidgetType", lambda: False)()
        widgets = gui.findChildren(qt.QWidget) if is_widget else gui.__dict__.values()
        named = {
            widget.property(SlicerParameterNamePropertyName): widget
            for widget in widgets
            if hasattr(widget, "property")
        }
        return self.connectParametersToGui({name: widget for name, widget in named.items() if name})

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        made = {name: connectors.create(widget, self._field(name)) for name, widget in mapping.items()}
        for name, connector in made.items():
            connector.write(self.getValue(name))
            connector.connect(self._on_gui(name, connector))
        node_tag = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_node)
        self._next += 1
        self._guis[self._next] = (made, node_tag)
        return self._next

    def disconnectGui(self, tag: int) -> None:
        made, node_tag = self._guis.pop(tag)
        for connector in made.values():
            # A widget that Qt destroyed is disconnected already.
            if connector.widget:
                connector.disconnect()
        self.parameterNode.RemoveObserver(node_tag)

    def _on_gui(self, name: str, connector: connectors.Connector) -> Any:
        def changed() -> None:
            if not self._updating:
                self.setValue(name, connector.read())

        return changed

    def _on_node(self, caller: Any, event: str) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            for made, _ in list(self._guis.values()):
                for name, connector in made.items():
                    connector.write(self.getValue(name))
        finally:
            self._updating = False

    def StartModify(self) -> int:
        return int(self.parameterNode.StartModify())

    def EndModify(self, wasModified: int) -> Any:
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        return int(self.parameterNode.AddObserver(event, callback, priority))

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()


def parameterNodeWrapper(classtype: Any = None) -> Any:
    """Class decorator: the annotated names become parameters."""

    def make(cls: type) -> type:
        fields = {}
        namespace: dict[str, Any] = {
            "__doc__": cls.__doc__,
            "__module__": cls.__module__,
            "__qualname__": cls.__qualname__,
        }
        for name, annotation in typing.get_type_hints(cls, include_extras=True).items():
            if hasattr(_ParameterNode, name):
                raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
            fields[name] = Field(name, annotation, getattr(cls, name, None), hasattr(cls, name))
            namespace[name] = _property(name)
        extra = {key: value for key, value in cls.__dict__.items() if not key.startswith("__") and key not in fields}
        return type(cls.__name__, (_ParameterNode,), {**extra, **namespace, "allParameters": fields})

    return make if classtype is None else make(classtype)


def _property(name: str) -> property:
    return property(lambda self: self.getValue(name), lambda self, value: self.setValue(name, value))


def isParameterNodeWrapper(thing: Any) -> bool:
    return getattr(thing, "_is_parameter_node_wrapper", False)


def findChildWidgetForParameter(widget: Any, parameter: str) -> Any:
    """The child widget that shows a parameter, or None."""
    found = (
        one for one in widget.findChildren(qt.QWidget) if one.property(SlicerParameterNamePropertyName) == parameter
    )
    return next(found, None)
