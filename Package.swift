// swift-tools-version: 6.2
import PackageDescription

// MARK: - Settings every Swift target shares

/// Development and CI set this: a newer compiler's warning must not break a user's build.
let isStrict = Context.environment["CKPT_STRICT"] != nil

let shared: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
  ] + (isStrict ? [.treatAllWarnings(as: .error)] : [])

/// Every unsafe expression in `Sources` says so; tests may poke.
let memorySafe: [SwiftSetting] = [.strictMemorySafety()]

/// Numeric Swift is optimised even in debug builds: unoptimised it is some 600 times slower.
let numeric: [SwiftSetting] = [.unsafeFlags(["-O"], .when(configuration: .debug))]

/// Unsafe flags keep a package from being a dependency by version, so what the library products are
/// made of has them in development alone, where they change debug builds only.
let libraryNumeric = isStrict ? numeric : []

let cWarnings: [CSetting] = isStrict ? [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])] : []

/// C loops choose their own floating-point freedom by pragma, so no `-ffast-math` here.
let cKernelFlags: [CSetting] = [.unsafeFlags(["-O3", "-fno-math-errno"])] + cWarnings

let cLibraryFlags: [CSetting] =
  (isStrict ? [.unsafeFlags(["-O3"], .when(configuration: .debug))] : []) + cWarnings

/// What `ckpt --version` and manifests call the commit: `Scripts/commit.sh` says it.
let commit: [CSetting] =
  Context.environment["CKPT_COMMIT"].map {
    $0.isEmpty ? [] : [.define("CKPT_COMMIT", to: "\"\($0)\"")]
  } ?? []

// MARK: - Targets

func system(_ name: String, _ pkgConfig: String, apt: String, brew: String) -> Target {
  .systemLibrary(
    name: name, pkgConfig: pkgConfig, providers: [.apt([apt]), .brew([brew])])
}

