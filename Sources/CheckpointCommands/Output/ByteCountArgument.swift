import ArgumentParser

/// A number of bytes on the command line: `5GB` is decimal, `5GiB` binary, a bare number bytes.
struct ByteCountArgument: ExpressibleByArgument, Equatable {
  var byteCount: Int

  private static let units: [(String, Double)] = [
    ("KIB", 0x1p10), ("MIB", 0x1p20), ("GIB", 0x1p30), ("TIB", 0x1p40), ("KB", 1e3), ("MB", 1e6),
    ("GB", 1e9), ("TB", 1e12), ("K", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("B", 1), ("", 1),
  ]

  init?(argument: String) {
    let text = argument.uppercased()
    guard let (suffix, scale) = Self.units.first(where: { text.hasSuffix($0.0) }),
      let number = Double(text.dropLast(suffix.count)), number > 0, number * scale < 0x1p60,
      number * scale >= 1
    else { return nil }
    byteCount = Int(number * scale)
  }
}
