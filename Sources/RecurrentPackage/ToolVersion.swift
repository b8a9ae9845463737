import CVersion
package import JSON

/// The version of a program that writes packages, and the commit it was built from.
package struct ToolVersion: Equatable, Sendable {
  package var number: String
  /// Digits of git, with `-modified` where files differed from it; nil where the build did not know.
  package var commit: String?

  package init(_ number: String, commit: String? = nil) {
    self.number = number
    self.commit = commit
  }

  /// This program's, in the one place that states it.
  package static let current: ToolVersion = {
    let commit = unsafe String(cString: ck_commit())
    return ToolVersion("0.2.0", commit: commit.isEmpty ? nil : commit)
  }()

  /// `0.2.0 (commit 89abcdef…)`.
  package var text: String { commit.map { "\(number) (commit \($0))" } ?? number }

  /// The first line of a recipe in a run folder.
  package var comment: String { "# Written by ckpt \(text)\n" }

  /// What a manifest says of the program that wrote it.
  package var record: JSONValue {
    var members: JSONObject = ["name": "ckpt", "version": .string(number)]
    if let commit { members["commit"] = .string(commit) }
    return .object(members)
  }

  /// The version of the program that wrote a manifest with such a record.
  package init?(record: JSONValue?) {
    guard let number = record?["version"]?.string else { return nil }
    self.init(number, commit: record?["commit"]?.string)
  }
}
