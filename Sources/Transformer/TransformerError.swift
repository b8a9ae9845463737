package import ByteIO
package import Tensors

/// Why a model cannot be loaded, or cannot be run on the input it was given.
package struct TransformerError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// The graph has no tensor for a part that its style needs.
    case missingParameter(role: String)
    /// A weight is NaN or infinite.
    case nonFiniteWeight(TensorName)
    /// A sequence has no tokens.
    case emptySequence
    /// Token counts do not fill the batch's shape.
    case raggedBatch(count: Int, sequences: Int, length: Int)
    case tokenOutOfRange(token: Int32, index: Int, vocabulary: Int)
    case labelOutOfRange(label: Int32, index: Int, vocabulary: Int)
    case contextTooLong(length: Int, limit: Int)
    /// The start state has not a value for each token and channel.
    case stateSize(found: Int, expected: Int)
    /// A recurrent model runs its core at least once, and not for ever.
    case recurrenceOutOfRange(Int)
    /// Guesses make fewer recurrences than what checks them.
    case draftTooDeep(Int, of: Int)
    /// Recurrences were asked of a model without a recurrent core.
    case notRecurrent
    /// No label is given that counts.
    case noLabels
    /// A teacher's tokens are not the student's.
    case otherVocabulary(teacher: Int, student: Int)
    /// The arithmetic overflowed: the prediction after a token is NaN or infinite.
    case nonFiniteLogits(position: Int)
    case nonFiniteLoss
    case nonFiniteState(layer: Int)
  }

  package var problem: Problem

  package init(_ problem: Problem) { self.problem = problem }

  package var tensor: String? {
    if case .nonFiniteWeight(let name) = problem { name.string } else { nil }
  }

  package var code: String {
    switch problem {
    case .missingParameter: "model.missing_parameter"
    case .nonFiniteWeight: "model.non_finite_weight"
    case .emptySequence: "model.empty_sequence"
    case .raggedBatch: "model.ragged_batch"
    case .tokenOutOfRange: "model.token_out_of_range"
    case .labelOutOfRange: "model.label_out_of_range"
    case .contextTooLong: "model.context_too_long"
    case .stateSize: "model.state_size"
    case .recurrenceOutOfRange: "model.recurrence_out_of_range"
    case .draftTooDeep: "model.draft_too_deep"
    case .notRecurrent: "model.not_recurrent"
    case .noLabels: "model.no_labels"
    case .otherVocabulary: "model.other_vocabulary"
    case .nonFiniteLogits: "model.non_finite_logits"
    case .nonFiniteLoss: "model.non_finite_loss"
    case .nonFiniteState: "model.non_finite_state"
    }
  }

  package var kind: FailureKind {
    switch problem {
    case .recurrenceOutOfRange, .draftTooDeep, .notRecurrent, .otherVocabulary: .usage
    case .contextTooLong: .resourceLimit
    default: .malformed
    }
  }

  package var message: String {
    switch problem {
    case .missingParameter(let role): "the model has no tensor for its \(role)"
    case .nonFiniteWeight: "a weight is NaN or infinite"
    case .emptySequence: "a sequence of 0 tokens; at least 1 is needed"
    case .raggedBatch(let count, let sequences, let length):
      "\(count) tokens do not make \(sequences) sequences of \(length)"
    case .tokenOutOfRange(let token, let index, let vocabulary):
      "token \(token) at index \(index); the vocabulary is 0 to \(vocabulary - 1)"
    case .labelOutOfRange(let label, let index, let vocabulary):
      "label \(label) at index \(index); the vocabulary is 0 to \(vocabulary - 1), -100 is ignored"
    case .contextTooLong(let length, let limit):
      "a sequence of \(length) tokens; the model's context is \(limit)"
    case .stateSize(let found, let expected):
      "the start state has \(found) values, but the tokens need \(expected)"
    case .recurrenceOutOfRange(let count):
      "\(count) recurrences; from 1 to \(Model.mostRecurrences) are possible"
    case .draftTooDeep(let draft, let passes):
      "tokens are drafted with \(draft) recurrences and checked with \(passes); "
        + "a draft must take fewer"
    case .notRecurrent: "recurrences were asked for, but the model has no recurrent core"
    case .noLabels: "no token has a label to learn from"
    case .otherVocabulary(let teacher, let student):
      "the teacher has a vocabulary of \(teacher) tokens, the student one of \(student)"
    case .nonFiniteLogits(let position):
      "the logits after token \(position) are NaN or infinite: the arithmetic overflows float32"
    case .nonFiniteLoss: "the loss is NaN or infinite: the arithmetic overflows float32"
    case .nonFiniteState(let layer):
      "the output of layer \(layer) is NaN or infinite: the arithmetic overflows float32"
    }
  }

  package var hint: String? {
    switch problem {
    case .tokenOutOfRange: "use the tokenizer that belongs to the model"
    case .contextTooLong: "shorten the input, or split it into windows"
    case .draftTooDeep: "draft with fewer recurrences, or give more with --recurrence"
    case .notRecurrent: "leave out the number of recurrences, or retrofit the model first"
    case .otherVocabulary: "use the model that the package was made from"
    case .nonFiniteWeight, .nonFiniteLogits, .nonFiniteLoss, .nonFiniteState:
      "inspect the checkpoint; a training run may have diverged"
    default: nil
    }
  }
}
