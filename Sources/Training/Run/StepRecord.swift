package import JSON

/// A line of `metrics.jsonl`: one step of a run.
package struct StepRecord: Equatable, Sendable {
  /// From 1.
  package var step: Int
  /// Tokens trained on so far.
  package var tokens: Int
  /// Cross-entropy with the labels.
  package var loss: Double
  /// From the teacher; nil without one.
  package var divergence: Double?
  /// Mean over learned tokens of ‖s_r - s_{r-1}‖² / ‖s_{r-1}‖², 0 at r = 1; nil where it is not
  /// penalised.
  package var settling: Double?
  /// Mean loss of the shallower states, 0 where there are none; nil where they are not supervised.
  package var supervision: Double?
  /// The scheduled mean.
  package var meanRecurrence: Int
  /// What was drawn, averaged over the step's micro-batches.
  package var recurrence: Double
  /// Passes with gradient, averaged likewise.
  package var backpropDepth: Double
  package var learningRate: Double
  /// Before clipping.
  package var gradientNorm: Double
  package var tokensPerSecond: Double
  /// So far, by the paper's formula.
  package var flops: Double
  /// So far, everything counted.
  package var fullFLOPs: Double
  /// Since the run began, pauses between resumed parts left out.
  package var seconds: Double
  /// The most bytes that the process has had; nil where that is not known.
  package var memory: Int?
  /// Of this step, spent on sums with other processes; nil when there are none.
  package var exchange: ExchangeTime?

  package var json: JSONValue {
    var json: JSONObject = [
      "step": JSONValue(step), "tokens": JSONValue(tokens), "loss": JSONValue(loss),
      "mean_recurrence": JSONValue(meanRecurrence), "recurrence": Self.short(recurrence),
      "backprop_depth": Self.short(backpropDepth), "lr": JSONValue(learningRate),
      "grad_norm": JSONValue(gradientNorm), "tokens_per_second": JSONValue(tokensPerSecond),
      "flops": JSONValue(flops), "flops_full": JSONValue(fullFLOPs), "seconds": JSONValue(seconds),
    ]
    if let divergence { json["divergence"] = JSONValue(divergence) }
    if let settling { json["settling"] = JSONValue(settling) }
    if let supervision { json["supervision"] = JSONValue(supervision) }
    if let memory { json["memory_bytes"] = JSONValue(memory) }
    if let exchange {
      json["exchange_seconds"] = JSONValue(exchange.waited)
      if let active = exchange.active { json["exchange_active_seconds"] = JSONValue(active) }
    }
    return .object(json)
  }

  /// A whole number without a fraction.
  private static func short(_ value: Double) -> JSONValue {
    Int(exactly: value).map { JSONValue($0) } ?? JSONValue(value)
  }

  /// Reads what `json` writes; nil when a field is missing.
  package init?(_ value: JSONValue) {
    func number(_ key: String) -> Double? {
      guard let field = value[key] else { return nil }
      return field.double ?? ["NaN": .nan, "Infinity": .infinity][field.string ?? ""]
    }
    guard let step = value["step"]?.integer, let tokens = value["tokens"]?.integer,
      let loss = number("loss"), let mean = value["mean_recurrence"]?.integer,
      let recurrence = number("recurrence"), let depth = number("backprop_depth"),
      let rate = number("lr"), let norm = number("grad_norm"),
      let speed = number("tokens_per_second"), let flops = number("flops"),
      let seconds = number("seconds")
    else { return nil }
    self.init(
      step: step, tokens: tokens, loss: loss, divergence: number("divergence"),
      meanRecurrence: mean, recurrence: recurrence,
      backpropDepth: depth, learningRate: rate, gradientNorm: norm, tokensPerSecond: speed,
      flops: flops, fullFLOPs: number("flops_full") ?? flops, seconds: seconds,
      memory: value["memory_bytes"]?.integer)
    settling = number("settling")
    supervision = number("supervision")
    exchange = number("exchange_seconds").map {
      ExchangeTime(waited: $0, active: number("exchange_active_seconds"))
    }
  }

  package init(
    step: Int, tokens: Int, loss: Double, divergence: Double? = nil, meanRecurrence: Int,
    recurrence: Double,
    backpropDepth: Double, learningRate: Double, gradientNorm: Double, tokensPerSecond: Double,
    flops: Double, fullFLOPs: Double, seconds: Double, memory: Int? = nil
  ) {
    self.step = step
    self.tokens = tokens
    self.loss = loss
    self.divergence = divergence
    self.meanRecurrence = meanRecurrence
    self.recurrence = recurrence
    self.backpropDepth = backpropDepth
    self.learningRate = learningRate
    self.gradientNorm = gradientNorm
    self.tokensPerSecond = tokensPerSecond
    self.flops = flops
    self.fullFLOPs = fullFLOPs
    self.seconds = seconds
    self.memory = memory
  }
}

/// Seconds of a step that sums over all processes took.
package struct ExchangeTime: Equatable, Sendable {
  /// In which this process did nothing but wait for them.
  package var waited: Double
  /// In which they were under way, most of them behind the backward pass; nil when nobody measured.
  package var active: Double?
}
