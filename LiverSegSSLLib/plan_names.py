"""What plans of nnU-Net may name.

nnU-Net takes names in plans for classes and functions that it looks up and calls, for the network anywhere in Python,
with arguments from the plans; others it takes for folders. Plans come with models, from anywhere: they would be
programs. Here they may name what nnU-Net's own planners and ours write, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from LiverSegSSLLib.errors import BadInputError

STUNET = "LiverSegSSLLib.learn.networks.stunet.STUNet"
"""How plans name :class:`~LiverSegSSLLib.learn.networks.stunet.STUNet`."""

_ARCHITECTURES = "dynamic_network_architectures.architectures"
NETWORKS = frozenset(
    {
        STUNET,
        f"{_ARCHITECTURES}.unet.PlainConvUNet",
        f"{_ARCHITECTURES}.unet.ResidualEncoderUNet",
        f"{_ARCHITECTURES}.residual_unet.ResidualEncoderUNet",  # of plans before 2.4
    }
)

_LAYER = r"(Conv|InstanceNorm|BatchNorm|Dropout)[123]d|Dropout|GroupNorm|LeakyReLU|ReLU|ReLU6|ELU|GELU|SiLU|PReLU|Mish"
_BLOCK = r"dynamic_network_architectures\.building_blocks\.residual\.(BasicBlockD|BottleneckD)"
_PART = re.compile(rf"torch\.nn\.(modules\.[a-z]+\.)?({_LAYER})|{_BLOCK}")
_PLAIN = re.compile(r"\w[\w .+()-]{0,120}")

_RESAMPLING = {
    "resample_data_or_seg_to_shape",
    "resample_torch_simple",
    "resample_torch_fornnunet",
    "no_resampling_hack",
}
_SCHEMES = {
    "ZScoreNormalization",
    "CTNormalization",
    "NoNormalization",
    "RescaleTo01Normalization",
    "RGBTo01Normalization",
}

_REMEDY = "use plans as nnU-Net or this program wrote them"

Allowed = Callable[[str], Any]


def require_known_names(plans: dict[str, Any], where: Path) -> None:
    """Raise unless plans name only what is nnU-Net's or ours, and nothing outside the folder that they are used in.

    What is missing, or no plans at all, is left for nnU-Net to find.

    :param where: the file they come from.
    :raises BadInputError: they name something else.
    """
    try:
        wrong = [
            (key, value)
            for key, value, allowed in _names(plans)
            if value is not None and not (isinstance(value, str) and allowed(value))
        ]
    except (TypeError, AttributeError) as error:
        raise BadInputError(f"holds no plans of nnU-Net ({error})", where, _REMEDY) from None
    for key, value in wrong:
        raise BadInputError(f"names {str(value)[:80]!r} as its {key}, which nnU-Net does not", where, _REMEDY)


def _names(plans: dict[str, Any]) -> Iterator[tuple[str, Any, Allowed]]:
    """What is looked up or becomes part of a path: its key, its value, and what it may be."""
    for key in ("dataset_name", "plans_name"):
        yield key, plans.get(key), _PLAIN.fullmatch
    yield "label_manager", plans.get("label_manager"), {"LabelManager"}.__contains__
    configurations = plans.get("configurations")
    for name, configuration in configurations.items() if isinstance(configurations, dict) else ():
        yield "configuration", name, _PLAIN.fullmatch
        if isinstance(configuration, dict):
            yield from _names_of(configuration)


def _names_of(configuration: dict[str, Any]) -> Iterator[tuple[str, Any, Allowed]]:
    for key in ("data_identifier", "previous_stage", "inherits_from"):
        yield key, configuration.get(key), _PLAIN.fullmatch
    yield "preprocessor_name", configuration.get("preprocessor_name"), {"DefaultPreprocessor"}.__contains__
    for key in ("resampling_fn_data", "resampling_fn_seg", "resampling_fn_probabilities"):
        yield key, configuration.get(key), _RESAMPLING.__contains__
    for scheme in configuration.get("normalization_schemes") or ():
        yield "normalization_schemes", scheme, _SCHEMES.__contains__
    architecture = configuration.get("architecture")
    if not isinstance(architecture, dict):
        return
    yield "network_class_name", architecture.get("network_class_name"), NETWORKS.__contains__
    given = architecture.get("arch_kwargs")
    for key in architecture.get("_kw_requires_import") or ():
        yield key, given.get(key) if isinstance(given, dict) else None, _PART.fullmatch
