import Tensors

/// A class or function that a pickle names.
package struct PickleGlobal: Equatable, Sendable, CustomStringConvertible {
  /// What a program that executed the pickle would risk.
  package enum Severity: String, Sendable {
    /// Interpreted here, with one fixed meaning.
    case ok
    /// Opaque here; harmless as far as is known.
    case unknown
    /// Known to run code, start programs or reach files and networks.
    case dangerous
  }

  package let module: String
  package let name: String
  package let severity: Severity
  /// What the name stands for, when it is interpreted.
  let known: Meaning?

  package init(module: String, name: String) {
    self.module = module
    self.name = name
    known = Meaning(module: module, name: name)
    severity = known != nil ? .ok : Self.isDangerous(module, name) ? .dangerous : .unknown
  }

  package var description: String { module + "." + name }
}

extension PickleGlobal {
  /// The meanings that names can have; a name outside this list is opaque.
  enum Meaning: Equatable, Sendable {
    /// OrderedDict and its like.
    case dictionary
    case set
    /// torch.Size: the tuple itself.
    case size
    case rebuild(Rebuild)
    /// A storage class, nil for the untyped one.
    case storage(ElementType?)
    case type(ElementType)
    /// Tensor and Parameter, as the type argument of `_rebuild_from_type_v2`.
    case tensorClass
    case parameter
    /// Known, and of no consequence for tensors: devices, layouts, encoders.
    case inert
  }

  /// Functions that make a tensor from their arguments.
  enum Rebuild: Equatable, Sendable {
    /// storage, offset, sizes, strides, …
    case strided
    /// storage, offset, sizes, strides, requires_grad, hooks, dtype, …
    case typed
    /// tensor, …
    case wrapped
    /// function, type, arguments, state
    case fromType
  }
}

extension PickleGlobal.Meaning {
  init?(module: String, name: String) {
    // Protocol 2 spells the modules as Python 2 had them.
    let module =
      switch module {
      case "__builtin__": "builtins"
      case "copy_reg": "copyreg"
      default: module
      }
    if let meaning = Self.table[module + "." + name] {
      self = meaning
    } else if module == "torch", let type = Self.types[name] {
      self = .type(type)
    } else if module == "torch" || module == "torch.cuda", let type = Self.storages[name] {
      self = .storage(type)
    } else {
      return nil
    }
  }

  private static let table: [String: Self] = [
    "collections.OrderedDict": .dictionary, "collections.defaultdict": .dictionary,
    "collections.Counter": .dictionary, "builtins.dict": .dictionary, "builtins.set": .set,
    "torch.Size": .size,
    "torch._utils._rebuild_tensor": .rebuild(.strided),
    "torch._utils._rebuild_tensor_v2": .rebuild(.strided),
    "torch._utils._rebuild_tensor_v3": .rebuild(.typed),
    "torch._utils._rebuild_parameter": .rebuild(.wrapped),
    "torch._utils._rebuild_parameter_with_state": .rebuild(.wrapped),
    "torch._tensor._rebuild_from_type_v2": .rebuild(.fromType),
    "torch.nn.parameter.Parameter": .parameter, "torch.nn.Parameter": .parameter,
    "torch.nn.parameter.Buffer": .parameter, "torch.Tensor": .tensorClass,
    "torch._tensor.Tensor": .tensorClass,
    "torch.storage.UntypedStorage": .storage(nil), "torch.UntypedStorage": .storage(nil),
    "torch.device": .inert, "torch.storage.TypedStorage": .inert,
    "torch.serialization._get_layout": .inert, "_codecs.encode": .inert,
    "builtins.bytearray": .inert, "builtins.complex": .inert,
  ]

  /// The storage class in module `torch` whose elements have this type.
  static func storageName(of type: ElementType) -> String? {
    storages.first { $0.value == type }?.key
  }

  /// The name in module `torch` of a type that has no storage class; such types have one name.
  static func typeName(of type: ElementType) -> String? { types.first { $0.value == type }?.key }

  private static let storages: [String: ElementType] = [
    "FloatStorage": .f32, "HalfStorage": .f16, "BFloat16Storage": .bf16, "DoubleStorage": .f64,
    "LongStorage": .i64, "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8,
    "ByteStorage": .u8, "BoolStorage": .bool, "ComplexFloatStorage": .c64,
    "ComplexDoubleStorage": .c128,
  ]

  private static let types: [String: ElementType] = [
    "float32": .f32, "float": .f32, "float64": .f64, "double": .f64, "float16": .f16, "half": .f16,
    "bfloat16": .bf16, "int64": .i64, "long": .i64, "int32": .i32, "int": .i32, "int16": .i16,
    "short": .i16, "int8": .i8, "uint8": .u8, "uint16": .u16, "uint32": .u32, "uint64": .u64,
    "bool": .bool, "complex64": .c64, "cfloat": .c64, "complex128": .c128, "cdouble": .c128,
    "float8_e4m3fn": .f8E4M3, "float8_e5m2": .f8E5M2, "float8_e4m3fnuz": .f8E4M3FNUZ,
    "float8_e5m2fnuz": .f8E5M2FNUZ, "float8_e8m0fnu": .f8E8M0,
  ]
}

extension PickleGlobal {
  private static func isDangerous(_ module: String, _ name: String) -> Bool {
    let module = module == "__builtin__" ? "builtins" : module
    if module == "builtins" { return !harmlessBuiltins.contains(name) }
    let full = module + "." + name
    return dangerous.contains { full == $0 || full.hasPrefix($0 + ".") }
  }

  /// Of the built-in names, those that only make values; the others evaluate, import or look up.
  private static let harmlessBuiltins: Set<String> = [
    "bool", "bytes", "bytearray", "complex", "dict", "float", "frozenset", "int", "list", "object",
    "range", "set", "slice", "str", "tuple", "unicode", "long", "Ellipsis", "NotImplemented",
  ]

  /// Modules, and names of modules, that run code or reach outside the process.
  private static let dangerous: [String] = [
    "os", "posix", "nt", "posixpath", "ntpath", "sys", "subprocess", "commands", "pty", "importlib",
    "imp", "runpy", "pkgutil", "zipimport", "code", "codeop", "pdb", "bdb", "profile", "cProfile",
    "trace", "timeit", "pydoc", "doctest", "torch.load", "torch.hub", "torch.jit", "torch.package",
    "torch.serialization.load", "torch.utils.cpp_extension", "torch.utils._config_module",
    "torch.fx", "torch._dynamo", "torch._inductor", "socket", "ssl", "http", "urllib", "urllib2",
    "requests", "httpx", "aiohttp", "asyncio", "ftplib", "smtplib", "telnetlib", "xmlrpc",
    "webbrowser", "shutil", "tempfile", "glob", "pathlib", "pickle", "_pickle", "cPickle", "dill",
    "cloudpickle", "joblib", "marshal", "shelve", "ctypes", "_ctypes", "cffi", "mmap", "signal",
    "threading", "multiprocessing", "concurrent", "types.FunctionType", "types.CodeType",
    "functools.partial", "functools.reduce", "operator.attrgetter", "operator.itemgetter",
    "operator.methodcaller", "operator.call", "inspect", "gc", "site", "pip", "ensurepip", "venv",
    "distutils", "setuptools", "numpy.load", "numpy.f2py", "numpy.testing", "numpy.distutils",
  ]
}
