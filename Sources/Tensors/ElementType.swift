/// The element types of the safetensors format, in its spelling, and the one PyTorch adds.
public enum ElementType: String, CaseIterable, Sendable, CustomStringConvertible {
  case bool = "BOOL"
  case f4 = "F4"
  case f6E2M3 = "F6_E2M3"
  case f6E3M2 = "F6_E3M2"
  case u8 = "U8"
  case i8 = "I8"
  case f8E5M2 = "F8_E5M2"
  case f8E4M3 = "F8_E4M3"
  case f8E8M0 = "F8_E8M0"
  case f8E4M3FNUZ = "F8_E4M3FNUZ"
  case f8E5M2FNUZ = "F8_E5M2FNUZ"
  case i16 = "I16"
  case u16 = "U16"
  case f16 = "F16"
  case bf16 = "BF16"
  case i32 = "I32"
  case u32 = "U32"
  case f32 = "F32"
  case c64 = "C64"
  case f64 = "F64"
  case i64 = "I64"
  case u64 = "U64"
  /// Two float64; safetensors cannot store it.
  case c128 = "C128"

  /// The spelling of safetensors.
  public var description: String { rawValue }

  /// Bits an element takes.
  public var bitWidth: Int {
    switch self {
    case .f4: 4
    case .f6E2M3, .f6E3M2: 6
    case .bool, .u8, .i8, .f8E5M2, .f8E4M3, .f8E8M0, .f8E4M3FNUZ, .f8E5M2FNUZ: 8
    case .i16, .u16, .f16, .bf16: 16
    case .i32, .u32, .f32: 32
    case .c64, .f64, .i64, .u64: 64
    case .c128: 128
    }
  }

  /// Whether this is a real floating-point type that can be cast to float32 and back.
  public var isFloatingPoint: Bool {
    switch self {
    case .f4, .f6E2M3, .f6E3M2, .f8E5M2, .f8E4M3, .f8E8M0, .f8E4M3FNUZ, .f8E5M2FNUZ, .f16, .bf16,
      .f32, .f64:
      true
    default: false
    }
  }
}

extension ElementType {
  /// PyTorch's name, as `torch_dtype` has it.
  package var torchName: String {
    switch self {
    case .f64: "float64"
    case .f32: "float32"
    case .f16: "float16"
    case .bf16: "bfloat16"
    case .f8E4M3: "float8_e4m3fn"
    case .f8E5M2: "float8_e5m2"
    case .f8E4M3FNUZ: "float8_e4m3fnuz"
    case .f8E5M2FNUZ: "float8_e5m2fnuz"
    default: rawValue.lowercased()
    }
  }
}
