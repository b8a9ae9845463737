import ByteIO
import JSON
import ModelGraph
import Verification

/// What `ckpt verify` found.
struct VerifyReport: Report {
  static let command = "verify"

  var path: String
  /// Root digest of the package; nil where no manifest says one.
  var root: String?
  /// Whether a package can be made of the model.
  var canBePackage = true
  var checks: [Check]
  /// Nil where no text was given.
  var stability: StabilityCertificate?
  /// What is unusual about a model without a manifest.
  var notes: [Warning]
  var next: String?

  var isOK: Bool { !checks.contains { $0.verdict == .failed } }

  /// Without a manifest nothing proves where the weights are from, whatever they compute.
  private var verdict: String { !isOK ? "failed" : root == nil ? "consistent" : "passed" }

  var warnings: [Warning] {
    if root != nil { return [] }
    return notes + [
      Warning(
        "verify.no_manifest",
        "no manifest.json: what was written, and from what, was not checked"
          + (canBePackage
            ? "; `ckpt retrofit \(path) -o PACKAGE --head keep` makes a package with one" : ""))
    ]
  }

  private func count(_ verdict: Check.Verdict) -> Int { checks.count { $0.verdict == verdict } }

  var json: JSONObject {
    [
      "path": .string(path), "root": root.map { .string($0) } ?? .null,
      "verdict": .string(verdict), "checks": .array(checks.map(\.json)),
    ]
  }

  var text: String {
    var table = TextTable([.left, .left, .left])
    for check in checks {
      let mark =
        switch check.verdict {
        case .passed: "ok"
        case .failed: "FAILED"
        case .skipped: "skipped"
        }
      table.add([mark, check.name, check.detail])
    }
    let answer =
      ["passed": "verified", "consistent": "consistent, not verified"][verdict] ?? "NOT verified"
    return "\(path)\n" + table.text(indent: 2) + (stability.map(Self.table) ?? "")
      + "\(answer): \(count(.passed)) checks passed, \(count(.failed)) failed, "
      + "\(count(.skipped)) skipped\n"
  }
}

extension VerifyReport {
  /// The certificate's numbers for each r.
  private static func table(_ certificate: StabilityCertificate) -> String {
    var table = TextTable(StabilityCertificate.columns.map { ($0, .right) })
    for row in certificate.rows { table.add(row) }
    return "\n\(certificate.extent); a step is the state's next change divided by its norm\n"
      + table.text(indent: 2) + "\n"
  }
}

extension Check {
  /// Largest NMSE between two models' logits that counts as the same model.
  static let sameModelNMSE = 1e-6
  /// Largest mean divergence, in nats, that counts as the same model: a missed RoPE permutation is
  /// thousands of times that.
  static let sameModelKL = 1e-9

  /// Compares a package's logits with another model's.
  init(comparing found: [Float], with wanted: [Float], named path: String, vocabulary: Int) {
    let name = "against"
    guard found.count == wanted.count, !found.isEmpty else {
      self.init(name, .failed, "\(path) gives \(wanted.count) logits, the package \(found.count)")
      return
    }
    let distance = Distance(found, from: wanted)
    guard distance.isFinite else {
      self.init(name, .failed, "logits of \(path) or of the package are NaN or infinite")
      return
    }
    let agreement = PredictionAgreement(
      found, from: wanted, vocabulary: vocabulary)
    let isSame =
      distance.nmse <= Self.sameModelNMSE && agreement.meanKL <= Self.sameModelKL
    var measures: JSONObject = [
      "max_abs": JSONValue(distance.maximumAbsolute),
      "relative_norm": JSONValue(distance.relativeNorm), "nmse": JSONValue(distance.nmse),
      "nmse_limit": JSONValue(Self.sameModelNMSE), "kl_limit": JSONValue(Self.sameModelKL),
    ]
    for member in agreement.json.members { measures[member.key] = member.value }
    self.init(
      name, isSame ? .passed : .failed,
      "logits against \(path): NMSE \(scientific(distance.nmse)) (at most \(Self.sameModelNMSE)), KL "
        + "\(scientific(agreement.meanKL)) (at most \(Self.sameModelKL)), top-1 \(fixed(agreement.top1, 3))",
      measures: measures)
  }
}
