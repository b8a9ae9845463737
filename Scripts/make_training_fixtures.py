#!/usr/bin/env python3
"""Writes fixtures/training/*.safetensors: losses and gradients of the trainer's modes, in float64.

The retrofit of golden case tiny-llama is written out here in torch, from the published layer
equations, and held against the golden losses first. Then autograd gives the gradients of low-rank
factors, of the distillation loss with the golden source model as teacher, of the loss with the
penalty on the last pass's step, of the loss with those of shallower states, and of the loss with decays
of the state, or a gate on what a pass changes, in the adapter's place; some elements of each are held
against central differences. Values are stored as float32.

Needs: torch, safetensors (see requirements.txt). Usage: Scripts/make_training_fixtures.py
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
CASE = ROOT / "golden" / "tiny-llama"
RANK, ALPHA = 3, 5.0
TEMPERATURE, MIX = 2.5, 0.3
WITHOUT, WITH = 1, 2
SETTLING = 0.7
SUPERVISION, SUPERVISED = 0.6, [1, 2]  # of four passes with gradient, counted from 1
torch.set_default_dtype(torch.float64)


def rms(x, scale, epsilon=1e-5):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * scale


def rotate(x, theta):
    """[B, H, S, d]: pairs (i, i + d/2) turn by position * theta^(-2i/d)."""
    half = x.shape[-1] // 2
    inverse = theta ** (-torch.arange(half) / half)
    angles = torch.arange(x.shape[-2])[:, None] * inverse
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()], -1)


def block(x, w, config):
    """Pre-norm Llama block over fused query-key-value and gate-up matrices."""
    batch, length, _ = x.shape
    heads, kv, size = config["n_heads"], config["num_key_value_heads"], config["head_dim"]
    fused = rms(x, w["norm_1"]) @ w["Wqkv"].T
    q, k, v = fused.split([heads * size, kv * size, kv * size], -1)
    q, k, v = (t.view(batch, length, -1, size).transpose(1, 2) for t in (q, k, v))
    q, k = rotate(q, config["rope_theta"]), rotate(k, config["rope_theta"])
    k, v = (t.repeat_interleave(heads // kv, 1) for t in (k, v))
    scores = q @ k.transpose(-1, -2) / size**0.5
    scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), -torch.inf)
    x = x + (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, -1) @ w["attn.proj"].T
    gate, up = (rms(x, w["norm_2"]) @ w["fc"].T).chunk(2, -1)
    return x + (F.silu(gate) * up) @ w["mlp.proj"].T


NAMES = {
    "norm_1": "norm_1", "norm_2": "norm_2", "Wqkv": "attn.Wqkv", "attn.proj": "attn.proj",
    "fc": "mlp.fc", "mlp.proj": "mlp.proj",
}
ADAPTER, DECAY = "transformer.adapter.weight", "transformer.decay.weight"
DOWN, UP = "transformer.gate.down.weight", "transformer.gate.up.weight"
GATE_RANK = 3
PARTS = [("prelude", 2), ("core_block", 4), ("coda", 2)]


def retrofit(weights, tokens, state, without, with_gradient, config, states=None, outputs=None):
    """Logits; `states` gets those with gradient, `outputs` the logits of each but the first."""
    def blocks(x, part, count):
        for i in range(count):
            prefix = f"transformer.{part}.{i}."
            x = block(x, {k: weights[prefix + v + ".weight"] for k, v in NAMES.items()}, config)
        return x

    e = blocks(F.embedding(tokens, weights["transformer.wte.weight"]), *PARTS[0])

    def step(s):
        if DECAY in weights:
            return blocks(torch.sigmoid(weights[DECAY]) * s + e, *PARTS[1])
        if UP in weights:
            out = blocks(s, *PARTS[1])
            gate = torch.tanh(rms(out - s, 1.0) @ weights[DOWN].T @ weights[UP].T)
            return out + gate * (out - s)
        return blocks(torch.cat([s, e], -1) @ weights[ADAPTER].T, *PARTS[1])

    def finish(s):
        out = rms(blocks(s, *PARTS[2]), weights["transformer.ln_f.weight"])
        return out @ weights["lm_head.weight"].T

    if UP in weights:
        state = e
    with torch.no_grad():
        for _ in range(without):
            state = step(state)
    for _ in range(with_gradient):
        if states is not None:
            states.append(state)
        state = step(state)
        if outputs is not None:
            outputs.append(finish(state))
    if states is not None:
        states.append(state)
    return finish(state)


def targets(config):
    """Adapted matrices in the order of execution: name in the fixture, tensor, rows."""
    heads, kv, size = config["n_heads"], config["num_key_value_heads"], config["head_dim"]
    q, k, m = heads * size, kv * size, config["intermediate_size"]
    index = 0
    for part, count in PARTS:
        for i in range(count):
            prefix = f"transformer.{part}.{i}."
            for role, tensor, rows in [
                ("query", "attn.Wqkv", slice(0, q)), ("key", "attn.Wqkv", slice(q, q + k)),
                ("value", "attn.Wqkv", slice(q + k, q + 2 * k)),
                ("output", "attn.proj", slice(None)), ("gate", "mlp.fc", slice(0, m)),
                ("up", "mlp.fc", slice(m, 2 * m)), ("down", "mlp.proj", slice(None)),
            ]:
                yield f"{index}.{role}", prefix + tensor + ".weight", rows
            index += 1


def adapted(weights, factors, config):
    merged = dict(weights)
    for name, tensor, rows in targets(config):
        delta = ALPHA / RANK * factors[name + ".B"] @ factors[name + ".A"]
        change = torch.zeros_like(weights[tensor])
        change[rows] = delta
        merged[tensor] = merged[tensor] + change
    return merged


def check(loss, tensors, gradients):
    """A few elements of each gradient against central differences."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in tensors.items():
        flat = tensor.detach().reshape(-1)
        for i in torch.randint(flat.numel(), (2,), generator=generator).tolist():
            values = []
            for delta in (1e-6, -1e-6):
                flat[i] += delta
                with torch.no_grad():
                    values.append(loss())
                flat[i] -= delta
            difference = (values[0] - values[1]) / 2e-6
            gradient = gradients[name].reshape(-1)[i]
            assert abs(difference - gradient) < 1e-7 + 1e-5 * abs(gradient), (name, i)


