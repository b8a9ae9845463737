import ByteIO

/// Decodes gzip members one after another; bytes written, or nil for anything else.
func gunzip(_ input: RawSpan, into output: inout MutableRawSpan) -> Int? {
  var (taken, made) = (0, 0)
  repeat {
    var inflater = Inflater(.gzip)
    while true {
      let step = inflater.inflate(input, from: taken, into: &output, at: made)
      taken += step.taken
      made += step.made
      if step.status == .done { break }
      // No progress: the input ended, or the output is full.
      guard step.status == .more, step.taken > 0 || step.made > 0 else { return nil }
    }
  } while taken < input.byteCount
  return made
}
