/// Writes a small file so that it appears whole or not at all.
package func writeFile(_ bytes: [UInt8], to path: String, force: Bool) throws(FileError) {
  let staged = try StagedOutput(
    at: path, isFolder: false, force: force, inputs: [], needed: bytes.count)
  var file = try OutputFile(creating: staged.temporary)
  try file.write(bytes)
  _ = try file.finish()
  try staged.publish()
}
