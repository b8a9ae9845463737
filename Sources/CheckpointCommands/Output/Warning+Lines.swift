import ByteIO

extension Warning {
  /// A line for each warning; those that differ in place and numbers alone share the first one's.
  static func lines(_ warnings: [Warning]) -> [String] {
    var kinds: [String] = []
    var groups: [String: [Warning]] = [:]
    for warning in warnings {
      let kind = warning.code + warning.message.filter { !$0.isNumber }
      if groups[kind] == nil { kinds.append(kind) }
      groups[kind, default: []].append(warning)
    }
    return kinds.compactMap { kind in
      guard let group = groups[kind], let first = group.first else { return nil }
      return first.line + (group.count == 1 ? "" : " (and \(group.count - 1) more like it)")
    }
  }
}
