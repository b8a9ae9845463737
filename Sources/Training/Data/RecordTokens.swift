import JSON

/// The token ids that a record holds in place of a text: `input_ids`; where `labels` stand beside them,
/// -100 marks what is not learned; where `attention_mask` does, 0 marks padding.
struct RecordTokens {
  static let fields = ["input_ids", "labels", "attention_mask"]

  let record: Record
  let path: String

  /// The ids, those that are not learned marked; nil when the record has none, or a text beside them.
  func ids() throws(DataError) -> [UInt32]? {
    guard let ids = try integers("input_ids"), record.object["text"]?.isNull ?? true else {
      return nil
    }
    let (labels, mask) = (try integers("labels"), try integers("attention_mask"))
    for (name, list) in [("labels", labels), ("attention_mask", mask)] {
      guard list?.count ?? ids.count == ids.count else {
        throw fail(name, "as long as input_ids")
      }
    }
    var result: [UInt32] = []
    for (i, id) in ids.enumerated() where mask?[i] != 0 {
      guard (0...Int(TokenMark.id)).contains(id) else { throw fail("input_ids", "ids from 0 on") }
      let label = labels?[i] ?? id
      guard label == id || label == -100 else {
        throw fail("labels", "the ids themselves, or -100")
      }
      result.append(UInt32(id) | (label == id ? 0 : TokenMark.notLearned))
    }
    return result
  }

  private func integers(_ field: String) throws(DataError) -> [Int]? {
    guard let value = record.object[field], !value.isNull else { return nil }
    let numbers = value.array?.compactMap(\.integer)
    guard let numbers, numbers.count == value.array?.count else {
      throw fail(field, "a list of whole numbers")
    }
    return numbers
  }

  private func fail(_ field: String, _ wanted: String) -> DataError {
    DataError(.wrongType(field: field, wanted: wanted), path, record.place)
  }
}
