extension LineChart.Series {
  /// Many uneven values as a line of means, with the values themselves behind it, or their range
  /// where there are more than a reader can see.
  ///
  /// - Parameters:
  ///   - points: In order of x; those that are not finite are left out of the means.
  ///   - limit: The most points that are drawn of a line.
  package static func smoothed(
    _ name: String, _ points: [LineChart.Point], limit: Int = 300
  ) -> Self {
    // Too few to have a trend.
    if points.count < 12 { return Self(name, points) }
    if points.count <= limit {
      return Self(name, means(points, reach: max(1, points.count / 24)), raw: points)
    }
    let width = (points.count + limit - 1) / max(1, limit)
    var centres: [LineChart.Point] = []
    var bands: [LineChart.Band] = []
    for start in stride(from: 0, to: points.count, by: width) {
      let part = points[start..<min(start + width, points.count)]
      let middle = part[(part.startIndex + part.endIndex - 1) / 2].x
      let values = part.map(\.y).filter(\.isFinite)
      centres.append(
        .init(middle, values.isEmpty ? .nan : values.reduce(0, +) / Double(values.count)))
      bands.append(.init(middle, low: values.min() ?? .nan, high: values.max() ?? .nan))
    }
    return Self(name, means(centres, reach: max(1, centres.count / 60)), band: bands)
  }

  /// Means over up to `reach` neighbours on either side, as many on both: an end is not drawn
  /// towards the middle.
  private static func means(_ points: [LineChart.Point], reach: Int) -> [LineChart.Point] {
    points.indices.map { i in
      let near = min(reach, i, points.count - 1 - i)
      let values = points[(i - near)...(i + near)].map(\.y).filter(\.isFinite)
      guard points[i].y.isFinite, !values.isEmpty else { return .init(points[i].x, .nan) }
      return .init(points[i].x, values.reduce(0, +) / Double(values.count))
    }
  }
}
