#!/usr/bin/env python3
"""Writes fixtures/gguf/ with the reference implementation, the PyPI package gguf.

  small.gguf       the example of formats/gguf.md
  types.gguf       a tensor of every type that can be decoded, and metadata of every type
  types.f32        the quantised tensors of types.gguf in its order, decoded: float32, little-endian
  q8_0.f32, q8_0.bin    float32 values, and their Q8_0 blocks
  llama.gguf       a two-layer Llama with a tokenizer, as convert_hf_to_gguf.py lays it out
  split-0000N-of-00003.gguf    llama.gguf's tensors in three files
"""

import pathlib
import sys

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGUFEndian, GGUFValueType, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "gguf"
SCALES = {  # byte positions of the float16 scales in a block
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
}


def random_blocks(kind: T, rows: int, row: int, random: np.random.Generator) -> np.ndarray:
    """Random bytes are valid blocks, once the scales are finite."""
    elements, size = GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (rows * row // elements, size), dtype=np.uint8)
    scales = np.concatenate([
        np.array([0.0, -0.0, 1.0, -2.5, 5.96e-8, -6e-5, 65504.0], np.float16),
        random.normal(0, 0.05, 4096).astype(np.float16),
    ])
    for position in SCALES[kind]:
        chosen = np.concatenate([scales[:7], random.choice(scales[7:], len(blocks))])[: len(blocks)]
        random.shuffle(chosen)
        blocks[:, position : position + 2] = chosen.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(rows, -1)


def write_types(random: np.random.Generator) -> None:
    writer = GGUFWriter(FOLDER / "types.gguf", "test", endianess=GGUFEndian.LITTLE)
    writer.add_uint8("value.uint8", 200)
    writer.add_int8("value.int8", -100)
    writer.add_uint16("value.uint16", 60000)
    writer.add_int16("value.int16", -30000)
    writer.add_uint32("value.uint32", 4_000_000_000)
    writer.add_int32("value.int32", -2_000_000_000)
    writer.add_uint64("value.uint64", 2**64 - 1)
    writer.add_int64("value.int64", -(2**63))
    writer.add_float32("value.float32", 1e-5)
    writer.add_float64("value.float64", 0.1)
    writer.add_bool("value.bool", True)
    writer.add_string("value.string", "naïve 字")
    writer.add_array("array.strings", ["a", "", "Ġthe"])
    writer.add_key_value("array.bytes", b"\xff\x00A", GGUFValueType.ARRAY, GGUFValueType.UINT8)
    writer.add_array("array.int32", [1, -2, 3])
    writer.add_array("array.float32", [0.5, -1.5])
    writer.add_array("array.bool", [True, False])
    expected = []
    for kind in SCALES:
        row = 256 if GGML_QUANT_SIZES[kind][0] == 256 else 64
        blocks = random_blocks(kind, 4, row, random)
        expected.append(dequantize(blocks, kind).astype("<f4").tobytes())
        writer.add_tensor(kind.name.lower(), blocks, raw_dtype=kind)
    values = random.normal(0, 1, (2, 3, 5)).astype(np.float32)
    writer.add_tensor("f32", values)
    writer.add_tensor("f16", values.astype(np.float16))
    writer.add_tensor("bf16", quantize(values, T.BF16), raw_dtype=T.BF16)
    writer.add_tensor("f64", values.astype(np.float64))
    writer.add_tensor("i8", np.arange(-3, 4, dtype=np.int8))
    writer.add_tensor("i32", np.arange(-3, 4, dtype=np.int32))
    finish(writer)
    (FOLDER / "types.f32").write_bytes(b"".join(expected))


def write_small() -> None:
    writer = GGUFWriter(FOLDER / "small.gguf", "demo")
    writer.add_array("sizes", [1, 2])
    writer.add_tensor("norm", np.array([1, -0.5], np.float32))
    steps = np.arange(-16, 16, dtype=np.float32).reshape(1, 32)
    steps[0, 0] = -127
    writer.add_tensor("w", quantize(steps, T.Q8_0), raw_dtype=T.Q8_0)
    finish(writer)


def write_q8(random: np.random.Generator) -> None:
    values = random.normal(0, 1, (64, 32)).astype(np.float32)
    values *= np.exp2(random.integers(-30, 20, (64, 1))).astype(np.float32)
    values[0] = 0
    values[1, :] = np.arange(32, dtype=np.float32) / 2  # ties at half a step
    values[1, 31] = -127.0
    values[2] = 127 * 60000.0
    (FOLDER / "q8_0.f32").write_bytes(values.astype("<f4").tobytes())
    (FOLDER / "q8_0.bin").write_bytes(quantize(values, T.Q8_0).tobytes())


def llama_tensors(random: np.random.Generator) -> dict[str, np.ndarray]:
    """Hidden 32, 4 heads of 8, 2 key-value heads, intermediate 64, vocabulary 24, two layers."""
    shapes = {"token_embd": (24, 32), "output_norm": (32,)}
    for layer in range(2):
        shapes |= {
            f"blk.{layer}.attn_norm": (32,), f"blk.{layer}.attn_q": (32, 32),
            f"blk.{layer}.attn_k": (16, 32), f"blk.{layer}.attn_v": (16, 32),
            f"blk.{layer}.attn_output": (32, 32), f"blk.{layer}.ffn_norm": (32,),
            f"blk.{layer}.ffn_gate": (64, 32), f"blk.{layer}.ffn_up": (64, 32),
            f"blk.{layer}.ffn_down": (32, 64),
        }
    return {k + ".weight": random.normal(0, 1, s).astype(np.float32) for k, s in shapes.items()}


def add_llama(writer: GGUFWriter) -> None:
    writer.add_context_length(128)
    writer.add_embedding_length(32)
    writer.add_block_count(2)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(24)
    writer.add_rope_dimension_count(8)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    pieces = ["<s0>", "<s1>", "<s2>", "t", "0", "1", "t0", "t1"]
    writer.add_token_list(pieces + [f"x{i}" for i in range(16)])
    writer.add_token_types([3, 3, 3] + [1] * 21)
    writer.add_token_merges(["t 0", "t 1"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def add_all(writer: GGUFWriter, tensors: dict[str, np.ndarray]) -> None:
    for name, values in tensors.items():
        if values.ndim == 2:
            writer.add_tensor(name, quantize(values, T.Q8_0), raw_dtype=T.Q8_0)
        else:
            writer.add_tensor(name, values)


def write_llama(random: np.random.Generator) -> None:
    tensors = llama_tensors(random)
    writer = GGUFWriter(FOLDER / "llama.gguf", "llama")
    add_llama(writer)
    add_all(writer, tensors)
    finish(writer)
    names = list(tensors)
    for number in range(3):
        writer = GGUFWriter(FOLDER / f"split-{number + 1:05}-of-00003.gguf", "llama")
        if number == 0:
            add_llama(writer)
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", 3)
        writer.add_int32("split.tensors.count", len(names))
        add_all(writer, {n: tensors[n] for n in names[number * 7 : number * 7 + 7]})
        finish(writer)


def finish(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    write_small()
    write_types(random)
    write_q8(random)
    write_llama(random)


sys.exit(main())
