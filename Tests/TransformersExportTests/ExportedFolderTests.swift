import ByteIO
import Checkpoint
import JSON
import ModelGraph
import Recurrence
import RecurrentPackage
import Tensors
import TestSupport
import Testing

@testable import TransformersExport

@Suite("exported folder")
struct ExportedFolderTests {
  private func source(_ name: String) throws -> ExportedFolder.Source {
    let checkpoint = try Checkpoint.open(Fixtures.path("golden/\(name)"))
    let graph = try ModelGraph.read(
      config: try #require(checkpoint.config), tensors: checkpoint.tensors)
    return ExportedFolder.Source(
      checkpoint, graph, inputs: try checkpoint.inputs.map { try ByteRegion(path: $0) },
      toolVersion: ToolVersion("0.1.0"))
  }

  @Test("the tool carries the Python files as they lie in the sources")
  func resources() throws {
    let folder = Fixtures.path("../Sources/TransformersExport/Resources")
    let names = try folderEntries(folder)
    #expect(ModellingCode.files.map(\.name).sorted() == names.sorted())
    for file in ModellingCode.files {
      let stored = try ByteRegion(path: folder + "/" + file.name).contents(limit: 1 << 20)
      #expect(file.bytes == stored, "\(file.name)")
    }
  }

  @Test(
    "a recurrent folder is read as the same model, every tensor a copy",
    arguments: ["tiny-llama/retrofit", "tiny-olmo2/retrofit"])
  func recurrent(name: String) throws {
    let source = try source(name)
    let folder = try ExportedFolder.recurrent(source)
    let read = try ModelGraph.read(
      config: folder.contents.config, parameters: folder.contents.parameters)
    #expect(
      read.blocks.map(\.spec) == source.graph.blocks.map(\.spec) && read.sizes == source.graph.sizes
    )
    #expect(read.recurrence?.stateStart == source.graph.recurrence?.stateStart)
    #expect(read.parameters.map(\.name) == source.graph.parameters.map(\.name))
    for parameter in folder.contents.parameters {
      let stored = source.checkpoint.record(parameter.name)?.type
      #expect(parameter.recipe.operations(stored: [stored].compactMap(\.self)) == ["copy"])
    }
    let names = folder.contents.sideFiles.map(\.name)
    #expect(names.contains("modeling_recurrent.py") && names.contains("README.md"))
    let map = folder.contents.config["auto_map"]
    #expect(
      map?["AutoModelForCausalLM"]?.string == "modeling_recurrent.RecurrentForCausalLM")
  }

  @Test("generation settings carry no num_steps, which would keep a caller's from the model")
  func generation() throws {
    let folder = try ExportedFolder.recurrent(source("tiny-llama/retrofit"))
    let file = try #require(
      folder.contents.sideFiles.first { $0.name == "generation_config.json" })
    let fields = try JSONValue(parsing: file.region.contents(limit: 1 << 16))
    #expect(fields["num_steps"] == nil)
    #expect(fields["eos_token_id"]?.integer != nil)
  }

  @Test("a plain model is told to take another way")
  func plain() throws {
    let source = try source("tiny-llama/source")
    for export in [
      { try ExportedFolder.recurrent(source) },
      { try ExportedFolder.unrolled(source, recurrence: 1) },
    ] {
      let error = #expect(throws: ExportError.self) { _ = try export() }
      #expect(error?.problem == .notRecurrent)
    }
  }

  @Test("a trained adapter is refused with its numbers")
  func refused() throws {
    let source = try source("tiny-llama/retrofit")
    let error = #expect(throws: ExportError.self) {
      _ = try ExportedFolder.unrolled(source, recurrence: 1)
    }
    #expect(error?.code == "export.not_plain")
    #expect(error?.message.contains("a state that starts at random") == true)
  }
}
