"""Weight files that ckpt writes, read by torch, safetensors, gguf and tokenizers, and back."""

import json
import pickletools
import zipfile

import gguf
import numpy as np
import pytest
import safetensors.torch
import torch

# Every type of tensor that both torch and safetensors store.
TYPES = [
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16,
    torch.uint32, torch.uint64, torch.float16, torch.bfloat16, torch.float32, torch.float64,
    torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz,
    torch.float8_e5m2fnuz, torch.float8_e8m0fnu,
]  # fmt: skip

# What torch's unpickler with weights_only knows; a longer list would be no state dict.
OPCODES = {
    "PROTO", "EMPTY_DICT", "BINPUT", "MARK", "BINUNICODE", "GLOBAL", "BINGET", "BININT1", "BININT2",
    "BININT", "LONG1", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE", "BINPERSID",
    "NEWFALSE", "REDUCE", "SETITEMS", "STOP",
}  # fmt: skip


def every_type():
    """A tensor of each type, of shapes that try the rules: scalars, nothing, many dimensions."""
    shapes = [(2, 3), (), (0, 4), (5,), (1, 2, 1, 3), (70, 33)]
    random = torch.Generator().manual_seed(3)
    tensors = {}
    for i, dtype in enumerate(TYPES):
        shape = shapes[i % len(shapes)]
        size = torch.empty((), dtype=dtype).element_size()
        high = 2 if dtype == torch.bool else 256
        count = int(np.prod(shape)) * size
        data = torch.randint(0, high, (count,), generator=random, dtype=torch.uint8)
        tensors[f"layer.{i}.{dtype}"] = data.view(dtype).reshape(shape)
    return tensors


def same(a, b):
    """Whether two tensors have the same type, shape and bytes."""
    return (
        a.dtype == b.dtype
        and a.shape == b.shape
        and a.contiguous().reshape(-1).view(torch.uint8).equal(
            b.contiguous().reshape(-1).view(torch.uint8)
        )
    )


def assert_same(got, want):
    assert sorted(got) == sorted(want)
    for name, tensor in want.items():
        assert same(got[name], tensor), name


@pytest.mark.parametrize("mmap", [False, True])
def test_torch_reads_every_type(ckpt, tmp_path, mmap):
    want = every_type()
    safetensors.torch.save_file(want, tmp_path / "a.safetensors")
    ckpt("convert", tmp_path / "a.safetensors", "-o", tmp_path / "a.pt")
    assert_same(torch.load(tmp_path / "a.pt", weights_only=True, mmap=mmap), want)


def test_safetensors_reads_what_torch_saved(ckpt, tmp_path):
    want = every_type()
    torch.save(want, tmp_path / "a.pt")
    for name in ["b.safetensors", "b.pt", "b"]:
        ckpt("convert", tmp_path / "a.pt", "-o", tmp_path / name)
    assert_same(safetensors.torch.load_file(tmp_path / "b.safetensors"), want)
    assert_same(safetensors.torch.load_file(tmp_path / "b" / "model.safetensors"), want)
    assert_same(torch.load(tmp_path / "b.pt", weights_only=True), want)


def test_archive_is_as_torch_makes_it(ckpt, tmp_path):
    torch.save(every_type(), tmp_path / "a.pt")
    ckpt("convert", tmp_path / "a.pt", "-o", tmp_path / "b.pt")
    with zipfile.ZipFile(tmp_path / "b.pt") as archive:
        assert archive.testzip() is None
        entries = archive.infolist()
        assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
        opcodes = {op.name for op, _, _ in pickletools.genops(archive.read("archive/data.pkl"))}
        assert opcodes <= OPCODES
    reader = torch._C.PyTorchFileReader(str(tmp_path / "b.pt"))
    for name in reader.get_all_records():
        assert reader.get_record_offset(name) % 64 == 0, name


def test_tied_tensors_share_one_storage(ckpt, tmp_path):
    embedding = torch.randn(300, 8)
    torch.save({"embed": embedding, "head": embedding, "other": torch.ones(3)}, tmp_path / "a.bin")
    ckpt("convert", tmp_path / "a.bin", "-o", tmp_path / "b.bin")
    got = torch.load(tmp_path / "b.bin", weights_only=True)
    assert got["embed"].data_ptr() == got["head"].data_ptr() != got["other"].data_ptr()
    assert same(got["embed"], embedding)
    assert (tmp_path / "b.bin").stat().st_size < 1.5 * embedding.nbytes