def main():
    config = json.loads((CASE / "retrofit" / "config.json").read_text())
    golden = load_file(CASE / "golden.safetensors")
    weights = {k: v.double() for k, v in load_file(CASE / "retrofit" / "model.safetensors").items()}
    tokens, labels = golden["input_ids"], golden["labels"].reshape(-1)
    state = golden["initial_state"].double()

    def logits(weights, without, with_gradient):
        out = retrofit(weights, tokens, state, without, with_gradient, config)
        return out.reshape(-1, out.shape[-1])

    for n, k in [(0, 3), (3, 2)]:
        want = golden[f"bptt.n{n}k{k}.loss"].double()
        assert abs(F.cross_entropy(logits(weights, n, k), labels) - want) < 1e-5 * want
    (ROOT / "training").mkdir(exist_ok=True)

    generator = torch.Generator().manual_seed(74)
    factors = {}
    for name, tensor, rows in targets(config):
        matrix = weights[tensor][rows]
        for key, shape in [("A", (RANK, matrix.shape[1])), ("B", (matrix.shape[0], RANK))]:
            value = torch.randn(shape, generator=generator) * 0.1
            factors[f"{name}.{key}"] = value.float().double().requires_grad_()

    def loss():
        # With no passes outside the gradient, so that differences see what autograd sees.
        return F.cross_entropy(logits(adapted(weights, factors, config), 0, WITH), labels)

    value = loss()
    value.backward()
    check(loss, factors, {k: v.grad for k, v in factors.items()})
    out = {"loss": value.detach().reshape(1)}
    for name, factor in factors.items():
        out[name] = factor.detach()
        out["grad." + name] = factor.grad
    save(out, "lora", {"rank": f"{RANK}", "alpha": f"{ALPHA}", "passes": f"{WITH}"})

    source = golden["base.logits"].double().reshape(-1, config["vocab_size"])
    counted = labels >= 0
    leaves = {k: v.clone().requires_grad_() for k, v in weights.items()}

    def parts(without):
        student = logits(leaves, without, WITH)
        soft = F.log_softmax(student / TEMPERATURE, -1)[counted]
        taught = F.softmax(source / TEMPERATURE, -1)[counted]
        divergence = (taught * (taught.log() - soft)).sum(-1).mean()
        return F.cross_entropy(student, labels), divergence

    def mixed(without=0):
        hard, divergence = parts(without)
        return (1 - MIX) * hard + MIX * TEMPERATURE**2 * divergence

    mixed().backward()
    check(mixed, leaves, {k: v.grad for k, v in leaves.items()})
    for leaf in leaves.values():
        leaf.grad = None
    hard, divergence = parts(WITHOUT)
    ((1 - MIX) * hard + MIX * TEMPERATURE**2 * divergence).backward()
    out = {"loss": hard.detach().reshape(1), "divergence": divergence.detach().reshape(1)}
    out |= {"grad." + k: v.grad for k, v in leaves.items()}
    save(out, "distillation", {"temperature": f"{TEMPERATURE}", "mix": f"{MIX}"})
    for leaf in leaves.values():
        leaf.grad = None
    settle(leaves, tokens, labels, state, config)
    for share in (0.0, 0.4):
        supervise(share, leaves, tokens, labels, state, config)
    hidden = weights[ADAPTER].shape[0]
    for case, passes, shapes in [
        ("diagonal", WITHOUT, {DECAY: (hidden,)}),
        # Where no pass goes without gradient, that of the first state goes on into the prelude.
        ("gated", 0, {DOWN: (GATE_RANK, hidden), UP: (hidden, GATE_RANK)}),
    ]:
        without_adapter(case, passes, shapes, weights, tokens, labels, state, config)


