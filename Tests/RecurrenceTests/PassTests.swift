import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Tensors
import Testing

@testable import Recurrence

@Suite("passes")
struct PassTests {
  let source: ModelGraph
  let selected: ModelGraph

  init() throws {
    source = try open("tiny-llama/source").graph
    selected = try SelectLayers(LayerSelection("0-1/4-7/8-9", of: 10)).apply(source)
  }

  @Test("select keeps the layers' tensors and specs; the package's lists have its layers")
  func select() throws {
    let checkpoint = try open("tiny-qwen2/source").checkpoint
    var config = try #require(checkpoint.config)
    let layers = try #require(config["num_hidden_layers"]?.integer)
    config["eos_token_id"] = .array((0..<layers).map { JSONValue($0) })
    config["use_sliding_window"] = true
    config["sliding_window"] = 16
    config["max_window_layers"] = 5
    let source = try ModelGraph.read(config: config, tensors: checkpoint.tensors)
    var options = RetrofitOptions(selection: try LayerSelection("0/4-5/6", of: layers))
    for dialect in Dialect.allCases {
      options.dialect = dialect
      let plan = try RetrofitPlan(source, options)
      #expect(
        plan.config["layer_types"] == [
          "full_attention", "full_attention", "sliding_attention", "sliding_attention",
        ])
      #expect(plan.config["eos_token_id"]?.array?.count == layers)
      let read = try ModelGraph.read(config: plan.config, parameters: plan.parameters)
      #expect(read.blocks.map(\.spec) == [0, 4, 5, 6].map { source.blocks[$0].spec })
      #expect(read.blocks[2].spec.attention.visible == .window(16))
    }
  }

  @Test("select takes a source model once")
  func selectOnce() throws {
    let pass = SelectLayers(try LayerSelection("0-1/4-7/8-9", of: 10))
    let graph = try pass.apply(source)
    #expect(graph.blocks.map(\.sourceLayer) == [0, 1, 4, 5, 6, 7, 8, 9])
    #expect(pass.description == "select layers 0-1/4-7/8-9")
    #expect(throws: RecurrenceError(.alreadyRecurrent)) { _ = try pass.apply(graph) }
  }

  static let starts: [(AdapterStart, Initialiser)] = [
    (.prelude, .identities(state: 0, prelude: 1)), (.state, .identities(state: 1, prelude: 0)),
    (.average, .identities(state: 0.5, prelude: 0.5)),
    (.uniform(seed: 74), .uniform(bound: 0.125, seed: 74)),
    (.takase(seed: 74), .normal(standardDeviation: 0.111803398, seed: 74)),
  ]

  @Test("adapter starts", arguments: starts)
  func adapter(start: AdapterStart, initialiser: Initialiser) throws {
    let body = try #require(try InsertAdapter(start).apply(selected).recurrence)
    let adapter = try #require(body.adapter)
    #expect(body.injection.kind == .linear)
    #expect(adapter.shape == [32, 64])
    #expect(adapter.type == .bf16)
    #expect(adapter.recipe.content == .initialised(initialiser))
  }

  @Test("no adapter for additive injection; one from the source's tensors")
  func otherAdapters() throws {
    let add = try #require(
      try InsertAdapter(.add).apply(InsertAdapter(.prelude).apply(selected)).recurrence)
    #expect(add.adapter == nil && add.injection.kind == .add)
    let diagonal = try #require(try InsertAdapter(.diagonal).apply(selected).recurrence)
    #expect(diagonal.adapter == nil && diagonal.injection.kind == .diagonal)
    let decay = try #require(diagonal.injection.parameters[.decay])
    #expect(decay.shape == [32] && decay.recipe.content == .initialised(.zeros))
    let gated = try #require(
      try InsertAdapter(.gated(rank: nil, seed: 3)).apply(selected).recurrence)
    let (down, up) = (
      try #require(gated.injection.parameters[.gateDown]),
      try #require(gated.injection.parameters[.gateUp])
    )
    #expect(down.shape == [2, 32] && up.shape == [32, 2] && gated.injection.rank == 2)
    #expect(up.recipe.content == .initialised(.zeros) && down.recipe.content != up.recipe.content)
    let copied = try #require(
      try InsertAdapter(.tensor("mine", .f32)).apply(selected).recurrence?.adapter)
    #expect(copied.recipe == Recipe(.rows([RowSource(tensor: "mine", rows: 0..<32)]), as: .bf16))
  }

  @Test(
    "state starts reach the configuration that readers obey",
    arguments: RetrofitOptions.State.allCases)
  func state(_ state: RetrofitOptions.State) throws {
    var options = RetrofitOptions(selection: try LayerSelection("0-1/4-7/8-9", of: 10))
    options.state = state
    options.preludeScale = 2.5
    let plan = try RetrofitPlan(source, options)
    let read = try ModelGraph.read(
      config: plan.config,
      parameters: plan.parameters)
    let want: StateStart =
      switch state {
      case .huginn: .normal(standardDeviation: 0.008703882797784892)
      case .width: .normal(standardDeviation: 0.11180339887498948)
      case .calibrated: .normal(standardDeviation: 2.5)
      case .zero: .zero
      case .embedding: .embedding
      }
    #expect(read.recurrence?.stateStart == want)
  }

  @Test("a norm after the core is written and read", arguments: Dialect.allCases)
  func coreNorm(dialect: Dialect) throws {
    var options = RetrofitOptions(selection: try LayerSelection("0-1/4-7/8-9", of: 10))
    options.normAfterCore = true
    options.adapter = .add
    options.dialect = dialect
    let plan = try RetrofitPlan(source, options)
    let read = try ModelGraph.read(config: plan.config, parameters: plan.parameters)
    #expect(read.recurrence?.coreNorm?.recipe.content == .initialised(.ones))
    #expect(read.recurrence?.injection.kind == .add)
    #expect(read.recurrence?.adapter == nil)
  }

  @Test("decays of the state are written and read", arguments: Dialect.allCases)
  func diagonal(dialect: Dialect) throws {
    var options = RetrofitOptions(selection: try LayerSelection("0-1/4-7/8-9", of: 10))
    options.adapter = .diagonal
    options.dialect = dialect
    let plan = try RetrofitPlan(source, options)
    let read = try ModelGraph.read(config: plan.config, parameters: plan.parameters)
    #expect(plan.config["injection_type"] == "diagonal")
    #expect(read.recurrence?.injection.kind == .diagonal)
    let name = read.recurrence?.injection.parameters[.decay]?.name
    #expect(name == (dialect == .raven ? "transformer.decay.weight" : "decay.weight"))
    // Without the tensor, the configuration alone is refused by the tensor's name.
    let rest = plan.parameters.filter { $0.name != name }
    #expect(throws: ModelGraphError.self) {
      _ = try ModelGraph.read(config: plan.config, parameters: rest)
    }
  }

  @Test("a gate is written and read, from the prelude's output on", arguments: Dialect.allCases)
  func gated(dialect: Dialect) throws {
    var options = RetrofitOptions(selection: try LayerSelection("0-1/4-7/8-9", of: 10))
    options.adapter = .gated(rank: 3, seed: 1)
    options.state = .embedding
    options.dialect = dialect
    let plan = try RetrofitPlan(source, options)
    let read = try ModelGraph.read(config: plan.config, parameters: plan.parameters)
    #expect(plan.config["injection_type"] == "gated" && plan.config["gate_rank"] == 3)
    #expect(read.recurrence?.injection.rank == 3)
    let name = read.recurrence?.injection.parameters[.gateUp]?.name
    #expect(name == (dialect == .raven ? "transformer.gate.up.weight" : "gate.up.weight"))
    // Too wide, absent, beside a norm, and from a state that is not the prelude's output.
    for (key, value) in [
      ("gate_rank", 17), ("gate_rank", nil), ("norm_after_core", true),
      ("initial_state_mode", "random"),
    ] as [(String, JSONValue?)] {
      var config = plan.config
      config[key] = value
      let error = #expect(throws: ModelGraphError.self) {
        _ = try ModelGraph.read(config: config, parameters: plan.parameters)
      }
      #expect(error?.message.contains(key) == true, "\(error?.message ?? "")")
    }
  }

  @Test("what the published modelling code does not know is told")
  func unpublished() throws {
    func parts(
      _ name: String, _ change: (inout RetrofitOptions) -> Void = { _ in }
    ) throws -> [String] {
      let graph = try open(name + "/source").graph
      let count = graph.blocks.count
      var options = RetrofitOptions(selection: try LayerSelection("0/1-2/3", of: count))
      change(&options)
      return try RetrofitPlan(graph, options).unknownToPublishedCode
    }
    for name in ["tiny-llama", "tiny-llama3-rope", "tiny-olmo2"] { #expect(try parts(name) == []) }
    #expect(try parts("tiny-qwen2") == ["biases"])
    let heads = "heads that together are not as wide as the model"
    #expect(try parts("tiny-qwen3") == ["this family's norms", heads])
    #expect(try parts("tiny-qwen3") { $0.dialect = .native } == [])
    #expect(
      try parts("tiny-llama") {
        $0.adapter = .add
        $0.normAfterCore = true
        $0.state = .embedding
      } == [
        "injection by addition", "a norm after the core",
        "a state that starts at the prelude's output",
      ])
    #expect(try parts("tiny-llama") { $0.adapter = .diagonal } == ["decays of the state"])
    let gated = try parts("tiny-llama") {
      $0.adapter = .gated(rank: nil, seed: 1)
      $0.state = .embedding
    }
    #expect(
      gated == ["a gate on what a pass changes", "a state that starts at the prelude's output"])
  }

  @Test("split undoes fuse, tie undoes untie")
  func inverses() throws {
    let graph = try open("tiny-qwen2/source").graph
    let fused = try FuseProjections().apply(graph)
    #expect(fused.blocks[3][.queryKeyValue]?.shape == [64, 32])
    #expect(fused.blocks[3][.queryKeyValueBias]?.shape == [64])
    let split = try SplitProjections().apply(fused)
    for (a, b) in zip(split.blocks, graph.blocks) {
      #expect(a.parameters.map(\.role) == b.parameters.map(\.role))
      #expect(a.parameters.map(\.parameter.recipe) == b.parameters.map(\.parameter.recipe))
    }
    let untied = try UntieHead().apply(graph)
    #expect(untied.head?.recipe == graph.embedding.recipe)
    #expect(try TieHead().apply(untied) == graph)
  }

  @Test("parts of different types are fused as float32")
  func mixedTypes() throws {
    var graph = source
    guard case .plain(var blocks) = graph.body else { return }
    let i = try #require(blocks[0].parameters.firstIndex { $0.role == .key })
    blocks[0].parameters[i].parameter.type = .f16
    graph.body = .plain(blocks)
    let fused = try #require(try FuseProjections().apply(graph).blocks[0][.queryKeyValue])
    #expect(fused.type == .f32 && fused.recipe.type == .f32)
  }

  @Test("a cast touches what has another type")
  func cast() throws {
    let graph = try Cast(to: .f32).apply(source)
    #expect(graph.parameters.allSatisfy { $0.type == .f32 && $0.recipe.type == .f32 })
    #expect(try Cast(to: .bf16).apply(source) == source)
  }

  @Test("a source model without a selection is refused")
  func nothingSelected() {
    #expect(throws: RecurrenceError(.notRecurrent)) {
      _ = try RetrofitPlan(source, RetrofitOptions())
    }
  }

  @Test("operations in words")
  func operations() {
    let part = RowSource(tensor: "q", rows: 0..<8, order: .splitHalves(headSize: 4))
    #expect(Recipe.copy("q", rows: 8).operations(stored: [.element(.bf16)]) == ["copy"])
    #expect(
      Recipe(.rows([part, part]), as: .bf16).operations(stored: [.block(.q80)]) == [
        "decode Q8_0", "reorder rows, interleaved to split halves of 4", "concatenate rows",
        "cast BF16",
      ])
    #expect(
      Recipe(.initialised(.identities(state: 0, prelude: 1)), as: .bf16).operations(stored: [])
        == ["initialise identities 0.0, 1.0"])
  }
}
