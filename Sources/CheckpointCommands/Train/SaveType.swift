import ArgumentParser
import Tensors

/// Types that trained weights can be stored in.
enum SaveType: String, ExpressibleByArgument, CaseIterable {
  case f32
  case f16
  case bf16

  var elementType: ElementType {
    switch self {
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    }
  }
}
