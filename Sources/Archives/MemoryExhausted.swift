import ByteIO

struct MemoryExhausted: DiagnosedError {
  let code = "memory.exhausted"
  let kind = FailureKind.resourceLimit
  let message = "no memory to decompress"
}