let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
  name: "ckpt",
  platforms: [.macOS(.v26)],  // Array.span; Linux ignores this
  products: [
    .executable(name: "ckpt", targets: ["ckpt"]),
    // To open a checkpoint in another program: docs/library.md. A product has the modules whose types
    // it speaks of.
    .library(name: "Checkpoint", targets: ["Checkpoint", "Tensors", "JSON", "ByteIO"]),
    .library(name: "Safetensors", targets: ["Safetensors", "Tensors", "JSON", "ByteIO"]),
    .library(name: "GGUF", targets: ["GGUF", "Tensors", "ByteIO"]),
    .library(name: "TorchArchive", targets: ["TorchArchive", "Tensors", "ByteIO"]),
    .library(name: "Parquet", targets: ["Parquet", "JSON", "ByteIO"]),
    .library(name: "Tokenizers", targets: ["Tokenizers", "ByteIO"]),
  ],
  traits: [
    .default(enabledTraits: []),
    .trait(name: "MPI", description: "ckpt train under mpirun; needs Open MPI's headers."),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
  ],
  targets: [
    // MARK: C
    system("CZlib", "zlib", apt: "zlib1g-dev", brew: "zlib"),
    system("CZstd", "libzstd", apt: "libzstd-dev", brew: "zstd"),
    system("CSnappy", "snappy", apt: "libsnappy-dev", brew: "snappy"),
    system("CLZ4", "liblz4", apt: "liblz4-dev", brew: "lz4"),
    system("CBrotli", "libbrotlidec", apt: "libbrotli-dev", brew: "brotli"),
    system("CLibArchive", "libarchive", apt: "libarchive-dev", brew: "libarchive"),
    system("CCrypto", "libcrypto", apt: "libssl-dev", brew: "openssl"),
    .target(name: "CConversions", cSettings: cLibraryFlags),
    .target(name: "CKernels", dependencies: ["CConversions"], cSettings: cKernelFlags),
    .target(name: "CPlatform", cSettings: cWarnings),
    .target(name: "CVersion", cSettings: commit + cWarnings),
    .target(
      name: "CBLAS", cSettings: cWarnings,
      linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
    .target(name: "CDigest", dependencies: ["CCrypto"], cSettings: cLibraryFlags),
    system("COpenMPI", "ompi-c", apt: "libopenmpi-dev", brew: "open-mpi"),
    .target(
      name: "CMPI", dependencies: [.target(name: "COpenMPI", condition: .when(traits: ["MPI"]))],
      cSettings: [.define("CKPT_MPI", .when(traits: ["MPI"]))] + cWarnings),

    // MARK: Foundations
    .target(name: "Platform", dependencies: ["CPlatform", systemPackage]),
    .target(
      name: "ByteIO", dependencies: ["Platform", "CCrypto", "CDigest", systemPackage]),
    .target(name: "JSON", dependencies: ["ByteIO"], swiftSettings: libraryNumeric),
    .target(
      name: "Tensors", dependencies: ["Platform", "ByteIO", "CConversions"],
      swiftSettings: libraryNumeric),
    .target(
      name: "Kernels",
      dependencies: [
        "Platform", "ByteIO", "Tensors", "CConversions", "CKernels", "CBLAS", systemPackage,
      ],
      swiftSettings: numeric),

    .target(
      name: "Compression",
      dependencies: ["ByteIO", "CZlib", "CZstd", "CSnappy", "CLZ4", "CBrotli"],
      swiftSettings: libraryNumeric),
    .target(name: "Columns", dependencies: ["ByteIO", "JSON"], swiftSettings: libraryNumeric),

    // MARK: Formats
    .target(name: "Tar", dependencies: ["ByteIO"]),
    .target(
      name: "Parquet", dependencies: ["ByteIO", "JSON", "Columns", "Compression"],
      swiftSettings: libraryNumeric),
    .target(
      name: "Arrow", dependencies: ["ByteIO", "Columns", "Compression"], swiftSettings: numeric),
    .target(name: "Safetensors", dependencies: ["ByteIO", "JSON", "Tensors"]),
    .target(
      name: "TorchArchive", dependencies: ["ByteIO", "Tensors", "Tar", "Compression"],
      swiftSettings: libraryNumeric),
    .target(
      name: "GGUF", dependencies: ["ByteIO", "Tensors", "CConversions"],
      swiftSettings: libraryNumeric),
    .target(
      name: "Archives", dependencies: ["Platform", "ByteIO", "CLibArchive", systemPackage]),
    .target(
      name: "Checkpoint",
      dependencies: [
        "ByteIO", "JSON", "Tensors", "Safetensors", "TorchArchive", "GGUF", "CConversions",
      ]),

    // MARK: Model
    .target(name: "Tokenizers", dependencies: ["ByteIO", "JSON"], swiftSettings: libraryNumeric),
    .target(name: "ChatTemplates", dependencies: ["ByteIO", "JSON"], swiftSettings: numeric),
    .target(name: "Charts", dependencies: ["Platform", "ByteIO"]),
    .target(name: "ModelGraph", dependencies: ["Platform", "ByteIO", "JSON", "Tensors"]),
    .target(name: "Recurrence", dependencies: ["ByteIO", "JSON", "Tensors", "ModelGraph"]),
    .target(
      name: "WeightWriting",
      dependencies: ["ByteIO", "Tensors", "ModelGraph", "Safetensors", "GGUF", "CKernels"]),
    .target(
      name: "RecurrentPackage",
      dependencies: [
        "ByteIO", "JSON", "Tensors", "Tar", "Archives", "Checkpoint", "ModelGraph", "Recurrence",
        "Safetensors", "WeightWriting", "CVersion", yams,
      ]),
    .target(
      name: "Transformer",
      dependencies: ["Platform", "ByteIO", "Tensors", "ModelGraph", "Kernels"],
      swiftSettings: numeric),
    .target(
      name: "Training",
      dependencies: [
        "Platform", "ByteIO", "JSON", "Tensors", "Safetensors", "Archives", "Columns", "Parquet",
        "Arrow", "Charts", "Kernels", "Transformer", yams,
      ],
      swiftSettings: numeric),
    .target(
      name: "MessagePassing", dependencies: ["Platform", "ByteIO", "Tensors", "Training", "CMPI"]),
    .target(
      name: "Verification",
      dependencies: [
        "Platform", "ByteIO", "JSON", "Tensors", "ModelGraph", "Recurrence",
        "RecurrentPackage", "Transformer", "Kernels",
      ]),

    .target(
      name: "TransformersExport",
      dependencies: [
        "ByteIO", "JSON", "Tensors", "Checkpoint", "ModelGraph", "Recurrence", "RecurrentPackage",
      ],
      resources: [.embedInCode("Resources")]),

    // MARK: Jobs
    .target(
      name: "Models",
      dependencies: [
        "ByteIO", "JSON", "Tensors", "GGUF", "Checkpoint", "Tokenizers", "ChatTemplates",
        "ModelGraph", "RecurrentPackage", "Transformer", "Training", "Kernels",
      ]),
    .target(
      name: "Conversion",
      dependencies: [
        "ByteIO", "JSON", "Tensors", "Safetensors", "TorchArchive", "GGUF", "Checkpoint",
        "ModelGraph", "WeightWriting", "Models",
      ]),
    .target(
      name: "Generation",
      dependencies: ["Platform", "ByteIO", "Tensors", "Tokenizers", "Transformer", "Kernels"]),
    .target(
      name: "Scoring",
      dependencies: [
        "Platform", "ByteIO", "JSON", "Archives", "Tokenizers", "ChatTemplates", "ModelGraph",
        "Recurrence", "Transformer", "Training", "Models", "Generation",
      ]),
    .target(
      name: "PackageTraining",
      dependencies: [
        "ByteIO", "JSON", "Tensors", "Safetensors", "Checkpoint", "Tokenizers", "ChatTemplates",
        "ModelGraph", "Recurrence", "RecurrentPackage", "Transformer", "Training",
        "MessagePassing", "Kernels", "Models", "Charts", "Scoring", "Generation",
      ]),
    .target(
      name: "Reports",
      dependencies: [
        "Platform", "ByteIO", "JSON", "Charts", "ModelGraph", "Recurrence", "RecurrentPackage",
        "Training",
        "Verification", "Models",
      ]),

    // MARK: Tool
    .target(
      name: "CheckpointCommands",
      dependencies: [
        "Platform", "ByteIO", "JSON", "Tensors", "Archives", "Safetensors", "TorchArchive",
        "Checkpoint", "Tokenizers", "ChatTemplates", "ModelGraph", "Recurrence", "RecurrentPackage",
        "Transformer", "Charts", "Training", "Verification", "TransformersExport", "Kernels",
        "Models", "Conversion", "Generation", "Scoring", "PackageTraining", "Reports",
        argumentParser,
      ]),
    .executableTarget(name: "ckpt", dependencies: ["CheckpointCommands"]),

    // MARK: Tests
    .target(
      name: "TestSupport", dependencies: ["ByteIO", "JSON", "Tensors", "Safetensors"],
      path: "Tests/TestSupport"),
  ]
)

