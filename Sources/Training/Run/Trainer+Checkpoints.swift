import ByteIO
import Kernels
import Tensors

/// Checkpoints: when there is room for them, and how one is written.
extension Trainer {
  /// Has the first rank write a checkpoint; a signal that comes meanwhile waits for it.
  func save() throws {
    try compareWeights()
    try requireFiniteWeights()
    if exchange.isFirst, try finishing(saveOnce) { isStopPending = true }
    lastSave = clock.now
  }

  /// Refuses to start a run whose checkpoints and result the disk has no room for.
  func requireSpace() throws {
    let package = job.writesPackage ? job.model.parameters.byteCount : 0
    // One more than is kept stands while the next is written, and the best beside it.
    let kept = settings.checkpoints.kept + (settings.checkpoints.every > 0 ? 2 : 1)
    let checkpoints = try max(0, kept - job.run.checkpointSteps().count)
    try requireFreeSpace(checkpoints * (stateSize + package) + package, in: job.run.path)
  }

  /// Bytes of the trainer's state.
  private var stateSize: Int {
    job.model.gradients.byteCount + optimizer.first.byteCount + optimizer.second.byteCount
  }

  private func saveOnce() throws {
    let step = progress.step
    let staged = try StagedOutput(
      at: job.run.checkpoint(step), isFolder: true, force: true, inputs: [],
      needed: stateSize + (job.writesPackage ? job.model.parameters.byteCount : 0))
    try TrainerState(progress: progress).write(
      model: job.model, optimizer: optimizer, identity: job.identity,
      to: staged.path(TrainerState.fileName))
    try job.writePackage(staged.path("package"), progress)
    try staged.publish()
    try writeCurve()
    try prune()
    report(.saved(step: step, path: job.run.checkpoint(step)))
  }

  /// Removes what a run that died left behind the checkpoint that is gone on from: lines of the logs,
  /// outputs in the making, checkpoints that it had no time to remove.
  func rewind() throws {
    try job.run.rewind(to: progress.step)
    try prune()
  }

  /// Removes the checkpoints that are no longer kept.
  private func prune() throws(FileError) {
    try job.run.prune(
      keeping: settings.checkpoints.kept,
      best: settings.checkpoints.every > 0 ? progress.bestStep : nil)
  }
}
