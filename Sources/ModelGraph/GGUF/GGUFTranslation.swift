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
    guard let dialect = GGUFDialect(architecture: name) else {
      throw ModelGraphError(.unsupportedArchitecture(name))
    }
    let factors = tensors.first { $0.name.string == GGUFDialect.rotaryFactors }?.name
    var hyperparameters = GGUFHyperparameters(dialect: dialect, reader: reader, tensors: tensors)
    config = try hyperparameters.config(rotaryFactors: factors.map(floats))
    let headSize = hyperparameters.headSize
    let naming = Naming(source: dialect.family)
    parameters = tensors.filter { $0.name != factors }.map { record in
      var parameter = Parameter(stored: record)
      guard let part = dialect.part(of: record.name.string), let name = naming.name(part) else {
        return parameter
      }
      parameter.name = TensorName(name)
      if case .block(_, let role) = part, dialect.isInterleaved(role) {
        let rows = 0..<(record.shape.first ?? 1)
        let source = RowSource(
          tensor: record.name, rows: rows, order: .splitHalves(headSize: headSize))
        parameter.recipe = Recipe(.rows([source]))
      }
      return parameter
    }
  }
}
