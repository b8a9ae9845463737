import ByteIO
import Foundation
import TestSupport
import Testing

@testable import Tensors

/// Decodes whole elements of `type`.
private func decoded(_ bytes: [UInt8], _ type: ElementType, count: Int) throws -> [Float] {
  var values = [Float](repeating: .nan, count: count)
  var span = values.mutableSpan
  try decode(bytes.rawSpan, as: type, into: &span)
  return values
}

private func encoded(_ values: [Float], _ type: ElementType) throws -> ([UInt8], Overflow) {
  var bytes = [UInt8](repeating: 0xa5, count: values.count * type.bitWidth / 8)
  var raw = bytes.mutableRawSpan
  let overflow = try encode(values.span, as: type, into: &raw)
  return (bytes, overflow)
}

private func castBytes(
  _ bytes: [UInt8], _ source: ElementType, _ target: ElementType
) throws -> ([UInt8], Overflow) {
  let count = bytes.count * 8 / source.bitWidth
  var result = [UInt8](repeating: 0xa5, count: count * target.bitWidth / 8)
  var raw = result.mutableRawSpan
  let overflow = try cast(bytes.rawSpan, from: source, to: target, into: &raw)
  return (result, overflow)
}

private func littleEndian<T: BitwiseCopyable>(_ values: [T]) -> [UInt8] {
  values.withUnsafeBytes { [UInt8]($0) }
}

private func integers<T: FixedWidthInteger>(_ bytes: some Sequence<UInt8>, _: T.Type) -> [T] {
  let bytes = Array(bytes)
  return bytes.withUnsafeBytes { raw in
    stride(from: 0, to: raw.count, by: MemoryLayout<T>.size).map {
      T(littleEndian: raw.loadUnaligned(fromByteOffset: $0, as: T.self))
    }
  }
}

private func floats(_ bytes: some Sequence<UInt8>) -> [Float] {
  integers(bytes, UInt32.self).map { Float(bitPattern: $0) }
}

private func fixture(_ name: String) throws -> Data {
  try Data(contentsOf: URL(filePath: Fixtures.path("numerics/" + name)))
}

private let everyCode = (0...UInt16.max).map { $0 }
private let casts8: [ElementType] = [.f8E4M3, .f8E5M2, .f8E4M3FNUZ, .f8E5M2FNUZ]

/// Indices at which two sequences differ, a few of them.
private func differences<T: Equatable>(_ got: [T], _ want: [T]) -> [(index: Int, got: T, want: T)] {
  Array(
    zip(got, want).enumerated().lazy.filter { $1.0 != $1.1 }.map { ($0, $1.0, $1.1) }.prefix(5))
}

@Suite("Decoding elements")
struct DecodingTests {
  @Test("all 65,536 values of F16")
  func f16() throws {
    let got = try decoded(littleEndian(everyCode), .f16, count: 65536).map(\.bitPattern)
    let want = everyCode.map { code in
      let value = Float16(bitPattern: code)
      // Swift's conversion sets the quiet bit of a NaN; ours keeps the payload as it is.
      let quiet = Float(value).bitPattern
      return value.isSignalingNaN ? quiet & ~0x0040_0000 : quiet
    }
    #expect(differences(got, want).isEmpty)
  }

  @Test("all 65,536 values of BF16")
  func bf16() throws {
    let got = try decoded(littleEndian(everyCode), .bf16, count: 65536).map(\.bitPattern)
    #expect(differences(got, everyCode.map { UInt32($0) << 16 }).isEmpty)
  }

  @Test("all 256 values of each 8-bit type, against PyTorch")
  func f8() throws {
    let table = floats(try fixture("f8-values.bin"))
    for (i, type) in (casts8 + [.f8E8M0]).enumerated() {
      let got = try decoded((0...255).map { $0 }, type, count: 256)
      let want = table[i * 256..<(i + 1) * 256]
      let wrong = zip(got, want).filter {
        $0.isNaN ? !$1.isNaN : $0.bitPattern != $1.bitPattern
      }
      #expect(wrong.isEmpty, "\(type)")
    }
  }

