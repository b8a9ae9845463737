#!/usr/bin/env python3
"""Makes fixtures/torch: small files as torch.save writes them, and what torch reads from them.

Usage: make_torch_fixtures.py [fixtures/torch]

`expected.json` lists, for every file, its tensors with the bytes that torch.load gives, row-major
and little-endian. Needs torch; the files are committed, so tests need none of it. A second run gives
the same bytes but for the legacy files, whose storage keys are addresses.
"""

import json
import pathlib
import sys
import zipfile
from collections import OrderedDict

import torch

FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "fixtures/torch")

# The spelling of safetensors.
NAMES = {
    torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.uint16: "U16", torch.uint32: "U32", torch.uint64: "U64",
    torch.bool: "BOOL", torch.complex64: "C64", torch.complex128: "C128",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
    torch.float8_e4m3fnuz: "F8_E4M3FNUZ", torch.float8_e5m2fnuz: "F8_E5M2FNUZ",
    torch.float8_e8m0fnu: "F8_E8M0",
}


def data(tensor):
    flat = tensor.detach().clone(memory_format=torch.contiguous_format).reshape(-1)
    return bytes(flat.view(torch.uint8).tolist()) if flat.numel() else b""


def describe(tensors):
    return [
        {"name": n, "dtype": NAMES[t.dtype], "shape": list(t.shape), "data": data(t).hex()}
        for n, t in tensors.items()
    ]


def samples():
    torch.manual_seed(7)
    bits = torch.arange(12, dtype=torch.uint8)
    every = {}
    for dtype, name in NAMES.items():
        if dtype == torch.bool:
            every[name] = torch.tensor([[True, False, True]])
        elif dtype.is_complex:
            every[name] = torch.tensor([[1 + 2j, -3.5 + 0.25j]], dtype=dtype)
        elif name.startswith("F8"):
            every[name] = (bits + 40).view(dtype).reshape(3, 4)
        else:
            every[name] = (torch.arange(6) * 3 + 1).to(dtype).reshape(2, 3)
    base = torch.arange(120, dtype=torch.float32).reshape(4, 5, 6)
    views = {
        "whole": base,
        "transposed": base.transpose(0, 2),
        "permuted": base.permute(1, 2, 0),
        "sliced": base[1:3, ::2, 1::3],
        "column": base[:, 2, 3],
        "expanded": base[:, :1, :1].expand(4, 3, 2),
        "windows": torch.as_strided(base, (5, 4), (2, 3), 7),
        "scalar": base[2, 3, 4],
        "empty": base[:, :0],
    }
    embedding = torch.nn.Parameter(torch.randn(5, 3))
    tied = OrderedDict([("embed.weight", embedding), ("head.weight", embedding)])
    fused = torch.randn(6, 2)
    shared = {"q": fused[:2], "k": fused[2:4], "v": fused[4:], "tied": fused[2:4]}
    checkpoint = {
        "epoch": 3,
        "model": OrderedDict(
            (f"module._orig_mod.{n}", t) for n, t in [("w", torch.randn(2, 3)), ("b", torch.ones(3))]
        ),
        "optimizer": {"state": {0: {"step": torch.tensor(5.0)}}, "param_groups": [{"lr": 1e-3}]},
        "rng": torch.zeros(4, dtype=torch.uint8),
        "args": {"name": "run", "long": 1 << 80, "list": [1, (2.5, None)], "set": {1}},
    }
    inner = {"w": checkpoint["model"]["module._orig_mod.w"],
             "b": checkpoint["model"]["module._orig_mod.b"]}
    mixed = {"w": torch.ones(2), 7: torch.zeros(3), "lr": 0.1, "deep": {"x": [torch.ones(1)]}}
    named = {"w": mixed["w"], "7": mixed[7], "deep.x.0": mixed["deep"]["x"][0]}
    return {
        "types": (every, every),
        "views": (views, views),
        "tied": (tied, tied),
        "shared": (shared, shared),
        "checkpoint": (checkpoint, inner),
        "mixed": (mixed, named),
    }


