"""LiverSegSSL in 3D Slicer: from a few labelled liver MRIs to a segmenter for every phase, a clinician in the loop.

The panel is made of the sections in ``LiverSegSSLPanel/sections``; all that it does, LiverSegSSLLogic does without it.
"""

import sys
from pathlib import Path
from typing import Annotated

import slicer
import vtk
from LiverSegSSLPanel.library import find_library, panel_readiness
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

find_library()

from LiverSegSSLPanel.logic import Logic  # noqa: E402  (the library has been found by now)


class LiverSegSSL(ScriptedLoadableModule):
    """What Slicer knows of the module before it is opened."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("LiverSegSSL")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["SegmentEditor"]
        self.parent.contributors = ["The LiverSegSSL team"]
        self.parent.helpText = _(
            "From a few labelled hepatobiliary-phase liver MRIs to a segmenter for every phase: open a folder of "
            "studies, have labels proposed, correct what needs it, retrain, and segment every phase. Nothing leaves "
            "this computer."
        )
        self.parent.helpText += self.getDefaultModuleDocumentationLink()
        self.parent.acknowledgementText = _(
            "Built on nnU-Net, SAM 2, MedSAM2, STU-Net, SimpleITK and 3D Slicer; the papers are named in README.md."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)
        slicer.app.connect("startupCompleted()", registerLayouts)


def registerSampleData():
    """Offer the built-in study in the module Sample Data."""
    from LiverSegSSLPanel.sample_data import register

    register(Path(__file__).parent / "Resources" / "Icons")


def registerLayouts():
    """Make the layouts of the panel known to Slicer."""
    from LiverSegSSLPanel.views import register_layouts

    register_layouts()


@parameterNodeWrapper
class LiverSegSSLParameterNode:
    """What belongs to a scene: saved with it, and brought back with it. Lists are of phases or of case ids."""

    cohortFolder: str
    workspaceFolder: str
    filePattern: str
    recipe: str = "default"
    proposeMethod: str
    proposeSupports: list[str]
    proposeTargets: list[str]
    proposeOptions: str
    proposeChanges: str
    predictModel: str
    reviewNetwork: bool = True
    trainMethod: str
    trainPreset: str
    trainNetwork: str
    trainFolds: Annotated[int, WithinRange(0, 20)] = 0
    trainRounds: Annotated[int, WithinRange(1, 20)] = 1
    trainChanges: str
    truthFolder: str
    exportFolder: str
    exportStates: list[str]
    exportCare: bool = False


class LiverSegSSLWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: six sections, one under the other."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None
        self.closing = None
        self.sections = []

    def setup(self):
        """Make the sections; all but the first need packages that may have to be installed first."""
        ScriptedLoadableModuleWidget.setup(self)
        from LiverSegSSLPanel.closing import Closing
        from LiverSegSSLPanel.notices import Notice
        from LiverSegSSLPanel.panel import Panel
        from LiverSegSSLPanel.sections.running_jobs import RunningJobs
        from LiverSegSSLPanel.sections.setup import SetupSection

        page = slicer.util.loadUI(self.resourcePath("UI/LiverSegSSL.ui"))
        self.layout.addWidget(page)
        page.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(page)
        self.logic = LiverSegSSLLogic()
        self.panel = Panel(self.logic, self.resourcePath)
        self.panel.listen(Notice.READY, self.makeSections)
        self.runningJobs = RunningJobs(self.panel, self.ui.runningJobs)
        self.closing = Closing(self.panel)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneClosing)
        for event in (scene.EndCloseEvent, scene.EndImportEvent, scene.EndRestoreEvent):
            self.addObserver(scene, event, self.onSceneThere)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)
        self.sections = [SetupSection(self.panel, self.ui.setupButton)]
        self.makeSections()
        self.connectParameters()
        if self.parent.isEntered:  # the developer's Reload does not enter anew
            self.sections[0].enter()

    def makeSections(self):
        """Make the sections that need packages, once those are there."""
        readiness = panel_readiness()
        buttons = (
            self.ui.cohortButton,
            self.ui.proposeButton,
            self.ui.reviewButton,
            self.ui.retrainButton,
            self.ui.resultsButton,
        )
        for button in buttons:
            button.enabled = readiness.ok
            button.toolTip = readiness.reason
        if not readiness.ok or len(self.sections) > 1:
            return
        from LiverSegSSLPanel.sections.cohort import CohortSection
        from LiverSegSSLPanel.sections.propose import ProposeSection
        from LiverSegSSLPanel.sections.results import ResultsSection
        from LiverSegSSLPanel.sections.retrain import RetrainSection
        from LiverSegSSLPanel.sections.review import ReviewSection

        kinds = (CohortSection, ProposeSection, ReviewSection, RetrainSection, ResultsSection)
        made = [kind(self.panel, button) for kind, button in zip(kinds, buttons, strict=True)]
        self.sections += made
        if self.panel.parameters is not None:
            for section in made:
                section.bind(self.panel.parameters)
        if self.parent.isEntered:
            for section in made:
                section.enter()

    def enter(self):
        """The user comes to the module."""
        for section in self.sections:
            section.enter()

    def exit(self):
        """The user goes to another module: no shortcut and no effect of ours stays active there."""
        for section in self.sections:
            section.exit()

    def cleanup(self):
        """The panel goes: nothing of it stays behind. Jobs go on, and work in progress is kept."""
        self.removeObservers()
        self.disconnectParameters()
        for section in reversed(self.sections):
            section.cleanup()
        self.sections = []
        if self.closing is not None:
            self.closing.cleanup()
        if self.panel is not None:
            self.panel.cleanup()
            self.logic.release()

    def onReload(self):
        """The developer's button: the panel's own package is read again too."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "LiverSegSSLPanel"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def connectParameters(self):
        """Tie the panel to the parameters of the scene that is open."""
        from LiverSegSSLPanel.notices import Notice

        self.disconnectParameters()
        parameters = self.logic.getParameterNode()
        self.panel.parameters = parameters
        for section in self.sections:
            section.bind(parameters)
        self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self.panel.tell(Notice.PARAMETERS)

    def disconnectParameters(self):
        """Let go of the parameters."""
        if self.panel is None or self.panel.parameters is None:
            return
        node = self.panel.parameters.parameterNode
        if self.hasObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParametersModified):
            self.removeObserver(node, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        for section in self.sections:
            section.unbind()
        self.panel.parameters = None

    def onParametersModified(self, caller, event):
        from LiverSegSSLPanel.notices import Notice

        self.panel.tell(Notice.PARAMETERS)

    def onSceneClosing(self, caller, event):
        self.panel.studies.scene_closes()
        self.disconnectParameters()

    def onSceneThere(self, caller, event):
        self.connectParameters()
        self.panel.studies.scene_opened()

    def onNodeRemoved(self, caller, event):
        self.panel.studies.check_later()


class LiverSegSSLLogic(Logic, ScriptedLoadableModuleLogic):
    """All that the panel does, without a widget and without a window: see :class:`LiverSegSSLPanel.logic.Logic`."""

    def __init__(self, python=None, device="auto", workers=0):
        ScriptedLoadableModuleLogic.__init__(self)
        Logic.__init__(self, slicer.mrmlScene, python, device, workers)

    def getParameterNode(self):
        """The parameters of the scene."""
        return LiverSegSSLParameterNode(ScriptedLoadableModuleLogic.getParameterNode(self))


class LiverSegSSLTest(ScriptedLoadableModuleTest):
    """The whole story on the built-in study, inside the application."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        from LiverSegSSLPanel.self_test import run_story

        self.setUp()
        run_story(self, LiverSegSSLLogic)
