import ByteIO
import JSON
import Kernels
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite("Optimizers")
struct OptimizerTests {
  /// Parameters after 20 steps of another implementation, made by Scripts/make_optimizer_fixtures.py.
  private struct Golden {
    var steps: Int
    var shapes: [[Int]]
    var parameters: [[Float]]

    init(_ name: String) throws {
      let path = Fixtures.path("optimizers/\(name).json")
      let value = try JSONValue(parsing: ByteRegion(path: path).contents(limit: 1 << 20))
      steps = try #require(value["steps"]?.integer)
      shapes = try #require(value["shapes"]?.array).map { shape in
        try #require(shape.array).map { try #require($0.integer) }
      }
      parameters = try #require(value["parameters"]?.array).map { list in
        try #require(list.array).map { Float(try #require($0.double)) }
      }
    }
  }

  /// The start and the gradients of the script, run through our optimizer.
  private static func run(
    _ settings: OptimizerSettings, _ golden: Golden, threads: Int = 2,
    precision: Precision = .float32
  ) throws -> [Float] {
    var tensors: [TrainedTensor] = []
    for (i, shape) in golden.shapes.enumerated() {
      let offset = tensors.last.map { $0.offset + $0.elementCount } ?? 0
      tensors.append(
        TrainedTensor(name: "t\(i)", shape: shape, offset: offset, isBodyMatrix: true))
    }
    let count = golden.parameters.map(\.count).reduce(0, +)
    let parameters = try Buffer(floats: count)
    let gradients = try Buffer(floats: count)
    let compute = try Compute(threads, precision: precision)
    let optimizer = try Optimizer(settings, tensors: tensors, on: compute)
    fill(parameters, tensors, seed: 1) { $0 * 0.125 }
    for step in 0..<golden.steps {
      let size: Float = step % 4 == 3 ? 4 : 0.5
      // Half the gradient and twice the scale: the scale is part of what is tested.
      fill(gradients, tensors, seed: UInt64(2 + step)) { $0 * size * 0.5 }
      optimizer.step(parameters: parameters, gradients: gradients, gradientScale: 2, rate: 1)
    }
    return parameters.floats(0..<count)
  }

  private static func fill(
    _ buffer: Buffer, _ tensors: [TrainedTensor], seed: UInt64, _ change: (Float) -> Float
  ) {
    for (i, tensor) in tensors.enumerated() {
      let random = RandomStream(seed: seed, stream: UInt64(i))
      for j in 0..<tensor.elementCount {
        buffer[tensor.offset + j] = change(random.symmetric(at: UInt64(j)))
      }
    }
  }

  private static func distance(_ got: [Float], _ want: [Float]) -> Double {
    let squares = zip(got, want).reduce((0.0, 0.0)) { sum, pair in
      let (g, w) = (Double(pair.0), Double(pair.1))
      return (sum.0 + (g - w) * (g - w), sum.1 + w * w)
    }
    return (squares.0 / squares.1).squareRoot()
  }

  private static let muon: OptimizerSettings = {
    var settings = OptimizerSettings(.muon)
    settings.muon.learningRate = 0.01
    settings.muon.weightDecay = 0.05
    return settings
  }()

  private static func adam(_ kind: OptimizerSettings.Kind, decay: Double) -> OptimizerSettings {
    var settings = OptimizerSettings(kind)
    settings.adam.learningRate = 0.01
    settings.adam.weightDecay = decay
    return settings
  }

  @Test("AdamW equals torch.optim.AdamW")
  func adamW() throws {
    let golden = try Golden("adamw")
    let got = try Self.run(Self.adam(.adamw, decay: 0.05), golden)
    #expect(Self.distance(got, golden.parameters.flatMap(\.self)) < 1e-6)
  }

  @Test("AdamW* equals its definition in float64")
  func adamAtan2() throws {
    let golden = try Golden("adamw-atan2")
    let got = try Self.run(Self.adam(.adamwAtan2, decay: 0.001), golden)
    #expect(Self.distance(got, golden.parameters.flatMap(\.self)) < 1e-6)
  }

  @Test("Muon equals torch.optim.Muon in float32")
  func muonFloat32() throws {
    let golden = try Golden("muon-float32")
    let got = try Self.run(Self.muon, golden)
    #expect(Self.distance(got, golden.parameters.flatMap(\.self)) < 1e-4)
  }

  /// Its bfloat16 steps are 2.9e-3 away from its own float32 ones.
  @Test("Muon lies within bfloat16's error of torch.optim.Muon as shipped")
  func muonShipped() throws {
    let golden = try Golden("muon")
    let got = try Self.run(Self.muon, golden)
    #expect(Self.distance(got, golden.parameters.flatMap(\.self)) < 5e-3)
  }

  /// As far from the float32 steps as PyTorch's own, 2.9e-3.
  @Test(
    "Muon with bf16 products is torch.optim.Muon within bfloat16's error",
    .enabled(if: Precision.bf16.isSupported))
  func muonInBfloat16() throws {
    let (shipped, exact) = (try Golden("muon"), try Golden("muon-float32"))
    let got = try Self.run(Self.muon, shipped, precision: .bf16)
    #expect(Self.distance(got, shipped.parameters.flatMap(\.self)) < 5e-3)
    #expect(Self.distance(got, exact.parameters.flatMap(\.self)) < 3.5e-3)
  }

  @Test("elementwise steps do not depend on the number of threads", arguments: [1, 2, 3])
  func threads(count: Int) throws {
    let golden = try Golden("adamw")
    let settings = Self.adam(.adamwAtan2, decay: 0.1)
    let one = try Self.run(settings, golden, threads: 1)
    #expect(try Self.run(settings, golden, threads: count) == one)
  }

  @Test(
    "an update of Muon is nearly orthogonal, whatever the matrix's form",
    arguments: Precision.allCases.filter(\.isSupported))
  func orthogonal(precision: Precision) throws {
    for (rows, columns) in [(48, 16), (16, 48), (20, 20)] {
      let compute = try Compute(1, precision: precision)
      let matrix = try Buffer(floats: rows * columns)
      let random = RandomStream(seed: 3)
      for i in 0..<rows * columns { matrix[i] = Float(random.normal(at: UInt64(i))) }
      let sum = sumOfSquares(FloatRun(matrix), on: compute)
      let method = try NewtonSchulz(shapes: [[rows, columns]])
      method.orthogonalise(matrix, rows: rows, columns: columns, sumOfSquares: sum, on: compute)
      // Singular values near 1: the sum of their squares near the smaller extent.
      let edge = Double(min(rows, columns))
      let squares = sumOfSquares(FloatRun(matrix), on: compute)
      #expect(squares > 0.5 * edge && squares < 1.4 * edge, "\(rows) × \(columns): \(squares)")
    }
  }
}
