#!/usr/bin/env python3
"""Round trips between ckpt and the PyPI packages safetensors and torch, in both directions.

usage: check_safetensors.py [CKPT]      CKPT: the built program, .build/release/ckpt by default

Random tensors of every type go through `ckpt convert`: from a file of the safetensors package and
from one of torch.save, into one safetensors file and into a folder of shards. Names, types, shapes,
bytes and metadata must come back as they were. Needs Scripts/requirements.txt (make oracles).
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile

import safetensors
import torch
from make_safetensors_fixtures import TYPES, byte_count, serialize

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(ckpt: str, *arguments: str) -> dict:
    result = subprocess.run([ckpt, *arguments, "--json"], capture_output=True, text=True)
    assert result.returncode == 0, (arguments, result.returncode, result.stdout, result.stderr)
    return json.loads(result.stdout)


def contents(path: pathlib.Path) -> dict[str, tuple[str, list[int], bytes]]:
    """A file's tensors as the reference implementation reads them."""
    return {
        name: (entry["dtype"], entry["shape"], bytes(entry["data"]))
        for name, entry in safetensors.deserialize(path.read_bytes())
    }


def metadata(path: pathlib.Path) -> dict[str, str] | None:
    with safetensors.safe_open(path, "pt") as file:
        return file.metadata()


def random_tensors(source: random.Random) -> dict[str, tuple[str, list[int], bytes]]:
    tensors = {}
    for i in range(source.randint(0, 30)):
        kind = source.choice(list(TYPES))
        shape = [source.choice([0, 1, 2, 3, 17, 64]) for _ in range(source.randint(0, 3))]
        if kind == "F4":
            shape = shape[:2] + [2 * source.randint(0, 40)]
        data = bytearray(source.randbytes(byte_count(kind, shape)))
        if kind == "BOOL":
            data = bytearray(byte & 1 for byte in data)
        name = source.choice(["", "layers.", "é.", "a/b ", "\u65e5\u672c."]) + str(i)
        tensors[name] = (kind, shape, bytes(data))
    return tensors


def check_folder(folder: pathlib.Path, limit: int) -> dict[str, tuple[str, list[int], bytes]]:
    """The tensors of a converted folder; its index and its shards' sizes must be right."""
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return contents(folder / "model.safetensors")
    tensors = {}
    weight_map = json.loads(index.read_text())["weight_map"]
    assert list(weight_map) == sorted(weight_map, key=str.encode)
    for shard in sorted(set(weight_map.values())):
        found = contents(folder / shard)
        assert sorted(found) == sorted(n for n, file in weight_map.items() if file == shard)
        assert len(found) == 1 or sum(len(data) for _, _, data in found.values()) <= limit
        tensors |= found
    total = sum(len(data) for _, _, data in tensors.values())
    assert json.loads(index.read_text())["metadata"]["total_size"] == total
    return tensors


def check_safetensors(ckpt: str, folder: pathlib.Path, seed: int) -> None:
    source = random.Random(seed)
    tensors = random_tensors(source)
    original = folder / f"{seed}.safetensors"
    original.write_bytes(serialize(tensors, {"format": "pt", "note": "é \"\n"}))

    seen = run(ckpt, "inspect", str(original))["tensors"]
    data = original.read_bytes()
    assert {
        t["name"]: (t["dtype"], t["shape"], data[t["offset"]:t["offset"] + t["bytes"]])
        for t in seen
    } == tensors, seed

    converted = folder / f"{seed}.out.safetensors"
    run(ckpt, "convert", str(original), "-o", str(converted))
    assert contents(converted) == tensors, seed
    assert (metadata(converted) or {}).items() >= metadata(original).items(), seed

    limit = source.choice([100, 1000, 10000])
    shards = folder / f"{seed}.shards"
    run(ckpt, "convert", str(original), "-o", str(shards), "--max-shard-size", str(limit))
    assert check_folder(shards, limit) == tensors, seed

    back = folder / f"{seed}.back.safetensors"
    run(ckpt, "convert", str(shards), "-o", str(back))
    assert contents(back) == tensors, seed


def check_torch(ckpt: str, folder: pathlib.Path, seed: int) -> None:
    torch.manual_seed(seed)
    kinds = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int8]
    state = {
        f"layers.{i}.weight": (torch.randn(3, 5 + i) * 100).to(kinds[i % len(kinds)])
        for i in range(12)
    }
    state["transposed"] = torch.randn(4, 7).t()
    state["slice"] = torch.arange(40)[3:31:3]
    legacy = seed % 2 == 1
    original = folder / f"{seed}.pt"
    torch.save(state, original, _use_new_zipfile_serialization=not legacy)
    converted = folder / f"{seed}.pt.safetensors"
    run(ckpt, "convert", str(original), "-o", str(converted))
    with safetensors.safe_open(converted, "pt") as file:
        assert set(file.keys()) == set(state), seed
        for name, tensor in state.items():
            assert file.get_tensor(name).dtype == tensor.dtype
            assert torch.equal(file.get_tensor(name), tensor), (seed, name)


def main() -> None:
    ckpt = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / ".build" / "release" / "ckpt")
    with tempfile.TemporaryDirectory() as name:
        for seed in range(20):
            check_safetensors(ckpt, pathlib.Path(name), seed)
            check_torch(ckpt, pathlib.Path(name), seed)
    print("20 round trips of safetensors and of PyTorch files agree with the reference")


if __name__ == "__main__":
    main()
