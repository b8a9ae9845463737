import Foundation

/// One question about speed or memory, and the measurement that answers it.
struct Benchmark: Sendable {
  let name: String
  let abstract: String
  /// Measures, and prints what was measured.
  let run: @Sendable (_ setting: Setting) throws -> Void

  init(_ name: String, _ abstract: String, run: @escaping @Sendable (Setting) throws -> Void) {
    self.name = name
    self.abstract = abstract
    self.run = run
  }
}

/// What all benchmarks share.
struct Setting {
  /// The release binary that is measured.
  let ckpt: String
  /// The peers' Python, if there is one.
  let python: String?
  /// Counted runs of each side.
  let runs: Int
  /// A folder for models and outputs.
  let workspace: String

  /// Processor, threads and the variables that change what OpenBLAS does.
  var machine: String {
    let model = Self.cpuinfo.split(separator: "\n").first { $0.hasPrefix("model name") }
    let name = model?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
    let environment = ProcessInfo.processInfo.environment
    let settings = environment.keys.filter { $0.hasPrefix("OPENBLAS") || $0.hasPrefix("MKL") }
    return "\(name ?? "unknown processor"), \(ProcessInfo.processInfo.activeProcessorCount) threads"
      + settings.sorted().map { ", \($0)=\(environment[$0] ?? "")" }.joined()
  }

  private static var cpuinfo: String {
    (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
  }

  /// Whether the processor has the instructions that Linux calls `name`.
  func hasFlag(_ name: Substring) -> Bool {
    let flags = Self.cpuinfo.split(separator: "\n").first { $0.hasPrefix("flags") }
    return flags?.split(separator: " ").contains(name) ?? false
  }

  /// `command` run by ckpt.
  func ckpt(_ arguments: String...) -> [String] { [ckpt] + arguments }
}

/// Why a benchmark could not be carried out.
struct BenchmarkFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
