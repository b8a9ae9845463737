import Platform
import SystemPackage

/// All bytes of standard input, up to its end.
package func readStandardInput() throws(FileError) -> [UInt8] {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    try Interruption.check()
    do {
      let count = try Descriptor.standardInput.read(into: &buffer)
      if count == 0 { return bytes }
      bytes += buffer[..<count]
    } catch .interrupted { continue } catch {
      throw .refused("read", "standard input", error)
    }
  }
}
