import ArgumentParser
import ByteIO
import JSON
import RecurrentPackage
import TestSupport
import Testing

@testable import CheckpointCommands

@Suite("manual page and completions")
struct ManualTests {
  /// Commands that a user sees, as the argument parser describes them.
  private func commands() throws -> [JSONValue] {
    let help = try JSONValue(parsing: Array(CheckpointCommand._dumpHelp().utf8), path: "help")
    return (help["command"]?["subcommands"]?.array ?? []).filter {
      $0["commandName"]?.string != "help"
    }
  }

  @Test("every command, option and exit code is on the page")
  func complete() throws {
    let page = try outcome(Manual.self, []).output
    #expect(
      page.hasPrefix(
        ".TH CKPT 1 \"\" \"ckpt \(ToolVersion.current.number)\" \"User Commands\"\n.SH NAME\n"))
    #expect(try commands().count == CheckpointCommand.configuration.subcommands.count)
    for command in try commands() {
      let name = try #require(command["commandName"]?.string)
      let section = try #require(page.split(separator: ".SS ckpt \(name)\n").last, "\(name)")
      for argument in command["arguments"]?.array ?? [] {
        for option in argument["names"]?.array ?? [] where option["kind"]?.string == "long" {
          let text = option["name"]?.string?.replacing("-", with: "\\-") ?? ""
          #expect(section.contains("\\fB\\-\\-\(text)\\fR"), "\(name) \(text)")
        }
      }
    }
    for code in ["1", "3", "4", "5", "6", "7", "64", "70", "130"] {
      #expect(page.contains("\n.TP\n.B \(code)\n"))
    }
  }

  @Test("no text is taken for a request or an escape of roff")
  func escapes() {
    let help: JSONValue = [
      "command": [
        "commandName": "x", "abstract": ".so /etc/passwd",
        "subcommands": [
          [
            "commandName": "y", "abstract": "'quoted \\n and - dashes",
            "discussion": "Text.\n\nExample:\n  .y --a\n  y",
            "arguments": [
              [
                "kind": "flag", "abstract": "A.", "isOptional": true,
                "names": [["kind": "long", "name": "a"]],
                "preferredName": ["kind": "long", "name": "a"],
              ]
            ],
          ]
        ],
      ]
    ]
    let page = ManualPage(help, version: "1").text
    #expect(page.contains("\nx \\- .so /etc/passwd\n"))
    #expect(page.contains("\n\\&'quoted \\en and \\- dashes\n"))
    #expect(page.contains("\n.PP\n.RS 4\n.nf\n\\&.y \\-\\-a\ny\n.fi\n.RE\n"))
    #expect(page.contains("\n.B x y\n[\\fB\\-\\-a\\fR]\n"))
    #expect(page.contains("\n.TP\n\\fB\\-\\-a\\fR\nA.\n"))
  }

  @Test("completions name every command, and complete files", arguments: ["bash", "zsh", "fish"])
  func completions(shell: String) throws {
    let kind = try #require(CompletionShell(rawValue: shell))
    let script = CheckpointCommand.completionScript(for: kind)
    for command in try commands() {
      #expect(script.contains(try #require(command["commandName"]?.string)))
    }
    #expect(script.contains("--mean-recurrence") || script.contains("mean-recurrence"))
    let files = ["bash": "__ckpt_add_completions -f", "zsh": "_files", "fish": "-rF"]
    #expect(script.contains(try #require(files[shell])))
  }

  @Test(
    "bash completes by the documented line",
    arguments: [
      ("ckpt train m --optimizer", "muon"), ("ckpt train m --set", "data.attention=document"),
      ("ckpt retrofit m --preset", "tinyllama-4-8-4"), ("ckpt trace m --save", "gradients"),
      ("ckpt convert m --dtype", "q8_0"),
    ])
  func documented(line: String, word: String) throws {
    guard Executable.path != nil else { return }
    let script = #"""
      eval "$("$0" --generate-completion-script bash)"
      PATH=${0%/*}:$PATH
      COMP_WORDS=($1 "") COMP_CWORD=$(wc -w <<<"$1") COMP_LINE="$1 " COMP_POINT=$((${#1} + 1))
      _ckpt ckpt "" "${1##* }"
      [[ " ${COMPREPLY[*]} " == *" $2 "* ]]
      """#
    #expect(try Executable.shell(script, line, word) == 0)
  }

  @Test("the help of a long command begins with the five options that matter first")
  func mainOptionsFirst() throws {
    for command in try commands() {
      let name = try #require(command["commandName"]?.string)
      let options = (command["arguments"]?.array ?? []).filter {
        $0["kind"]?.string != "positional"
      }
      let titles = options.map { $0["sectionTitle"]?.string ?? "" }
      if options.count <= 13 {
        #expect(!titles.contains(mainOptions), "\(name) is short")
      } else {
        #expect(titles.prefix(5).allSatisfy { $0 == mainOptions }, "\(name)")
        #expect(titles.count { $0 == mainOptions } == 5, "\(name)")
      }
    }
  }

  @Test("values that are a closed set are completed, those of settings too")
  func closedSets() throws {
    let script = CheckpointCommand.completionScript(for: .fish)
    for word in [
      "data.attention=document", "optimizer.kind=adamw-atan2", "recurrence.mean.shape=1-sqrt",
      "data.stream=true", "lora.matrices=gate", "precision=bf16", "optimizer.clip=",
      "tinyllama-4-8-4", "healing", "gradients", "kl:", "auto", "q8_0", "multiple-choice",
      "torch-folder", "calibrated", "takase", "zstd",
    ] { #expect(script.contains(word), "\(word)") }
    // A word in the help that lists values, and is no type that has them, would stand here.
    for command in try commands() {
      for argument in command["arguments"]?.array ?? [] {
        guard let initial = argument["defaultValue"]?.string else { continue }
        #expect(!initial.contains("("), "\(initial) is no word that can be typed")
      }
    }
  }
}
