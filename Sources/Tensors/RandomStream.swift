/// Random numbers by position: the value at an index depends on the seed, the stream and the index
/// alone, so any part of a tensor can be made without the rest, by any number of threads.
///
/// SplitMix64 (Steele, Lea, Flood 2014) read at a counter. Floating-point values use only IEEE 754
/// basic operations and square root, so they have the same bits on every platform.
package struct RandomStream: Equatable, Sendable {
  private let key: UInt64

  /// - Parameter stream: Distinguishes independent sequences that share a seed.
  package init(seed: UInt64, stream: UInt64 = 0) {
    key = Self.mix(seed &+ Self.mix(stream &+ Self.step))
  }

  private static let step: UInt64 = 0x9E37_79B9_7F4A_7C15

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// 64 random bits.
  package subscript(index: UInt64) -> UInt64 { Self.mix(key &+ (index &+ 1) &* Self.step) }

  /// Uniform in [0, 1), a multiple of 2⁻⁵³.
  package func uniform(at index: UInt64) -> Double { Double(self[index] >> 11) * 0x1p-53 }

  /// Uniform in [-1, 1), a multiple of 2⁻²³.
  package func symmetric(at index: UInt64) -> Float { Float(self[index] >> 40) * 0x1p-23 - 1 }

  /// Standard normal, mean 0, not truncated.
  package func normal(at index: UInt64) -> Double {
    normalQuantile((Double(self[index] >> 11) + 0.5) * 0x1p-53)
  }

  /// Standard normal, conditioned to lie within ±3.
  package func truncatedNormal(at index: UInt64) -> Double {
    // Φ(-3), the mass of one tail.
    let tail = 0.001_349_898_031_630_094_5
    let share = (Double(self[index] >> 11) + 0.5) * 0x1p-53
    return normalQuantile(tail + share * (1 - 2 * tail))
  }
}

/// The x with Φ(x) = `p`, for p in (0, 1): Wichura's AS 241 (1988), relative error about 1e-16.
func normalQuantile(_ p: Double) -> Double {
  let q = p - 0.5
  if abs(q) <= 0.425 {
    let r = 0.180625 - q * q
    return q * polynomial(centreNumerator, r) / polynomial(centreDenominator, r)
  }
  let r = (-portableLogarithm(q < 0 ? p : 1 - p)).squareRoot()
  let x =
    r <= 5
    ? polynomial(middleNumerator, r - 1.6) / polynomial(middleDenominator, r - 1.6)
    : polynomial(tailNumerator, r - 5) / polynomial(tailDenominator, r - 5)
  return q < 0 ? -x : x
}

/// Natural logarithm of a normal positive number, from basic operations alone; error about 2 ulp.
private func portableLogarithm(_ x: Double) -> Double {
  var significand = x.significand
  var exponent = Double(x.exponent)
  if significand > 2.0.squareRoot() {
    significand *= 0.5
    exponent += 1
  }
  // log m = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.172.
  let s = (significand - 1) / (significand + 1)
  let square = s * s
  var series = 0.0
  for n in stride(from: 23, through: 1, by: -2) { series = series * square + 1 / Double(n) }
  return exponent * 0.693_147_180_559_945_3 + 2 * s * series
}

/// Coefficients from the highest power down.
private func polynomial(_ coefficients: [Double], _ x: Double) -> Double {
  var sum = 0.0
  for coefficient in coefficients { sum = sum * x + coefficient }
  return sum
}

private let centreNumerator = [
  2.509_080_928_730_122_672_7e+3, 3.343_057_558_358_812_810_5e+4, 6.726_577_092_700_870_085_3e+4,
  4.592_195_393_154_987_145_7e+4, 1.373_169_376_550_946_112_5e+4, 1.971_590_950_306_551_442_7e+3,
  1.331_416_678_917_843_774_5e+2, 3.387_132_872_796_366_608_0e+0,
]
private let centreDenominator = [
  5.226_495_278_852_854_561_0e+3, 2.872_908_573_572_194_267_4e+4, 3.930_789_580_009_271_061_0e+4,
  2.121_379_430_158_659_586_7e+4, 5.394_196_021_424_751_107_7e+3, 6.871_870_074_920_579_083_0e+2,
  4.231_333_070_160_091_125_2e+1, 1,
]
private let middleNumerator = [
  7.745_450_142_783_414_076_40e-4, 2.272_384_498_926_918_458_33e-2,
  2.417_807_251_774_506_117_70e-1, 1.270_458_252_452_368_382_58e+0,
  3.647_848_324_763_204_605_04e+0, 5.769_497_221_460_691_405_50e+0,
  4.630_337_846_156_545_295_90e+0, 1.423_437_110_749_683_577_34e+0,
]
private let middleDenominator = [
  1.050_750_071_644_416_843_24e-9, 5.475_938_084_995_344_946_00e-4,
  1.519_866_656_361_645_719_66e-2, 1.481_039_764_274_800_745_90e-1,
  6.897_673_349_851_000_045_50e-1, 1.676_384_830_183_803_849_40e+0,
  2.053_191_626_637_758_821_87e+0, 1,
]
private let tailNumerator = [
  2.010_334_399_292_288_132_65e-7, 2.711_555_568_743_487_578_15e-5,
  1.242_660_947_388_078_438_60e-3, 2.653_218_952_657_612_309_30e-2,
  2.965_605_718_285_048_912_30e-1, 1.784_826_539_917_291_335_80e+0,
  5.463_784_911_164_114_369_90e+0, 6.657_904_643_501_103_777_20e+0,
]
private let tailDenominator = [
  2.044_263_103_389_939_785_64e-15, 1.421_511_758_316_445_888_70e-7,
  1.846_318_317_510_054_681_80e-5, 7.868_691_311_456_132_591_00e-4,
  1.487_536_129_085_061_485_25e-2, 1.369_298_809_227_358_053_10e-1,
  5.998_322_065_558_879_376_90e-1, 1,
]
