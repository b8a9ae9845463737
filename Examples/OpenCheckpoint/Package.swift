// swift-tools-version: 6.2
import PackageDescription

// What a program of your own needs to read checkpoints, tokenizers and Parquet files: see
// docs/library.md. Elsewhere, the dependency is the project's address and a version.
let package = Package(
  name: "open-checkpoint",
  platforms: [.macOS(.v26)],  // as ckpt; Linux ignores this
  dependencies: [
    .package(name: "ckpt", path: "../..")
  ],
  targets: [
    .executableTarget(
      name: "OpenCheckpoint",
      dependencies: [
        .product(name: "Checkpoint", package: "ckpt"),
        .product(name: "GGUF", package: "ckpt"),
        .product(name: "Parquet", package: "ckpt"),
        .product(name: "Safetensors", package: "ckpt"),
        .product(name: "Tokenizers", package: "ckpt"),
        .product(name: "TorchArchive", package: "ckpt"),
      ])
  ]
)
