import ByteIO
package import Training

/// What a run is refused for before anything is opened.
extension TrainingSettings {
  /// - Throws: `UsageError` when no data is named.
  package func requireData(hint: String) throws {
    guard !data.sources.isEmpty else {
      throw UsageError("there is nothing to train on", hint: hint)
    }
  }
}
