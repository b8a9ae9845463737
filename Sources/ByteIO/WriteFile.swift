/// Writes a small file so that it appears whole or not at all.
package func writeFile(_ bytes: [UInt8], to path: String, force: Bool) throws(FileError) {
  let staged = try StagedOutput(
    at: path, isFolder: false, force: force, inputs: [], needed: bytes.count)
  try staged.publish(bytes)
}

extension StagedOutput {
  /// Publishes a file of these bytes.
  package func publish(_ bytes: [UInt8]) throws(FileError) {
    var file = try OutputFile(creating: temporary)
    try file.write(bytes)
    _ = try file.finish()
    try publish()
  }
}
