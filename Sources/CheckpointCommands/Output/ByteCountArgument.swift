import ArgumentParser
import ByteIO

/// A number of bytes on the command line: `5GB` is decimal, `5GiB` binary, a bare number bytes.
struct ByteCountArgument: ExpressibleByArgument, Equatable {
  var byteCount: Int

  init?(argument: String) {
    guard let count = ByteIO.byteCount(argument) else { return nil }
    byteCount = count
  }
}