def rezip(source, target, method):
    with zipfile.ZipFile(source) as a, zipfile.ZipFile(target, "w", method) as b:
        for entry in a.infolist():
            info = zipfile.ZipInfo(entry.filename)  # the fixed time stamp of 1980
            info.compress_type = method
            b.writestr(info, a.read(entry))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    expected = {}

    def add(name, tensors):
        expected[name] = describe(tensors)

    for name, (obj, tensors) in samples().items():
        torch.save(obj, FOLDER / f"{name}.pt")
        add(f"{name}.pt", tensors)
        if name != "types":
            torch.save(obj, FOLDER / f"{name}-legacy.pt", _use_new_zipfile_serialization=False)
            add(f"{name}-legacy.pt", tensors)
    old = {n: t for n, t in samples()["types"][0].items() if n[:2] not in ("F8", "U1", "U3", "U6")}
    torch.save(old, FOLDER / "types-legacy.pt", _use_new_zipfile_serialization=False)
    add("types-legacy.pt", old)
    rezip(FOLDER / "views.pt", FOLDER / "views-deflated.pt", zipfile.ZIP_DEFLATED)
    add("views-deflated.pt", samples()["views"][1])
    for protocol in (3, 4, 5):
        torch.save(samples()["tied"][0], FOLDER / f"protocol{protocol}.pt", pickle_protocol=protocol)
        add(f"protocol{protocol}.pt", samples()["tied"][1])
    torch.serialization.set_crc32_options(False)
    torch.save(samples()["tied"][0], FOLDER / "no-crc.pt")
    torch.serialization.set_crc32_options(True)
    add("no-crc.pt", samples()["tied"][1])
    big = {n: t for n, t in samples()["types"][0].items()}
    write_big_endian(FOLDER / "types.pt", FOLDER / "big-endian.pt")
    add("big-endian.pt", big)

    for name, tensors in expected.items():
        check(FOLDER / name, tensors)
    text = ",\n".join(
        f" {json.dumps(n)}: [\n  " + ",\n  ".join(json.dumps(t) for t in ts) + "]"
        for n, ts in expected.items())
    (FOLDER / "expected.json").write_text("{\n" + text + "\n}\n")


def write_big_endian(source, target):
    """The archive as a big-endian machine would have written it; torch itself then reads it."""
    widths = {}
    with zipfile.ZipFile(source) as archive:
        for i, tensor in enumerate(samples()["types"][0].values()):
            size = tensor.element_size()
            widths[f"data/{i}"] = size // 2 if tensor.dtype.is_complex else size
        with zipfile.ZipFile(target, "w") as out:
            for entry in archive.infolist():
                content = archive.read(entry)
                local = entry.filename.split("/", 1)[1]
                if local == "byteorder":
                    content = b"big"
                if local in widths:
                    w = widths[local]
                    content = b"".join(content[i:i + w][::-1] for i in range(0, len(content), w))
                out.writestr(zipfile.ZipInfo(entry.filename), content)


def check(path, tensors):
    """What is recorded is what torch reads, where torch reads the file at all."""
    def flatten(obj, prefix=""):
        items = obj.items() if isinstance(obj, dict) else enumerate(obj)
        for key, value in items:
            if isinstance(value, torch.Tensor):
                yield f"{prefix}{key}", value
            elif isinstance(value, (dict, list, tuple)):
                yield from flatten(value, f"{prefix}{key}.")

    loaded = torch.load(path, weights_only=False)
    loaded = dict(flatten(loaded["model"] if "model" in loaded else loaded))
    wanted = {t["name"]: t for t in tensors}
    for name, value in loaded.items():
        name = name.removeprefix("module._orig_mod.")
        t = wanted.pop(name)
        assert NAMES[value.dtype] == t["dtype"] and list(value.shape) == t["shape"], (path, name)
        # torch does not swap what is pickled with an untyped storage, a defect of its reader.
        if not (path.name == "big-endian.pt" and t["dtype"] in ("U16", "U32", "U64")):
            assert data(value).hex() == t["data"], (path, name)
    assert not wanted, (path, wanted)


if __name__ == "__main__":
    main()
