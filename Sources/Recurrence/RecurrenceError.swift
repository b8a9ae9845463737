package import ByteIO
package import Tensors

/// Why a model cannot be made recurrent in the way that was asked for.
package struct RecurrenceError: DiagnosedError, Equatable {
  package enum Problem: Equatable, Sendable {
    /// The text is not three lists of layers.
    case malformedSelection(String)
    /// A part of the model would have no layers.
    case emptyGroup(String)
    /// A range ends before it starts.
    case reversedRange(first: Int, last: Int)
    /// A layer stands after one that comes later in the source model.
    case outOfOrder(layer: Int, after: Int)
    case repeatedLayer(Int)
    case layerOutOfRange(Int, count: Int)
    /// The counts add up to more layers than the source model has.
    case tooManyLayers(wanted: Int, count: Int)
    case unknownPreset(String)
    case presetForOtherModel(String, wanted: Int, found: Int)
    /// Layers can be chosen from a source model only.
    case alreadyRecurrent
    /// A family's recurrence that no package's configuration can say.
    case recursByItself(family: String)
    /// The model has no recurrence that the pass could change.
    case notRecurrent
    /// The dialect has no name for a tensor of this part.
    case noName(part: String)
    /// The dialect's configuration cannot say what the model computes.
    case notExpressible(Dialect, String)
    /// Rows of a tensor that is computed cannot be taken apart.
    case cannotSplit(TensorName)
    /// No tensor of the file can be the adapter.
    case noAdapter(file: String, shape: [Int])
  }

  package var problem: Problem

  package init(_ problem: Problem) { self.problem = problem }

  package var code: String {
    switch problem {
    case .malformedSelection: "select.malformed"
    case .emptyGroup: "select.empty"
    case .reversedRange: "select.reversed"
    case .outOfOrder: "select.out_of_order"
    case .repeatedLayer: "select.repeated"
    case .layerOutOfRange: "select.out_of_range"
    case .tooManyLayers: "select.too_many"
    case .unknownPreset: "select.unknown_preset"
    case .presetForOtherModel: "select.preset_layers"
    case .alreadyRecurrent: "retrofit.already_recurrent"
    case .recursByItself: "retrofit.recurs_by_itself"
    case .notRecurrent: "retrofit.not_recurrent"
    case .noName: "retrofit.no_name"
    case .notExpressible: "retrofit.not_expressible"
    case .cannotSplit: "retrofit.cannot_split"
    case .noAdapter: "retrofit.no_adapter"
    }
  }

  package var kind: FailureKind {
    switch problem {
    case .noName, .notExpressible, .cannotSplit, .recursByItself: .unsupported
    case .noAdapter: .malformed
    default: .usage
    }
  }

  package var message: String {
    switch problem {
    case .malformedSelection(let text): "\"\(text)\" is not a selection of layers"
    case .emptyGroup(let group): "the \(group) has no layers"
    case .reversedRange(let first, let last): "the range \(first)-\(last) is reversed"
    case .outOfOrder(let layer, let other):
      "layer \(layer) comes after layer \(other), but before it in the model"
    case .repeatedLayer(let layer): "layer \(layer) is selected twice"
    case .layerOutOfRange(let layer, let count):
      "layer \(layer) does not exist; the model's layers are 0 to \(count - 1)"
    case .tooManyLayers(let wanted, let count):
      "\(wanted) layers are wanted, but the model has \(count)"
    case .unknownPreset(let name): "there is no preset \"\(name)\""
    case .presetForOtherModel(let name, let wanted, let found):
      "the preset \(name) is for a model of \(wanted) layers; this one has \(found)"
    case .alreadyRecurrent: "the model is already recurrent, so layers cannot be selected from it"
    case .recursByItself(let family):
      "models of \(family) recur by themselves, with the final norm in the recurrence; no package can "
        + "say that"
    case .notRecurrent: "the model is not recurrent, and no layers are selected"
    case .noName(let part): "the dialect has no name for \(part)"
    case .notExpressible(let dialect, let reason):
      "the \(dialect.rawValue) dialect cannot express what this model computes: \(reason)"
    case .cannotSplit(let name): "\(name) is computed and cannot be taken apart"
    case .noAdapter(let file, let shape):
      "\(file) has no tensor of shape \(shape) that is alone or called adapter"
    }
  }

  package var hint: String? {
    switch problem {
    case .malformedSelection, .reversedRange, .repeatedLayer, .outOfOrder, .emptyGroup:
      "write three lists of layers, counted from 0, such as 0-3/10-17/18-21 or 0,1/4,6-9/10,11"
    case .unknownPreset: "presets: " + LayerSelection.presets.map(\.name).joined(separator: ", ")
    case .recursByItself:
      "inspect, convert, trace, eval, generate, verify and train take the model as it is"
    case .notRecurrent: "give --prelude, --core and --coda, or --select, or --preset"
    default: nil
    }
  }
}
