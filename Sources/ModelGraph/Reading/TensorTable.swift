import ByteIO
import Tensors

/// The tensors of a checkpoint, found by names without wrappers' prefixes, each taken once.
struct TensorTable {
  private var byName: [String: Parameter] = [:]
  private var taken: Set<String> = []
  /// Stored buffers that every reader recomputes; they are not part of the model.
  private(set) var buffers: [String] = []
  /// Prefixes as they are stored, and as the dialect has them, where the two differ.
  private(set) var prefixes: Set<PrefixRule> = []

  /// Wrappers' names that stand inside of stored ones.
  private(set) var inner: Set<String> = []

  struct PrefixRule: Hashable {
    var stored: String
    var canonical: String
  }

  init(_ parameters: [Parameter]) throws(ModelGraphError) {
    for parameter in parameters {
      let name = parameter.name.string
      if Self.isBuffer(parameter) {
        buffers.append(name)
        continue
      }
      let bare = Self.bare(name)
      if let other = byName.updateValue(parameter, forKey: bare) {
        throw ModelGraphError(.duplicateName(other.name.string, name), tensor: name)
      }
    }
  }

  /// The parameter called `name` in its dialect, whatever wrappers stand before it.
  mutating func take(_ name: String) -> Parameter? {
    let bare = Self.bare(name)
    guard let parameter = byName[bare] else { return nil }
    taken.insert(bare)
    let stored = parameter.name.string
    if !stored.hasSuffix(bare) {
      for part in WrapperNames.parts where stored.contains(part) { inner.insert(part) }
    } else if stored != name {
      prefixes.insert(
        PrefixRule(
          stored: String(stored.dropLast(bare.count)), canonical: String(name.dropLast(bare.count))
        ))
    }
    return parameter
  }

  var count: Int { byName.count }

  func contains(_ name: String) -> Bool { byName[Self.bare(name)] != nil }

  func shape(of name: String) -> [Int]? { byName[Self.bare(name)]?.shape }

  /// Stored names that nobody took, in byte order.
  var leftovers: [String] {
    byName.filter { !taken.contains($0.key) }.map(\.value.name).sorted().map(\.string)
  }

  /// Wrappers of training programs and of larger models, which may stand one before another.
  private static let wrappers =
    WrapperNames.prefixes + ["language_model.", "model.", "transformer."]

  static func bare(_ name: String) -> String {
    var rest = WrapperNames.removed(from: name)[...]
    while let wrapper = wrappers.first(where: { rest.hasPrefix($0) }) {
      rest = rest.dropFirst(wrapper.count)
    }
    return String(rest)
  }

  /// Rotary tables and attention masks that old writers stored.
  private static func isBuffer(_ parameter: Parameter) -> Bool {
    let name = parameter.name.string
    let tables = ["inv_freq", "cos_cached", "sin_cached"].map { "rotary_emb." + $0 }
    if (tables + ["freqs_cis"]).contains(where: { name == $0 || name.hasSuffix("." + $0) }) {
      return true
    }
    let isMask = name.hasSuffix(".attn.bias") || name.hasSuffix(".attn.masked_bias")
    return isMask && parameter.shape.count != 1
  }
}
