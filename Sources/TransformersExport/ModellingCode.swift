import ByteIO
import RecurrentPackage

/// The Python files of exported folders, as they lie under `Resources`; the tool carries them.
package enum ModellingCode {
  /// Names and contents of all.
  package static var files: [(name: String, bytes: [UInt8])] {
    modelling + trainingScript + appleModelling + shared
  }

  /// What transformers loads the model with, and a script that trains it.
  static var transformers: [PackageContents.SideFile] {
    sideFiles(modelling + trainingScript + shared)
  }

  /// What mlx-lm loads it with.
  static var mlx: [PackageContents.SideFile] { sideFiles(appleModelling + shared) }

  private static var modelling: [(name: String, bytes: [UInt8])] {
    [
      ("configuration_recurrent.py", PackageResources.configuration_recurrent_py),
      ("modeling_recurrent.py", PackageResources.modeling_recurrent_py),
      ("recurrent_arguments.py", PackageResources.recurrent_arguments_py),
      ("recurrent_block.py", PackageResources.recurrent_block_py),
      ("recurrent_cache.py", PackageResources.recurrent_cache_py),
      ("recurrent_experts.py", PackageResources.recurrent_experts_py),
      ("recurrent_engine.py", PackageResources.recurrent_engine_py),
      ("recurrent_flex.py", PackageResources.recurrent_flex_py),
      ("recurrent_injection.py", PackageResources.recurrent_injection_py),
      ("recurrent_layers.py", PackageResources.recurrent_layers_py),
      ("recurrent_peft.py", PackageResources.recurrent_peft_py),
      ("recurrent_positions.py", PackageResources.recurrent_positions_py),
      ("recurrent_runner.py", PackageResources.recurrent_runner_py),
      ("recurrent_state.py", PackageResources.recurrent_state_py),
    ]
  }

  private static var appleModelling: [(name: String, bytes: [UInt8])] {
    [("recurrent_mlx.py", PackageResources.recurrent_mlx_py)]
  }

  private static var shared: [(name: String, bytes: [UInt8])] {
    [("recurrent_frequencies.py", PackageResources.recurrent_frequencies_py)]
  }

  private static var trainingScript: [(name: String, bytes: [UInt8])] {
    [
      ("gpu_check.py", PackageResources.gpu_check_py),
      ("train.py", PackageResources.train_py),
      ("train_archives.py", PackageResources.train_archives_py),
      ("train_balance.py", PackageResources.train_balance_py),
      ("train_bytes.py", PackageResources.train_bytes_py),
      ("train_chat.py", PackageResources.train_chat_py),
      ("train_data.py", PackageResources.train_data_py),
      ("train_documents.py", PackageResources.train_documents_py),
      ("train_encoder.py", PackageResources.train_encoder_py),
      ("train_errors.py", PackageResources.train_errors_py),
      ("train_evaluation.py", PackageResources.train_evaluation_py),
      ("train_factors.py", PackageResources.train_factors_py),
      ("train_files.py", PackageResources.train_files_py),
      ("train_group.py", PackageResources.train_group_py),
      ("train_kinds.py", PackageResources.train_kinds_py),
      ("train_ledger.py", PackageResources.train_ledger_py),
      ("train_layouts.py", PackageResources.train_layouts_py),
      ("train_loader.py", PackageResources.train_loader_py),
      ("train_loop.py", PackageResources.train_loop_py),
      ("train_loss.py", PackageResources.train_loss_py),
      ("train_lowrank.py", PackageResources.train_lowrank_py),
      ("train_metrics.py", PackageResources.train_metrics_py),
      ("train_model.py", PackageResources.train_model_py),
      ("train_muon.py", PackageResources.train_muon_py),
      ("train_optimizer.py", PackageResources.train_optimizer_py),
      ("train_parallel.py", PackageResources.train_parallel_py),
      ("train_parameters.py", PackageResources.train_parameters_py),
      ("train_parts.py", PackageResources.train_parts_py),
      ("train_random.py", PackageResources.train_random_py),
      ("train_recipe.py", PackageResources.train_recipe_py),
      ("train_records.py", PackageResources.train_records_py),
      ("train_rows.py", PackageResources.train_rows_py),
      ("train_run.py", PackageResources.train_run_py),
      ("train_save.py", PackageResources.train_save_py),
      ("train_schedule.py", PackageResources.train_schedule_py),
      ("train_settings.py", PackageResources.train_settings_py),
      ("train_state.py", PackageResources.train_state_py),
      ("train_stream.py", PackageResources.train_stream_py),
      ("train_teacher.py", PackageResources.train_teacher_py),
      ("train_text.py", PackageResources.train_text_py),
      ("train_tokens.py", PackageResources.train_tokens_py),
      ("train_weights.py", PackageResources.train_weights_py),
    ]
  }

  private static func sideFiles(
    _ files: [(name: String, bytes: [UInt8])]
  ) -> [PackageContents.SideFile] {
    files.map { .init(name: $0.name, region: ByteRegion($0.bytes, path: $0.name)) }
  }
}
