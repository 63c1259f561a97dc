"""Labelled and unlabelled patches side by side, from nnU-Net's own loading and augmentation.

The labelled stream is that of a supervised training, patch by patch: the unlabelled one draws from random numbers of
its own. It also drops every target, so no loss can see one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from batchgenerators.dataloading.nondet_multi_threaded_augmenter import NonDetMultiThreadedAugmenter
from batchgenerators.dataloading.single_threaded_augmenter import SingleThreadedAugmenter
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform, ImageOnlyTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader

from LiverSegSSLLib.learn.randomness import OwnRandomness

Batch = dict[str, Any]


class TwoStreams(Iterator[Batch]):
    """Joins a labelled and an unlabelled stream.

    A batch is the labelled stream's (``data``: (n_l, channels, z, y, x), ``target``, ``keys``) and of the other stream
    ``unlabelled`` (n_u, channels, z, y, x), ``unlabelled_keys`` and, where that has two views, ``strong``.

    :param randomness: what the unlabelled stream draws from, where it is drawn in this process.
    :param two_views: the unlabelled images hold two views, channel after channel (see :class:`TwoViews`).
    """

    def __init__(
        self, labelled: Iterator[Batch], unlabelled: Iterator[Batch], randomness: OwnRandomness, two_views: bool
    ) -> None:
        self._labelled = labelled
        self._unlabelled = unlabelled
        self._randomness = randomness
        self._two_views = two_views

    def __next__(self) -> Batch:
        labelled = next(self._labelled)
        with self._randomness:
            unlabelled = next(self._unlabelled)
        image = unlabelled["data"]
        batch = {**labelled, "unlabelled": image, "unlabelled_keys": unlabelled["keys"]}
        if self._two_views:
            batch["unlabelled"], batch["strong"] = image.chunk(2, dim=1)
        return batch

    def finish(self) -> None:
        """End the processes that load, where there are some."""
        for stream in (self._labelled, self._unlabelled):
            if isinstance(stream, NonDetMultiThreadedAugmenter):
                stream._finish()


class TwoViews(BasicTransform):
    """A weak and a strong view of one patch: the geometric transforms alone, and those with the others after them.

    The image that comes out holds both, the channels of the weak view first.

    :param transforms: of a training, as nnU-Net composes them.
    """

    def __init__(self, transforms: ComposeTransforms) -> None:
        super().__init__()
        self._geometric = ComposeTransforms([one for one in transforms.transforms if not changes_intensity(one)])
        self._others = ComposeTransforms([one for one in transforms.transforms if changes_intensity(one)])

    def apply(self, data_dict: Batch, **params: Any) -> Batch:
        """Both views."""
        weak = self._geometric(**data_dict)
        strong = self._others(image=weak["image"].clone())
        return {**weak, "image": torch.cat([weak["image"], strong["image"]])}


def changes_intensity(transform: BasicTransform) -> bool:
    """Whether a transform changes grey values and nothing else."""
    inner = transform.transform if isinstance(transform, RandomTransform) else transform
    return isinstance(inner, ImageOnlyTransform)


def unlabelled_stream(loader: nnUNetDataLoader, processes: int, pin_memory: bool) -> Iterator[Batch]:
    """Patches of a loader, wherever in the image they lie.

    :param processes: that load and augment; 0: this one, which is repeatable.
    """
    # With an ignore label nnU-Net would draw annotated voxels only; here none is, and all will do.
    loader.has_ignore = False
    if processes == 0:
        single: Iterator[Batch] = SingleThreadedAugmenter(loader, None)
        return single
    several: Iterator[Batch] = NonDetMultiThreadedAugmenter(
        data_loader=loader,
        transform=None,
        num_processes=processes,
        num_cached=max(6, processes // 2),
        seeds=None,
        pin_memory=pin_memory,
        wait_time=0.002,
    )
    return several
