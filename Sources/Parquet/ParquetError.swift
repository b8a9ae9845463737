package import ByteIO

/// Why bytes are not a Parquet file, or why a column of one cannot be read.
///
/// A case for every rule of `formats/parquet.md`; the comment gives its number.
package struct ParquetError: DiagnosedError, Equatable {
  package var problem: ParquetProblem
  package var path: String
  package var position: Int?
  /// Row group and column at fault.
  package var place: Place?

  package struct Place: Equatable, Sendable {
    package var rowGroup: Int
    /// The column's path in the schema, its parts joined by points; nil when it is the whole group.
    package var column: String?

    package init(rowGroup: Int, column: String? = nil) {
      self.rowGroup = rowGroup
      self.column = column
    }
  }

  package init(
    _ problem: ParquetProblem, _ path: String, at position: Int? = nil, _ place: Place? = nil
  ) {
    self.problem = problem
    self.path = path
    self.position = position
    self.place = place
  }

  package var file: String? { path }
  package var offset: Int? { position }

  package var kind: FailureKind {
    switch problem {
    case .file(let error): error.kind
    case .encrypted, .codec, .encoding, .levelEncoding, .externalFile, .physicalType: .unsupported
    case .footerTooLong, .tooManyColumns, .pageTooLarge, .tooManyValues, .tooMuchWork:
      .resourceLimit
    default: .malformed
    }
  }

  package var code: String {
    if case .file(let error) = problem { return error.code }
    return "pq." + problem.rule
  }

  package var message: String {
    guard let place else { return problem.sentence }
    let column = place.column.map { ", column \($0)" } ?? ""
    return "row group \(place.rowGroup)\(column): \(problem.sentence)"
  }

  package var hint: String? {
    switch problem {
    case .notParquet, .truncatedFile, .footerPastEnd, .checksum, .decompression:
      "check that the file was downloaded whole"
    case .encrypted: "decrypt the file with the program that wrote it"
    case .codec, .encoding, .levelEncoding, .physicalType, .externalFile:
      "write the file again, for example with pyarrow: pq.write_table(pq.read_table(IN), OUT)"
    case .pageTooLarge, .tooManyValues: "write the file again with smaller pages"
    default: nil
    }
  }
}
