import ByteIO
import RecurrentPackage

/// The Python files of an exported folder, as they lie under `Resources`; the tool carries them.
package enum ModellingCode {
  /// Names and contents.
  package static var files: [(name: String, bytes: [UInt8])] {
    [
      ("configuration_recurrent.py", PackageResources.configuration_recurrent_py),
      ("modeling_recurrent.py", PackageResources.modeling_recurrent_py),
    ]
  }

  static var sideFiles: [PackageContents.SideFile] {
    files.map { .init(name: $0.name, region: ByteRegion($0.bytes, path: $0.name)) }
  }
}
