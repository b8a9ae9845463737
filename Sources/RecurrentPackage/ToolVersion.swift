/// The version of this program, in the one place that states it.
package enum ToolVersion {
  package static let current = "0.1.0"
}
