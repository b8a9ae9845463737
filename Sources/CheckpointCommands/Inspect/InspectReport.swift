import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Models
import Reports
import Tensors
import TorchArchive

/// What `ckpt inspect` found.
struct InspectReport: Report {
  static let command = "inspect"

  var checkpoint: Checkpoint
  /// The model the tensors make; nil without a config, or when it is none that is understood.
  var graph: ModelGraph?
  /// Why there is no graph, as one line.
  var notUnderstood: String?
  var isFull: Bool
  var only: TensorRecord?
  var statistics: TensorStatistics?
  /// Nil when the data was not checked.
  var dataFaults: [DataFault]?
  /// What the pickles name; nil when it was not asked for.
  var globals: [PickleGlobal]?

  init(checkpoint: Checkpoint, isFull: Bool, ignoring: Set<String> = []) {
    self.checkpoint = checkpoint
    self.isFull = isFull
    do {
      graph = try NamedTensors(checkpoint).graph(ignoring: ignoring)
    } catch {
      notUnderstood = (error as? any DiagnosedError)?.message ?? "\(error)"
    }
  }

  var isOK: Bool { dataFaults?.isEmpty ?? true }
  var warnings: [Warning] { checkpoint.warnings }

  /// After one tensor, all of them; where no model is known in the tensors, what is done without one.
  var next: String? {
    if only != nil { return NextCommand.inspect(checkpoint.path) }
    guard let graph else { return NextCommand.convert(checkpoint.path) }
    return graph.recurrence == nil
      ? NextCommand.retrofit(graph, at: checkpoint.path) : NextCommand.verify(checkpoint.path)
  }

  /// The tensors without the names that share another's bytes.
  private var ownTensors: [TensorRecord] {
    let ties = checkpoint.ties
    return checkpoint.tensors.filter { ties[$0.name] == nil }
  }

  var parameterCount: Int { ownTensors.reduce(0) { $0 + $1.elementCount } }
  var byteCount: Int { ownTensors.reduce(0) { $0 + $1.byteCount } }

  /// Tensors, parameters and bytes of each type, the largest first.
  var types: [(type: StorageType, tensors: Int, parameters: Int, byteCount: Int)] {
    Dictionary(grouping: ownTensors, by: \.type).map { type, tensors in
      (
        type, tensors.count, tensors.reduce(0) { $0 + $1.elementCount },
        tensors.reduce(0) { $0 + $1.byteCount }
      )
    }.sorted { ($0.byteCount, $1.type.description) > ($1.byteCount, $0.type.description) }
  }

  // MARK: JSON

  var json: JSONObject {
    var object: JSONObject = [
      "path": .string(checkpoint.path), "format": .string(checkpoint.format.rawValue),
      "layout": .string(checkpoint.layout.rawValue), "parameters": JSONValue(parameterCount),
      "bytes": JSONValue(byteCount), "architecture": graph?.summary ?? .null,
      "not_understood": JSONValue(notUnderstood), "metadata": metadata,
      "types": .array(
        types.map {
          [
            "dtype": .string($0.type.description), "tensors": JSONValue($0.tensors),
            "parameters": JSONValue($0.parameters), "bytes": JSONValue($0.byteCount),
          ]
        }),
      "files": .array(checkpoint.inputs.map { .string($0) }),
      "side_files": .array(checkpoint.sideFiles.map { .string($0.name) }),
    ]
    if let found = checkpoint.dequantised { object["quantisation"] = found.json }
    if let statistics { object["statistics"] = statistics.json }
    if let dataFaults {
      object["data_faults"] = .array(
        dataFaults.map {
          [
            "tensor": .string($0.tensor.string), "nan": JSONValue($0.notANumberCount),
            "infinite": JSONValue($0.infinityCount),
          ]
        })
    }
    if let globals {
      object["globals"] = .array(
        globals.map {
          [
            "module": .string($0.module), "name": .string($0.name),
            "severity": .string($0.severity.rawValue),
          ]
        })
    }
    object["tensors"] = .array((only.map { [$0] } ?? checkpoint.tensors).map(\.json))
    return object
  }

  private var metadata: JSONValue { checkpoint.metadata.map { .object($0) } ?? .null }
}

extension Dequantisation {
  fileprivate var json: JSONValue {
    [
      "method": .string(method),
      "encodings": .array(
        encodings.map {
          [
            "encoding": .string($0.name), "dtype": .string($0.type.description),
            "tensors": JSONValue($0.tensors),
          ]
        }),
    ]
  }
}

extension TensorRecord {
  var json: JSONValue {
    var object: JSONObject = [
      "name": .string(name.string), "dtype": .string(type.description),
      "shape": .array(shape.map { JSONValue($0) }), "bytes": JSONValue(byteCount),
      "file": .string(file), "offset": JSONValue(offset),
    ]
    if let encoding { object["encoding"] = .string(encoding) }
    return .object(object)
  }
}

extension TensorStatistics {
  var json: JSONValue {
    [
      "count": JSONValue(count), "nan": JSONValue(notANumberCount),
      "infinite": JSONValue(infinityCount), "zeros": JSONValue(zeroCount),
      "min": minimum.map { JSONValue($0) } ?? .null,
      "max": maximum.map { JSONValue($0) } ?? .null,
      "mean": mean.map { JSONValue($0) } ?? .null,
      "std": standardDeviation.map { JSONValue($0) } ?? .null,
      "first": .array(firstValues.map { JSONValue($0) }),
    ]
  }
}
