#!/usr/bin/env python3
"""Writes fixtures/optimizers/*.json: parameters after 20 steps of torch's optimizers.

Start values and gradients come from SplitMix64 read at a counter, as in Tensors/RandomStream.swift,
so the files hold results only. torch.optim.Muon orthogonalises in bfloat16; `muon-float32` runs the
same code with that one cast replaced, `muon` as it is shipped. `adamw-atan2` is written out here in
float64, from the description in the paper's code.

Needs: torch (see requirements.txt). Usage: Scripts/make_optimizer_fixtures.py
"""

import inspect
import json
import pathlib

import torch
import torch.optim._muon as muon_module

STEPS = 20
SHAPES = [[12, 8], [8, 20], [6, 6], [9]]
MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def symmetric(seed, stream, count):
    """`count` values in [-1, 1), exact in float32."""
    key = mix((seed + mix((stream + GAMMA) & MASK)) & MASK)
    bits = [mix((key + (i + 1) * GAMMA) & MASK) for i in range(count)]
    return torch.tensor([(b >> 40) * 2.0**-23 - 1 for b in bits], dtype=torch.float32)


def start(index, shape):
    return symmetric(1, index, torch.Size(shape).numel()).reshape(shape) * 0.125


def gradient(index, shape, step):
    # Every fourth step is large, so that clipping of updates has something to do.
    size = 4.0 if step % 4 == 3 else 0.5
    return symmetric(2 + step, index, torch.Size(shape).numel()).reshape(shape) * size


def run(optimizer_of, shapes):
    parameters = [torch.nn.Parameter(start(i, s)) for i, s in enumerate(shapes)]
    optimizer = optimizer_of(parameters)
    for step in range(STEPS):
        for i, p in enumerate(parameters):
            p.grad = gradient(i, shapes[i], step).to(p.dtype)
        optimizer.step()
    return [p.detach().flatten().tolist() for p in parameters]


class AdamAtan2:
    """AdamW*: running start, RMS update clipping, atan2 update, decay without the rate's peak."""

    def __init__(self, parameters, lr, betas, eps, weight_decay):
        self.parameters, self.lr, self.betas = parameters, lr, betas
        self.eps, self.decay, self.t, self.state = eps, weight_decay, 0, {}

    @torch.no_grad()
    def step(self):
        self.t += 1
        b1, b2 = self.betas
        for i, p in enumerate(self.parameters):
            g = p.grad.double()
            m, v = self.state.get(i, (g.clone(), g * g))
            m = b1 * m + (1 - b1) * g
            v = torch.clamp(b2 * v + (1 - b2) * g * g, min=self.eps**2)
            self.state[i] = (m, v)
            rms = (g * g / v).mean().sqrt().clamp(min=1)
            update = torch.atan2(m, v.sqrt() / (1 - b2**self.t) ** 0.5)
            double = p.double() * (1 - self.decay) - self.lr / rms / (1 - b1**self.t) * update
            p.copy_(double.to(p.dtype))


def in_float32(function):
    """torch's Newton-Schulz with its bfloat16 cast replaced by float32."""
    source = inspect.getsource(function)
    changed = source.replace("dtype=torch.bfloat16", "dtype=torch.float32")
    assert changed != source
    scope = dict(muon_module.__dict__)
    exec(changed, scope)
    return scope[function.__name__]


def main():
    folder = pathlib.Path(__file__).parent.parent / "fixtures" / "optimizers"
    folder.mkdir(parents=True, exist_ok=True)
    matrices = [s for s in SHAPES if len(s) == 2]

    def muon(parameters):
        return torch.optim.Muon(parameters, lr=0.01, weight_decay=0.05)

    def adamw(parameters):
        return torch.optim.AdamW(
            parameters, lr=0.01, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.05)

    def atan2(parameters):
        return AdamAtan2(parameters, lr=0.01, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.001)

    cases = {"adamw": (adamw, SHAPES), "adamw-atan2": (atan2, SHAPES), "muon": (muon, matrices)}
    results = {name: (shapes, run(make, shapes)) for name, (make, shapes) in cases.items()}
    original = muon_module._zeropower_via_newtonschulz
    muon_module._zeropower_via_newtonschulz = in_float32(original)
    results["muon-float32"] = (matrices, run(muon, matrices))
    for name, (shapes, parameters) in results.items():
        value = {"torch": torch.__version__, "steps": STEPS, "shapes": shapes,
                 "parameters": parameters}
        (folder / f"{name}.json").write_text(json.dumps(value) + "\n")
    a = torch.cat([torch.tensor(p) for p in results["muon"][1]])
    b = torch.cat([torch.tensor(p) for p in results["muon-float32"][1]])
    print("muon, bfloat16 against float32:", ((a - b).norm() / b.norm()).item())


main()