/// What a test target needs beside the target it tests and `TestSupport`.
let testDependencies: [String: [Target.Dependency]] = [
  "Safetensors": ["ByteIO", "JSON", "Tensors"],
  "TorchArchive": ["ByteIO", "JSON", "Tensors", "Compression", "CZlib"],
  "GGUF": ["ByteIO", "Tensors"],
  "Checkpoint": ["ByteIO", "JSON", "Tensors", "Safetensors"],
  "ByteIO": ["Tensors"],
  "Compression": ["ByteIO"],
  "Columns": ["JSON"],
  "Parquet": ["ByteIO", "JSON", "Columns"],
  "Arrow": ["ByteIO", "JSON", "Columns"],
  "Tensors": ["ByteIO"],
  "Kernels": ["CBLAS", "Tensors"],
  "Tokenizers": ["ByteIO", "JSON"],
  "ChatTemplates": ["ByteIO", "JSON"],
  "ModelGraph": ["ByteIO", "JSON", "Tensors", "Checkpoint"],
  "Recurrence": ["ByteIO", "JSON", "Tensors", "Checkpoint", "ModelGraph"],
  "WeightWriting": ["ByteIO", "Tensors"],
  "RecurrentPackage": [
    "ByteIO", "JSON", "Tensors", "Tar", "Archives", "Checkpoint", "ModelGraph", "Recurrence",
  ],
  "Transformer": ["ByteIO", "Tensors", "Checkpoint", "ModelGraph", "Recurrence", "Kernels"],
  "Training": ["ByteIO", "JSON", "Tensors", "Kernels", "Transformer"],
  "MessagePassing": ["ByteIO"],
  "Verification": ["ByteIO", "Tensors", "Checkpoint", "ModelGraph", "Transformer", "Kernels"],
  "TransformersExport": [
    "ByteIO", "JSON", "Tensors", "Checkpoint", "ModelGraph", "Recurrence", "RecurrentPackage",
  ],
  "Models": ["ByteIO", "Checkpoint", "GGUF", "ModelGraph", "Tokenizers"],
  "Conversion": ["ByteIO", "JSON", "Tensors", "GGUF", "Checkpoint", "ModelGraph", "Models"],
  "Scoring": ["JSON", "Training"],
  "Reports": ["ByteIO", "JSON", "Charts", "Training"],
  "CheckpointCommands": [
    "ByteIO", "JSON", "Tensors", "Safetensors", "TorchArchive", "GGUF", "Checkpoint", "ModelGraph",
    "Tokenizers", "RecurrentPackage", "Training", "Transformer", "Kernels", "Models", "Scoring",
    "PackageTraining", "Reports", argumentParser,
  ],
]

