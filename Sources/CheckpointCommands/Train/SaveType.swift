import ArgumentParser
import PackageTraining
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

/// What of a trained model is written.
struct SaveChoices: ParsableArguments {
  @Option(help: "Type of the trained package's tensors.")
  var saveDtype = SaveType.f32
  @Flag(
    help: "In mode lora, write no package but the factors, to RUN/factors, which PEFT reads.")
  var factorsOnly = false

  var saving: TrainSession.Saving {
    .init(type: saveDtype.elementType, factorsOnly: factorsOnly)
  }
}
