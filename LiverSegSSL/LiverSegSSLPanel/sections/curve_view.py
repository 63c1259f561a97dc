"""The curves of a training, in the section: a plot, and the choice of what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from LiverSegSSLPanel.curves import EPOCH, Curves
from LiverSegSSLPanel.scene.plots import JUDGED, LOSS, CurvePlot
from LiverSegSSLPanel.training_words import judged_in_words

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob

HEIGHT = 220
"""Of the plot, in pixels."""


class CurveView:
    """The live curves of one job.

    :param box: is shown as soon as there is a curve.
    :param place: the layout for the plot.
    :param choice: the combo box that tells loss from quality.
    """

    def __init__(self, box: Any, place: Any, choice: Any) -> None:
        self._box = box
        self._choice = choice
        self._job: RunningJob | None = None
        self._heard = 0
        self._owner: Any = None
        self._plot: CurvePlot | None = None
        self.curves = Curves()
        self._view = slicer.qMRMLPlotView()
        self._view.setMRMLScene(slicer.mrmlScene)
        self._view.minimumHeight = HEIGHT
        place.addWidget(self._view)
        for name, text in ((LOSS, _("Loss")), (JUDGED, _("Quality"))):
            choice.addItem(text, name)
        choice.connect("currentIndexChanged(int)", self._choose)
        box.visible = False

    def follow(self, job: RunningJob) -> None:
        """Draw what a job has said since the last call; of another job everything, from its first word on."""
        if job is not self._job:
            self._clear()
            self._job, self._heard, self.curves = job, 0, Curves()
        events = job.events[self._heard :]
        self._heard += len(events)
        self._draw(self.curves.take(events))

    def bind(self, owner: Any) -> None:
        """A scene is open.

        :param owner: a node of it, which the plot belongs to.
        """
        self._owner = owner
        self._draw(set(self.curves.folds))

    def unbind(self) -> None:
        """The scene is closed, or the panel goes: nothing of ours stays in it."""
        self._clear()
        self._owner = None

    def _draw(self, news: set[str]) -> None:
        if not news or self._owner is None:
            return
        judged = self.curves.judged
        if self._plot is None:
            self._plot = CurvePlot(slicer.mrmlScene, self._owner, _words())
            self._view.setMRMLPlotViewNode(self._plot.view)
            self._choose()
        self._plot.show(self.curves, news)
        if judged:
            self._choice.setItemText(self._choice.findData(JUDGED), judged_in_words(judged))
        self._box.visible = True
        self._view.fitToContent()

    def _choose(self) -> None:
        if self._plot is not None:
            self._plot.choose(self._choice.itemData(self._choice.currentIndex))
            self._view.fitToContent()

    def _clear(self) -> None:
        if self._plot is not None:
            self._view.setMRMLPlotViewNode(None)
            self._plot.remove()
            self._plot = None
        self._box.visible = False


def _words() -> dict[str, str]:
    return {
        EPOCH: _("Epoch"),
        "loss": _("Loss"),
        "val_loss": _("cases kept out"),
        "fold": _("Fold {fold}"),
        "all": _("All cases"),
        "dice": judged_in_words("dice"),
        "agreement": judged_in_words("agreement"),
    }
