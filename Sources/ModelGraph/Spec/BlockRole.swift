/// The part a tensor plays in a block, in the order of execution. Weights are `[out, in]`.
///
/// What there is to know of a role stands in its line of `facts`, and nowhere else.
package enum BlockRole: String, CaseIterable, Sendable {
  case attentionNorm
  case query
  case key
  case value
  case queryKeyValue
  case queryBias
  case keyBias
  case valueBias
  case queryKeyValueBias
  case queryKeyBias
  case queryNorm
  case keyNorm
  case output
  case outputBias
  case attentionOutputNorm
  case attentionSumNorm
  case mlpNorm
  case gate
  case up
  case gateUp
  case gateBias
  case upBias
  case gateUpBias
  case down
  case downBias
  case router
  case expertGate
  case expertUp
  case expertDown
  case expertsGateUp
  case expertsDown
  case mlpOutputNorm
  case mlpSumNorm

  package var facts: RoleFacts {
    switch self {
    case .attentionNorm:
      .norm(.attentionInput, "input_layernorm.weight", gguf: "attn_norm.weight")
    case .query:
      .part(.queryKeyValue, .queries, "self_attn.q_proj.weight", gguf: "attn_q.weight", lowRank: 1)
    case .key:
      .part(.queryKeyValue, .keys, "self_attn.k_proj.weight", gguf: "attn_k.weight", lowRank: 2)
    case .value:
      .part(.queryKeyValue, .keys, "self_attn.v_proj.weight", gguf: "attn_v.weight", lowRank: 3)
    case .queryKeyValue:
      .whole(
        .fused, .hidden, "self_attn.qkv_proj.weight", raven: "attn.Wqkv.weight",
        gguf: "attn_qkv.weight", isFused: true)
    case .queryBias:
      .biasPart(.queryKeyValueBias, .queries, "self_attn.q_proj.bias", gguf: "attn_q.bias")
    case .keyBias:
      .biasPart(.queryKeyValueBias, .keys, "self_attn.k_proj.bias", gguf: "attn_k.bias")
    case .valueBias:
      .biasPart(.queryKeyValueBias, .keys, "self_attn.v_proj.bias", gguf: "attn_v.bias")
    case .queryKeyValueBias:
      .bias(
        .queryKeyValueBias, .fused, "self_attn.qkv_proj.bias", raven: "attn.Wqkv.bias",
        gguf: "attn_qkv.bias", isFused: true)
    case .queryKeyBias:
      .bias(
        .queryKeyBias, .queriesAndKeys, "self_attn.qk_bias", raven: "attn.qk_bias",
        gguf: "attn_qk.bias")
    case .queryNorm:
      .queryKeyNorm(
        .queryNorm, "self_attn.q_norm.weight", raven: "attn.q_norm.weight",
        gguf: "attn_q_norm.weight")
    case .keyNorm:
      .queryKeyNorm(
        .keyNorm, "self_attn.k_norm.weight", raven: "attn.k_norm.weight", gguf: "attn_k_norm.weight"
      )
    case .output:
      .whole(
        .hidden, .queries, "self_attn.o_proj.weight", raven: "attn.proj.weight",
        gguf: "attn_output.weight", lowRank: 11)
    case .outputBias:
      .bias(
        .outputBias, .hidden, "self_attn.o_proj.bias", raven: "attn.proj.bias",
        gguf: "attn_output.bias")
    case .attentionOutputNorm:
      .norm(
        .attentionOutput, "post_attention_layernorm.weight", gguf: "post_attention_norm.weight")
    case .attentionSumNorm:
      .norm(.attentionSum, "attention_sum_layernorm.weight", gguf: "attn_sum_norm.weight")
    case .mlpNorm:
      .norm(.mlpInput, "post_attention_layernorm.weight", gguf: "ffn_norm.weight")
    case .gate:
      .part(
        .gateUp, .intermediate, "mlp.gate_proj.weight", gguf: "ffn_gate.weight", lowRank: 13,
        .oneMLP)
    case .up:
      .part(
        .gateUp, .intermediate, "mlp.up_proj.weight", gguf: "ffn_up.weight", lowRank: 14, .oneMLP)
    case .gateUp:
      .whole(
        .twoIntermediates, .hidden, "mlp.gate_up_proj.weight", raven: "mlp.fc.weight",
        gguf: "ffn_up.weight", isFused: true, .oneMLP)
    case .gateBias:
      .biasPart(.gateUpBias, .intermediate, "mlp.gate_proj.bias", gguf: "ffn_gate.bias")
    case .upBias:
      .biasPart(.gateUpBias, .intermediate, "mlp.up_proj.bias", gguf: "ffn_up.bias")
    case .gateUpBias:
      .bias(
        .mlpBias, .twoIntermediates, "mlp.gate_up_proj.bias", raven: "mlp.fc.bias",
        gguf: "ffn_up.bias", isFused: true)
    case .down:
      .whole(
        .hidden, .intermediate, "mlp.down_proj.weight", raven: "mlp.proj.weight",
        gguf: "ffn_down.weight", lowRank: 18, .oneMLP)
    case .downBias:
      .bias(
        .mlpBias, .hidden, "mlp.down_proj.bias", raven: "mlp.proj.bias", gguf: "ffn_down.bias")
    case .router:
      .whole(
        .experts, .hidden, "mlp.gate.weight", raven: "mlp.gate.weight",
        gguf: "ffn_gate_inp.weight", .experts)
    case .expertGate:
      .expert(
        .expertsGateUp, .expertWidth, .hidden, "gate_proj.weight", gguf: "ffn_gate_exps.weight",
        lowRank: 20)
    case .expertUp:
      .expert(
        .expertsGateUp, .expertWidth, .hidden, "up_proj.weight", gguf: "ffn_up_exps.weight",
        lowRank: 21)
    case .expertDown:
      .expert(
        .expertsDown, .hidden, .expertWidth, "down_proj.weight", gguf: "ffn_down_exps.weight",
        lowRank: 22)
    case .expertsGateUp:
      .packed(.twoExpertWidths, .hidden, "gate_up_proj", gguf: "ffn_gate_up_exps.weight")
    case .expertsDown:
      .packed(.hidden, .expertWidth, "down_proj", gguf: "ffn_down_exps.weight")
    case .mlpOutputNorm:
      .norm(.mlpOutput, "post_feedforward_layernorm.weight", gguf: "post_ffw_norm.weight")
    case .mlpSumNorm:
      .norm(.mlpSum, "feedforward_sum_layernorm.weight", gguf: "ffw_sum_norm.weight")
    }
  }
}