def test_views_are_written_out(ckpt, tmp_path):
    base = torch.arange(120, dtype=torch.float32).reshape(4, 5, 6)
    want = {"a": base.transpose(0, 2), "b": base[1:3, ::2, 1::3], "c": base[:, :1, :1].expand(4, 3, 2)}
    torch.save(want, tmp_path / "a.pt")
    ckpt("convert", tmp_path / "a.pt", "-o", tmp_path / "b.pt")
    assert_same(torch.load(tmp_path / "b.pt", weights_only=True), want)


def test_shards_of_pytorch_files(ckpt, tmp_path):
    tied = torch.randn(40, 10)
    want = {f"w{i}": torch.randn(50, 10) for i in range(6)} | {"x.tied": tied, "y.tied": tied}
    torch.save(want, tmp_path / "a.bin")
    folder = tmp_path / "folder"
    ckpt("convert", tmp_path / "a.bin", "-o", folder, "--to", "torch-folder",
         "--max-shard-size", "4500")  # fmt: skip
    index = json.loads((folder / "pytorch_model.bin.index.json").read_text())
    assert index["metadata"]["total_size"] == 6 * 2000 + 1600
    got = {}
    for name in sorted(set(index["weight_map"].values())):
        part = torch.load(folder / name, weights_only=True)
        assert all(index["weight_map"][key] == name for key in part)
        got |= part
    assert_same(got, want)
    assert got["x.tied"].data_ptr() == got["y.tied"].data_ptr()
    assert ckpt.json("diff", tmp_path / "a.bin", folder)["ok"]
    assert not [w for w in ckpt.json("inspect", folder)["warnings"] if w["code"] != "pt.tied"]


def test_two_runs_give_the_same_bytes(ckpt, tmp_path):
    torch.save(every_type(), tmp_path / "a.pt")
    for name in ["b.pt", "c.pt"]:
        ckpt("convert", tmp_path / "a.pt", "-o", tmp_path / name)
    assert (tmp_path / "b.pt").read_bytes() == (tmp_path / "c.pt").read_bytes()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_casts_agree_with_torch(ckpt, tmp_path, dtype):
    name = {torch.float16: "f16", torch.bfloat16: "bf16"}[dtype]
    bits = torch.arange(-(2**31), 2**31, 65_537 * 3, dtype=torch.int64).to(torch.int32)
    values = bits.view(torch.float32)
    values = values[values.abs() < 65_000]
    torch.save({"w": values}, tmp_path / "a.pt")
    ckpt("convert", tmp_path / "a.pt", "-o", tmp_path / "b.pt", "--dtype", name)
    assert_same(torch.load(tmp_path / "b.pt", weights_only=True), {"w": values.to(dtype)})


@pytest.mark.parametrize("model", ["tiny-llama", "tiny-qwen2", "tiny-olmo2"])
def test_gguf_reads_weights(ckpt, golden, tmp_path, model):
    source = golden / model / "source"
    ckpt("convert", source, "-o", tmp_path / "a.gguf", "--dtype", "f32")
    want = safetensors.torch.load_file(source / "model.safetensors")
    tensors = {t.name: t for t in gguf.GGUFReader(tmp_path / "a.gguf").tensors}
    got = gguf.dequantize(tensors["blk.1.ffn_down.weight"].data,
                          tensors["blk.1.ffn_down.weight"].tensor_type)  # fmt: skip
    wanted = want["model.layers.1.mlp.down_proj.weight"].float().numpy()
    assert got.reshape(wanted.shape).tobytes() == wanted.tobytes()


def test_gguf_reads_the_tokenizer(ckpt, tiny_arithmetic, tmp_path):
    ckpt("convert", tiny_arithmetic, "-o", tmp_path / "a.gguf")
    reader = gguf.GGUFReader(tmp_path / "a.gguf")
    document = json.loads((tiny_arithmetic / "tokenizer.json").read_text())
    tokens = reader.get_field("tokenizer.ggml.tokens").contents()
    by_id = {id: token for token, id in document["model"]["vocab"].items()}
    by_id |= {token["id"]: token["content"] for token in document["added_tokens"]}
    assert tokens[: len(by_id)] == [by_id[id] for id in range(len(by_id))]
    merges = [m if isinstance(m, str) else " ".join(m) for m in document["model"]["merges"]]
    assert reader.get_field("tokenizer.ggml.merges").contents() == merges
    types = reader.get_field("tokenizer.ggml.token_type").contents()
    assert [i for i, t in enumerate(types) if t == 3] == [
        token["id"] for token in document["added_tokens"] if token["special"]
    ]
