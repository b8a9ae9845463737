"""What training costs, counted two ways: formats/run-folder.md."""

from dataclasses import dataclass

import torch

from train_parameters import GROUPS, TrainedTensor, is_factor

INJECTIONS = ("adapter", "decay", "gate")

@dataclass
class Trained:
    """Multiply-adds that the gradients of weights take, where not all are trained."""

    sides: dict[str, float]  # of each group of blocks, a token
    adapter: int
    head: int
    reaches_prelude: bool  # whether the gradient goes back through it
    merging: int  # a step: that make adapted matrices from their factors

    @staticmethod
    def of(trained: list[TrainedTensor], is_tied: bool) -> "Trained":
        def side(group: str) -> int:
            # A factor takes part in two products that lead to its own gradient.
            return round(sum(t.parameter.numel() * t.share * (1 + is_factor(t.name)) for t in trained
                             if t.name.startswith(f"transformer.{group}.")))

        def count(*names: str) -> int:
            return sum(t.parameter.numel() for t in trained if t.name.startswith(names))

        factors = [t.parameter for t in trained if is_factor(t.name)]
        return Trained(
            {group: side(group) for group in GROUPS},
            count(*(f"transformer.{part}." for part in INJECTIONS)),
            count("lm_head.", *["transformer.wte."] * is_tied),
            count("transformer.prelude.", "transformer.wte.") > 0,
            sum(a.numel() * b.shape[0] for a, b in zip(factors[::2], factors[1::2])))


class Ledger:
    """Of a model in training, or of one that runs forward alone."""

    def __init__(
        self, model: torch.nn.Module, tensors: list[TrainedTensor],
        trained: list[TrainedTensor] | None = None,
    ):
        """`tensors`: all of the model but factors. `trained`: what is trained of it, factors first,
        those of one matrix next to each other; None for all."""
        def count(part: str) -> int:
            return round(sum(t.parameter.numel() * t.share for t in tensors
                             if t.name.startswith(f"transformer.{part}.")))

        self.prelude, self.core, self.coda = map(count, GROUPS)
        self.adapter = sum(map(count, INJECTIONS))
        self.head = count("wte")  # of the same size, tied or not
        config = model.config
        # Multiply-adds of attention scores and values, a block, token and visible token.
        self.attention = 2 * config.num_attention_heads * config.head_dim
        self.blocks = (config.n_layers_in_prelude, config.n_layers_in_recurrent_block,
                       config.n_layers_in_coda)
        self.trained = None
        if trained and not all(t.parameter.requires_grad for t in tensors):
            self.trained = Trained.of(trained, config.tie_word_embeddings)

    def paper(self, tokens: int, mean: int, depth: int) -> float:
        """By the paper's formula: blocks only."""
        trained = self.prelude + self.core * min(mean, depth) + self.coda
        return float(tokens * (6 * trained + 2 * self.core * max(0, mean - depth)))

    def forward(self, sequence_length: int, passes: int) -> float:
        """Multiply-adds a token, without gradients."""
        prelude, core, coda = (self.attention * (sequence_length + 1) / 2 * count
                               for count in self.blocks)
        return (self.prelude + prelude + self.coda + self.head + coda
                + (self.core + self.adapter + core) * passes)

    def full(
        self, tokens: int, sequence_length: int, without_gradient: int, with_gradient: int
    ) -> float:
        """Everything that multiplies, for the passes that were drawn, but for a teacher's.

        A product costs as much again for its input's gradient, and for its weight's where that is
        trained; attention costs twice its forward pass. Where nothing before the core is trained, no
        gradient goes back through the prelude.
        """
        seen = self.attention * (sequence_length + 1) / 2
        prelude, core, coda = (seen * count for count in self.blocks)
        outside, one_pass = self.coda + self.head, self.core + self.adapter
        forward = self.forward(sequence_length, without_gradient + with_gradient)
        back = outside + 2 * coda + (one_pass + 2 * core) * with_gradient
        if self.trained is None or self.trained.reaches_prelude:
            back += self.prelude + 2 * prelude
        return 2 * tokens * (forward + back + self._weights(with_gradient))

    def _weights(self, passes: int) -> float:
        """Multiply-adds a token of the weights' own gradients."""
        own = self.trained
        if own is None:
            return self.prelude + self.coda + self.head + (self.core + self.adapter) * passes
        prelude, core, coda = (own.sides[group] for group in GROUPS)
        return prelude + coda + own.head + (core + own.adapter) * passes

    @property
    def per_step(self) -> int:
        """What a step costs beside its tokens, in `ckpt train`, whose numbers these are: here factors
        are multiplied by themselves, which costs about as little."""
        return 2 * self.trained.merging if self.trained else 0
