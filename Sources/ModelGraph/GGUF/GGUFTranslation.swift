import ByteIO
package import JSON
package import Tensors

/// A GGUF file's model in the terms of Hugging Face: what `config.json` would say, and the tensors
/// under their usual names, shapes and row order.
package struct GGUFTranslation: Sendable {
  package let config: JSONObject
  package let parameters: [Parameter]

  /// Translates the metadata and the table of tensors of a file, or of all files of a split model.
  ///
  /// A hyper-parameter that is not understood and may change the numbers is an error that names it.
  /// Tensors that play no known part keep their names, so that reading the graph reports them.
  ///
  /// - Parameters:
  ///   - metadata: The file's keys, numbers as JSON numbers; long arrays may be left out.
  ///   - floats: Gives all values of a small tensor.
  package init(
    metadata: JSONObject, tensors: [TensorRecord], floats: (TensorName) throws -> [Float]
  ) throws {
    var reader = ConfigReader(metadata)
    guard let name = try reader.string("general.architecture") else {
      throw reader.missing("general.architecture")
    }
    guard let dialect = GGUFDialect(architecture: name, metadata: metadata) else {
      throw ModelGraphError(.notReadFromGGUF(name))
    }
    var constants: [String: [Float]] = [:]
    for name in dialect.constants where tensors.contains(where: { $0.name.string == name }) {
      constants[name] = try floats(TensorName(name))
    }
    var hyperparameters = GGUFHyperparameters(
      dialect: dialect, metadata: metadata, tensors: tensors, constants: constants)
    config = try hyperparameters.config()
    let headSize = hyperparameters.headSize
    let naming = Naming(source: dialect.family)
    parameters = tensors.filter { constants[$0.name.string] == nil }.flatMap { record in
      Self.parameters(record, dialect, naming, headSize: headSize)
    }
  }

  /// What the tensor `record` is in a Hugging Face folder: one tensor, or one for each expert.
  private static func parameters(
    _ record: TensorRecord, _ dialect: GGUFDialect, _ naming: Naming, headSize: Int
  ) -> [Parameter] {
    let stored = Parameter(stored: record)
    guard let part = dialect.part(of: record.name.string), let name = naming.name(part) else {
      return [stored]
    }
    if case .block(let index, let role) = part, role.isOfExperts {
      return experts(stored, role, index, naming)
    }
    var parameter = stored
    parameter.name = TensorName(name)
    let rows = 0..<(record.shape.first ?? 1)
    if case .block(_, let role) = part, dialect.isInterleaved(role) {
      let source = RowSource(
        tensor: record.name, rows: rows, order: .splitHalves(headSize: headSize))
      parameter.recipe = Recipe(.rows([source]))
    }
    if part.isNorm { parameter.recipe.offset = -dialect.facts.normOffset }
    return [parameter]
  }

  /// The matrices of all experts, `[E, rows, columns]`, one by one.
  private static func experts(
    _ stored: Parameter, _ role: BlockRole, _ index: Int, _ naming: Naming
  ) -> [Parameter] {
    guard stored.shape.count == 3 else { return [stored] }
    let (count, rows) = (stored.shape[0], stored.shape[1])
    return (0..<count).compactMap { expert in
      naming.name(role, index, expert: expert).map { name in
        let source = RowSource(
          tensor: stored.name, rows: expert * rows..<(expert + 1) * rows)
        return Parameter(
          name: TensorName(name), shape: Array(stored.shape.dropFirst()), type: stored.type,
          recipe: Recipe(.rows([source])))
      }
    }
  }
}
