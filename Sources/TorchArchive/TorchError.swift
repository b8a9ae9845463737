package import ByteIO
package import Tensors

/// Why bytes are not a PyTorch weight file, or not one that is read.
///
/// The rules are numbered in `formats/torch-archive.md`; the comment of each case gives its number.
package struct TorchError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// The file could not be read.
    case file(FileError)
    case zip(ZipProblem)
    case pickle(PickleProblem)
    case tensor(TensorProblem)
    case archive(ArchiveProblem)
  }

  package var problem: Problem
  package var path: String?
  package var position: Int?
  package var name: TensorName?

  package init(
    _ problem: Problem, path: String? = nil, at position: Int? = nil, tensor: TensorName? = nil
  ) {
    self.problem = problem
    self.path = path
    self.position = position
    name = tensor
  }

  init(_ problem: ZipProblem, in region: ByteRegion, at position: Int? = nil) {
    self.init(.zip(problem), path: region.path, at: position.map { region.start + $0 })
  }

  init(_ problem: ArchiveProblem, in region: ByteRegion, at position: Int? = nil) {
    self.init(.archive(problem), path: region.path, at: position.map { region.start + $0 })
  }

  package var file: String? { path }
  package var offset: Int? { position }
  package var tensor: String? { name?.string }

  private var rule: any TorchRule {
    switch problem {
    case .file(let error): error
    case .zip(let problem): problem
    case .pickle(let problem): problem
    case .tensor(let problem): problem
    case .archive(let problem): problem
    }
  }

  package var code: String { rule.code }
  package var kind: FailureKind { rule.kind }
  package var message: String { rule.message }
  package var hint: String? { rule.hint }
}

/// One family of rules that a file can break.
protocol TorchRule {
  var code: String { get }
  var kind: FailureKind { get }
  var message: String { get }
  var hint: String? { get }
}

extension FileError: TorchRule {}

extension ByteRegion {
  /// `bytes(_:)` with this module's error.
  func torchBytes(_ range: Range<Int>) throws(TorchError) -> [UInt8] {
    do { return try bytes(range) } catch { throw TorchError(.file(error), path: path) }
  }
}
