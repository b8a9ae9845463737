import ByteIO
import JSON
import Reports
import Training

/// What `ckpt inspect` found: a checkpoint, or a file of training data.
enum InspectOutcome: Report {
  case checkpoint(InspectReport)
  case data(DataReport)

  static let command = InspectReport.command

  private var report: any Report {
    switch self {
    case .checkpoint(let report): report
    case .data(let report): report
    }
  }

  var isOK: Bool { report.isOK }
  var json: JSONObject { report.json }
  var text: String { report.text }
  var warnings: [Warning] { report.warnings }
  var next: String? { report.next }
}

/// What is in a file of training data.
struct DataReport: Report {
  static let command = "inspect"

  let summary: DataSummary

  /// The report on the file at `path`; nil when it is none of data that `ckpt inspect` knows by content.
  init?(at path: String) throws {
    guard try pathKind(path) == .file else { return nil }
    let sniffer: DataSniffer
    do { sniffer = try DataSniffer(path) } catch is DataError { return nil }
    switch sniffer.kind {
    // Bytes without a mark may be anything; a tar archive is a package.
    case .text, .bin, .tar: return nil
    default:
      summary = try DataSummary(
        path, kind: sniffer.kind, warnings: sniffer.warnings, first: 3)
    }
  }

  var warnings: [Warning] { summary.warnings }
  var next: String? { NextCommand.train("MODEL", data: summary.path) }

  var json: JSONObject {
    [
      "path": .string(summary.path), "format": .string(summary.kind.rawValue),
      "bytes": JSONValue(summary.byteCount),
      "data": [
        "columns": .array(
          summary.columns.map { ["name": .string($0.name), "type": .string($0.type)] }),
        "rows": JSONValue(summary.rowCounts?.reduce(0, +)),
        "row_groups": JSONValue(summary.rowCounts?.count),
        "compression": .array(summary.compression.map { .string($0) }),
        "created_by": JSONValue(summary.createdBy), "tokens": JSONValue(summary.tokenCount),
        "documents": JSONValue(summary.documentCount),
        "first_tokens": .array(summary.firstTokens.map { JSONValue(Int($0)) }),
        "first_records": .array(
          summary.firstRecords.map { Self.shortened(.object($0), limit: 1000) }),
      ],
    ]
  }

  var text: String {
    var table = TextTable([.left, .left])
    table.add(["format", "\(summary.kind.rawValue), \(byteSize(summary.byteCount))"])
    if let counts = summary.rowCounts {
      table.add([
        "rows",
        "\(grouped(counts.reduce(0, +))) in \(counted(counts.count, "row group"))",
      ])
    }
    if !summary.compression.isEmpty {
      table.add(["compression", summary.compression.joined(separator: ", ")])
    }
    if let program = summary.createdBy { table.add(["written by", program]) }
    if let tokens = summary.tokenCount {
      let documents = summary.documentCount.map { " in \(counted($0, "document"))" } ?? ""
      table.add(["tokens", grouped(tokens) + documents])
      table.add(["first", summary.firstTokens.map { "\($0)" }.joined(separator: " ")])
    }
    var page = "\(summary.path)\n" + table.text(indent: 2)
    if !summary.columns.isEmpty {
      var columns = TextTable([.left, .left])
      for column in summary.columns { columns.add([column.name, column.type]) }
      page += "\ncolumns\n" + columns.text(indent: 2)
    }
    if !summary.firstRecords.isEmpty {
      page += "\nfirst records\n"
      for record in summary.firstRecords {
        page += "  " + Self.shortened(.object(record), limit: 60).text() + "\n"
      }
    }
    return page
  }

  /// A value whose strings and lists are cut. The parser limits the depth.
  private static func shortened(_ value: JSONValue, limit: Int) -> JSONValue {
    switch value {
    case .string(let text) where text.count > limit: return .string(text.prefix(limit) + "…")
    case .array(let elements):
      return .array(elements.prefix(limit).map { shortened($0, limit: limit) })
    case .object(let object):
      return .object(
        JSONObject(
          object.members.prefix(limit).map {
            .init(key: $0.key, value: shortened($0.value, limit: limit))
          }))
    default: return value
    }
  }
}
