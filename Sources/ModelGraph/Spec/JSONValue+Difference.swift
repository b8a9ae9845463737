import JSON

extension JSONValue {
  /// Where two values first differ, whatever the order of members and the spelling of numbers.
  struct Difference {
    var path: String
    /// Nil where the member is absent.
    var wanted: JSONValue?
    var stated: JSONValue?
  }

  /// The first difference of `stated` from this value; recursion goes as deep as this value does.
  ///
  /// - Parameter asFloats: Whether numbers are equal that are the same float32.
  func difference(
    from stated: JSONValue, at path: String, asFloats: Bool = false
  ) -> Difference? {
    switch (self, stated) {
    case (.object(let wanted), .object(let found)):
      return Self.difference(wanted, found, path, asFloats)
    case (.array(let wanted), .array(let found)) where wanted.count == found.count:
      for (index, (a, b)) in zip(wanted, found).enumerated() {
        if let difference = a.difference(from: b, at: "\(path).\(index)", asFloats: asFloats) {
          return difference
        }
      }
      return nil
    case (.number(let a), .number(let b)) where a.double == b.double: return nil
    case (.number(let a), .number(let b)) where asFloats && a.float == b.float: return nil
    default: return self == stated ? nil : Difference(path: path, wanted: self, stated: stated)
    }
  }

  private static func difference(
    _ wanted: JSONObject, _ found: JSONObject, _ path: String, _ asFloats: Bool
  ) -> Difference? {
    for member in wanted.members {
      let inner = "\(path).\(member.key)"
      guard let other = found[member.key] else {
        return Difference(path: inner, wanted: member.value, stated: nil)
      }
      if let difference = member.value.difference(from: other, at: inner, asFloats: asFloats) {
        return difference
      }
    }
    let stranger = found.members.first { wanted[$0.key] == nil }
    return stranger.map { Difference(path: "\(path).\($0.key)", wanted: nil, stated: $0.value) }
  }
}

extension JSONNumber {
  fileprivate var float: Float? { double.map { Float($0) } }
}
