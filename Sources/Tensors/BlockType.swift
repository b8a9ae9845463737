/// The quantised block types of GGUF, each a run of elements that share scales.
///
/// Sizes: ggml's block structures; raw values are the type numbers in the file.
package enum BlockType: UInt32, CaseIterable, Sendable, CustomStringConvertible {
  case q40 = 2
  case q41 = 3
  case q50 = 6
  case q51 = 7
  case q80 = 8
  case q81 = 9
  case q2K = 10
  case q3K = 11
  case q4K = 12
  case q5K = 13
  case q6K = 14
  case q8K = 15

  /// ggml's own spelling.
  package var description: String {
    switch self {
    case .q40: "Q4_0"
    case .q41: "Q4_1"
    case .q50: "Q5_0"
    case .q51: "Q5_1"
    case .q80: "Q8_0"
    case .q81: "Q8_1"
    case .q2K: "Q2_K"
    case .q3K: "Q3_K"
    case .q4K: "Q4_K"
    case .q5K: "Q5_K"
    case .q6K: "Q6_K"
    case .q8K: "Q8_K"
    }
  }

  /// Elements in a block; a row is a whole number of blocks.
  package var elementCount: Int { rawValue < BlockType.q2K.rawValue ? 32 : 256 }

  /// Bytes a block takes.
  package var byteCount: Int {
    switch self {
    case .q40: 18
    case .q41: 20
    case .q50: 22
    case .q51: 24
    case .q80: 34
    case .q81: 36
    case .q2K: 84
    case .q3K: 110
    case .q4K: 144
    case .q5K: 176
    case .q6K: 210
    case .q8K: 292
    }
  }
}
