"""Using hydra as a library, beside other users of it in the same process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def hydra_untouched() -> Iterator[None]:
    """Hydra's process-wide state as it was before, whatever happens inside.

    ``import sam2`` initialises it, after which every other user of hydra in the process is refused; and where another
    user has initialised it, ``sam2`` looks for its configurations in that user's folder.
    """
    from hydra.core.global_hydra import GlobalHydra
    from hydra.version import VersionBase

    state, base = GlobalHydra.instance(), VersionBase.instance()
    before, version = state.hydra, base.version_base
    state.hydra = None
    try:
        yield
    finally:
        # Hydra's own context managers may have put another object in the place of the first.
        GlobalHydra.set_instance(state)
        VersionBase.set_instance(base)
        state.hydra, base.version_base = before, version


@contextmanager
def hydra_of_sam2() -> Iterator[tuple[Any, Any, Any]]:
    """Hydra as ``sam2`` needs it: ``compose`` and ``instantiate``, and what resolves a configuration in place."""
    from hydra import compose, initialize_config_module
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    with hydra_untouched(), initialize_config_module("sam2", version_base="1.2"):
        import LiverSegSSLLib.propose.few_shot.predictor  # noqa: F401

        yield compose, instantiate, OmegaConf.resolve
