import ByteIO
import JSON
import ModelGraph
import RecurrentPackage
import Tensors
import Transformer

extension Verifier {
  /// Puts each fault into a copy of the package, in memory, and asks whether the checks that are
  /// meant for it catch it: the tensors' digests catch every fault, and the numbers must name the
  /// place, the core's first block.
  package func selfTest(_ report: (Check) -> Void = { _ in }) throws -> [Check] {
    guard try runsModel(),
      try parity().allSatisfy({ $0.verdict != .failed })
    else {
      // Numbers that differ already would seem to catch everything.
      let check = Check(
        "self_test", .skipped, "the package itself fails, so no fault would stand out")
      report(check)
      return [check]
    }
    guard let bytes else {
      let check = Check(
        "self_test", .skipped, "there is no manifest.json, so no digests to catch a fault by")
      report(check)
      return [check]
    }
    return try Fault.allCases.map { fault in
      try Interruption.check()
      let check = try self.check(fault, bytes)
      report(check)
      return check
    }
  }

  private func check(_ fault: Fault, _ bytes: ByteChecks) throws -> Check {
    let name = "self_test.\(fault)"
    guard let patches = try fault.patches(model) else {
      return Check(name, .skipped, "\(fault.rawValue): this model has no place for it")
    }
    let digests = Dictionary(
      bytes.package.manifest.tensors.map { ($0.name, $0.digest) }, uniquingKeysWith: { a, _ in a })
    let byBytes = patches.contains { SHA256.digest(of: $0.value) != digests[$0.key] }
    let source = PatchedSource(base: model.source, patches: patches)
    let (isCaught, how) = try numbers(fault, Set(patches.keys), source, bytes)
    return Check(
      name, byBytes && isCaught ? .passed : .failed,
      "\(fault.rawValue): \(byBytes ? "caught" : "MISSED") by the digests, \(how)",
      measures: ["digests": .bool(byBytes), "numbers": .bool(isCaught)])
  }

  /// Whether the check that is meant for `fault`, beside the digests, catches it, and in words how.
  private func numbers(
    _ fault: Fault, _ names: Set<TensorName>, _ source: PatchedSource, _ bytes: ByteChecks
  ) throws -> (isCaught: Bool, how: String) {
    // Where the adapter does not pass the prelude's output through, parity bypasses it.
    if fault == .adapterHalves, !passesPrelude {
      guard names.allSatisfy(bytes.isInitialised) else {
        return (true, "which alone know the adapter's values")
      }
      let isCaught = try bytes.computed(in: source).verdict == .failed
      return (isCaught, isCaught ? "and by computed.bytes" : "MISSED by computed.bytes")
    }
    let hidden = try parity(loaded().replacing(names, from: source))[0]
    guard hidden.verdict == .failed, let place = hidden.measures["place"]?.string else {
      // The lowest bit of one weight may be lost in rounding.
      return fault == .bitFlipped
        ? (true, "too small for the numbers") : (false, "MISSED by \(hidden.name)")
    }
    let size = hidden.measures["relative_norm"]?.double ?? .nan
    let how = "\(hidden.name) after \(place), relative norm \(scientific(size))"
    return (place == "core 0", place == "core 0" ? "and by \(how)" : "MISPLACED by \(how)")
  }
}
