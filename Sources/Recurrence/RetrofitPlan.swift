import ByteIO
package import JSON
package import ModelGraph
package import Tensors

/// What the user chose: everything that decides a package's bytes beside the source's.
package struct RetrofitOptions: Equatable, Sendable {
  package enum State: String, CaseIterable, Sendable {
    case huginn
    case width
    case zero
    case embedding
    /// Normal, with the prelude's root mean square as its standard deviation.
    case calibrated
  }

  package enum Head: String, CaseIterable, Sendable {
    case untied
    case tied
    /// As the source has it.
    case keep
  }

  /// Nil leaves a model that is recurrent already as it is.
  package var selection: LayerSelection?
  package var adapter = AdapterStart.prelude
  package var state = State.huginn
  /// What the prelude's output has as its root mean square on some text; nil when it was not measured.
  package var preludeScale: Double?
  package var normAfterCore = false
  package var head = Head.untied
  package var dialect = Dialect.raven
  /// Nil keeps every tensor's stored type.
  package var type: ElementType?
  package var meanRecurrence = 32
  package var meanBackpropDepth = 8

  package init(selection: LayerSelection? = nil) { self.selection = selection }
}

/// A retrofit worked out to the last tensor, before a byte is read or written.
package struct RetrofitPlan: Equatable, Sendable {
  package let source: ModelGraph
  package let result: ModelGraph
  /// The passes that led from one to the other, as they print.
  package let passes: [String]
  package let config: JSONObject
  package let options: RetrofitOptions
  /// The tensors of the package in byte order of their names.
  package let parameters: [Parameter]

  package init(_ source: ModelGraph, _ options: RetrofitOptions) throws(RecurrenceError) {
    // No package's configuration says that the final norm takes part in the recurrence.
    if source.recurrence?.meetsFinalNorm ?? false {
      throw RecurrenceError(.recursByItself(family: source.family))
    }
    let passes = Self.passes(source, options)
    self.source = source
    self.options = options
    self.passes = passes.map(\.description)
    let result = try source.applying(passes)
    self.result = result
    let start =
      options.selection == nil ? source.config["adapter_init"]?.string : options.adapter.name
    config = try result.packageConfig(options.dialect, adapterStart: start)
    try result.check(config, options.dialect)
    parameters = result.parameters.sorted { $0.name < $1.name }
  }

  private static func passes(
    _ source: ModelGraph, _ options: RetrofitOptions
  ) -> [any GraphPass] {
    var passes: [any GraphPass] = []
    if let selection = options.selection {
      passes.append(SelectLayers(selection))
      passes.append(InsertAdapter(options.adapter))
      if options.normAfterCore { passes.append(InsertCoreNorm()) }
      passes.append(SetStateStart(stateStart(source, options)))
      passes.append(
        SetRecurrence(mean: options.meanRecurrence, backprop: options.meanBackpropDepth))
    }
    switch options.head {
    case .untied where source.head == nil: passes.append(UntieHead())
    case .tied where source.head != nil: passes.append(TieHead())
    default: break
    }
    passes.append(Rename(to: options.dialect))
    if let type = options.type { passes.append(Cast(to: type)) }
    return passes
  }

  private static func stateStart(
    _ source: ModelGraph, _ options: RetrofitOptions
  ) -> StateStart {
    switch options.state {
    case .huginn: .huginn
    case .width: .widthDerived(hidden: source.sizes.hidden)
    case .zero: .zero
    case .embedding: .embedding
    case .calibrated:
      if let scale = options.preludeScale {
        .normal(standardDeviation: scale)
      } else {
        preconditionFailure("a calibrated state was measured; checked before")
      }
    }
  }

  package var sourceCounts: ParameterCounts { ParameterCounts(source) }
  package var counts: ParameterCounts { ParameterCounts(result) }

  /// Bytes of all tensors of the package.
  package var byteCount: Int { parameters.reduce(0) { $0 + $1.byteCount } }

  /// Members that the source's configuration has otherwise, or not at all, in byte order.
  package var configChanges: [(key: String, old: JSONValue?, new: JSONValue?)] {
    let keys = Set((source.config.members + config.members).map { ExactString($0.key) }).sorted()
    return keys.map(\.string).compactMap { key in
      let (old, new) = (source.config[key], config[key])
      return old == new ? nil : (key, old, new)
    }
  }
}

extension Parameter {
  /// Bytes of the result; types narrower than a byte fill whole bytes as a tensor.
  package var byteCount: Int {
    StorageType.element(type).byteCount(elements: elementCount) ?? 0
  }
}