  @Test("4-bit and 6-bit types, packed lowest bits first")
  func packed() throws {
    // OCP Microscaling Formats 1.0, tables 3 to 5.
    let e2m1: [Float] = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    let e2m3: [Float] = magnitudes(exponents: 4, fractions: 8, bias: 1)
    let e3m2: [Float] = magnitudes(exponents: 8, fractions: 4, bias: 3)
    for (type, width, positive) in [
      (ElementType.f4, 4, e2m1), (.f6E2M3, 6, e2m3), (.f6E3M2, 6, e3m2),
    ] {
      let want = positive + positive.map { -$0 }
      var bytes = [UInt8](repeating: 0, count: want.count * width / 8)
      for code in want.indices {
        for bit in 0..<width where code >> bit & 1 == 1 {
          let position = code * width + bit
          bytes[position / 8] |= 1 << (position % 8)
        }
      }
      let got = try decoded(bytes, type, count: want.count)
      #expect(got.map(\.bitPattern) == want.map(\.bitPattern), "\(type)")
    }
  }

  private func magnitudes(exponents: Int, fractions: Int, bias: Int) -> [Float] {
    (0..<exponents * fractions).map { code in
      let (exponent, fraction) = code.quotientAndRemainder(dividingBy: fractions)
      let whole: Float = exponent == 0 ? 0 : 1
      let significand = whole + Float(fraction) / Float(fractions)
      return significand * Float(sign: .plus, exponent: max(1, exponent) - bias, significand: 1)
    }
  }

  @Test("integers, bool and the wide types")
  func others() throws {
    func check<T: BinaryInteger & BitwiseCopyable>(_ values: [T], _ type: ElementType) throws {
      #expect(
        try decoded(littleEndian(values), type, count: values.count) == values.map { Float($0) })
    }
    try check([Int8.min, -1, 0, 1, .max], .i8)
    try check([UInt8.min, 1, .max], .u8)
    try check([Int16.min, -1, .max], .i16)
    try check([UInt16.min, .max], .u16)
    try check([Int32.min, 16_777_217, 16_777_219, .max], .i32)
    try check([UInt32.max, 1], .u32)
    try check([Int64.min, 1 << 53 + 1, .max], .i64)
    try check([UInt64.max, 1 << 63 + 1], .u64)
    #expect(try decoded([0, 1, 7], .bool, count: 3) == [0, 1, 1])
    let doubles: [Double] = [0.1, -1e300, .leastNonzeroMagnitude, .infinity]
    #expect(try decoded(littleEndian(doubles), .f64, count: 4) == doubles.map { Float($0) })
    let same = try decoded(littleEndian([Float(0.1), -0.0]), .f32, count: 2).map { $0.bitPattern }
    #expect(same == [Float(0.1).bitPattern, 0x8000_0000])
  }

  @Test("cast.no_value: complex types")
  func complex() {
    #expect(throws: ConversionError(.noValue(.c64))) {
      _ = try decoded([UInt8](repeating: 0, count: 8), .c64, count: 1)
    }
  }

  @Test("unaligned bytes")
  func unaligned() throws {
    let bytes = [0xff] + littleEndian([Float16(1.5), -2, 65504].map { $0.bitPattern })
    var values = [Float](repeating: 0, count: 3)
    var span = values.mutableSpan
    try decode(bytes.rawSpan.extracting(droppingFirst: 1), as: .f16, into: &span)
    #expect(values == [1.5, -2, 65504])
  }
}

@Suite("Encoding elements")
struct EncodingTests {
  /// All values of a 16-bit type, the points half way to the next one, and their neighbours.
  static func neighbourhood(_ value: (UInt16) -> Float) -> [Float] {
    everyCode.flatMap { code -> [Float] in
      let a = value(code)
      let b = value(code &+ 1)
      let middle = Float((Double(a) + Double(b)) / 2)
      return [a, middle, middle.nextUp, middle.nextDown]
    }
  }

