/// What a file's first bytes say it is, whatever its name ends in.
package enum FileSignature: Equatable, Sendable {
  case safetensors
  case gguf
  /// An older ggml format, by its four-letter magic.
  case oldGGML(String)
  case zip
  case tar
  /// A pickle of protocol 2 or later: PyTorch's legacy form, or any other pickle.
  case pickle
  case gitLFSPointer
  case html
  case gzip
  case numpy
  case hdf5

  /// How many bytes from the start of a file are looked at.
  package static let prefixLength = 512

  /// - Parameter prefix: The first `prefixLength` bytes of a file, or all it has.
  package init?(_ prefix: [UInt8]) {
    // First, because a small header length can begin with another format's magic.
    if Self.isSafetensors(prefix) {
      self = .safetensors
      return
    }
    let known: [([UInt8], FileSignature)] = [
      (Array("GGUF".utf8), .gguf), (Array("FUGG".utf8), .gguf),
      (Array("lmgg".utf8), .oldGGML("ggml")), (Array("tjgg".utf8), .oldGGML("ggjt")),
      (Array("algg".utf8), .oldGGML("ggla")), (Array("fmgg".utf8), .oldGGML("ggmf")),
      (Array("version https://git-lfs".utf8), .gitLFSPointer),
      (Array("PK\u{3}\u{4}".utf8), .zip), (Array("PK\u{5}\u{6}".utf8), .zip),
      ([0x1F, 0x8B], .gzip), ([0x93] + Array("NUMPY".utf8), .numpy),
      ([0x89] + Array("HDF\r\n".utf8), .hdf5),
    ]
    if let match = known.first(where: { prefix.starts(with: $0.0) }) {
      self = match.1
    } else if prefix.count >= 2, prefix[0] == 0x80, (2...5).contains(prefix[1]) {
      self = .pickle
    } else if prefix.count >= 262, prefix[257..<262].elementsEqual("ustar".utf8) {
      self = .tar
    } else if Self.isHTML(prefix) {
      self = .html
    } else {
      return nil
    }
  }

  /// Reads the signature of `region`; nil when it is none of the known ones.
  package init?(of region: ByteRegion) throws(FileError) {
    self.init(try region.bytes(0..<min(Self.prefixLength, region.byteCount)))
  }

  /// A length below 2³², then the start of a JSON object.
  private static func isSafetensors(_ prefix: [UInt8]) -> Bool {
    prefix.count > 8 && prefix[4..<8].allSatisfy { $0 == 0 }
      && (prefix[8] == UInt8(ascii: "{") || [0x20, 0x09, 0x0A, 0x0D].contains(prefix[8]))
  }

  private static func isHTML(_ prefix: [UInt8]) -> Bool {
    let start = prefix.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }.prefix(14)
    let text = String(decoding: start, as: UTF8.self).lowercased()
    return text.hasPrefix("<!doctype html") || text.hasPrefix("<html")
  }
}

extension FileSignature: CustomStringConvertible {
  /// A noun phrase for messages, such as `a zip archive`.
  package var description: String {
    switch self {
    case .safetensors: "a safetensors file"
    case .gguf: "a GGUF file"
    case .oldGGML(let magic): "a file of the old \(magic) format"
    case .zip: "a zip archive, such as PyTorch writes"
    case .tar: "a tar archive"
    case .pickle: "a pickle, such as PyTorch's legacy files are"
    case .gitLFSPointer: "a git-LFS pointer, the stand-in for a file that was not downloaded"
    case .html: "an HTML page, perhaps an error page saved by a download"
    case .gzip: "gzip-compressed data"
    case .numpy: "a NumPy array"
    case .hdf5: "an HDF5 file"
    }
  }
}
