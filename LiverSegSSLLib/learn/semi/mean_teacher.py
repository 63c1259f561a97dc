"""Mean teacher: where nobody labelled, a network agrees with a slow average of itself (Tarvainen and Valpola 2017).

As in the third paper of METHODS (6.3), whose equations these are:

1. L_con = mean over voxels and classes of (p_teacher − p_student)², on the unlabelled patches alone;
2. L_deep = Σ α_j L_j over the resolutions, α halved from one to the next: nnU-Net's deep supervision, which with five
   outputs is the paper's 8/15, 4/15, 2/15, 1/15 to the digit (it leaves the coarsest out);
3. L = λ L_con + L_deep, λ(t) = 0.1 exp(−5 (1 − t/T)²).
"""

from __future__ import annotations

import torch
from torch import Tensor

from LiverSegSSLLib.learn.semi.ramps import ramped
from LiverSegSSLLib.learn.semi.teacher import ema_decay
from LiverSegSSLLib.learn.semi.two_stream import Step, TaughtTrainer


class MeanTeacherTrainer(TaughtTrainer):
    """The student is the model; the teacher has one output and sees the unlabelled patches through noise."""

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Equation 3; without consistency equation 2 alone, as in the released code, which overwrites the sum."""
        options = self.options.mean_teacher
        supervised = self.loss(self.network(step.image), step.target)
        if not options.consistency:
            return {"total": supervised, "supervised_loss": supervised.detach()}
        teacher = self.teacher(noisy(step.unlabelled, options.noise, options.noise_limit, self.generator))
        unsupervised = consistency_loss(self.network(step.unlabelled)[0], teacher)
        total = supervised + ramped(options.weight, step.progress, options.ramp) * unsupervised
        return {
            "total": total,
            "supervised_loss": supervised.detach(),
            "unsupervised_loss": unsupervised.detach(),
        }

    def after_step(self, step: Step) -> None:
        """The teacher follows."""
        self.teacher.update(self._module(), ema_decay(step.number, self.options.mean_teacher.decay))


def noisy(image: Tensor, deviation: float, limit: float, generator: torch.Generator) -> Tensor:
    """The image with normal noise that is cut off at ± ``limit``; both in the image's units."""
    noise = torch.randn(image.shape, generator=generator, device=image.device, dtype=image.dtype)
    return image + (noise * deviation).clamp(-limit, limit)


def consistency_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Equation 1, of logits (n, classes, z, y, x), in 32 bits; nothing flows back to the teacher."""
    wanted = teacher.detach().float().softmax(1)
    return (student.float().softmax(1) - wanted).square().mean()