  @Test("F16: every value, midpoint and neighbour, as Float16 rounds")
  func f16() throws {
    let inputs = Self.neighbourhood { Float(Float16(bitPattern: $0)) }
    let (bytes, overflow) = try encoded(inputs, .f16)
    let got = integers(bytes, UInt16.self)
    let wrong = zip(inputs, got).filter { input, code in
      let want = Float16(input)
      return want.isNaN ? !Float16(bitPattern: code).isNaN : want.bitPattern != code
    }
    #expect(wrong.isEmpty)
    #expect(overflow.count == inputs.count { $0.isFinite && Float16($0).isInfinite })
    #expect(overflow.maximum == inputs.filter(\.isFinite).map(abs).max())
  }

  @Test("BF16: every value, midpoint and neighbour, by the definition")
  func bf16() throws {
    let inputs = Self.neighbourhood { Float(bitPattern: UInt32($0) << 16) }
    let got = integers(try encoded(inputs, .bf16).0, UInt16.self)
    let wrong = zip(inputs, got).filter { input, code in
      let value = Float(bitPattern: UInt32(code) << 16)
      return input.isNaN ? !value.isNaN : code != nearestBF16(Double(input))
    }
    #expect(wrong.isEmpty)
    let (_, overflow) = try encoded([3.4e38, -.infinity, .greatestFiniteMagnitude, 1], .bf16)
    #expect(overflow == Overflow(count: 2, maximum: .greatestFiniteMagnitude))
  }

  /// The textbook: the nearer of the two neighbours, the even one of equals; the values beyond the
  /// largest one continue the sequence.
  private func nearestBF16(_ value: Double) -> UInt16 {
    func widened(_ code: UInt16) -> Double {
      code == 0x7f80 ? 0x1p128 : Double(Float(bitPattern: UInt32(code) << 16))
    }
    let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
    let magnitude = abs(value)
    if magnitude.isInfinite { return sign | 0x7f80 }
    var low: UInt16 = 0
    var high: UInt16 = 0x7f80
    while high - low > 1 {
      let middle = (low + high) / 2
      if widened(middle) <= magnitude { low = middle } else { high = middle }
    }
    let below = magnitude - widened(low)
    let above = widened(high) - magnitude
    return sign | (below < above || (below == above && low % 2 == 0) ? low : high)
  }

  @Test("8-bit types: values, midpoints and neighbours, against PyTorch")
  func f8() throws {
    let data = try fixture("f8-casts.bin")
    let count = Int(integers(data.prefix(4), UInt32.self)[0])
    let inputs = floats(data.dropFirst(4).prefix(4 * count))
    for (i, type) in casts8.enumerated() {
      let want = Array(data.dropFirst(4 + (4 + i) * count).prefix(count))
      #expect(differences(try encoded(inputs, type).0, want).isEmpty, "\(type)")
    }
  }

  @Test("8-bit types: all values of the 16-bit types, against PyTorch")
  func f8FromF16() throws {
    let lines = String(decoding: try fixture("cast-digests.txt"), as: UTF8.self)
    for line in lines.split(separator: "\n") {
      let fields = line.split(separator: " ").map(String.init)
      let source = try #require(ElementType(rawValue: fields[0]))
      let target = try #require(ElementType(rawValue: fields[1]))
      let (bytes, _) = try castBytes(littleEndian(everyCode), source, target)
      #expect(SHA256.digest(of: bytes).description == fields[2], "\(source) to \(target)")
    }
  }

  @Test("every code of every type survives the way to float32 and back")
  func roundTrip() throws {
    for type in [ElementType.f16, .bf16] + casts8 {
      let codes = littleEndian(everyCode)  // for 8-bit types: every pair of codes
      let values = try decoded(codes, type, count: codes.count * 8 / type.bitWidth)
      let (back, overflow) = try encoded(values, type)
      #expect(overflow == .zero, "\(type)")
      let again = try decoded(back, type, count: values.count)
      let wrong = zip(values, again).filter {
        $0.isNaN ? !$1.isNaN : $0.bitPattern != $1.bitPattern
      }
      #expect(wrong.isEmpty, "\(type)")
    }
  }

