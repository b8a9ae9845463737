import ByteIO
import JSON
import ModelGraph
import RecurrentPackage
import Tensors
import Transformer

extension Verifier {
  /// Puts each fault into a copy of the package, in memory, and asks whether it is caught: by the
  /// tensors' digests, and by the numbers.
  ///
  /// A fault is missed, and the check fails, when the digests miss it, or when the numbers do where
  /// they can see it.
  package func selfTest(_ report: (Check) -> Void = { _ in }) throws -> [Check] {
    guard try parity().allSatisfy({ $0.verdict != .failed }) else {
      // Numbers that differ already would seem to catch everything.
      let check = Check(
        "self_test", .skipped, "the package itself fails parity, so no fault would stand out")
      report(check)
      return [check]
    }
    guard let package else {
      let check = Check(
        "self_test", .skipped, "there is no manifest.json, so no digests to catch a fault by")
      report(check)
      return [check]
    }
    let digests = Dictionary(
      package.manifest.tensors.map { ($0.name, $0.digest) }, uniquingKeysWith: { a, _ in a })
    return try Fault.allCases.map { fault in
      try Interruption.check()
      let check = try self.check(fault, digests)
      report(check)
      return check
    }
  }

  private func check(_ fault: Fault, _ digests: [TensorName: Digest]) throws -> Check {
    let name = "self_test.\(fault)"
    guard let patches = try fault.patches(model) else {
      return Check(name, .skipped, "\(fault.rawValue): this model has no place for it")
    }
    let byBytes = patches.contains { SHA256.digest(of: $0.value) != digests[$0.key] }
    let faulty = try loaded().replacing(
      Set(patches.keys), from: PatchedSource(base: model.source, patches: patches))
    let failed = try parity(faulty, straightened()).filter { $0.verdict == .failed }
    // Parity runs the adapter only where it passes the prelude's output through, and the lowest bit
    // of a float32 weight may be lost in rounding.
    let isVisible =
      switch fault {
      case .adapterHalves: passesPrelude
      case .bitFlipped: false
      default: true
      }
    let isCaught = byBytes && (!failed.isEmpty || !isVisible)
    let numbers =
      failed.first.map { "\($0.name): \($0.detail)" }
      ?? (isVisible ? "missed by the numbers" : "too small or out of sight for the numbers")
    return Check(
      name, isCaught ? .passed : .failed,
      "\(fault.rawValue): \(byBytes ? "caught by the digests" : "not by the digests"); \(numbers)",
      measures: ["digests": .bool(byBytes), "numbers": .bool(!failed.isEmpty)])
  }
}
