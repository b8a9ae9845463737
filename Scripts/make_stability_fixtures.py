"""Writes fixtures/stability: the Jacobian of the core's map from state to state, explicitly and in
float64, for some models of fixtures/families.

Run as `.venv/bin/python Scripts/make_stability_fixtures.py`, with the packages of
Scripts/requirements.txt. transformers' own decoder layers are the core; torch's reverse mode gives the
Jacobian row by row, and LAPACK its eigenvalues.
"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

from make_family_fixtures import CORE, PRELUDE, Execution

FAMILIES = os.path.join(os.path.dirname(__file__), "../fixtures/families")
ROOT = os.path.join(os.path.dirname(__file__), "../fixtures/stability")
NAMES = ["llama-linear", "olmo2-bias", "granite-factors", "qwen3-window", "mixtral-default"]
# The adapter's scale decides how far the states go; these give radii on both sides of 1.
SCALES = {"llama-linear": 1.0, "olmo2-bias": 0.3, "granite-factors": 0.5, "qwen3-window": 0.05, "mixtral-default": 1.0}
TOKENS = 5
PASSES = 3


def run(model, layers, hidden):
    """The output of some layers before the final norm, with `hidden` as the first one's input."""
    inner, out = model.model, {}
    runs = [Execution(inner.layers[i]) for i in layers]
    runs[0].before = lambda _: hidden
    runs[-1].after = lambda h: out.__setitem__("h", h)
    saved = inner.layers, model.config.num_hidden_layers
    inner.layers, model.config.num_hidden_layers = nn.ModuleList(runs), len(runs)
    kinds = getattr(model.config, "layer_types", None)
    if kinds is not None:
        model.config.layer_types = [kinds[i] for i in layers]
    try:
        inner(inputs_embeds=torch.zeros_like(hidden), use_cache=False)
    finally:
        inner.layers, model.config.num_hidden_layers = saved
        if kinds is not None:
            model.config.layer_types = kinds
    return out["h"]


def make(name):
    folder = os.path.join(FAMILIES, name)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        os.path.join(folder, "model"), dtype=torch.float64, attn_implementation="eager", experts_implementation="eager"
    ).eval()
    numbers = load_file(os.path.join(folder, "numbers.safetensors"))
    adapter = numbers["adapter"].double() * SCALES[name]
    ids = numbers["input_ids"][:, :TOKENS]
    state = numbers["initial_state"][:, :TOKENS].double()
    factor = getattr(model.config, "embedding_multiplier", 1.0)
    embedded = run(model, PRELUDE, model.model.embed_tokens(ids) * factor)

    def core(flat):
        s = flat.reshape(state.shape)
        return run(model, CORE, torch.cat([s, embedded], -1) @ adapter.T).flatten()

    with torch.no_grad():
        for _ in range(PASSES):
            state = core(state.flatten()).reshape(state.shape)
    jacobian = torch.autograd.functional.jacobian(core, state.flatten())
    magnitudes = torch.linalg.eigvals(jacobian).abs().sort(descending=True).values
    direction = torch.randn(state.numel(), generator=torch.Generator().manual_seed(1)).double()
    save_file(
        {
            "input_ids": ids.contiguous(),
            "adapter": adapter.float(),
            "initial_state": numbers["initial_state"][:, :TOKENS].contiguous(),
            "state": state.detach().float().contiguous(),
            "direction": direction.float(),
            "product": (jacobian.T @ direction).float(),
            "magnitudes": magnitudes[:8].float(),
        },
        os.path.join(ROOT, name + ".safetensors"),
    )
    print(name, "radius", float(magnitudes[0]), [round(float(m), 4) for m in magnitudes[:6]])


if __name__ == "__main__":
    os.makedirs(ROOT, exist_ok=True)
    with torch.enable_grad():
        for each in NAMES:
            make(each)
