import Foundation

/// The program under test, beside the test bundle.
package enum Executable {
  /// Path of `ckpt`; nil when it is not where the package manager puts it.
  package static let path: String? = {
    guard
      let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    else { return nil }
    let path = URL(filePath: own).deletingLastPathComponent().appending(path: "ckpt").path
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }()
}
