import ByteIO
import Foundation
import Tar
import TestSupport
import Testing

@testable import RecurrentPackage

/// An archive to be: raw headers and contents.
struct TarBuilder {
  var bytes: [UInt8] = []

  /// Appends a member whose header `change` may spoil; the checksum is made good afterwards unless
  /// it is told not to.
  mutating func add(
    _ name: String, _ content: [UInt8] = [1, 2, 3], type: UInt8 = UInt8(ascii: "0"),
    isSummed: Bool = true, change: (inout [UInt8]) -> Void = { _ in }
  ) {
    var header = TarHeader(name: name, byteCount: content.count, type: type).bytes
    change(&header)
    if isSummed {
      let sum = header.indices.reduce(0) {
        $0 + ((148..<156).contains($1) ? 0x20 : Int(header[$1]))
      }
      let digits = String(sum, radix: 8)
      let text = String(repeating: "0", count: 6 - digits.count) + digits + "\u{0} "
      header.replaceSubrange(148..<156, with: Array(text.utf8))
    }
    bytes += header + content
    bytes += [UInt8](repeating: 0, count: TarHeader.padding(content.count))
  }

  /// Appends an extended header.
  mutating func extend(_ records: String) {
    add("x", Array(records.utf8), type: UInt8(ascii: "x"))
  }

  mutating func end(_ blocks: Int = 2) { bytes += [UInt8](repeating: 0, count: 512 * blocks) }
}

/// A change to a proper archive, and what must come of it.
struct TarCase: CustomTestStringConvertible {
  var testDescription: String
  var problem: PackageError.Problem
  var offset: Int?
  var build: @Sendable (inout TarBuilder) -> Void

  init(
    _ name: String, _ problem: TarProblem, at offset: Int? = 1024,
    _ build: @escaping @Sendable (inout TarBuilder) -> Void
  ) {
    testDescription = name
    self.problem = .archive(problem)
    self.offset = offset
    self.build = build
  }

  init(
    _ name: String, _ problem: PackageError.Problem,
    _ build: @escaping @Sendable (inout TarBuilder) -> Void
  ) {
    testDescription = name
    self.problem = problem
    self.build = build
  }
}

@Suite("tar archives, in place")
struct TarTests {
  static let spoiled: [TarCase] = [
    .init("RP-20: ends inside a header", .truncated(needed: 512, left: 100)) {
      $0.bytes += [UInt8](repeating: 7, count: 100)
    },
    .init("RP-20: ends inside a member", .truncated(needed: 600, left: 512), at: 1536) {
      $0.add("a", [UInt8](repeating: 1, count: 600))
      $0.bytes.removeLast(512)
    },
    .init("RP-20: size beyond the file", .truncated(needed: 8_589_934_591, left: 1536), at: 1536) {
      $0.add("a") { $0.replaceSubrange(124..<136, with: Array("77777777777\u{0}".utf8)) }
      $0.end()
    },
    .init("RP-21: not ustar", .wrongMagic) {
      $0.add("a") { $0[257] = 0x55 }
      $0.end()
    },
    .init("RP-22: base-256 size", .malformedNumber(field: "size")) {
      $0.add("a") { $0[124] = 0x80 }
      $0.end()
    },
    .init("RP-22: size of no digits", .malformedNumber(field: "size")) {
      $0.add("a") { for i in 124..<136 { $0[i] = 0x20 } }
      $0.end()
    },
    .init("RP-22: digit 8", .malformedNumber(field: "size")) {
      $0.add("a") { $0[134] = 0x38 }
      $0.end()
    },
    .init("RP-24: bytes after the name's end", .malformedName) {
      $0.add("a") { $0[5] = 0x41 }
      $0.end()
    },
    .init("RP-24: not UTF-8", .malformedName) {
      $0.add("a") { $0[0] = 0xFF }
      $0.end()
    },
    .init(
      "RP-25: unknown key", .malformedExtension("the key GNU.sparse.major is not known"), at: 2048
    ) {
      $0.extend("22 GNU.sparse.major=1\n")
      $0.add("a")
      $0.end()
    },
    .init("RP-25: length of a record", .malformedExtension("a record is malformed"), at: 2048) {
      $0.extend("99 path=b\n")
      $0.add("a")
      $0.end()
    },
    .init("RP-25: a key twice", .malformedExtension("path stands twice"), at: 2048) {
      $0.extend("10 path=a\n10 path=a\n")
      $0.add("a")
      $0.end()
    },
    .init("RP-25: no member follows", .malformedExtension("no member follows it"), at: 2048) {
      $0.extend("10 path=a\n")
      $0.end()
    },
    .init("RP-25: another path", .extensionDisagrees("path"), at: 2560) {
      $0.extend("10 path=b\n")
      $0.add("a")
      $0.end()
    },
    .init("RP-25: another size", .extensionDisagrees("size"), at: 2560) {
      $0.extend("10 size=2\n")
      $0.add("a")
      $0.end()
    },
    .init("RP-27: no end mark", .malformedEnd) { _ in },
    .init("RP-27: one block of zeros", .malformedEnd) { $0.end(1) },
    .init("RP-27: bytes after the end", .malformedEnd) {
      $0.end()
      $0.bytes.append(1)
    },
    .init("RP-27: a megabyte of zeros", .malformedEnd) { $0.end(2048) },
    .init("RP-3: absolute", .unsafePath("/a")) {
      $0.add("/a")
      $0.end()
    },
    .init("RP-3: parent", .unsafePath("a/../b")) {
      $0.add("a/../b")
      $0.end()
    },
    .init("RP-3: dot", .unsafePath("./a")) {
      $0.add("./a")
      $0.end()
    },
    .init("RP-3: backslash", .unsafePath("a\\b")) {
      $0.add("a\\b")
      $0.end()
    },
    .init("RP-3: drive letter", .unsafePath("c:a")) {
      $0.add("c:a")
      $0.end()
    },
    .init("RP-3: control character", .unsafePath("a\nb")) {
      $0.add("a\nb")
      $0.end()
    },
    .init("RP-3: empty", .unsafePath("")) {
      $0.add("")
      $0.end()
    },
    .init("RP-4: twice", .pathTwice("a", "a")) {
      $0.add("a")
      $0.add("a")
      $0.end()
    },
    .init("RP-4: twice but for case", .pathTwice("Ä", "ä")) {
      $0.add("Ä")
      $0.add("ä")
      $0.end()
    },
  ]

