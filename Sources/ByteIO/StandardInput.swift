import SystemPackage

/// All bytes of standard input, up to its end.
package func readStandardInput() throws(FileError) -> [UInt8] {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    do {
      let count = unsafe try buffer.withUnsafeMutableBytes {
        unsafe try FileDescriptor.standardInput.read(into: $0)
      }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
    } catch {
      throw FileError("standard input", .system(operation: "read", error as? Errno ?? .ioError))
    }
  }
}
