"""Weights that ckpt writes, read by the reference implementation of safetensors."""

import torch
from safetensors import safe_open
from safetensors.torch import load_file


def test_a_package_holds_the_sources_layers(package, tiny_arithmetic):
    """Layers 0 and 1, 6 to 9, 10 and 11 of twelve; query, key and value by rows."""
    tensors = load_file(package / "model.safetensors")
    source = load_file(tiny_arithmetic / "model.safetensors")
    groups = {"prelude": (0, 1), "core_block": (6, 7, 8, 9), "coda": (10, 11)}
    for group, layers in groups.items():
        for index, layer in enumerate(layers):
            block = f"transformer.{group}.{index}."
            layer = f"model.layers.{layer}."
            fused = torch.cat([source[f"{layer}self_attn.{x}_proj.weight"] for x in "qkv"])
            assert torch.equal(tensors[block + "attn.Wqkv.weight"], fused)
            down = source[layer + "mlp.down_proj.weight"]
            assert torch.equal(tensors[block + "mlp.proj.weight"], down)


def test_the_adapter_starts_as_zero_and_identity(package):
    """[0 | I]: the state's columns come first."""
    with safe_open(package / "model.safetensors", "pt") as file:
        adapter = file.get_tensor("transformer.adapter.weight").float()
    width = adapter.shape[0]
    assert torch.equal(adapter, torch.cat([torch.zeros(width, width), torch.eye(width)], dim=1))


def test_a_trace_reads_what_torch_writes(ckpt, tiny_arithmetic, tmp_path):
    """Inputs and outputs of `ckpt trace` are files of safetensors."""
    from safetensors.torch import save_file

    save_file({"input_ids": torch.arange(12).reshape(2, 6)}, tmp_path / "in.safetensors")
    out = tmp_path / "out.safetensors"
    ckpt("trace", tiny_arithmetic, "--inputs", tmp_path / "in.safetensors", "-o", out)
    logits = load_file(out)["logits"]
    assert logits.shape[:2] == (2, 6) and logits.isfinite().all()
