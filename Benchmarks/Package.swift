// swift-tools-version: 6.2
import PackageDescription

// A package of its own: what measures ckpt is neither built nor tested with it. It times the release
// binary from outside, as a user would, and links OpenBLAS for the ceilings.
let package = Package(
  name: "benchmarks",
  platforms: [.macOS(.v26)],  // as ckpt; Linux ignores this
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    // The parent of everything that is measured.
    .executableTarget(name: "Spawn"),
    .executableTarget(
      name: "Benchmarks",
      dependencies: [
        "COpenBLAS", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
      ]),
  ]
)
