package import Kernels
package import ModelGraph
package import Tensors

/// Low-rank adaptation (LoRA, Hu et al., 2021): a matrix W of a block is `W₀ + alpha / rank · B · A`,
/// and only A `[rank, in]` and B `[out, rank]` are trained.
package struct LowRank: Equatable, Sendable {
  package var rank: Int
  package var alpha: Double
  /// Of query, key, value, output, gate, up and down.
  package var roles: [BlockRole]
  /// Of the start of A; B starts at 0.
  package var seed: UInt64

  package init(rank: Int, alpha: Double, roles: [BlockRole], seed: UInt64) {
    self.rank = rank
    self.alpha = alpha
    self.roles = roles
    self.seed = seed
  }

  package var scale: Double { alpha / Double(rank) }

  /// A matrix of a block that may be adapted.
  struct Place {
    var role: BlockRole
    /// Number of the expert whose it is.
    var expert: Int?
    /// The network's field that it is some rows of.
    var field: BlockRole
    var rows: Range<Int>
  }

  /// The matrices of a block that may be adapted: of experts each one's.
  static func places(in spec: BlockSpec, _ sizes: ModelSizes) -> [Place] {
    BlockRole.canonical.flatMap { field -> [Place] in
      var start = 0
      let experts: [Int?] =
        field.facts.isPacked ? (0..<(spec.mlp.experts?.count ?? 0)).map { $0 } : [nil]
      return experts.flatMap { expert in
        (field.parts.isEmpty ? [field] : field.parts).compactMap { role -> Place? in
          let rows = start..<(start + (spec.shape(of: role, sizes).first ?? 0))
          start = rows.upperBound
          if role.facts.lowRank == nil { return nil }
          return Place(role: role, expert: expert, field: field, rows: rows)
        }
      }
    }
  }
}

/// The two factors of one adapted matrix, and where they lie in the flat buffers.
package struct LowRankFactors: Sendable {
  package let block: Int
  package let role: BlockRole
  /// Number of the expert whose matrix it is.
  package let expert: Int?
  /// The field of the network that the matrix is some rows of.
  package let field: Field.Role
  package let rows: Range<Int>
  package let columns: Int
  package let rank: Int
  /// First float of A, `[rank, columns]`.
  package let offsetA: Int
  /// First float of B, `[rows, rank]`.
  package let offsetB: Int

  package func a(in buffer: Buffer) -> Matrix {
    Matrix(buffer, offset: offsetA, rows: rank, columns: columns)
  }

  package func b(in buffer: Buffer) -> Matrix {
    Matrix(buffer, offset: offsetB, rows: rows.count, columns: rank)
  }

  private static let startStream: UInt64 = 0x6C6F_7772_616E_6B00  // "lowrank"

  /// Starts A uniformly within ±1/√in, as a linear layer's default is; B stays 0, so that the
  /// adapted model starts as the model itself.
  func start(in buffer: Buffer, seed: UInt64) {
    let bound = 1 / Double(columns).squareRoot()
    let number =
      UInt64(expert ?? 0) << 40 | UInt64(block) << 8 | UInt64(role.facts.lowRank ?? 0)
    let random = RandomStream(seed: seed, stream: Self.startStream &+ number)
    for i in 0..<(rank * columns) {
      buffer[offsetA + i] = Float(Double(random.symmetric(at: UInt64(i))) * bound)
    }
  }
}

/// Where the gradients of factors are computed: `[T, rank]` twice.
struct LowRankRoom: Sendable {
  let rows: Int
  let down: Matrix
  let up: Matrix

  init(rows: Int, rank: Int) throws(MemoryError) {
    self.rows = rows
    down = try Matrix(rows: rows, columns: rank)
    up = try Matrix(rows: rows, columns: rank)
  }
}

/// What the gradient of one adapted matrix reads and writes.
struct LowRankGradient {
  let factors: LowRankFactors
  let parameters: Buffer
  let gradients: Buffer
  let scale: Float
  let room: LowRankRoom

  /// Adds `scale · dyᵀ · (x · Aᵀ)` to B's gradient and `scale · (dy · B)ᵀ · x` to A's.
  ///
  /// - Parameters:
  ///   - dy: `[T, out]`, of the matrix's output.
  ///   - x: `[T, in]`, of at most as many rows as there is room for.
  func add(_ dy: Matrix, _ x: Matrix, on compute: Compute) {
    let (a, b) = (factors.a(in: parameters), factors.b(in: parameters))
    let (down, up) = (room.down.rows(0..<x.rows), room.up.rows(0..<x.rows))
    multiply(down, Operand(x), a.transposed, on: compute)
    Kernels.scale(down, by: scale, on: compute)
    multiply(factors.b(in: gradients), dy.transposed, Operand(down), adding: true, on: compute)
    multiply(up, Operand(dy), Operand(b), on: compute)
    Kernels.scale(up, by: scale, on: compute)
    multiply(factors.a(in: gradients), up.transposed, Operand(x), adding: true, on: compute)
  }
}
