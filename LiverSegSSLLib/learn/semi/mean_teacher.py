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


def noisy(image: Tensor, deviation: float, limit: float, generator: torch.Generator) -> Tensor:
    """The image with normal noise that is cut off at ± ``limit``; both in the image's units."""
    noise = torch.randn(image.shape, generator=generator, device=image.device, dtype=image.dtype)
    return image + (noise * deviation).clamp(-limit, limit)


def consistency_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Equation 1, of logits (n, classes, z, y, x), in 32 bits; nothing flows back to the teacher."""
    wanted = teacher.detach().float().softmax(1)
    return (student.float().softmax(1) - wanted).square().mean()
