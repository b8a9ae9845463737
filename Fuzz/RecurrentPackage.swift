import ByteIO
import RecurrentPackage
import Tar

/// Called by libFuzzer with each input: a manifest, and an archive of a package.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  let region = ByteRegion(bytes)
  _ = try? Manifest(region)
  var (reader, end) = (TarReader(region), 0)
  while let member = try? reader.next() {
    precondition(member.region.byteCount <= bytes.count, "RP-20: a member lies in its archive")
    precondition(reader.position > end, "each member is past the one before")
    end = reader.position
  }
  _ = try? RecurrentPackage(archive: region)
  return 0
}
