import ByteIO
import Kernels
package import Training

/// What a run is refused for before anything is opened.
extension TrainingSettings {
  /// - Throws: `TrainingError` when this processor lacks the precision.
  package func requireProcessor() throws {
    guard precision.isSupported else {
      throw TrainingError(
        .notTrainable("this processor has no bfloat16 products (AVX512-BF16); use float32"))
    }
  }

  /// - Throws: `UsageError` when no data is named.
  package func requireData(hint: String) throws {
    guard !data.sources.isEmpty else {
      throw UsageError("there is nothing to train on", hint: hint)
    }
  }
}
