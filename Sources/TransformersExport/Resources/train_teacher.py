"""A teacher, whose distributions are learned beside the labels (Hinton et al., 2015).

The loss is (1 - mix) * cross-entropy + mix * T**2 * KL(teacher || student), the latter of
distributions that the temperature T has softened.
"""

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

from train_data import IGNORED
from train_errors import INPUT_OUTPUT, USAGE, RunError
from train_ledger import Ledger
from train_parameters import GROUPS, tensors_of
from train_recipe import Recipe


class Teacher:
    """A model that is run and not trained; every process holds all of it."""

    def __init__(self, recipe: Recipe, vocabulary: int, device: torch.device):
        path = recipe["distillation.teacher"]
        self.temperature, self.mix = recipe["distillation.temperature"], recipe["distillation.mix"]
        try:
            model = AutoModelForCausalLM.from_pretrained(path, trust_remote_code=True)
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: transformers cannot load the teacher: {error}; a package can "
                           "be loaded after ckpt export --to transformers", "io.missing",
                           INPUT_OUTPUT) from error
        rows = model.get_input_embeddings().num_embeddings
        if rows != vocabulary:
            raise RunError(f"the teacher has a vocabulary of {rows} tokens, the student one of "
                           f"{vocabulary}", "model.other_vocabulary", USAGE)
        self.model = model.float().eval().requires_grad_(False).to(device)

    @torch.no_grad()
    def logits(self, tokens: torch.Tensor, positions: torch.Tensor | None) -> torch.Tensor:
        """[B, S, V]; a recurrent teacher makes the passes that its configuration says."""
        return self.model(input_ids=tokens, position_ids=positions, use_cache=False).logits

    def divergence(
        self, logits: torch.Tensor, taught: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """KL(teacher || student) of the softened distributions, summed over the labels, in nats.

        logits, taught: [T, V]. labels: [T].
        """
        own, other = (F.log_softmax(x.float() / self.temperature, -1) for x in (logits, taught))
        distances = F.kl_div(own, other, reduction="none", log_target=True).sum(-1)
        return torch.where(labels != IGNORED, distances, 0).sum()

    def mixed(self, loss: torch.Tensor, divergence: torch.Tensor) -> torch.Tensor:
        return (1 - self.mix) * loss + self.mix * self.temperature**2 * divergence

    def cost(self, sequence_length: int) -> float:
        """Multiply-adds a token."""
        config = self.model.config
        if all(hasattr(self.model.base_model, group) for group in GROUPS):
            return Ledger(self.model, tensors_of(self.model)).forward(
                sequence_length, config.mean_recurrence)
        heads = config.num_attention_heads
        width = heads * (getattr(config, "head_dim", None) or config.hidden_size // heads)
        blocks = self.model.base_model.layers
        parameters = sum(p.numel() for p in blocks.parameters())
        return (parameters + self.model.get_input_embeddings().weight.numel()
                + 2 * width * len(blocks) * (sequence_length + 1) / 2)
