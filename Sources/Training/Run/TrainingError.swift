package import ByteIO

/// Why a run cannot start, go on, or be read.
package struct TrainingError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// A signal came; the run can be resumed from the checkpoint of this step.
    case stopped(step: Int)
    /// The folder holds a run already.
    case runExists
    case nothingToResume
    /// The run has ended, and left no checkpoint.
    case finished
    /// A setting differs from that of the run to be resumed.
    case otherSetting(key: String, run: String, asked: String)
    /// The run started from another model.
    case otherModel
    case brokenState(String)
    case brokenMetrics(line: Int)
    /// Updates were skipped this many times one after another.
    case diverged(steps: Int)
    /// A weight is infinite or no number.
    case weightsNotFinite(step: Int)
    /// None of a source's tokens counts in the loss.
    case nothingLearned(tokens: Int, heldOut: Bool)
    case badSetting(key: String, value: String, allowed: String)
    case unknownKey(String, suggestion: String?)
    case badYAML(String)
    case unknownPreset(String, known: [String])
    case notTrainable(String)
    /// The ranks of a group cannot have equally many micro-batches.
    case unevenShares(ranks: Int, batchSize: Int, microBatchSize: Int)
    /// Two ranks that should have the same weights do not.
    case otherWeights(rank: String, first: String, step: Int)
    /// The least that the run takes, in bytes.
    case memoryBudget(Int, needed: Int)
    /// Not one step costs as little, or too many do.
    case flops(Double, least: Double?)
  }

  package var problem: Problem
  package var path: String?
  package var line: Int?

  package init(_ problem: Problem, _ path: String? = nil, line: Int? = nil) {
    self.problem = problem
    self.path = path
    self.line = line
  }

  package var file: String? { path }

  package var kind: FailureKind {
    switch problem {
    case .stopped: .interrupted
    case .runExists, .finished: .outputExists
    case .nothingToResume: .inputOutput
    case .otherSetting, .otherModel, .unknownPreset, .unevenShares, .flops: .usage
    // Of the command line, or of a recipe's file.
    case .badSetting, .unknownKey: path == nil ? .usage : .malformed
    case .brokenState, .brokenMetrics, .badYAML: .malformed
    case .diverged, .weightsNotFinite, .otherWeights: .checkFailed
    case .nothingLearned: .malformed
    case .notTrainable: .unsupported
    case .memoryBudget: .resourceLimit
    }
  }

  package var code: String {
    switch problem {
    case .stopped: "train.stopped"
    case .runExists: "train.run_exists"
    case .nothingToResume: "train.nothing_to_resume"
    case .finished: "train.finished"
    case .otherSetting: "train.other_setting"
    case .otherModel: "train.other_model"
    case .brokenState: "train.broken_state"
    case .brokenMetrics: "train.broken_metrics"
    case .diverged: "train.diverged"
    case .weightsNotFinite: "train.weights_not_finite"
    case .nothingLearned: "train.nothing_learned"
    case .badSetting: "recipe.bad_value"
    case .unknownKey: "recipe.unknown_key"
    case .badYAML: "recipe.bad_yaml"
    case .unknownPreset: "recipe.unknown_preset"
    case .notTrainable: "train.not_trainable"
    case .unevenShares: "train.uneven_shares"
    case .otherWeights: "train.other_weights"
    case .memoryBudget: "train.memory_budget"
    case .flops: "train.flops"
    }
  }

  package var message: String { (line.map { "line \($0): " } ?? "") + sentence }

  private var sentence: String {
    switch problem {
    case .stopped(let step): "stopped by a signal after step \(step)"
    case .runExists: "the folder already holds a run"
    case .nothingToResume: "there is no run to resume"
    case .finished: "the run has ended and kept no checkpoint to resume from"
    case .otherSetting(let key, let run, let asked):
      "the run was started with \(key) = \(run), not \(asked)"
    case .otherModel: "the run was started from another model"
    case .brokenState(let reason): "the trainer's state is broken: \(reason)"
    case .brokenMetrics(let line): "line \(line) is not a record of a step"
    case .diverged(let steps):
      "loss or gradient was not finite in the last \(steps) step\(steps == 1 ? "" : "s")"
    case .weightsNotFinite(let step):
      step == 0
        ? "the model has weights that are not finite"
        : "after step \(step), weights are not finite"
    case .nothingLearned(let tokens, let heldOut):
      "0 of its \(tokens) \(heldOut ? "held-out " : "")tokens are learned"
    case .badSetting(let key, let value, let allowed): "\(key) is \(value); allowed: \(allowed)"
    case .unknownKey(let key, _): "there is no setting \"\(key)\""
    case .badYAML(let reason): "not a recipe: \(reason)"
    case .unknownPreset(let name, let known):
      "there is no preset \"\(name)\"; presets: \(known.joined(separator: ", "))"
    case .notTrainable(let reason): reason
    case .unevenShares(let ranks, let batch, let micro):
      "\(ranks) processes cannot share a step's \(batch / micro) micro-batches evenly "
        + "(batch_size \(batch), micro_batch_size \(micro))"
    case .otherWeights(let rank, let first, let step):
      "after step \(step), the weights of \(rank) differ from those of \(first)"
    case .flops(let flops, let least?):
      "a step costs \(scientific(least)) FLOPs, but the run may cost \(scientific(flops))"
    case .flops(let flops, nil):
      "\(scientific(flops)) FLOPs are more than a million steps of this size"
    case .memoryBudget(let budget, let needed):
      "the run takes at least \(byteSize(needed)), but the memory budget is \(byteSize(budget))"
    }
  }

  package var hint: String? {
    switch problem {
    case .stopped: "go on with the same command and --resume"
    case .runExists: "choose another folder, go on with --resume, or replace it with --force"
    case .nothingToResume: "start the run without --resume"
    case .finished: "train the package in the run's folder as a new run"
    case .otherModel: "name the package or model that the run was started with"
    case .otherSetting: "leave the setting out, or start a new run"
    case .unknownPreset("two-phase", _):
      "that is two runs: --preset healing, then --preset task on the package of the first"
    case .unknownPreset(let name, let known):
      nearestSpelling(to: name, among: known).map { "did you mean \"\($0)\"?" }
    case .badSetting(let key, let value, _): Self.valueHint(key, value)
    case .unknownKey(_, let suggestion): suggestion.map { "did you mean \"\($0)\"?" }
    case .unevenShares(let ranks, let batch, let micro):
      Self.shareHint(ranks: ranks, batch: batch, micro: micro)
    case .otherWeights:
      "use machines with the same processor and the same --threads; go on with --resume"
    case .memoryBudget: "raise memory_budget, or lower micro_batch_size or sequence_length"
    case .diverged: "lower the learning rate, or lengthen the warm-up"
    case .weightsNotFinite(let step):
      step == 0
        ? "look for them with ckpt inspect MODEL --tensor NAME --stats"
        : "lower the learning rate, or lengthen the warm-up"
    case .nothingLearned(_, let heldOut):
      heldOut
        ? "raise data.held_out, or evaluation.rows"
        : "the loss counts completions and the assistant's answers: give records that have some"
    default: nil
    }
  }

  private static func valueHint(_ key: String, _ value: String) -> String? {
    if let number = Double(value), let whole = Int(exactly: number), "\(whole)" != value {
      return "write \(whole)"
    }
    let values = RecipeKey.find(key)?.values ?? []
    return nearestSpelling(to: value, among: values).map { "did you mean \($0)?" }
  }

  private static func shareHint(ranks: Int, batch: Int, micro: Int) -> String {
    let counts = (1...max(1, batch / micro)).filter { batch / micro % $0 == 0 }
    let some = counts.map { "\($0)" }.joined(separator: ", ")
    let split = batch % ranks == 0 ? "; or pass --micro-batch-size \(batch / ranks)" : ""
    return "use a number of processes that divides them evenly: \(some)" + split
  }
}
