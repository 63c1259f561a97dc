"""Which cases of a dataset are labelled, and by whom: written into ``dataset.json``, read by the trainers.

nnU-Net itself sees the labelled cases only; it ignores the keys that are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from LiverSegSSLLib.learn.cases import TrainingCase

UNLABELLED_KEY = "unlabelled"
EXPERT_KEY = "expert"


def roles(cases: Sequence[TrainingCase]) -> dict[str, Any]:
    """The entries of ``dataset.json``: unlabelled cases with their images, and the ids of the expert cases."""
    return {
        UNLABELLED_KEY: {
            case.case_id: {"images": [str(case.image.absolute())]} for case in cases if case.role == "unlabelled"
        },
        EXPERT_KEY: [case.case_id for case in cases if case.role == "expert"],
    }


def unlabelled_ids(dataset_json: Mapping[str, Any]) -> frozenset[str]:
    """Cases without a label; none in a dataset of another program."""
    return frozenset(dataset_json.get(UNLABELLED_KEY, ()))


def expert_ids(dataset_json: Mapping[str, Any]) -> frozenset[str]:
    """Cases with an expert's label; none in a dataset of another program."""
    return frozenset(dataset_json.get(EXPERT_KEY, ()))
