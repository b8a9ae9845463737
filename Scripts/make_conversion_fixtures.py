#!/usr/bin/env python3
"""Writes fixtures/numerics/: values and casts of the 8-bit float types, as PyTorch computes them.

Needs torch. Files, all little-endian:
  f8-values.bin   256 float32 for each of F8_E4M3, F8_E5M2, F8_E4M3FNUZ, F8_E5M2FNUZ, F8_E8M0
  f8-casts.bin    u32 n, n float32 inputs, then n codes for each of the first four types
  cast-digests.txt  `FROM TO SHA-256` of the cast of all 65,536 values of a 16-bit type
"""

import hashlib
import pathlib

import numpy as np
import torch

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "numerics"
TYPES = {
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
}


def decode(dtype) -> np.ndarray:
    return torch.arange(256, dtype=torch.uint8).view(dtype).to(torch.float32).numpy()


def encode(values: np.ndarray, dtype) -> bytes:
    codes = torch.from_numpy(values).to(dtype).view(torch.uint8).numpy()
    one_by_one = [torch.tensor(v).to(dtype).view(torch.uint8).item() for v in values[:4096]]
    assert codes[:4096].tolist() == one_by_one, "vector and scalar code of PyTorch disagree"
    return codes.tobytes()


def neighbourhood(dtype) -> np.ndarray:
    """The type's values, the points half way between them, and the floats next to all of these."""
    values = decode(dtype)
    values = np.unique(values[np.isfinite(values)].astype(np.float64))
    step = values[-1] - values[-2]
    points = np.concatenate([values, [values[-1] + step, values[0] - step]])
    points.sort()
    points = np.concatenate([points, (points[1:] + points[:-1]) / 2]).astype(np.float32)
    up, down = np.float32(np.inf), np.float32(-np.inf)
    return np.concatenate([points, np.nextafter(points, up), np.nextafter(points, down)])


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    tables = [decode(t) for t in [*TYPES.values(), torch.float8_e8m0fnu]]
    (FOLDER / "f8-values.bin").write_bytes(np.concatenate(tables).astype("<f4").tobytes())

    special = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 3e38, -3e38, 1e-45], np.float32)
    inputs = np.unique(np.concatenate([special, *map(neighbourhood, TYPES.values())]))
    inputs = np.concatenate([inputs, np.array([-0.0], np.float32)])
    parts = [np.uint32(len(inputs)).tobytes(), inputs.astype("<f4").tobytes()]
    parts += [encode(inputs, t) for t in TYPES.values()]
    (FOLDER / "f8-casts.bin").write_bytes(b"".join(parts))

    lines = []
    for name, dtype in {"F16": torch.float16, "BF16": torch.bfloat16}.items():
        codes = torch.from_numpy(np.arange(65536, dtype=np.uint16).view(np.int16))
        values = codes.view(dtype).to(torch.float32)
        for target, target_type in TYPES.items():
            digest = hashlib.sha256(encode(values.numpy(), target_type)).hexdigest()
            lines.append(f"{name} {target} {digest}\n")
    (FOLDER / "cast-digests.txt").write_text("".join(lines))
    print("torch", torch.__version__, "inputs", len(inputs))


main()
