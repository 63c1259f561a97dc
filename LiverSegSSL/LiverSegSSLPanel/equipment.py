"""What the Python that runs the jobs has, as it has said itself, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slicer.i18n import tr as _

from LiverSegSSLPanel.library import JOB_NEEDS, OLDEST_PYTHON, Readiness, readiness

MODULES = {**JOB_NEEDS, "sam2": "sam2"}
"""What is asked for: import name → name for pip."""

PROPOSER_WEIGHTS = "medsam2"
"""The weights that few-shot proposals take unless told otherwise."""

DEFAULT_PRESET_GIB = 8.0
"""What nnU-Net's authors give as the memory that the preset ``default`` wants."""


@dataclass(frozen=True)
class Equipment:
    """The answer of the job ``look``; see :mod:`LiverSegSSLLib.rounds.equipment`.

    :param python: the path of the interpreter where it is not Slicer's own, else empty.
    """

    found: Mapping[str, Any]
    python: str = ""

    @property
    def readiness(self) -> Readiness:
        """Whether the jobs have all that they need."""
        where = f"{self.python}: " if self.python else ""
        version = self.found["python"]
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_PYTHON:
            return Readiness(
                False, _("{where}is Python {version} – 3.11 or newer is needed").format(where=where, version=version)
            )
        return readiness([module for module in self.found["missing"] if module in JOB_NEEDS], where)

    def has(self, module: str) -> bool:
        """Whether a module can be imported there."""
        return module not in self.found["missing"]

    def package(self, name: str) -> str:
        """``Installed 2.8.1`` or ``Not installed``."""
        version = self.found["versions"].get(name)
        return _("Not installed") if version is None else _("Installed {version}").format(version=version)

    def torch(self) -> str:
        """torch, and the device that it has."""
        state = self.package("torch")
        device = self.found["device"]
        words = {
            "none": "",
            "broken": _("but it cannot be loaded: {reason}").format(reason=device["name"]),
            "cuda": self._gpu(),
            "mps": device["name"],
            "cpu": _("no GPU that it can use") if device["built_for"] else _("for the processor alone"),
        }[device["kind"]]
        return f"{state}, {words}" if words else state

    def computer(self, device: str) -> str:
        """Graphics card, memory, cores and the time to expect.

        :param device: that the jobs are to take: ``auto``, ``cuda``, ``mps``, ``cpu``.
        """
        parts = []
        kind = self.found["device"]["kind"]
        on_gpu = (kind == "cuda" and device in ("auto", "cuda")) or (kind == "mps" and device == "mps")
        if kind == "cuda":
            parts.append(self._gpu())
        total, free = self.found["memory_gib"], self.found["free_gib"]
        if total is not None:
            parts.append(_("{free:.0f} of {total:.0f} GiB memory free").format(free=free, total=total))
        parts.append(_("{cores} cores").format(cores=self.found["cores"]))
        line = ", ".join(parts) + ". "
        if device in ("cuda", "mps") and kind != device:
            return line + _("There is no such GPU that torch can use: choose another device under Advanced.")
        if not on_gpu:
            return line + _(
                "Without a GPU, on two cores, the whole loop took 8 minutes on the built-in study and 51 minutes on "
                "eight patients."
            )
        memory = self.found["device"]["memory_gib"]
        if memory is not None and memory < DEFAULT_PRESET_GIB:
            line += _("The preset “default” wants 8 GB of graphics memory. ")
        return line + _("How long it takes on a GPU has not been measured yet.")

    def weights(self, name: str) -> Mapping[str, Any] | None:
        """The entry of the catalogue of weights; ``None``: there is none, or it could not be read."""
        return next((one for one in self.found["weights"] if one["name"] == name), None)

    def _gpu(self) -> str:
        device = self.found["device"]
        if device["memory_gib"] is None:
            return str(device["name"])
        return f"{device['name']}, {device['memory_gib']:.0f} GiB"


def weights_state(entry: Mapping[str, Any] | None) -> str:
    """In words, whether weights are on this computer."""
    if entry is None:
        return _("Not known")
    words = {
        "here": _("On this computer"),
        "absent": _("Not on this computer ({size})").format(size=entry["size"]),
        "damaged": _("Damaged: remove them and get them again"),
        "unchecked": _("Put there by hand and not checked: import the file"),
    }
    return words[entry["state"]]
