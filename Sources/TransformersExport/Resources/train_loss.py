"""Loss over chunks of tokens: a head's results are never all there, and never in float32."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train_balance import Balance
from train_teacher import Teacher

IGNORED = -100
CHUNK = 1 << 25  # numbers of the head's results at a time: 128 MiB of float32
Divergence = Callable[[Tensor, slice, Tensor], Tensor]  # logits, rows, labels


class Objective(nn.Module):
    """The model and what is minimised: the module that is spread over processes."""

    def __init__(self, model: nn.Module, is_bf16: bool):
        super().__init__()
        self.model, self.is_bf16 = model, is_bf16
        self.balance = Balance(model.transformer)
        if is_bf16:
            # The stream between blocks is float32, also where FSDP gathers weights in bfloat16.
            model.get_input_embeddings().register_forward_hook(lambda _, __, x: x.float())

    def forward(
        self, tokens: Tensor, labels: Tensor, positions: Tensor | None,
        passes: int | tuple[int, int], seed: int, teacher: Teacher | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sums over the labels of rows: what is minimised, cross-entropy, divergence.

        tokens, labels, positions: [B, S]. Only the first sum has a gradient; experts are balanced by it
        too, with the weight of these labels.
        """
        with self.balance.counting(tokens.device):
            return self._sums(tokens, labels, positions, passes, seed, teacher)

    def _sums(self, tokens, labels, positions, passes, seed, teacher):
        with self.precision(tokens.device):
            hidden = self.model.transformer(
                input_ids=tokens, position_ids=positions, num_steps=passes, state_seed=seed,
                use_cache=False).last_hidden_state
            taught = teacher.logits(tokens, positions) if teacher else None
        head = self.model.lm_head.weight
        kind = torch.bfloat16 if self.is_bf16 else torch.float32
        total, loss, divergence = ChunkedLoss.apply(
            hidden.flatten(0, 1), head, labels.flatten(), self.model.finished, kind,
            teacher, None if taught is None else taught.flatten(0, 1), torch.is_grad_enabled())
        if self.balance.coefficient and torch.is_grad_enabled():
            total = total + self.balance.loss * (labels != IGNORED).sum()
        return total, loss, divergence

    def precision(self, device: torch.device):
        """Products in bfloat16 where that is asked for; weights and sums stay float32."""
        return torch.autocast(device.type, torch.bfloat16) if self.is_bf16 else nullcontext()


class ChunkedLoss(torch.autograd.Function):
    """Head and loss of some tokens after the other; gradients are made in the same go.

    So the head's products are done three times in all, as without chunks, and what is kept is a
    gradient for the hidden states and one for the head.
    """

    @staticmethod
    def forward(ctx, hidden, head, labels, finished, kind, teacher, taught, is_training):
        sums = hidden.new_zeros(3, dtype=torch.float64)
        of_hidden = of_head = None
        if is_training:
            of_hidden = torch.empty_like(hidden, dtype=torch.float32)
            if head.requires_grad:
                of_head = torch.zeros_like(head, dtype=torch.float32)
        with torch.autocast(hidden.device.type, enabled=False):
            weight = head.detach().to(kind).requires_grad_(of_head is not None)
            length = max(1, CHUNK // head.shape[0])
            for start in range(0, len(labels), length):
                rows = slice(start, start + length)
                x = hidden[rows].detach().to(kind).requires_grad_(is_training)
                with torch.set_grad_enabled(is_training):
                    logits = finished(F.linear(x, weight)).float()
                    loss = F.cross_entropy(
                        logits, labels[rows], ignore_index=IGNORED, reduction="sum")
                    divergence = total = loss
                    if teacher:
                        divergence = teacher.divergence(logits, taught[rows], labels[rows])
                        total = teacher.mixed(loss, divergence)
                sums += torch.stack(
                    [total, loss, divergence if teacher else loss.new_zeros(())]).detach()
                if not is_training:
                    continue
                inputs = [x] if of_head is None else [x, weight]
                gradients = torch.autograd.grad(total, inputs)
                of_hidden[rows] = gradients[0]
                if of_head is not None:
                    of_head += gradients[1]
        ctx.save_for_backward(of_hidden, of_head)
        ctx.kinds = hidden.dtype, head.dtype
        total, loss, divergence = sums.unbind()
        ctx.mark_non_differentiable(loss, divergence)
        return total.clone(), loss.clone(), divergence.clone()

    @staticmethod
    def backward(ctx, scale, *_):
        of_hidden, of_head = ctx.saved_tensors
        scale = scale.float()
        return (
            (of_hidden * scale).to(ctx.kinds[0]),
            None if of_head is None else (of_head * scale).to(ctx.kinds[1]),
            *[None] * 6,
        )
