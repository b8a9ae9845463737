import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Tensors
import TestSupport
import Testing

@testable import Recurrence

func open(_ name: String) throws -> (graph: ModelGraph, checkpoint: Checkpoint) {
  let checkpoint = try Checkpoint.open(Fixtures.path("golden/" + name))
  let config = try #require(checkpoint.config)
  return (try ModelGraph.read(config: config, tensors: checkpoint.tensors), checkpoint)
}

/// The whole of what a parameter's recipe makes.
func bytes(_ parameter: Parameter, from source: any RecipeSource) throws -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: parameter.byteCount)
  var span = bytes.mutableRawSpan
  try RecipeReader(source).read(
    parameter.recipe, shape: parameter.shape, type: parameter.type, rows: 0..<parameter.shape[0],
    into: &span)
  return bytes
}

@Suite("retrofits of the golden models")
struct GoldenRetrofitTests {
  static let cases = [
    ("tiny-llama", "0-1/4-7/8-9"), ("tiny-llama3-rope", "0-1/3-5/6-7"),
    ("tiny-olmo2", "0-1/4-7/8-9"),
  ]

  @Test("equal the reference code's in every tensor but the adapter", arguments: cases)
  func tensors(name: String, selection: String) throws {
    let (source, from) = try open(name + "/source")
    let (_, want) = try open(name + "/retrofit")
    let options = RetrofitOptions(
      selection: try LayerSelection(selection, of: source.blocks.count))
    let plan = try RetrofitPlan(source, options)
    #expect(plan.parameters.map(\.name) == want.tensors.map(\.name).sorted())
    for parameter in plan.parameters {
      let record = try #require(want.record(parameter.name))
      #expect(parameter.shape == record.shape)
      #expect(StorageType.element(parameter.type) == record.type)
      if parameter.name == "transformer.adapter.weight" { continue }
      let region = try #require(want.region(parameter.name))
      #expect(try bytes(parameter, from: from) == region.contents(limit: 1 << 20))
    }
  }

  @Test("have the reference code's configuration", arguments: cases)
  func config(name: String, selection: String) throws {
    let (source, _) = try open(name + "/source")
    let (graph, want) = try open(name + "/retrofit")
    var options = RetrofitOptions(
      selection: try LayerSelection(selection, of: source.blocks.count))
    options.state = .width
    options.meanRecurrence = 8
    options.meanBackpropDepth = 4
    let plan = try RetrofitPlan(source, options)
    // Python files are not shipped; the block size is the model's own, not Huginn's; the doubled
    // spelling of tying makes the published code fail.
    let other = [
      "_attn_implementation_autoset", "auto_map", "block_size", "tie_word_embeddings",
      "transformers_version", "init_values",
    ]
    for member in try #require(want.config).members where !other.contains(member.key) {
      let found = plan.config[member.key]
      #expect(
        found == member.value || found?.double == member.value.double && found?.double != nil,
        "\(member.key): \(found?.text() ?? "absent"), wanted \(member.value.text())")
    }
    let (values, wanted) = (plan.config["init_values"], want.config?["init_values"])
    for key in ["std", "embedding", "out_proj", "embed_scale"] {
      let (a, b) = (try #require(values?[key]?.double), try #require(wanted?[key]?.double))
      #expect(abs(a - b) < 1e-15)
    }
    #expect(plan.config["tie_word_embeddings"] == nil)
    #expect(graph.recurrence?.stateStart == plan.result.recurrence?.stateStart)
  }

  @Test(
    "can be read again, in both dialects, with the same graph", arguments: cases, Dialect.allCases)
  func again(sample: (String, String), dialect: Dialect) throws {
    let (source, from) = try open(sample.0 + "/source")
    var options = RetrofitOptions(
      selection: try LayerSelection(sample.1, of: source.blocks.count))
    options.dialect = dialect
    let plan = try RetrofitPlan(source, options)
    let records = plan.parameters.map {
      TensorRecord(
        name: $0.name, type: .element($0.type), shape: $0.shape, byteCount: $0.byteCount,
        file: "", offset: nil)
    }
    let read = try ModelGraph.read(config: plan.config, tensors: records)
    #expect(read.notes.isEmpty)
    #expect(read.spec == source.spec && read.blocks.map(\.spec) == plan.result.blocks.map(\.spec))
    #expect(read.sizes == source.sizes && read.family == source.family)
    #expect(read.blocks.map(\.sourceLayer) == plan.options.selection?.all)
    #expect(read.parameters.map(\.name) == plan.result.parameters.map(\.name))
    #expect(read.recurrence?.stateStart == .huginn)

    // To the other dialect and back: the recipes reach through to the same source bytes.
    var there = RetrofitOptions()
    there.dialect = dialect == .raven ? .native : .raven
    var back = RetrofitOptions()
    back.dialect = dialect
    let returned = try RetrofitPlan(try RetrofitPlan(plan.result, there).result, back)
    #expect(returned.parameters.count == plan.parameters.count)
    for (a, b) in zip(returned.parameters, plan.parameters) {
      #expect(a.name == b.name)
      #expect(try bytes(a, from: from) == bytes(b, from: from))
    }
  }
}
