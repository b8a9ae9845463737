"""A model's parameters in the order of execution, what each is to the optimizer, and their cost."""

from dataclasses import dataclass

import torch

from train_errors import UNSUPPORTED, RunError

GROUPS = ("prelude", "core_block", "coda")
# Of the injection: a model has those of one kind, or none.
ADAPTERS = ("transformer.adapter.weight", "transformer.decay.weight", "transformer.gate.down.weight",
            "transformer.gate.up.weight")


@dataclass
class TrainedTensor:
    """A parameter, which may be a shard of one."""

    name: str
    parameter: torch.nn.Parameter
    is_body_matrix: bool  # of a block, or the adapter: Muon takes it
    share: float = 1.0  # of its products, what one token makes
    is_later: bool = False  # in `ckpt` it is more rows of what the one before begins
    joins: bool = False  # to Muon too


def blocks_of(body: torch.nn.Module) -> list[torch.nn.Module]:
    """Of the parts that there are, in the order of execution."""
    return [*body.prelude, *body.core_block, *body.coda]


def parameters_of(block: torch.nn.Module) -> list[tuple[str, dict]]:
    """Names in a block, in the order that `ckpt` keeps them in, with what there is to say of them."""
    def norm(place: str) -> list[str]:
        return [f"{block.norms[place]}.weight"] if place in block.norms else []

    plain = [
        *norm("attention_input"), "attn.Wqkv.weight", "attn.Wqkv.bias", "attn.q_norm.weight",
        "attn.k_norm.weight", "attn.proj.weight", "attn.proj.bias", *norm("attention_output"),
        *norm("mlp_input"), "mlp.fc.weight", "mlp.fc.bias", "mlp.proj.weight", "mlp.proj.bias",
        "mlp.gate.weight"]
    experts = []
    count = len(getattr(block.mlp, "experts", ()))
    for matrices in (("gate_proj", "up_proj"), ("down_proj",)):
        for expert in range(count):
            for i, matrix in enumerate(matrices):
                experts.append((f"mlp.experts.{expert}.{matrix}.weight", {
                    "share": block.mlp.chosen / count, "is_later": expert + i > 0, "joins": i > 0}))
    return [(name, {}) for name in plain] + experts + [(name, {}) for name in norm("mlp_output")]


def tensors_of(model: torch.nn.Module) -> list[TrainedTensor]:
    """All parameters of a model, in the order of execution, the head last."""
    parameters = dict(model.named_parameters())
    names = [("transformer.wte.weight", {})]
    for group in GROUPS:
        for index, block in enumerate(getattr(model.transformer, group)):
            names += [(f"transformer.{group}.{index}.{name}", facts)
                      for name, facts in parameters_of(block)]
    names += [(name, {}) for name in (*ADAPTERS, "transformer.core_norm.weight",
                                      "transformer.ln_f.weight", "lm_head.weight")]
    outside = (names[0][0], names[-1][0])
    tensors = []
    for name, facts in names:
        parameter = parameters.pop(name, None)
        if parameter is not None:
            is_body_matrix = name not in outside and parameter.dim() == 2
            tensors.append(TrainedTensor(name, parameter, is_body_matrix, **facts))
    if parameters:
        raise RunError(f"parameters that this script does not train: {', '.join(parameters)}",
                       "train.not_trainable", UNSUPPORTED)
    return tensors


class Ledger:
    """What training costs, counted two ways: formats/run-folder.md."""

    def __init__(self, model: torch.nn.Module, tensors: list[TrainedTensor]):
        def count(part: str) -> int:
            return round(sum(t.parameter.numel() * t.share for t in tensors
                             if t.name.startswith(f"transformer.{part}.")))

        self.prelude, self.core, self.coda = map(count, GROUPS)
        self.adapter = sum(map(count, ("adapter", "decay", "gate")))
        self.head = count("wte")  # of the same size, tied or not
        config = model.config
        # Multiply-adds of attention scores and values, a block, token and visible token.
        self.attention = 2 * config.num_attention_heads * config.head_dim
        self.blocks = (config.n_layers_in_prelude, config.n_layers_in_recurrent_block,
                       config.n_layers_in_coda)
        self.trains_all = all(t.parameter.requires_grad for t in tensors)

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
        trained; attention costs twice its forward pass. Without the prelude's weights, no gradient
        goes back through it.
        """
        seen = self.attention * (sequence_length + 1) / 2
        prelude, core, coda = (seen * count for count in self.blocks)
        outside, one_pass = self.coda + self.head, self.core + self.adapter
        forward = self.forward(sequence_length, without_gradient + with_gradient)
        back = outside + 2 * coda + (one_pass + 2 * core) * with_gradient
        weights = self.adapter * with_gradient
        if self.trains_all:
            back += self.prelude + 2 * prelude
            weights += self.prelude + outside + self.core * with_gradient
        return 2 * tokens * (forward + back + weights)