  @Test("refused", arguments: spoiled)
  func refused(sample: TarCase) {
    var builder = TarBuilder()
    builder.add("manifest.json")
    sample.build(&builder)
    #expect(throws: PackageError(sample.problem, path: "memory", at: sample.offset)) {
      _ = try TarArchive(ByteRegion(builder.bytes))
    }
  }

  @Test("RP-23: links, devices, folders, sparse and long-name members", arguments: "1234567LKSgA")
  func types(type: Character) throws {
    let byte = try #require(type.asciiValue)
    var builder = TarBuilder()
    builder.add("manifest.json")
    builder.add("a", type: byte)
    builder.end()
    #expect(throws: PackageError(.archive(.memberType(byte)), path: "memory", at: 1024)) {
      _ = try TarArchive(ByteRegion(builder.bytes))
    }
  }

  @Test("RP-21: a wrong checksum")
  func checksum() {
    var builder = TarBuilder()
    builder.add("manifest.json", isSummed: false) { $0[0] = 0x6E }
    builder.end()
    let stated = TarHeader(name: "manifest.json", byteCount: 3).bytes
    let sum = stated.indices.reduce(0) {
      $0 + ((148..<156).contains($1) ? 0x20 : Int(stated[$1]))
    }
    #expect(
      throws: PackageError(
        .archive(.wrongChecksum(found: sum, wanted: sum + 1)), path: "memory", at: 0)
    ) { _ = try TarArchive(ByteRegion(builder.bytes)) }
  }

  @Test("RP-26: the manifest comes first")
  func first() {
    var builder = TarBuilder()
    builder.add("a")
    builder.add("manifest.json")
    builder.end()
    #expect(
      throws: PackageError(.manifestNotFirst("a"), path: "memory", at: 0)
    ) { _ = try TarArchive(ByteRegion(builder.bytes)) }
  }

  @Test("long names and padding are read; every prefix of a proper archive is refused")
  func accepted() throws {
    let long = String(repeating: "n", count: 150)
    var builder = TarBuilder()
    builder.add("manifest.json", [])
    builder.bytes += TarHeader(name: long, byteCount: 5).blocks
    builder.bytes += [1, 2, 3, 4, 5] + [UInt8](repeating: 0, count: 507)
    builder.extend("30 mtime=1700000000.123456789\n")
    builder.add("b/c", [9])
    builder.end(20)
    let members = try TarArchive(ByteRegion(builder.bytes)).members
    #expect(members.map(\.name) == ["manifest.json", long, "b/c"])
    #expect(try members[1].region.contents(limit: 9) == [1, 2, 3, 4, 5])
    #expect(members.allSatisfy { $0.region.start % 512 == 0 })
    let least = builder.bytes.count - 18 * 512
    for count in stride(from: 0, to: least, by: 97) {
      #expect(throws: PackageError.self) {
        _ = try TarArchive(ByteRegion(Array(builder.bytes.prefix(count))))
      }
    }
  }

  @Test("every flipped bit of a header is noticed")
  func flips() throws {
    var builder = TarBuilder()
    builder.add("manifest.json", [])
    builder.add("a")
    builder.end()
    var unnoticed: [Int] = []
    // The checksum's own field has several spellings of one number.
    for position in 0..<1024 where !(148..<156).contains(position % 512) {
      for bit in 0..<8 {
        var bytes = builder.bytes
        bytes[position] ^= 1 << bit
        if (try? TarArchive(ByteRegion(bytes))) != nil { unnoticed.append(position) }
      }
    }
    #expect(unnoticed.isEmpty)
  }

  @Test("RP-28: more members than are read")
  func members() {
    var builder = TarBuilder()
    builder.add("manifest.json", [])
    for i in 0..<10 { builder.add("\(i)", []) }
    builder.end()
    #expect(throws: PackageError(.archive(.tooManyMembers(limit: 10)), path: "memory", at: 5632)) {
      _ = try TarArchive(ByteRegion(builder.bytes), memberLimit: 10)
    }
  }

  @Test("a size of eight gibibytes and more takes an extended header")
  func large() throws {
    let size = 9 << 30
    let blocks = TarHeader(name: "w", byteCount: size).blocks
    #expect(blocks.count == 3 * 512)
    #expect(String(decoding: blocks[512..<530], as: UTF8.self) == "19 size=9663676416")
    #expect(try TarHeader(Array(blocks[1024...])).byteCount == 0)
    // One byte less than the octal digits' limit still fits.
    #expect(TarHeader(name: "w", byteCount: (8 << 30) - 1).blocks.count == 512)
  }
}
