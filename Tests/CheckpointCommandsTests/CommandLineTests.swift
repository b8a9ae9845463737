import ArgumentParser
import ByteIO
import Foundation
import JSON
import Synchronization
import TestSupport
import Testing

@testable import CheckpointCommands

/// Command lines that are refused before any command begins.
@Suite("command line")
struct CommandLineTests {
  private func run(_ line: String) -> Outcome {
    let output = Mutex("")
    let notes = Mutex("")
    let console = Console(
      output: { text in output.withLock { $0 += text } },
      notes: { text in notes.withLock { $0 += text } })
    let code = CheckpointCommand.run(line.split(separator: " ").map(String.init), console)
    return Outcome(code: code, output: output.withLock { $0 }, notes: notes.withLock { $0 })
  }

  @Test(
    "what was meant is named",
    arguments: [
      ("retofit m -o p", "did you mean `ckpt retrofit`?"),
      ("finetune m", "did you mean `ckpt train`?"),
      ("zzzzzz", "`ckpt --help` lists the commands"),
      ("train m -o r --learning-rat 1", "did you mean --learning-rate?"),
      ("train m -o r --batch_size 4", "did you mean --batch-size?"),
      ("train m -o r --lr 1e-4", "here that is --learning-rate"),
      ("train m -o r --lr=1e-4", "here that is --learning-rate"),
      ("train m -o r --bs 4", "here that is --batch-size"),
      ("eval m --data f --recurrence [1,2]", "write 1,2"),
      ("eval m --data f --recurrence (4)", "write 4"),
      ("train m -o r --epochs 3", "write --set data.epochs=N"),
      ("train m -o r --num_train_epochs 3", "write --set data.epochs=N"),
      ("train m -o r --max-steps 3", "here that is --steps"),
      ("train m -o r --max_seq_length 9", "here that is --sequence-length"),
      ("train m --output-dir r", "here that is --output"),
      ("train m -o r --gradient-accumulation-steps 2", "--micro-batch-size"),
      ("generate m --prompt x --max-new-tokens 2", "here that is --max-tokens"),
      ("generate m --prompt x --wibble", "`ckpt generate --help` lists what there is"),
      ("train m -o r --optimizer adam", "did you mean adamw? it can be"),
      ("train m -o r --steps 1e3", "write 1000"),
      ("inspect m --progress plan", "did you mean plain?"),
      ("trian m -o r", "did you mean `ckpt train`?"),
      ("help trian", "did you mean `ckpt train`?"),
      ("train m -o r --optimizer muno", "did you mean muon? it can be"),
      ("train m -o r --device cuda", "ckpt computes on the CPU"),
      ("generate m --prompt x --gpu 1", "ckpt computes on the CPU"),
      ("train --model m -o r", "the model is the first argument"),
      ("train m -o r --grad-clip 1", "write --set optimizer.clip=NUMBER"),
      ("train m -o r --weight-decay 1", "write --set optimizer.muon.weight_decay=NUMBER"),
      ("train m -o r --max-iters 1", "here that is --steps"),
      ("eval m --data f --num_fewshot 5", "`ckpt eval --shots N`"),
      ("train m -o r --steps 10k", "write 10000"),
      ("train m -o r --seed 1.5", "--help` lists"),
      ("train m -o r --recurrence [1,2]", "--recurrence: recurrences in every micro-batch"),
      ("train m -o r --recurrence [4]", "write 4"),
      ("generate m --prompt x --exit kl", "--exit: "),
      ("generate m --prompt -5+3=", "is written --prompt='-5+3='"),
    ])
  func meant(line: String, hint: String) {
    let done = run(line)
    #expect(done.code == 64)
    #expect(done.notes.hasPrefix("error: "))
    #expect(done.notes.contains("[usage]\n  hint: "))
    #expect(done.notes.contains(hint), "\(done.notes)")
    #expect(done.output.isEmpty)
  }

  @Test("examples in help fit 80 columns, so that they can be copied")
  func examples() throws {
    let text = CheckpointCommand._dumpHelp()
    let root = try #require(try JSONValue(parsing: Array(text.utf8))["command"])
    let commands = try #require(root["subcommands"]?.array)
    var count = 0
    for command in commands {
      let lines = command["discussion"]?.string?.split(separator: "\n") ?? []
      for line in lines where line.hasPrefix("  ckpt ") {
        #expect(line.count <= 80, "\(line)")
        count += 1
      }
    }
    #expect(count > 30)
  }

  @Test(
    "a number below zero is out of range, and not missing",
    arguments: [
      "train m -o r --steps -5", "generate m --prompt x --max-tokens -1",
      "train m -o r --seed=-1",
    ])
  func negative(line: String) {
    let done = run(line)
    #expect(done.code == 64)
    #expect(done.notes.contains("takes no number below 0"), "\(done.notes)")
  }

  @Test("a program reads the refusal as a document")
  func json() throws {
    let done = run("train m -o r --lr 1 --json")
    let json = try #require(done.json)
    #expect(json["schema"]?.string == "ckpt.train/1")
    #expect(json["ok"]?.bool == false)
    let error = try #require(json["errors"]?.array?.first)
    #expect(error["code"]?.string == "usage")
    #expect(error["message"]?.string == "there is no option --lr of `ckpt train`")
    #expect(error["hint"]?.string == "here that is --learning-rate")
    #expect(done.notes.isEmpty)
    #expect(run("retofit --json").json?["schema"]?.string == "ckpt.usage/1")
  }

  @Test("what a command asks of its options together has the voice of other errors")
  func validation() {
    #expect(run("train m").notes.hasPrefix("error: say where the run goes with -o, or pass"))
    #expect(run("train").notes.hasPrefix("error: missing expected argument '<model>' [usage]"))
  }

  @Test("every option that another tool's word is answered with exists")
  func answersExist() throws {
    let help = try JSONValue(parsing: Array(CheckpointCommand._dumpHelp().utf8), path: nil)
    let commands = help["command"]?["subcommands"]?.array ?? []
    func names(_ command: JSONValue) -> [String] {
      (command["arguments"]?.array ?? []).flatMap { $0["names"]?.array ?? [] }
        .compactMap { $0["name"]?.string }.map { "--" + $0 }
    }
    let all = Set(commands.flatMap(names))
    let train = Set(commands.filter { $0["commandName"]?.string == "train" }.flatMap(names))
    for option in ForeignWords.options.values { #expect(all.contains(option), "\(option)") }
    for answer in ForeignWords.training.values {
      for word in answer.split(whereSeparator: { " ;:,".contains($0) }) where word.hasPrefix("--") {
        #expect(train.contains(String(word)), "\(answer)")
      }
    }
    let verbs = Set(commands.compactMap { $0["commandName"]?.string })
    for command in ForeignWords.commands.values { #expect(verbs.contains(command)) }
  }

  @Test("the program itself says error, and gives the code of usage")
  func program() throws {
    guard Executable.path != nil else { return }
    let line = #"t=$("$0" retofit 2>&1); c=$?; [ $c = 64 ] && [[ $t == "error: "* ]]"#
    #expect(try Executable.shell(line) == 0)
    #expect(try Executable.shell(#"[[ $("$0" train --help) == OVERVIEW* ]]"#) == 0)
  }
}
