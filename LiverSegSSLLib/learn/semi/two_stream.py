"""What all trainings with labelled and unlabelled images share; a method adds its networks and its losses."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.utilities.default_n_proc_DA import get_allowed_n_proc_DA
from nnunetv2.utilities.helpers import dummy_context
from torch import Tensor, autocast, nn

from LiverSegSSLLib.checkpoint import NETWORKS_KEY
from LiverSegSSLLib.errors import TrainingError
from LiverSegSSLLib.learn.average import WeightAverage
from LiverSegSSLLib.learn.networks.pretrained import begin_with
from LiverSegSSLLib.learn.randomness import OwnRandomness
from LiverSegSSLLib.learn.roles import UNLABELLED_KEY, unlabelled_ids
from LiverSegSSLLib.learn.semi.streams import Batch, TwoStreams, TwoViews, unlabelled_stream
from LiverSegSSLLib.learn.semi.teacher import Teacher
from LiverSegSSLLib.learn.trainer import LiverSegTrainer, State

_PARTS_KEY = "liversegssl_parts"
_STREAM, _DRAW, _NETWORKS = 1, 2, 3
_LONGEST_GRADIENT = 12.0
_TEACHER = "teacher"


@dataclass(frozen=True, eq=False)
class Step:
    """What a method works on in one iteration; tensors on the trainer's device.

    ``image``: (n_l, channels, z, y, x); ``target``: one (n_l, 1, z, y, x) for each output, full resolution first;
    ``unlabelled``: (n_u, channels, z, y, x), the weak view where there are two; ``strong``: the same patches with other
    grey values, for methods with two views; ``number``: iterations since the beginning; ``progress``: ``number`` as a
    fraction of all.
    """

    image: Tensor
    target: list[Tensor]
    unlabelled: Tensor
    strong: Tensor | None
    number: int
    progress: float


class TwoStreamTrainer(LiverSegTrainer):
    """A training on labelled and unlabelled patches.

    The first weights of :attr:`network` and the labelled patches are those of the supervised training of the same seed
    and fold, so methods can be compared, and a method whose weight is 0 is that training, bit for bit.

    Attributes:
        partners: networks that are trained beside the first, each with an optimizer like its.
        teachers: networks that follow others.
        draw, generator: random numbers of a method (numpy; torch, on the device), the same whenever an epoch is run.
    """

    two_views = False
    """Whether the method wants a weak and a strong view of unlabelled patches."""

    def add_networks(self) -> None:
        """Fill :attr:`partners` and :attr:`teachers`; called once, when the first network is there."""

    @abstractmethod
    def losses(self, step: Step) -> dict[str, Tensor]:
        """Scalars: ``total`` is what the networks are changed by; the others become curves."""

    def after_step(self, step: Step) -> None:
        """Called when the networks have been changed: for teachers to follow."""

    # --- networks -----------------------------------------------------------------------------------------------

    def initialize(self) -> None:
        """Build the networks.

        :raises TrainingError: in a training over several processes, whose gradients are exchanged for one network only.
        """
        if self.is_ddp:
            raise TrainingError("trains on one GPU", type(self).__name__, "leave out -num_gpus")
        super().initialize()
        self.partners: dict[str, nn.Module] = {}
        self.teachers: dict[str, Teacher] = {}
        self.draw = np.random.default_rng()
        self.generator = torch.Generator(self.device)
        with OwnRandomness(*self._entropy(-1), _NETWORKS):
            self.add_networks()
        self._optimizers = {name: self.optimizer_for(partner) for name, partner in self.partners.items()}
        averages = {name: self._averaged(partner) for name, partner in self.partners.items()}
        self._averages = {name: average for name, average in averages.items() if average is not None}
        self._stream_randomness = OwnRandomness(*self._entropy(-1), _STREAM)
        self._step = 0
        self._parts: list[dict[str, float]] = []

    def another_network(self) -> nn.Module:
        """A network like the first, with weights drawn anew."""
        network: nn.Module = self.build_network_architecture(
            self.plans_manager,
            self.configuration_manager,
            self.num_input_channels,
            self.label_manager.num_segmentation_heads,
            self.enable_deep_supervision,
        )
        return network.to(self.device)

    def begin_with(self, checkpoint: Path, keep_heads: bool) -> str:
        """As a supervised training; partners keep output layers of their own, so that no two networks are the same."""
        note = super().begin_with(checkpoint, keep_heads)
        for partner in self.partners.values():
            begin_with(partner, checkpoint, keep_heads=False)
        for teacher in self.teachers.values():
            teacher.update(self._module(), 0.0)
        return note

    def averages(self) -> list[WeightAverage]:
        """Of the first network and its partners."""
        return [*super().averages(), *self._averages.values()]

    # --- patches ------------------------------------------------------------------------------------------------

    def get_dataloaders(self) -> tuple[Any, Any]:
        """nnU-Net's, with the unlabelled stream joined to the training one."""
        labelled, val = super().get_dataloaders()
        stream = unlabelled_stream(self._unlabelled_loader(), get_allowed_n_proc_DA(), self.device.type == "cuda")
        return TwoStreams(labelled, stream, self._stream_randomness, self.two_views), val

    def unlabelled_cases(self) -> list[str]:
        """Ids of the cases that this fold sees without their labels."""
        if self.fold == "all":
            return sorted(unlabelled_ids(self.dataset_json))
        path = Path(self.preprocessed_dataset_folder_base) / "splits_final.json"
        folds = json.loads(path.read_text(encoding="utf-8"))
        return sorted(folds[self.fold].get(UNLABELLED_KEY, ()))

    def _unlabelled_loader(self) -> nnUNetDataLoader:
        cases = self.unlabelled_cases()
        if not cases:
            raise TrainingError("has no unlabelled case", f"fold {self.fold}", "use the method supervised")
        patch = self.configuration_manager.patch_size
        rotation, flat, initial, axes = self.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        masks = self.configuration_manager.use_mask_for_norm
        transforms = self.get_training_transforms(patch, rotation, None, axes, flat, use_mask_for_norm=masks)
        return nnUNetDataLoader(
            self.dataset_class(self.preprocessed_dataset_folder, cases),
            self.options.unlabelled_batch or self.batch_size,
            initial,
            patch,
            self.label_manager,
            transforms=TwoViews(transforms) if self.two_views else transforms,
        )

    # --- one step, one epoch ------------------------------------------------------------------------------------

    def on_train_epoch_start(self) -> None:
        """Seed what is drawn beside the labelled stream, and give the partners the first network's learning rate."""
        super().on_train_epoch_start()
        self._stream_randomness.seed(*self._entropy(self.current_epoch), _STREAM)
        self.draw = np.random.default_rng([*self._entropy(self.current_epoch), _DRAW])
        self.generator.manual_seed(int(self.draw.integers(2**63)))
        self._step = self.steps_done
        rate = self.optimizer.param_groups[0]["lr"]
        for name, optimizer in self._optimizers.items():
            self.partners[name].train()
            for group in optimizer.param_groups:
                group["lr"] = rate

    def train_step(self, batch: Batch) -> dict[str, Any]:
        """One step of all networks that are trained.

        :raises TrainingError: the loss is not a number; no weight was changed by it.
        """
        step = self._on_device(batch)
        trained = [(self.network, self.optimizer)]
        trained += [(self.partners[name], optimizer) for name, optimizer in self._optimizers.items()]
        for _, optimizer in trained:
            optimizer.zero_grad(set_to_none=True)
        # As nnU-Net: half precision on CUDA alone.
        with autocast("cuda") if self.device.type == "cuda" else dummy_context():
            losses = self.losses(step)
        # One wait for the device, not one a number.
        values = dict(
            zip(losses, torch.stack([loss.detach().float() for loss in losses.values()]).tolist(), strict=True)
        )
        total = values.pop("total")
        self._require_finite(total)
        self._change(trained, losses["total"])
        for average in self.averages():
            average.update()
        self.after_step(step)
        self._step += 1
        return {**values, "loss": np.asarray(total)}

    def on_train_epoch_end(self, train_outputs: list[dict[str, Any]]) -> None:
        """Log the loss as nnU-Net does, and its parts."""
        super().on_train_epoch_end([{"loss": output["loss"]} for output in train_outputs])
        names = [name for name in train_outputs[0] if name != "loss"]
        means = {name: float(np.mean([output[name] for output in train_outputs])) for name in names}
        self._parts.append(means)

    def on_train_end(self) -> None:
        """End the loading processes too."""
        super().on_train_end()
        if isinstance(self.dataloader_train, TwoStreams):
            self.dataloader_train.finish()

    def curve(self) -> list[dict[str, float]]:
        """With the parts of the loss."""
        return [{**row, **parts} for row, parts in zip(super().curve(), self._parts, strict=False)]

    def _on_device(self, batch: Batch) -> Step:
        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(self.device, non_blocking=True)

        targets: Sequence[Tensor] = batch["target"] if isinstance(batch["target"], list) else [batch["target"]]
        return Step(
            image=moved(batch["data"]),
            target=[moved(target) for target in targets],
            unlabelled=moved(batch["unlabelled"]),
            strong=moved(batch["strong"]) if "strong" in batch else None,
            number=self._step,
            progress=self._step / (self.num_epochs * self.num_iterations_per_epoch),
        )

    def _change(self, trained: list[tuple[nn.Module, torch.optim.Optimizer]], total: Tensor) -> None:
        scaler = self.grad_scaler
        (total if scaler is None else scaler.scale(total)).backward()
        for network, optimizer in trained:
            if scaler is not None:
                scaler.unscale_(optimizer)
            # Each network by itself, as nnU-Net clips its one.
            nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_GRADIENT)
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)
        if scaler is not None:
            scaler.update()

    # --- checkpoints --------------------------------------------------------------------------------------------

    def further_state(self) -> State:
        """The other networks, their optimizers and averages, and the curves of the loss's parts."""
        networks: dict[str, State] = {}
        for name, partner in self.partners.items():
            average = self._averages.get(name)
            networks[name] = {
                "weights": partner.state_dict(),
                "raw": None if average is None else average.raw,
                "optimizer": self._optimizers[name].state_dict(),
            }
        for name, teacher in self.teachers.items():
            networks[name] = {"weights": teacher.network.state_dict()}
        return {**super().further_state(), NETWORKS_KEY: networks, _PARTS_KEY: list(self._parts)}

    def restore_further(self, checkpoint: State) -> None:
        """Take all of it back."""
        super().restore_further(checkpoint)
        saved = checkpoint[NETWORKS_KEY]
        for name, partner in self.partners.items():
            partner.load_state_dict(saved[name]["weights"])
            self._optimizers[name].load_state_dict(saved[name]["optimizer"])
            if saved[name]["raw"] is not None and name in self._averages:
                self._averages[name].resume(saved[name]["raw"], self.steps_done)
        for name, teacher in self.teachers.items():
            teacher.network.load_state_dict(saved[name]["weights"])
        self._parts = list(checkpoint[_PARTS_KEY])


class TaughtTrainer(TwoStreamTrainer):
    """With one teacher, a slow average of the first network; the first network, the student, is the model."""

    def add_networks(self) -> None:
        """The teacher."""
        self.teachers[_TEACHER] = Teacher(self._module())

    @property
    def teacher(self) -> Teacher:
        """Looks at images without gradient."""
        return self.teachers[_TEACHER]
