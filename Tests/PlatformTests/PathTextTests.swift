import Testing

@testable import Platform

@Suite("paths as strings")
struct PathTextTests {
  static let names: [[UInt8]] = [
    Array("plain".utf8), Array("naïve 字 🙂".utf8), [0x66, 0xE9, 0x2E, 0x70, 0x74], [0xFF],
    [0xC3], [0xC3, 0x28], [0xED, 0xA0, 0x80], [0xF0, 0x9F, 0x99], [0xE9, 0xC3, 0xA9, 0xE9],
    // What such bytes become, as a name of its own.
    Array("\u{10FFE9}".utf8), Array("\u{10FFE9}x".utf8) + [0xE9],
  ]

  @Test("any bytes become a string and the same bytes again", arguments: names)
  func roundTrip(name: [UInt8]) {
    let text = PathText.string(name)
    #expect(systemPath(text).map { UInt8(bitPattern: $0) } == name + [0])
    if String(validating: name, as: UTF8.self) != nil, name != Array("\u{10FFE9}".utf8),
      !name.starts(with: Array("\u{10FFE9}".utf8))
    {
      #expect(Array(text.utf8) == name)
    }
  }

  @Test("no two names become one")
  func distinct() {
    #expect(Set(Self.names.map(PathText.string)).count == Self.names.count)
  }

  @Test("a file whose name is no UTF-8 is found, opened and removed")
  func file() throws {
    let name = PathText.string([0x66, 0xE9, 0xFF])
    let folder = "/tmp/ckpt-paths-\(monotonicSeconds())"
    try makeFolder(folder)
    let file = try Descriptor(opening: folder + "/" + name, for: .creating)
    try file.close()
    #expect(try entries(ofFolder: folder) == [name])
    #expect(try FileStatus.of(folder + "/" + name)?.isRegular == true)
    #expect(try paths(matching: folder + "/*") == [folder + "/" + name])
    #expect(try realPath(folder + "/" + name)?.hasSuffix(name) == true)
    try removeFile(folder + "/" + name)
    try removeFolder(folder)
  }
}