def without_adapter(case, passes, shapes, weights, tokens, labels, state, config):
    """The loss of the model with other parameters in the adapter's place, drawn at random."""
    generator = torch.Generator().manual_seed(5)
    drawn = {k: torch.randn(v, generator=generator).float().double() for k, v in shapes.items()}
    leaves = {k: v.clone().requires_grad_() for k, v in weights.items() if k != ADAPTER}
    leaves |= {k: v.clone().requires_grad_() for k, v in drawn.items()}

    def loss(without=0):
        out = retrofit(leaves, tokens, state, without, WITH, config)
        return F.cross_entropy(out.reshape(-1, out.shape[-1]), labels)

    loss().backward()
    check(loss, leaves, {k: v.grad for k, v in leaves.items()})
    for leaf in leaves.values():
        leaf.grad = None
    value = loss(passes)
    value.backward()
    out = {"loss": value.detach().reshape(1)}
    out |= {k.split(".", 1)[1].removesuffix(".weight"): v for k, v in drawn.items()}
    save(out | {"grad." + k: v.grad for k, v in leaves.items()}, case, {})


def supervise(share, leaves, tokens, labels, state, config):
    """The loss of the last state, and those of shallower ones: of the labels, and of the last state's
    prediction, which is a constant."""
    counted = labels >= 0

    def parts(without, taught=None):
        outputs = []
        retrofit(leaves, tokens, state, without, 4, config, outputs=outputs)
        outputs = [out.reshape(-1, out.shape[-1])[counted] for out in outputs]
        taught = outputs[-1].detach() if taught is None else taught
        losses = []
        for place in SUPERVISED:
            hard = F.cross_entropy(outputs[place - 1], labels[counted])
            soft = F.kl_div(outputs[place - 1].log_softmax(-1), taught.log_softmax(-1),
                            reduction="batchmean", log_target=True)
            losses.append((1 - share) * hard + share * soft)
        return F.cross_entropy(outputs[-1], labels[counted]), sum(losses) / len(losses), taught

    def clear():
        for leaf in leaves.values():
            leaf.grad = None

    with torch.no_grad():
        taught = parts(0)[2]

    def whole():
        hard, shallower, _ = parts(0, taught)
        return hard + SUPERVISION * shallower

    clear()
    whole().backward()
    check(whole, leaves, {k: v.grad for k, v in leaves.items()})
    clear()
    hard, shallower, _ = parts(WITHOUT)
    (hard + SUPERVISION * shallower).backward()
    out = {"loss": hard.detach().reshape(1), "supervision": shallower.detach().reshape(1)}
    out |= {"grad." + k: v.grad for k, v in leaves.items()}
    save(out, "supervision-distilled" if share else "supervision",
         {"weight": f"{SUPERVISION}", "share": f"{share}", "places": f"{SUPERVISED}"})


def settle(leaves, tokens, labels, state, config):
    """The loss with the penalty: the mean over learned tokens of the last step's square over the square
    of the state before it, the latter a constant."""

    def parts(without, with_gradient, sizes=None):
        states = []
        out = retrofit(leaves, tokens, state, without, with_gradient, config, states)
        before, last = (s.flatten(0, 1)[labels >= 0] for s in states[-2:])
        sizes = before.detach().pow(2).sum(-1) if sizes is None else sizes
        moved = ((last - before).pow(2).sum(-1) / sizes).mean()
        return F.cross_entropy(out.reshape(-1, out.shape[-1]), labels), moved, sizes

    with torch.no_grad():
        sizes = parts(0, WITH)[2]

    def whole():
        hard, moved, _ = parts(0, WITH, sizes)
        return hard + SETTLING * moved

    whole().backward()
    check(whole, leaves, {k: v.grad for k, v in leaves.items()})
    # With passes before the gradient, and with one pass of it, through which no gradient goes on.
    for without, with_gradient in [(WITHOUT, WITH), (2, 1)]:
        for leaf in leaves.values():
            leaf.grad = None
        hard, moved, _ = parts(without, with_gradient)
        (hard + SETTLING * moved).backward()
        out = {"loss": hard.detach().reshape(1), "settling": moved.detach().reshape(1)}
        out |= {"grad." + k: v.grad for k, v in leaves.items()}
        save(out, f"settling-{without}-{with_gradient}", {"weight": f"{SETTLING}"})


def save(tensors, name, metadata):
    tensors = {k: v.float().contiguous() for k, v in tensors.items()}
    save_file(tensors, ROOT / "training" / f"{name}.safetensors", metadata)


main()
