import ByteIO
import JSON
import Tensors
import TestSupport
import Testing

@testable import RecurrentPackage

@Suite("manifest")
struct ManifestTests {
  static let digest = SHA256.digest(of: [1, 2, 3])

  static let manifest = Manifest(
    files: [
      .init(path: "model.safetensors", byteCount: 80, digest: digest),
      .init(path: "config.json", byteCount: 2, digest: SHA256.digest(of: [])),
    ],
    tensors: [
      .init(
        name: "a", file: "model.safetensors", offset: 72, byteCount: 8, type: .bf16, shape: [2, 2],
        digest: digest, operations: ["concatenate rows"],
        parts: [
          .init(tensor: "x", rows: 0..<1, file: "s", offset: 8, byteCount: 4, type: "BF16"),
          .init(tensor: "y", rows: 3..<4, file: "s", offset: nil, byteCount: 4, type: "Q8_0"),
        ])
    ], sources: [], record: ["tool": ["name": "ckpt"]])

  @Test("the root digest is that of the PyPI package model-signing")
  func root() throws {
    let path = Fixtures.path("golden/tiny-llama3-rope/source")
    let files = try folderEntries(path).map { name in
      let bytes = try ByteRegion(path: path + "/" + name).contents(limit: 1 << 20)
      return Manifest.File(
        path: name, byteCount: bytes.count, digest: SHA256.digest(of: bytes))
    }
    let manifest = Manifest(files: files.reversed(), tensors: [], sources: [], record: [:])
    #expect(
      manifest.root.description
        == "05854abb667c344e7735b31dfa907fbfa891db44921bffbcdf603d61d578680b")
  }

  @Test("text and value agree")
  func roundTrip() throws {
    let read = try Manifest(ByteRegion(Array(Self.manifest.text.utf8)))
    #expect(read == Self.manifest)
    #expect(read.text == Self.manifest.text)
  }

  static let changes: [(String, String, PackageError.Problem)] = [
    ("ckpt.manifest/1", "ckpt.manifest/2", .unknownSchema("ckpt.manifest/2")),
    ("\"size\": 2", "\"size\": -2", .malformedManifest(member: "files[0]")),
    (
      "\"dtype\": \"BF16\",\n   \"file\": \"model", "\"dtype\": \"BF17\",\n   \"file\": \"model",
      .malformedManifest(member: "tensors[0]")
    ),
    ("\"tensors\"", "\"tensor\"", .malformedManifest(member: "tensors")),
    ("config.json", "../config.json", .unsafePath("../config.json")),
    ("config.json", "/etc/passwd", .unsafePath("/etc/passwd")),
    ("config.json", "C:config", .unsafePath("C:config")),
    ("config.json", "a\\\\b", .unsafePath("a\\b")),
    ("config.json", "Model.safetensors", .pathTwice("Model.safetensors", "model.safetensors")),
    ("config.json", "model.safetensors", .pathTwice("model.safetensors", "model.safetensors")),
  ]

  @Test("RP-2, RP-3, RP-4: refused", arguments: changes)
  func refused(old: String, new: String, problem: PackageError.Problem) throws {
    let text = Self.manifest.text.replacing(old, with: new)
    #expect(text != Self.manifest.text)
    #expect(throws: PackageError(problem, path: "memory")) {
      _ = try Manifest(ByteRegion(Array(text.utf8)))
    }
  }

  @Test("RP-7: a changed digest no longer agrees with the root")
  func wrongRoot() throws {
    let other = SHA256.digest(of: [9])
    let text = Self.manifest.text.replacing(Self.digest.description, with: other.description)
    var changed = Self.manifest
    for i in changed.files.indices where changed.files[i].digest == Self.digest {
      changed.files[i].digest = other
    }
    #expect(
      throws: PackageError(
        .wrongRoot(found: changed.root, wanted: Self.manifest.root), path: "memory")
    ) { _ = try Manifest(ByteRegion(Array(text.utf8))) }
  }
}
