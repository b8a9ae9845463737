import Synchronization

/// What went wrong after an output was published, when nothing may fail any more: collected here and
/// shown when the command ends.
package enum LateWarnings {
  private static let collected = Mutex<[Warning]>([])

  package static func add(_ warning: Warning) { collected.withLock { $0.append(warning) } }

  /// The warnings so far, each given once.
  package static func take() -> [Warning] {
    collected.withLock { warnings in
      defer { warnings = [] }
      return warnings
    }
  }
}
