#!/usr/bin/env python3
"""Makes fixtures/torch/written.pt: the file that rules PT-60 to PT-65 prescribe, by another program.

Usage: make_torch_writer_fixture.py [fixtures/torch]

The tensors are those of types.pt, and `again`, a second name for F32. Nothing here is shared with
ckpt's writer: the archive is packed with struct and zlib, from formats/torch-archive.md. torch.load
must read it, with weights_only and mapped, and zipfile must find its checksums right.
"""

import pathlib
import struct
import sys
import zipfile
import zlib

import torch

FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "fixtures/torch")

STORAGES = {
    torch.float32: "FloatStorage", torch.float64: "DoubleStorage", torch.float16: "HalfStorage",
    torch.bfloat16: "BFloat16Storage", torch.int64: "LongStorage", torch.int32: "IntStorage",
    torch.int16: "ShortStorage", torch.int8: "CharStorage", torch.uint8: "ByteStorage",
    torch.bool: "BoolStorage", torch.complex64: "ComplexFloatStorage",
    torch.complex128: "ComplexDoubleStorage",
}  # fmt: skip


class Pickle:
    """PT-60: values one after another, those that come again by their number."""

    def __init__(self):
        self.bytes = b"\x80\x02}q\x00"
        self.numbers = {}

    def once(self, value):
        if value in self.numbers:
            self.bytes += b"h" + bytes([self.numbers[value]])
        else:
            self.numbers[value] = len(self.numbers) + 1
            self.bytes += value + b"q" + bytes([self.numbers[value]])

    def name(self, module, name):
        self.once(f"c{module}\n{name}\n".encode())

    def text(self, text):
        return b"X" + struct.pack("<I", len(text.encode())) + text.encode()

    def number(self, n):
        if n < 256:
            return b"K" + struct.pack("<B", n)
        if n < 65536:
            return b"M" + struct.pack("<H", n)
        return b"J" + struct.pack("<i", n) if n < 1 << 31 else b"\x8a\x08" + struct.pack("<q", n)

    def tuple(self, values):
        inner = b"".join(map(self.number, values))
        short = {0: b")", 1: inner + b"\x85", 2: inner + b"\x86", 3: inner + b"\x87"}
        return short.get(len(values), b"(" + inner + b"t")

    def tensor(self, name, tensor, key):
        """PT-61 and PT-62."""
        has_class = tensor.dtype in STORAGES
        self.bytes += self.text(name)
        self.name("torch._utils", f"_rebuild_tensor_v{2 if has_class else 3}")
        self.bytes += b"(("
        self.once(self.text("storage"))
        if has_class:
            self.name("torch", STORAGES[tensor.dtype])
        else:
            self.name("torch.storage", "UntypedStorage")
        self.bytes += self.text(key)
        self.once(self.text("cpu"))
        self.bytes += self.number(tensor.numel() if has_class else tensor.nbytes) + b"tQ"
        self.bytes += self.number(0) + self.tuple(tensor.shape)
        self.bytes += self.tuple(tensor.contiguous().stride()) + b"\x89"
        self.name("collections", "OrderedDict")
        self.bytes += b")R"
        if not has_class:
            self.name("torch", str(tensor.dtype).removeprefix("torch."))
        self.bytes += b"tR"


def archive(records):
    """PT-63 and PT-64, for records that need no 64-bit sizes."""
    out, directory = b"", b""
    for name, data in records:
        name = b"archive/" + name.encode()
        padding = -(len(out) + 30 + len(name) + 4) % 64
        extra = b"FB" + struct.pack("<H", padding) + bytes(padding)
        crc, size = zlib.crc32(data), len(data)
        common = struct.pack("<HHHH", 0x0808, 0, 0, 0x21)
        directory += b"PK\1\2" + struct.pack("<HH", 45, 20) + common
        directory += struct.pack("<IIIHH", crc, size, size, len(name), 0) + bytes(10)
        directory += struct.pack("<I", len(out)) + name
        out += b"PK\3\4" + struct.pack("<H", 20) + common
        out += struct.pack("<IIIHH", 0, 0, 0, len(name), len(extra)) + name + extra + data
        out += b"PK\7\x08" + struct.pack("<III", crc, size, size)
    start, size, count = len(out), len(directory), len(records)
    out += directory
    end = len(out)
    out += b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, start)
    out += b"PK\6\7" + struct.pack("<IQI", 0, end, 1)
    return out + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, size, start, 0)


def main():
    tensors = torch.load(FOLDER / "types.pt", weights_only=True)
    pickle, keys = Pickle(), {}
    pickle.bytes += b"("
    for name, tensor in tensors.items():
        keys[name] = str(len(keys))
        pickle.tensor(name, tensor, keys[name])
    pickle.tensor("again", tensors["F32"], keys["F32"])
    pickle.bytes += b"u."
    records = [("data.pkl", pickle.bytes), ("byteorder", b"little")]
    for name, tensor in tensors.items():
        data = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        records.append((f"data/{keys[name]}", data))
    path = FOLDER / "written.pt"
    path.write_bytes(archive(records + [("version", b"3\n")]))

    assert zipfile.ZipFile(path).testzip() is None
    for mmap in (False, True):
        got = torch.load(path, weights_only=True, mmap=mmap)
        assert got["again"].data_ptr() == got["F32"].data_ptr()
        for name, tensor in tensors.items():
            assert got[name].dtype == tensor.dtype and got[name].shape == tensor.shape, name
            a, b = (t.reshape(-1).view(torch.uint8) for t in (got[name], tensor.contiguous()))
            assert a.equal(b), name


if __name__ == "__main__":
    main()
