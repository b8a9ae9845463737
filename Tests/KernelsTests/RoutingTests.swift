import Kernels
import Tensors
import Testing

@Suite("which experts rows go through")
struct RoutingTests {
  private func matrix(_ rows: [[Float]]) throws -> Matrix {
    let matrix = try Matrix(rows: rows.count, columns: rows.first?.count ?? 0)
    matrix.assign(rows.flatMap { $0 })
    return matrix
  }

  @Test("the likeliest first, of equal ones the first; grouped rows stand in the batch's order")
  func order() throws {
    let routing = Routing(
      try matrix([[0.1, 0.6, 0.3, 0], [0.25, 0.25, 0.25, 0.25], [0, 0.1, 0.2, 0.7]]), chosen: 2)
    #expect(routing.experts == [1, 2, 0, 1, 3, 2])
    #expect(routing.starts == [0, 1, 3, 5, 6])
    #expect(routing.rows == [1, 0, 1, 0, 2, 2])
    #expect(routing.slots == [1, 3, 0, 2, 5, 4])
  }

  @Test("experts that no row chose are not in use")
  func unused() throws {
    let routing = Routing(try matrix([[0, 0.2, 0, 0.8, 0]]), chosen: 2)
    #expect(routing.inUse == [1, 3])
    #expect(routing.rows(of: 0).isEmpty && routing.rows(of: 4).isEmpty)
  }

  @Test("NaN is a choice like any other, and none is made twice")
  func notNumbers() throws {
    let routing = Routing(try matrix([[.nan, .nan, 0.5]]), chosen: 3)
    #expect(routing.experts.sorted() == [0, 1, 2])
  }

  @Test("rows go to their experts and come back, weighted")
  func thereAndBack() throws {
    let compute = try Compute(2)
    let routing = Routing(try matrix([[0.9, 0.1, 0], [0, 0.3, 0.7]]), chosen: 2)
    let x = try matrix([[1, 2], [3, 4]])
    let grouped = try Matrix(rows: 4, columns: 2)
    gatherRows(grouped, x, rows: routing.rows, on: compute)
    #expect(grouped.floats == [1, 2, 1, 2, 3, 4, 3, 4])
    // Expert 1 reads rows of both; its results stand second and third.
    #expect(rowProducts(grouped, grouped, routing) == [5, 5, 25, 25])
    scaleRows(grouped, routing, by: [1, 10, 100, 1000], on: compute)
    #expect(grouped.floats == [1, 2, 10, 20, 3000, 4000, 300, 400])
    let y = try matrix([[1, 1], [1, 1]])
    combineRows(y, grouped, routing, factors: [1, 0.5, 0, 1], adding: true, on: compute)
    #expect(y.floats == [7, 13, 3001, 4001])
  }
}
