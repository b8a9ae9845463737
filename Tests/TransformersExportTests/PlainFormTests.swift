import ByteIO
import ModelGraph
import Tensors
import Testing

@testable import TransformersExport

/// One adapter in memory, float32.
private struct Adapter: RecipeSource {
  let width: Int
  let values: [Float]

  /// [s·I | e·I]
  init(width: Int, state: Float, prelude: Float, change: (inout [Float]) -> Void = { _ in }) {
    self.width = width
    var values = [Float](repeating: 0, count: width * 2 * width)
    for i in 0..<width {
      values[i * 2 * width + i] = state
      values[i * 2 * width + width + i] = prelude
    }
    change(&values)
    self.values = values
  }

  func record(_ name: TensorName) -> TensorRecord? {
    TensorRecord(
      name: name, type: .element(.f32), shape: [width, 2 * width], byteCount: values.count * 4,
      file: "memory", offset: 0)
  }

  func read(_ name: TensorName, at offset: Int, into bytes: inout MutableRawSpan) throws {
    let first = offset / 4
    let part = Array(values[first..<(first + bytes.byteCount / 4)])
    _ = try encode(part.span, as: .f32, into: &bytes)
  }

  func region(_ name: TensorName) -> ByteRegion? { nil }

  func readFloats(
    _ name: TensorName, elements: Range<Int>, into values: inout MutableSpan<Float>
  ) throws {
    for (i, element) in elements.enumerated() { values[i] = self.values[element] }
  }

  /// A body of no blocks, which this adapter is in.
  func body(_ start: StateStart, norm: Bool = false) -> RecurrentBody {
    let parameter = Parameter(
      name: "adapter", shape: [width, 2 * width], type: .f32,
      recipe: .copy("adapter", rows: width))
    return RecurrentBody(
      prelude: [], core: [], coda: [], injection: Injection(.linear, [.adapter: parameter]),
      coreNorm: norm ? parameter : nil, stateStart: start, meanRecurrence: 4, meanBackpropDepth: 4)
  }
}

@Suite("plain form of a recurrent model")
struct PlainFormTests {
  /// What the core's layers are repeated, at r = 1 and 3; nil where plain layers do not do.
  struct Case: CustomTestStringConvertible {
    var state: Float
    var prelude: Float
    var start: StateStart
    var one: Int?
    var three: Int?

    var testDescription: String { "[\(state) | \(prelude)], \(start)" }
  }

  static let random = StateStart.normal(standardDeviation: 0.01)
  static let cases = [
    Case(state: 0, prelude: 1, start: random, one: 1, three: 1),
    Case(state: 0, prelude: 1, start: .zero, one: 1, three: 1),
    Case(state: 0, prelude: 1, start: .embedding, one: 1, three: 1),
    Case(state: 1, prelude: 0, start: random, one: nil, three: nil),
    Case(state: 1, prelude: 0, start: .zero, one: nil, three: nil),
    Case(state: 1, prelude: 0, start: .embedding, one: 1, three: 3),
    Case(state: 0.5, prelude: 0.5, start: random, one: nil, three: nil),
    Case(state: 0.5, prelude: 0.5, start: .zero, one: nil, three: nil),
    Case(state: 0.5, prelude: 0.5, start: .embedding, one: 1, three: nil),
    Case(state: 1, prelude: 1, start: random, one: nil, three: nil),
    Case(state: 1, prelude: 1, start: .zero, one: 1, three: nil),
    Case(state: 1, prelude: 1, start: .embedding, one: nil, three: nil),
    Case(state: 0, prelude: 2, start: .zero, one: nil, three: nil),
  ]

  @Test("is exact where the algebra says so", arguments: cases)
  func exact(_ sample: Case) throws {
    let adapter = Adapter(width: 3, state: sample.state, prelude: sample.prelude)
    let body = adapter.body(sample.start)
    let values = try InjectionValues(body, from: adapter)
    for (recurrence, wanted) in [(1, sample.one), (3, sample.three)] {
      let found = try? PlainForm(body, values, recurrence: recurrence).repeats
      #expect(found == wanted, "r = \(recurrence)")
    }
  }

  @Test("addition is as an adapter of two identities", arguments: [random, .zero, .embedding])
  func addition(start: StateStart) throws {
    var body = Adapter(width: 2, state: 0, prelude: 0).body(start)
    body.injection = Injection(.add)
    let values = try InjectionValues(body, from: Adapter(width: 2, state: 0, prelude: 0))
    let same = Adapter(width: 2, state: 1, prelude: 1)
    #expect(try values == InjectionValues(same.body(start), from: same))
    #expect((try? PlainForm(body, values, recurrence: 1).repeats) == (start == .zero ? 1 : nil))
  }

  @Test("decays of the state are plain for one pass from zeros, and never else")
  func diagonal() throws {
    for (start, recurrence, repeats) in [
      (StateStart.zero, 1, 1), (.zero, 2, nil), (.embedding, 1, nil), (Self.random, 1, nil),
    ] as [(StateStart, Int, Int?)] {
      var body = Adapter(width: 2, state: 0, prelude: 0).body(start)
      body.injection = Injection(.diagonal)
      let values = try InjectionValues(body, from: Adapter(width: 2, state: 0, prelude: 0))
      #expect((try? PlainForm(body, values, recurrence: recurrence).repeats) == repeats)
    }
  }

  @Test("a gate is plain for any number of passes while it is open")
  func gated() throws {
    for (element, repeats) in [(Float(0), 3), (1e-9, nil)] as [(Float, Int?)] {
      let source = Adapter(width: 2, state: 0, prelude: 0)
      var body = source.body(.embedding)
      body.injection = Injection(
        .gated,
        [
          .gateUp: Parameter(
            name: "up", shape: [2, 1], type: .f32,
            recipe: Recipe(.initialised(.uniform(bound: element, seed: 1))))
        ])
      let values = try InjectionValues(body, from: source)
      #expect(values.isGateOpen == (element == 0))
      #expect((try? PlainForm(body, values, recurrence: 3).repeats) == repeats)
    }
  }

  @Test("one element that is off is enough, wherever it is, and its size is told")
  func nearly() throws {
    for place in [1, 4, 7, 17] {
      let adapter = Adapter(width: 3, state: 0, prelude: 1) { $0[place] += 0x1p-20 }
      let body = adapter.body(.zero)
      let values = try InjectionValues(body, from: adapter)
      let error = #expect(throws: ExportError.self) {
        _ = try PlainForm(body, values, recurrence: 2)
      }
      #expect(error?.message.contains("9.536743e-07") == true)
    }
  }

  @Test("a value that is no number is no identity")
  func notANumber() throws {
    let adapter = Adapter(width: 2, state: 0, prelude: 1) { $0[0] = .nan }
    let values = try InjectionValues(adapter.body(.zero), from: adapter)
    #expect(!values.state.isZero && !values.state.isIdentity)
    #expect(values.prelude.isIdentity)
  }

  @Test("a norm after the core has no place in a block")
  func norm() throws {
    let adapter = Adapter(width: 2, state: 0, prelude: 1)
    let values = try InjectionValues(adapter.body(.zero), from: adapter)
    let error = #expect(throws: ExportError.self) {
      _ = try PlainForm(adapter.body(.zero, norm: true), values, recurrence: 1)
    }
    #expect(error?.code == "export.not_plain")
  }
}