/// `CKPT_TESTS="GGUF Kernels"` builds these tests and no others: the sanitizers look at a part.
let chosenTests = Context.environment["CKPT_TESTS"].map {
  Set($0.split(separator: " ").map(String.init))
}

for name in [
  "Platform", "ByteIO", "JSON", "Tensors", "Kernels", "Compression", "Columns", "Parquet", "Arrow",
  "Safetensors", "TorchArchive", "GGUF", "Archives", "Checkpoint", "Tokenizers", "ChatTemplates",
  "Charts", "ModelGraph", "Recurrence", "WeightWriting", "RecurrentPackage", "Transformer",
  "Training", "MessagePassing", "Verification", "TransformersExport", "Models", "Conversion",
  "Generation", "Scoring", "Reports", "CheckpointCommands",
] where chosenTests?.contains(name) ?? true {
  package.targets.append(
    .testTarget(
      name: "\(name)Tests",
      dependencies: [.target(name: name)] + (name == "Platform" ? [] : ["TestSupport"])
        + (testDependencies[name] ?? [])))
}

// MARK: - Fuzzing

/// One libFuzzer entry a reader, built by `make fuzz-NAME` alone: see Fuzz/README.md.
if Context.environment["CKPT_FUZZ"] != nil {
  let readers: [String: [Target.Dependency]] = [
    "Safetensors": ["Tensors", "TestSupport"], "TorchArchive": ["Tensors", "TestSupport"],
    "GGUF": ["Tensors", "TestSupport"], "Parquet": ["Columns"], "Arrow": ["Columns"],
    "Tokenizers": ["JSON"], "ChatTemplates": ["JSON"],
    "ModelGraph": ["JSON", "Tensors", "Checkpoint"], "RecurrentPackage": ["Tar"],
    "Training": ["Platform"],
  ]
  for (name, dependencies) in readers {
    let others = readers.keys.filter { $0 != name }.map { $0 + ".swift" }
    package.targets.append(
      .executableTarget(
        name: "Fuzz\(name)", dependencies: ["ByteIO", .target(name: name)] + dependencies,
        path: "Fuzz",
        exclude: ["README.md", "make_seeds.py"] + others.sorted(), sources: ["\(name).swift"],
        swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
  }
}

// MARK: - Benchmarks

/// Reads a column and nothing else, for `Benchmarks/run.sh parquet`.
if Context.environment["CKPT_BENCH"] != nil {
  package.targets.append(
    .executableTarget(
      name: "ReadColumn", dependencies: ["ByteIO", "Columns", "Parquet", "Platform"],
      path: "Benchmarks/ReadColumn"))
}

// MARK: - Documentation

/// The site is made of pages alone, by `make docs`: nothing else needs the plugin.
if Context.environment["CKPT_DOCS"] != nil {
  package.dependencies.append(
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"))
  package.targets.append(.target(name: "Manual", path: "build/manual"))
}

let plainC: Set = [
  "CBLAS", "CConversions", "CKernels", "CDigest", "CPlatform", "CVersion", "CMPI",
]
for target in package.targets where target.type != .system && !plainC.contains(target.name) {
  let isTest =
    target.type == .test
    || ["TestSupport", "Fuzz", "ReadColumn"].contains { target.name.hasPrefix($0) }
  target.swiftSettings = shared + (isTest ? [] : memorySafe) + (target.swiftSettings ?? [])
}
