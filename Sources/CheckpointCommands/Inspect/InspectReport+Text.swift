import ByteIO
import Checkpoint
import ModelGraph
import Tensors
import TorchArchive

extension InspectReport {
  var text: String {
    if let only { return tensorText(only) }
    var page = "\(checkpoint.path)\n"
    page += summaryTable.text(indent: 2)
    if let graph { page += "\nparameters\n" + graph.partTable.text(indent: 2) }
    page += "\ntensors\n" + tensorTable.text(indent: 2)
    if let globals {
      page += "\nnames in the pickle, none executed\n" + Self.table(globals).text(indent: 2)
    }
    if let dataFaults {
      page += "\n" + faultText(dataFaults)
    }
    return page
  }

  private var summaryTable: TextTable {
    var table = TextTable([.left, .left])
    let files = counted(checkpoint.inputs.count, "file")
    table.add([
      "format",
      "\(checkpoint.format.rawValue) \(checkpoint.layout.rawValue), \(files), "
        + byteSize(byteCount),
    ])
    if let graph {
      table.add(["architecture", graph.architectureLine])
      table.add(["sizes", graph.sizesLine])
      if let line = graph.recurrenceLine { table.add(["recurrence", line]) }
    } else if let notUnderstood {
      table.add(["architecture", "not understood: \(notUnderstood)"])
    } else {
      table.add(["architecture", "unknown: no config.json beside the weights"])
    }
    if let found = checkpoint.dequantised {
      let kinds = found.encodings.map {
        "\(counted($0.tensors, "tensor")) of \($0.name), decoded to \($0.type)"
      }
      table.add(["quantised", "\(found.method): \(kinds.joined(separator: "; "))"])
    }
    table.add(["parameters", grouped(parameterCount)])
    for type in types {
      table.add([
        "  \(type.type)",
        "\(grouped(type.parameters)) in \(counted(type.tensors, "tensor")), "
          + byteSize(type.byteCount),
      ])
    }
    if !checkpoint.sideFiles.isEmpty {
      table.add(["side files", checkpoint.sideFiles.map(\.name).joined(separator: ", ")])
    }
    return table
  }

  private var tensorTable: TextTable {
    var table = TextTable([
      ("name", .left), ("dtype", .left), ("shape", .left), ("count", .right), ("bytes", .right),
    ])
    let groups =
      isFull
      ? checkpoint.tensors.map {
        TensorGroup(
          name: $0.name.string, type: $0.type, shape: $0.shape, count: 1, byteCount: $0.byteCount)
      } : TensorGroup.groups(of: checkpoint.tensors)
    for group in groups {
      table.add([
        group.name, group.type.description, "\(group.shape)", "\(group.count)",
        grouped(group.byteCount),
      ])
    }
    return table
  }

  /// The worst first.
  private static func table(_ globals: [PickleGlobal]) -> TextTable {
    var table = TextTable([.left, .left])
    for severity in [PickleGlobal.Severity.dangerous, .unknown, .ok] {
      for global in globals where global.severity == severity {
        table.add([severity.rawValue, global.description])
      }
    }
    return table
  }

  private func tensorText(_ record: TensorRecord) -> String {
    var table = TextTable([.left, .left])
    table.add(["dtype", record.type.description])
    table.add(["shape", "\(record.shape)"])
    table.add(["bytes", grouped(record.byteCount)])
    if let other = checkpoint.ties[record.name] { table.add(["tied to", other.string]) }
    table.add(["file", record.file])
    if let encoding = record.encoding { table.add(["decoded from", encoding]) }
    table.add(["offset", record.offset.map(grouped) ?? "not stored as it is"])
    if let statistics {
      table.add([
        "min, max", "\(Self.value(statistics.minimum)), \(Self.value(statistics.maximum))",
      ])
      table.add(["mean", statistics.mean.map(scientific) ?? "-"])
      table.add(["std", statistics.standardDeviation.map(scientific) ?? "-"])
      table.add(["NaN, infinite", "\(statistics.notANumberCount), \(statistics.infinityCount)"])
      table.add(["zeros", grouped(statistics.zeroCount)])
      table.add(["first values", statistics.firstValues.map { "\($0)" }.joined(separator: " ")])
    }
    return "\(record.name)\n" + table.text(indent: 2)
  }

  private static func value(_ value: Float?) -> String { value.map { "\($0)" } ?? "-" }

  private func faultText(_ faults: [DataFault]) -> String {
    if faults.isEmpty { return "data: every value of every tensor is finite\n" }
    return faults.map {
      "data: \($0.tensor): \($0.notANumberCount) NaN, \($0.infinityCount) infinite\n"
    }.joined()
  }
}
