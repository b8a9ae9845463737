import CPlatform

/// Processors that this process may run on, at least one: fewer than the machine has when its parent
/// has bound it to some.
package func availableProcessorCount() -> Int { max(1, Int(ck_available_processors())) }
