import ByteIO
import Checkpoint
import GGUF
import JSON
import Parquet
import Safetensors
import Tensors
import Tokenizers
import TorchArchive

/// Any checkpoint: a folder, or one file of safetensors, PyTorch or GGUF.
func showCheckpoint(_ path: String) throws {
  let checkpoint = try Checkpoint.open(path)
  print("\(checkpoint.format.rawValue), \(checkpoint.tensors.count) tensors")
  if let type = checkpoint.config?["model_type"]?.string { print("model_type: \(type)") }
  for tensor in checkpoint.tensors.prefix(2) {
    let values = try checkpoint.floats(of: tensor.name)
    let first = values.prefix(3).map { "\($0)" }.joined(separator: " ")
    print("\(tensor.name) \(tensor.type) \(tensor.shape): \(first)")
  }
}

/// What each format says of its own.
func showFile(_ path: String) throws {
  if path.hasSuffix(".safetensors") {
    let file = try SafetensorsFile(path: path)
    print("metadata: \(file.metadata.map { JSONValue.object($0).text() } ?? "none")")
  } else if path.hasSuffix(".gguf") {
    let file = try GGUFFile(path: path)
    print("GGUF \(file.version), \(file["general.architecture"]?.string ?? "no architecture")")
  } else if path.hasSuffix(".pt") {
    print("PyTorch, layout \(try TorchFile(path: path).layout)")
  }
}

/// Text to tokens and back.
func showTokens(_ path: String, _ text: String) throws {
  let tokenizer = try Tokenizer(path: path)
  let tokens = try tokenizer.encode(text)
  print("\(tokens) \(try tokenizer.decodeText(tokens))")
}

/// The rows of a table.
func showRows(_ path: String) throws {
  let file = try ParquetFile(path: path)
  let columns = file.columns.map { "\($0.name): \($0.type)" }
  print("\(file.rowCount) rows, " + columns.joined(separator: ", "))
  try file.forEachRow { row in print(JSONValue.object(row).text()) }
}

let arguments = CommandLine.arguments
do {
  switch arguments.count {
  case 2 where arguments[1].hasSuffix(".parquet"): try showRows(arguments[1])
  case 2:
    try showCheckpoint(arguments[1])
    try showFile(arguments[1])
  case 3: try showTokens(arguments[1], arguments[2])
  default: print("usage: OpenCheckpoint MODEL | FILE.parquet | TOKENIZER TEXT")
  }
} catch let error as any DiagnosedError {
  print("\(error.code): \(error.message)")
}
