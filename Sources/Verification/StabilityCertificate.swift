import ByteIO
package import JSON

/// What becomes of a recurrent model's state as it recurs on, on given text.
package struct StabilityCertificate: Equatable {
  package enum Verdict: String {
    /// The state comes to rest: a pass moves it by less than a hundredth of its norm.
    case settles
    /// It goes on moving, and stays in bounds.
    case drifts
    /// It grows without end, or stops being a number.
    case explodes
  }

  /// What was seen after some number of recurrences.
  package struct Depth: Equatable {
    package var recurrence: Int
    /// In nats a token; nil where it is no number.
    package var loss: Double?
    /// ‖s_{r+1} - s_r‖ / ‖s_r‖, the largest of the texts; nil where it is no number.
    package var settling: Double?
    /// Root mean square of the state, the largest of the texts.
    package var rootMeanSquare: Double?
    /// Of the derivative of state by state, the largest of the texts; nil where it was not taken.
    package var radius: Double?

    package init(
      recurrence: Int, loss: Double? = nil, settling: Double? = nil,
      rootMeanSquare: Double? = nil, radius: Double? = nil
    ) {
      self.recurrence = recurrence
      self.loss = loss
      self.settling = settling
      self.rootMeanSquare = rootMeanSquare
      self.radius = radius
    }
  }

  /// In the order of their recurrences, at least one.
  package var depths: [Depth]
  package var windows: Int
  /// Tokens whose loss counts.
  package var tokens: Int

  package init(depths: [Depth], windows: Int, tokens: Int) {
    self.depths = depths
    self.windows = windows
    self.tokens = tokens
  }

  /// The largest last step of a state at rest.
  package static let rest = 0.01
  /// A state that is so many times as large at the end as it was least, explodes.
  package static let growth = 100.0
  /// Nats a token above the best that count as safe.
  package static let tolerance = 0.05

  package var verdict: Verdict {
    let sizes = depths.map { $0.rootMeanSquare ?? .infinity }
    let isFinite = depths.allSatisfy { $0.loss != nil && $0.settling != nil }
    guard isFinite, let least = sizes.min(), let last = sizes.last,
      last <= Self.growth * max(least, .leastNormalMagnitude)
    else { return .explodes }
    return (depths.last?.settling ?? .infinity) <= Self.rest ? .settles : .drifts
  }

  /// The numbers of recurrences, of those that were tried, around the one with the least loss, at which
  /// the loss is near it; nil where no loss is a number.
  package var safe: ClosedRange<Int>? {
    let losses = depths.map { $0.loss ?? .infinity }
    guard let best = losses.min(), best.isFinite, let place = losses.firstIndex(of: best) else {
      return nil
    }
    let isSafe = losses.map { $0 <= best + Self.tolerance }
    let first = (0...place).reversed().prefix { isSafe[$0] }.last ?? place
    let last = (place..<losses.count).prefix { isSafe[$0] }.last ?? place
    return depths[first].recurrence...depths[last].recurrence
  }

  package var json: JSONObject {
    [
      "stability": .string(verdict.rawValue),
      "safe_recurrences": safe.map { [JSONValue($0.lowerBound), JSONValue($0.upperBound)] }
        ?? .null,
      "tolerance": JSONValue(Self.tolerance), "windows": JSONValue(windows),
      "tokens": JSONValue(tokens),
      "depths": .array(
        depths.map { depth in
          [
            "recurrence": JSONValue(depth.recurrence),
            "loss": depth.loss.map { JSONValue($0) } ?? .null,
            "settling": depth.settling.map { JSONValue($0) } ?? .null,
            "state_rms": depth.rootMeanSquare.map { JSONValue($0) } ?? .null,
            "spectral_radius": depth.radius.map { JSONValue($0) } ?? .null,
          ]
        }),
    ]
  }

  /// The certificate as one of the checks: a model whose state explodes does not pass.
  package var check: Check {
    Check("stability", verdict == .explodes ? .failed : .passed, summary, measures: json)
  }
}
