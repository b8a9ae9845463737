import ByteIO
import Training

/// How questions are asked: the template, and the examples before each.
package struct Questions {
  package var template: PromptTemplate
  /// Examples with their answers in each prompt.
  package var shots: Int
  /// File of the examples; nil takes the first records of the data, which are then not asked.
  package var shotsFrom: String?
  /// Most questions; nil asks all.
  package var limit: Int?

  package init(template: PromptTemplate, shots: Int, shotsFrom: String?, limit: Int?) {
    self.template = template
    self.shots = shots
    self.shotsFrom = shotsFrom
    self.limit = limit
  }

  /// The questions of `data` and the prompt of each.
  package func prompts(
    _ data: String, _ task: EvalTask
  ) throws -> (records: [EvalRecord], prompts: [String]) {
    let own = shotsFrom == nil ? shots : 0
    var records = try EvalRecord.read(data, limit: limit.map { $0 + own })
    let examples = try shotsFrom.map { try EvalRecord.read($0, limit: shots) }
    let shown = examples ?? Array(records.prefix(shots))
    guard shown.count == shots else {
      throw UsageError(
        "\(shotsFrom ?? data) has \(shown.count) records, but \(shots) examples are wanted",
        hint: "lower --shots")
    }
    records.removeFirst(own)
    guard !records.isEmpty else { throw DataError(.empty, data) }
    let before = try shown.map { try template.text($0) + " " + answer($0, task) + "\n\n" }.joined()
    return (records, try records.map { try before + template.text($0) })
  }

  private func answer(_ record: EvalRecord, _ task: EvalTask) throws(DataError) -> String {
    guard task == .multipleChoice else { return try record.text("answer") }
    let (texts, labels) = try record.choices()
    return texts[try record.rightChoice(texts, labels)]
  }
}
