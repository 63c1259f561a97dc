"""nnU-Net's trainer with its constants from the plans, events instead of prints, and safe checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from LiverSegSSLLib.atomic import write_json, writing
from LiverSegSSLLib.checkpoint import load_checkpoint
from LiverSegSSLLib.errors import TrainingError
from LiverSegSSLLib.learn.augment import training_transforms
from LiverSegSSLLib.learn.average import WeightAverage
from LiverSegSSLLib.learn.networks.pretrained import begin_with
from LiverSegSSLLib.learn.options import OPTIONS_KEY, TrainingOptions
from LiverSegSSLLib.learn.prepared import PreparedDataset
from LiverSegSSLLib.learn.randomness import seed_everything
from LiverSegSSLLib.learn.roles import expert_ids, unlabelled_ids

AVERAGE_KEY = "liversegssl_raw_weights"
"""In checkpoints of a training with averaged weights: the weights that the optimiser works on."""

Listener = Callable[[dict[str, float]], None]
State = dict[str, Any]
"""What a checkpoint holds beside nnU-Net's entries: tensors, numbers and text alone."""


class LiverSegTrainer(nnUNetTrainer):
    """A supervised nnU-Net training whose options travel in the plans (``plans["liversegssl"]["training"]``).

    With ``augmentation_workers: 0`` on a CPU every epoch draws its random numbers from seed, fold and epoch alone:
    a training that was killed and continued ends with the same weights as one that was not.

    Attributes:
        listener: called after each epoch with numbers for the curves. What nnU-Net calls pseudo Dice is ``dice``
            where it is measured on expert labels that are held out, else ``agreement``: with labels that are pseudo
            labels themselves, or trained on.
        warn: called with what a person should know.
    """

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008 (nnU-Net calls it by these names)
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        options = TrainingOptions.model_validate(self.plans_manager.plans[OPTIONS_KEY]["training"])
        self.options = options
        self.num_epochs = options.epochs
        self.num_iterations_per_epoch = options.iterations_per_epoch
        self.num_val_iterations_per_epoch = options.val_iterations
        self.initial_lr = options.learning_rate
        self.weight_decay = options.weight_decay
        self.oversample_foreground_percent = options.oversample_foreground
        self.probabilistic_oversampling = options.probabilistic_oversampling
        self.save_every = options.save_every
        self.listener: Listener | None = None
        self.warn: Callable[[str], None] = self.print_to_log_file
        self._average: WeightAverage | None = None
        self._judged = "agreement"
        # Our report draws the curves; nnU-Net's picture takes a second an epoch.
        self.logger.plot_progress_png = lambda output_folder: None

    # --- what is trained ----------------------------------------------------------------------------------------

    def initialize(self) -> None:
        """Build the network; its first weights depend on the seed and the fold only."""
        self._seed(-1)
        super().initialize()
        self.dataset_class = PreparedDataset
        self._average = self._averaged(self._module())

    def begin_with(self, checkpoint: Path, keep_heads: bool) -> str:
        """Begin with the weights of another training instead of random ones; after :meth:`initialize`.

        Output layers that are not kept stay as they were drawn, which depends on the seed and the fold: folds, and the
        networks of a trainer that has several and overrides this, differ by them.

        :return: what was taken over, for people.
        :raises WeightsError: they are those of another network.
        """
        return begin_with(self._module(), checkpoint, keep_heads).note

    def configure_optimizers(self) -> tuple[Any, Any]:
        """SGD as nnU-Net has it, or AdamW, which reaches a useful network in far fewer iterations."""
        optimizer = self.optimizer_for(self.network)
        return optimizer, PolyLRScheduler(optimizer, self.initial_lr, self.num_epochs)

    def optimizer_for(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """The optimiser that the options name, for the parameters of a network."""
        rate, decay = self.initial_lr, self.weight_decay
        if self.options.optimizer == "adamw":
            return torch.optim.AdamW(network.parameters(), rate, weight_decay=decay)
        return torch.optim.SGD(network.parameters(), rate, weight_decay=decay, momentum=0.99, nesterov=True)

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> tuple[Any, Any, Any, Any]:
        """nnU-Net's choice, with our mirror axes; thick slices need no 2-D mode in our own scheme."""
        rotation, flat, initial, _ = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        axes = self.options.augmentation.mirror_axes
        self.inference_allowed_mirroring_axes = axes or None
        if self.options.augmentation.scheme == "contrast":
            flat, initial = False, _larger_patch(self.configuration_manager.patch_size)
        return rotation, flat, initial, axes

    def get_training_transforms(self, patch_size: Any, rotation: Any, scales: Any, *args: Any, **kwargs: Any) -> Any:
        """Ours or nnU-Net's, as the options say. ``scales``: of the outputs that have a target; ``None``: one."""
        if self.options.augmentation.scheme == "nnunet":
            return nnUNetTrainer.get_training_transforms(patch_size, rotation, scales, *args, **kwargs)
        return training_transforms(self.options.augmentation, tuple(int(side) for side in patch_size), scales)

    def do_split(self) -> tuple[list[str], list[str]]:
        """Labelled cases to train on and to judge by: of those held out the expert's, where there are such."""
        train, val = super().do_split()
        unlabelled, expert = unlabelled_ids(self.dataset_json), expert_ids(self.dataset_json)
        train = [case for case in train if case not in unlabelled]
        val = [case for case in val if case not in unlabelled]
        true = [case for case in val if case in expert and case not in train]
        self._judged = "dice" if true else "agreement"
        return train, true or val

    # --- one step, one epoch ------------------------------------------------------------------------------------

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """One step.

        :raises TrainingError: the loss is not a number; the last checkpoint stays.
        """
        outcome: dict[str, Any] = super().train_step(batch)
        self._require_finite(float(outcome["loss"]))
        for average in self.averages():
            average.update()
        return outcome

    def on_train_epoch_start(self) -> None:
        """Seed the epoch and set its learning rate."""
        self._seed(self.current_epoch)
        super().on_train_epoch_start()
        warmup = self.options.warmup_epochs
        if self.current_epoch < warmup:
            for group in self.optimizer.param_groups:
                group["lr"] *= (self.current_epoch + 1) / (warmup + 1)

    def on_validation_epoch_start(self) -> None:
        """Judge what would be saved: the averaged weights."""
        for average in self.averages():
            average.swap_in()
        super().on_validation_epoch_start()

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """Log, then go back to the weights that the optimiser works on."""
        super().on_validation_epoch_end(val_outputs)
        self._require_finite(float(self.logger.get_value("val_losses", step=-1)))

    def on_epoch_end(self) -> None:
        """Checkpoint, then tell the listener."""
        super().on_epoch_end()
        for average in self.averages():
            average.swap_out()
        write_json(Path(self.output_folder) / "curve.json", self.curve())
        if self.listener is not None:
            self.listener(self.curve()[-1])

    def on_train_end(self) -> None:
        """The final model is the averaged one."""
        for average in self.averages():
            average.swap_in()
        super().on_train_end()

    def averages(self) -> list[WeightAverage]:
        """The running averages of all networks that are trained."""
        return [] if self._average is None else [self._average]

    def curve(self) -> list[dict[str, float]]:
        """One dictionary per finished epoch, since the beginning (also across restarts)."""
        log = self.logger.local_logger.my_fantastic_logging
        return [
            {
                "epoch": epoch + 1,
                "epochs": self.num_epochs,
                "loss": float(log["train_losses"][epoch]),
                "val_loss": float(log["val_losses"][epoch]),
                self._judged: float(log["mean_fg_dice"][epoch]),
                "learning_rate": float(log["lrs"][epoch]),
                "seconds": float(log["epoch_end_timestamps"][epoch] - log["epoch_start_timestamps"][epoch]),
            }
            for epoch in range(min(self.current_epoch, len(log["mean_fg_dice"])))
        ]

    # --- checkpoints --------------------------------------------------------------------------------------------

    def save_checkpoint(self, filename: str) -> None:
        """As nnU-Net, but the file appears whole or not at all, and averaged weights are what it holds."""
        if self.local_rank != 0 or self.disable_checkpointing:
            return
        with writing(Path(filename)) as temporary:
            # Open files: torch names what is inside after a path, and this one holds the name of the computer.
            with temporary.open("wb") as file:
                super().save_checkpoint(file)
            state = self.further_state()
            if state:
                whole = {**load_checkpoint(temporary), **state}
                with temporary.open("wb") as file:
                    torch.save(whole, file)

    def load_checkpoint(self, filename_or_checkpoint: str) -> None:
        """As nnU-Net, and the weights that the optimiser works on. The file is read once, and nothing in it is run:
        nnU-Net's own method would run it.

        :raises TrainingError: the checkpoint is that of another trainer, or not whole.
        """
        checkpoint = load_checkpoint(filename_or_checkpoint, self.device)
        theirs, own = checkpoint.get("trainer_name"), type(self).__name__
        if theirs != own:
            remedy = "start the training anew, or begin with the weights alone (--init)"
            raise TrainingError(f"is a checkpoint of {theirs}, not of {own}", filename_or_checkpoint, remedy)
        if not self.was_initialized:
            self.initialize()
        try:
            self._restore(checkpoint)
            self.restore_further(checkpoint)
            self.curve()  # can be made of what is logged
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
            what = f"does not go with this training ({reason})"
            raise TrainingError(what, filename_or_checkpoint, "delete it: the fold begins anew") from None

    def further_state(self) -> State:
        """What a checkpoint holds beside nnU-Net's entries; empty: nothing."""
        raw = None if self._average is None else self._average.raw
        return {} if raw is None else {AVERAGE_KEY: raw}

    def restore_further(self, checkpoint: State) -> None:
        """Take back what :meth:`further_state` gave; after nnU-Net's entries."""
        if self._average is not None and AVERAGE_KEY in checkpoint:
            self._average.resume(checkpoint[AVERAGE_KEY], self.steps_done)

    @property
    def steps_done(self) -> int:
        """Steps in the finished epochs."""
        return int(self.current_epoch * self.num_iterations_per_epoch)

    def _restore(self, checkpoint: State) -> None:
        """What nnU-Net's own entries say (nnU-Net 2.8.1's ``load_checkpoint``, without several GPUs)."""
        self._module().load_state_dict(checkpoint["network_weights"])
        self.my_init_kwargs = checkpoint["init_args"]
        self.current_epoch = int(checkpoint["current_epoch"])
        self.logger.load_checkpoint(checkpoint["logging"])
        self._best_ema = checkpoint["_best_ema"]
        axes = checkpoint.get("inference_allowed_mirroring_axes", self.inference_allowed_mirroring_axes)
        self.inference_allowed_mirroring_axes = axes
        self.optimizer.load_state_dict(checkpoint["optimizer_state"])
        if self.grad_scaler is not None and checkpoint["grad_scaler_state"] is not None:
            self.grad_scaler.load_state_dict(checkpoint["grad_scaler_state"])

    # --- nothing to see here ------------------------------------------------------------------------------------

    def plot_network_architecture(self) -> None:
        """Needs a package that nnU-Net no longer installs."""

    def _save_debug_information(self) -> None:
        """Asks a shell for the computer's name, and keeps that and the paths of everything beside the model."""

    # --- helpers ------------------------------------------------------------------------------------------------

    def _seed(self, epoch: int) -> None:
        seed_everything(*self._entropy(epoch))

    def _entropy(self, epoch: int) -> tuple[int, int, int]:
        """What the random numbers of an epoch (−1: of the first weights) begin from."""
        return self.options.seed, 0 if self.fold == "all" else int(self.fold) + 1, epoch + 1

    def _require_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} in epoch {self.current_epoch + 1}",
                self.output_folder,
                "lower the option learning_rate; the last good checkpoint was kept",
            )

    def _module(self) -> torch.nn.Module:
        module = self.network.module if self.is_ddp else self.network
        return getattr(module, "_orig_mod", module)

    def _averaged(self, module: torch.nn.Module) -> WeightAverage | None:
        decay = self.options.average_weights
        return WeightAverage(module, decay) if decay else None


def _larger_patch(patch_size: Any) -> list[int]:
    """What is read so that a turned or scaled patch has few empty corners: a fifth more in the slice plane."""
    depth, height, width = (int(side) for side in patch_size)
    return [math.ceil(depth * 1.1), math.ceil(height * 1.2), math.ceil(width * 1.2)]
