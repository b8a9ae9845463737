import ByteIO
package import JSON
package import RecurrentPackage

/// What the report of `ckpt verify` that lies beside a package says. It names the root digest of the
/// manifest, and with it every byte of the weights that it is about.
package struct RecordedVerification: Equatable {
  /// Whether it is about the package as its manifest has it, and not about another.
  package let isOwn: Bool
  package let checks: [Check]
  /// nil where none was asked for.
  package let certificate: StabilityCertificate?

  /// nil where there is no report.
  ///
  /// - Throws: `VerificationError` for a file that is no such report.
  package init?(in package: RecurrentPackage) throws {
    guard let file = package.files.first(where: { $0.name == Manifest.report }) else { return nil }
    let malformed = VerificationError(.malformedReport, file: file.region.path)
    let bytes = try file.region.contents(limit: Self.mostBytes)
    guard let value = try? JSONValue(parsing: bytes), value["schema"]?.string == "ckpt.verify/1",
      let list = value["checks"]?.array
    else { throw malformed }
    let checks = list.compactMap { Check($0) }
    guard checks.count == list.count else { throw malformed }
    let stability = checks.first { $0.name == "stability" && $0.verdict != .skipped }
    certificate = try stability.map { check in
      guard let certificate = StabilityCertificate(json: .object(check.measures)) else {
        throw malformed
      }
      return certificate
    }
    self.checks = checks
    isOwn = value["root"]?.string == package.manifest.root.description
  }

  /// A report says some lines for each check.
  private static let mostBytes = 1 << 22

  /// The certificate, if it is the package's.
  package var ownCertificate: StabilityCertificate? { isOwn ? certificate : nil }
}

extension Check {
  /// Reads what a report has of a check; nil for anything else.
  fileprivate init?(_ value: JSONValue) {
    guard let name = value["name"]?.string, let detail = value["detail"]?.string,
      let verdict = value["verdict"]?.string.flatMap(Verdict.init(rawValue:)),
      let measures = value["measures"]?.object
    else { return nil }
    self.init(name, verdict, detail, measures: measures)
  }
}

extension StabilityCertificate {
  /// Reads what `json` gives; nil for anything else.
  package init?(json: JSONValue) {
    guard let list = json["depths"]?.array, (1...1000).contains(list.count),
      let windows = json["windows"]?.integer, let tokens = json["tokens"]?.integer, windows > 0,
      tokens > 0
    else { return nil }
    var depths: [Depth] = []
    for value in list {
      guard let recurrence = value["recurrence"]?.integer,
        (1...1_000_000).contains(recurrence), recurrence > depths.last?.recurrence ?? 0
      else { return nil }
      var depth = Depth(recurrence: recurrence)
      for (key, place) in Self.numbers {
        switch value[key] {
        case .null?: break
        case .number(let number)?:
          guard let found = number.double, found.isFinite else { return nil }
          depth[keyPath: place] = found
        default: return nil
        }
      }
      depths.append(depth)
    }
    self.init(depths: depths, windows: windows, tokens: tokens)
    guard json["stability"]?.string == verdict.rawValue else { return nil }
  }

  /// Members of a depth that may be null.
  private static var numbers: [(key: String, place: WritableKeyPath<Depth, Double?>)] {
    [
      ("loss", \.loss), ("settling", \.settling), ("state_rms", \.rootMeanSquare),
      ("spectral_radius", \.radius),
    ]
  }
}
