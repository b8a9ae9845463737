import ByteIO
import Testing

@testable import TorchArchive

/// A file that must be refused, and the code of the error.
struct Refused: CustomTestStringConvertible, Sendable {
  /// Row of the checklist, or zero.
  var row: Int
  var code: String
  var what: String
  var bytes: [UInt8]
  var path = "memory"

  init(_ row: Int, _ code: String, _ what: String, _ bytes: [UInt8], path: String = "memory") {
    self.row = row
    self.code = code
    self.what = what
    self.bytes = bytes
    self.path = path
  }

  var testDescription: String { "\(code): \(what) (\(row))" }

  /// Opens and checks the file; the error's code, or nil when there is none.
  func verdict() -> String? {
    do {
      let file = try TorchFile(ByteRegion(bytes, path: path))
      try file.check()
      for i in file.tensors.indices { _ = try file.data(i) }
      return nil
    } catch {
      return (error as? any DiagnosedError)?.code ?? "\(error)"
    }
  }
}

/// A file that must be read, and the codes of its warnings.
struct Accepted: CustomTestStringConvertible, Sendable {
  var row: Int
  var what: String
  var warnings: [String]
  var bytes: [UInt8]

  init(_ row: Int, _ what: String, warnings: [String] = [], _ bytes: [UInt8]) {
    self.row = row
    self.what = what
    self.warnings = warnings
    self.bytes = bytes
  }

  var testDescription: String { "\(what) (\(row))" }
}
