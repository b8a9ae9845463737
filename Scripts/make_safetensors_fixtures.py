#!/usr/bin/env python3
"""Writes fixtures/safetensors/.

  small.safetensors    two tensors and metadata, by the PyPI package safetensors: the example of
                       formats/safetensors.md
  types.safetensors    a [2, 4] tensor of every type that package can write, a scalar and an empty
                       tensor; byte j of the tensor NAME is (sum of NAME's bytes + j) mod 256
  aligned.safetensors  the layout of rule ST-14, put together here by that rule alone, and read back
                       with the PyPI package before it is kept
"""

import ctypes
import json
import pathlib
import struct

import safetensors

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "safetensors"

TYPES = {  # the format's spelling: the package's, bits of an element
    "BOOL": ("bool", 8), "F4": ("float4_e2m1fn_x2", 4), "U8": ("uint8", 8), "I8": ("int8", 8),
    "F8_E5M2": ("float8_e5m2", 8), "F8_E4M3": ("float8_e4m3fn", 8),
    "F8_E8M0": ("float8_e8m0fnu", 8), "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8), "I16": ("int16", 16), "U16": ("uint16", 16),
    "F16": ("float16", 16), "BF16": ("bfloat16", 16), "I32": ("int32", 32), "U32": ("uint32", 32),
    "F32": ("float32", 32), "C64": ("complex64", 64), "F64": ("float64", 64), "I64": ("int64", 64),
    "U64": ("uint64", 64),
}


def pattern(name: str, count: int) -> bytes:
    start = sum(name.encode())
    return bytes((start + j) % 256 for j in range(count))


def byte_count(kind: str, shape: list[int]) -> int:
    bits = TYPES[kind][1]
    for dimension in shape:
        bits *= dimension
    return bits // 8


def serialize(tensors: dict[str, tuple[str, list[int], bytes]], metadata: dict[str, str]) -> bytes:
    """The file as the package writes it."""
    specs, buffers = {}, []
    for name, (kind, shape, data) in tensors.items():
        buffer = ctypes.create_string_buffer(data, max(len(data), 1))
        buffers.append(buffer)
        # The package wants the packed type's shape in bytes, and doubles the last dimension.
        stored = shape[:-1] + [shape[-1] // 2] if kind == "F4" else shape
        specs[name] = safetensors.TensorSpec(
            dtype=TYPES[kind][0], shape=stored, data_ptr=ctypes.addressof(buffer),
            data_len=len(data))
    return bytes(safetensors.serialize(specs, metadata))


def aligned(tensors: dict[str, tuple[str, list[int], bytes]], metadata: dict[str, str]) -> bytes:
    """ST-14, independently of the tool."""
    def key(item):
        name, (kind, _, data) = item
        return (len(data) % 64 != 0, -TYPES[kind][1], name.encode())

    header, body = {"__metadata__": metadata}, b""
    for name, (kind, shape, data) in sorted(tensors.items(), key=key):
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": offsets}
        body += data
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text)) % 64)
    return struct.pack("<Q", len(text)) + text + body


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    small = {
        "embed.weight": ("F32", [2, 2], struct.pack("<4f", 1, -2, 0.5, 0)),
        "norm.weight": ("BF16", [2], bytes.fromhex("803f0040")),
    }
    (FOLDER / "small.safetensors").write_bytes(serialize(small, {"format": "pt"}))

    types = {
        kind: (kind, [2, 4], pattern(kind, byte_count(kind, [2, 4]))) for kind in TYPES
    }
    types["scalar"] = ("F32", [], pattern("scalar", 4))
    types["empty"] = ("F16", [0, 3], b"")
    (FOLDER / "types.safetensors").write_bytes(serialize(types, {"made by": "é \"quoted\"\n"}))

    shapes = {
        "layers.0.weight": ("F32", [4, 8]), "layers.1.weight": ("BF16", [8, 8]),
        "head": ("BF16", [32]), "norm": ("BF16", [3]), "mask": ("U8", [5]), "scale": ("F64", []),
        "empty": ("F32", [0]), "é": ("I64", [8]),
    }
    data = {n: (k, s, pattern(n, byte_count(k, s))) for n, (k, s) in shapes.items()}
    file = aligned(data, {"format": "pt", "tool": "ckpt"})
    read = dict(safetensors.deserialize(file))
    assert {n: (v["dtype"], v["shape"], bytes(v["data"])) for n, v in read.items()} == data
    (FOLDER / "aligned.safetensors").write_bytes(file)


if __name__ == "__main__":
    main()
