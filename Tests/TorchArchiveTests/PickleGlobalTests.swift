import ByteIO
import Testing

@testable import TorchArchive

@Suite("names in a pickle")
struct PickleGlobalTests {
  @Test(
    "dangerous ones are known, by either Python's spelling",
    arguments: [
      "os.system", "posix.system", "nt.system", "sys.exit", "subprocess.Popen", "builtins.eval",
      "builtins.exec", "__builtin__.getattr", "builtins.__import__", "importlib.import_module",
      "runpy.run_path", "torch.load", "torch.hub.load", "torch.jit.load", "socket.socket",
      "shutil.rmtree", "pickle.loads", "_pickle.loads", "ctypes.CDLL", "webbrowser.open",
      "os.path.join", "functools.partial", "numpy.load",
    ])
  func dangerous(_ name: String) { #expect(severity(name) == .dangerous) }

  @Test(
    "those that are interpreted are ok",
    arguments: [
      "collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch.FloatStorage",
      "torch.cuda.HalfStorage", "torch.bfloat16", "torch.Size", "torch.device",
      "torch.nn.parameter.Parameter", "_codecs.encode", "__builtin__.set", "builtins.complex",
    ])
  func interpreted(_ name: String) { #expect(severity(name) == .ok) }

  @Test(
    "the rest is unknown",
    arguments: [
      "argparse.Namespace", "numpy.core.multiarray.scalar", "omegaconf.DictConfig", "ossaudio.x",
      "torch._utils._rebuild_qtensor", "torch.optim.adam.Adam", "builtins.int",
      "torch.FancyStorage",
    ])
  func unknown(_ name: String) { #expect(severity(name) == .unknown) }

  @Test("PT-29: are listed in order, once each, whether they are used or not")
  func listed() throws {
    let evil = Pickle.call(Pickle.global("os", "system"), Pickle.text("id"))
    let bytes = TorchBytes.pickle(
      Pickle.state(
        ("a", evil), ("b", evil), ("n", Pickle.global("argparse", "Namespace")),
        ("w", Pickle.tensor())))
    let file = try TorchFile(ByteRegion(bytes))
    #expect(
      file.globals.map { "\($0) \($0.severity)" } == [
        "os.system dangerous", "argparse.Namespace unknown",
        "torch._utils._rebuild_tensor_v2 ok", "torch.FloatStorage ok",
        "collections.OrderedDict ok",
      ])
  }

  private func severity(_ name: String) -> PickleGlobal.Severity {
    let parts = name.split(separator: ".")
    return PickleGlobal(
      module: parts.dropLast().joined(separator: "."), name: String(parts.last ?? "")
    ).severity
  }
}
