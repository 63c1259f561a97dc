"""A small scripted module of our own, to test the host with: a parameter node, a timer, a layout, a table."""

import enum
from typing import Annotated

import qt
import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Default, WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

LAYOUT = 590
LAYOUT_XML = """<layout type="horizontal">
<item><view class="vtkMRMLSliceNode" singletontag="ExampleLeft">
<property name="orientation" action="default">Axial</property><property name="viewlabel" action="default">L</property>
</view></item>
<item><view class="vtkMRMLSliceNode" singletontag="ExampleRight">
<property name="orientation" action="default">Axial</property><property name="viewlabel" action="default">R</property>
</view></item></layout>"""


class Method(enum.Enum):
    FEW_SHOT = "few-shot"
    TRANSFER = "transfer"

    def label(self) -> str:
        return self.value


@parameterNodeWrapper
class HostExampleParameters:
    volume: slicer.vtkMRMLScalarVolumeNode
    method: Method = Method.FEW_SHOT
    rounds: Annotated[int, WithinRange(1, 9)] = 3
    threshold: Annotated[float, WithinRange(0.0, 1.0), Default(0.5)]
    reviewer: str = "nobody"
    overlay: bool = False
    phases: list[str]


class HostExample(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Host example")
        self.parent.categories = ["Testing"]


class HostExampleLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return HostExampleParameters(super().getParameterNode())


class Strip(qt.QWidget):
    """Paints itself, and tells where it was clicked."""

    def __init__(self, parent=None):
        qt.QWidget.__init__(self, parent)
        self.clicked = []
        self.painted = 0
        self.setMinimumHeight(20)

    def paintEvent(self, event):
        painter = qt.QPainter(self)
        painter.fillRect(self.rect, qt.QColor(200, 30, 30))
        painter.end()
        self.painted += 1

    def mousePressEvent(self, event):
        self.clicked.append(event.pos().x())


class HostExampleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    leaks = False

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.parameters = None
        self.guiTag = None
        self.log = []

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        page = slicer.util.loadUI(self.resourcePath("UI/HostExample.ui"))
        self.layout.addWidget(page)
        self.ui = slicer.util.childWidgetVariables(page)
        page.setMRMLScene(slicer.mrmlScene)
        self.logic = HostExampleLogic()
        self.strip = Strip()
        self.layout.addWidget(self.strip)
        self.ui.runButton.connect("clicked(bool)", self.onRun)
        self.ui.table.connect("cellDoubleClicked(int,int)", self.onCell)
        self.shortcut = qt.QShortcut(qt.QKeySequence("Ctrl+N"), page)
        self.shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
        self.shortcut.connect("activated()", self.onNext)
        self.timer = qt.QTimer()
        self.timer.interval = 5
        self.timer.connect("timeout()", self.onTick)
        self.ticks = 0
        manager = slicer.app.layoutManager()
        if manager is not None:
            manager.connect("layoutChanged(int)", self.onLayout)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneClosing)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneThere)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneThere)
        self.connectParameters()

    def connectParameters(self):
        self.disconnectParameters()
        self.parameters = self.logic.getParameterNode()
        self.guiTag = self.parameters.connectGui(self.ui)

    def disconnectParameters(self):
        if self.parameters is not None and self.guiTag is not None:
            self.parameters.disconnectGui(self.guiTag)
        self.parameters = self.guiTag = None

    def enter(self):
        self.log.append("enter")

    def exit(self):
        self.log.append("exit")

    def cleanup(self):
        self.log.append("cleanup")
        if self.leaks:
            return
        self.timer.stop()
        self.disconnectParameters()
        self.removeObservers()
        manager = slicer.app.layoutManager()
        if manager is not None:
            manager.disconnect("layoutChanged(int)", self.onLayout)

    def onSceneClosing(self, caller, event):
        self.disconnectParameters()

    def onSceneThere(self, caller, event):
        self.connectParameters()

    def onRun(self):
        self.log.append("run")
        self.timer.start()

    def onTick(self):
        self.ticks += 1

    def onNext(self):
        self.log.append("next")

    def onCell(self, row, column):
        self.log.append((row, column))

    def onLayout(self, layout):
        self.log.append(layout)

    def showLayout(self):
        manager = slicer.app.layoutManager()
        node = manager.layoutLogic().GetLayoutNode()
        if not node.IsLayoutDescription(LAYOUT):
            node.AddLayoutDescription(LAYOUT, LAYOUT_XML)
        manager.setLayout(LAYOUT)
        for name, text in (("ExampleLeft", "GED4"), ("ExampleRight", "T2")):
            view = manager.sliceWidget(name).sliceView()
            view.cornerAnnotation().SetText(2, text)
            view.scheduleRender()


class HostExampleTest(ScriptedLoadableModuleTest):
    def runTest(self):
        self.assertEqual(HostExampleLogic().getParameterNode().rounds, 3)
