import ArgumentParser
import Platform

/// Where tokenised data is kept.
struct TokenCacheOptions: ParsableArguments {
  @Option(help: "Folder for tokenised data; ~/.cache/ckpt by default.", completion: .file())
  var cache: String?

  var folder: String {
    if let cache { return cache }
    if let folder = environment("XDG_CACHE_HOME"), !folder.isEmpty { return folder + "/ckpt" }
    return (environment("HOME") ?? ".") + "/.cache/ckpt"
  }
}
