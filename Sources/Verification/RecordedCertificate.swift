import ByteIO
package import JSON
package import RecurrentPackage

/// The certificate that lies beside a package: the report of `ckpt verify --stability` names the root
/// digest of the manifest, and with it every byte of the weights that it is about.
package enum RecordedCertificate: Equatable {
  /// Of the package as its manifest has it.
  case current(StabilityCertificate)
  /// Of another.
  case stale

  /// Nil where there is no report, or one without a certificate.
  ///
  /// - Throws: `VerificationError` for a file that is no such report.
  package init?(in package: RecurrentPackage) throws {
    guard let file = package.files.first(where: { $0.name == Manifest.report }) else { return nil }
    let malformed = VerificationError(.malformedReport, file: file.region.path)
    let bytes = try file.region.contents(limit: Self.mostBytes)
    guard let value = try? JSONValue(parsing: bytes), value["schema"]?.string == "ckpt.verify/1",
      let checks = value["checks"]?.array
    else { throw malformed }
    guard
      let measures = checks.first(where: { $0["name"]?.string == "stability" })?["measures"]
    else { return nil }
    guard let certificate = StabilityCertificate(json: measures) else { throw malformed }
    let isOwn = value["root"]?.string == package.manifest.root.description
    self = isOwn ? .current(certificate) : .stale
  }

  /// A report says some lines for each check.
  private static let mostBytes = 1 << 22

  package var certificate: StabilityCertificate? {
    if case .current(let certificate) = self { certificate } else { nil }
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
