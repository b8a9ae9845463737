import ArgumentParser
import Platform

/// Where tokenised data is kept.
struct TokenCacheOptions: ParsableArguments {
  @Option(help: "Folder of tokenised data; ~/.cache/ckpt without it.", completion: .file())
  var cache: String?

  var folder: String {
    if let cache { return cache }
    if let folder = environment("XDG_CACHE_HOME"), !folder.isEmpty { return folder + "/ckpt" }
    return (environment("HOME") ?? ".") + "/.cache/ckpt"
  }
}