  @Test("overflow is counted with its largest magnitude")
  func overflow() throws {
    let values: [Float] = [1, 465, -70000, .infinity, .nan, 61440, 448]
    let want: [ElementType: Overflow] = [
      .f16: Overflow(count: 1, maximum: 70000),
      .bf16: .zero,
      .f8E5M2: Overflow(count: 2, maximum: 70000),
      .f8E4M3: Overflow(count: 4, maximum: .infinity),
      .f8E4M3FNUZ: Overflow(count: 5, maximum: .infinity),
      .f8E5M2FNUZ: Overflow(count: 3, maximum: .infinity),
      .f64: .zero, .f32: .zero,
    ]
    for (type, overflow) in want { #expect(try encoded(values, type).1 == overflow, "\(type)") }
  }

  @Test("cast.no_cast: F4 and integers")
  func noCast() {
    #expect(throws: ConversionError(.noCast(to: .i32))) { _ = try encoded([1], .i32) }
    #expect(throws: ConversionError(.noValue(.i8))) { _ = try castBytes([1], .i8, .f32) }
  }
}

@Suite("Casting float64")
struct DoubleCastTests {
  /// Doubles a hair beside each midpoint: rounding through float32 would take them for ties.
  static func besideMidpoints(_ value: (UInt16) -> Float) -> [Double] {
    everyCode.flatMap { code -> [Double] in
      let middle = (Double(value(code)) + Double(value(code &+ 1))) / 2
      return [middle, middle.nextUp, middle.nextDown]
    }
  }

  @Test("to F16 with one rounding")
  func f16() throws {
    let inputs =
      Self.besideMidpoints { Float(Float16(bitPattern: $0)) } + [
        1e300, -1e-300, .leastNonzeroMagnitude,
      ]
    let got = integers(try castBytes(littleEndian(inputs), .f64, .f16).0, UInt16.self)
    let wrong = zip(inputs, got).filter { input, code in
      input.isNaN ? !Float16(bitPattern: code).isNaN : Float16(input).bitPattern != code
    }
    #expect(wrong.isEmpty)
  }

  @Test("to BF16 with one rounding")
  func bf16() throws {
    // Next to the midpoint above the value `code`, the lower neighbour is below it, the upper above.
    let codes = (0..<UInt16(0x7f7f)).map { $0 }
    let inputs = codes.flatMap { code -> [Double] in
      let low = Double(Float(bitPattern: UInt32(code) << 16))
      let high = Double(Float(bitPattern: UInt32(code + 1) << 16))
      let middle = (low + high) / 2
      return [middle.nextDown, middle, middle.nextUp]
    }
    let got = integers(try castBytes(littleEndian(inputs), .f64, .bf16).0, UInt16.self)
    let want = codes.flatMap { [$0, $0 + $0 % 2, $0 + 1] }
    #expect(differences(got, want).isEmpty)
  }

  @Test("to F32, counting what became infinite")
  func f32() throws {
    let inputs: [Double] = [0.1, -1e39, 1e-46, .infinity, 3.4028235677973366e38]
    let (bytes, overflow) = try castBytes(littleEndian(inputs), .f64, .f32)
    #expect(floats(bytes) == inputs.map { Float($0) })
    #expect(overflow == Overflow(count: 2, maximum: .infinity))
  }

  @Test("from F32 and 16-bit types, exactly")
  func toF64() throws {
    let (bytes, _) = try castBytes(littleEndian(everyCode), .bf16, .f64)
    let got = integers(bytes, UInt64.self).map { Double(bitPattern: $0) }
    let wrong = zip(everyCode, got).filter { code, value in
      let want = Double(Float(bitPattern: UInt32(code) << 16))
      return want.isNaN ? !value.isNaN : value.bitPattern != want.bitPattern
    }
    #expect(wrong.isEmpty)
  }
}
