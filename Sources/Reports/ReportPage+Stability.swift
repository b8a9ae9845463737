import ByteIO
import Charts
import Verification

extension ReportPage {
  /// What `ckpt verify --stability` found of the package; nothing where that was not asked.
  func stability(_ package: PackageSummary) -> Markup {
    guard let certificate = package.verification?.ownCertificate else { return "" }
    return """
      <section><h2>How deep is safe</h2>
      <p>On the text given to <code>ckpt verify --stability</code> (\(certificate.extent)), \
      \(certificate.summary).</p>
      <p class="quiet">A step is how far one more pass moves the state, as a share of its size. A \
      spectral radius below 1 means that small changes of the state die out. This is about r alone: a \
      model whose state settles may be a bad one, whose further passes change nothing.</p>
      \(Self.table(StabilityCertificate.columns, certificate.rows))\(Self.figures(certificate.charts))\
      </section>


      """
  }
}

extension StabilityCertificate {
  fileprivate var charts: [LineChart] {
    func chart(
      _ title: String, _ unit: String, isLogarithmic: Bool, _ value: (Depth) -> Double?
    ) -> LineChart {
      let points = depths.compactMap { depth in
        value(depth).map { LineChart.Point(Double(depth.recurrence), $0) }
      }
      return LineChart(
        title: title, xLabel: "recurrences r", yLabel: unit, xIsLogarithmic: true,
        yIsLogarithmic: isLogarithmic, series: [.init(unit, points, isMarked: true)])
    }
    return [
      chart("Loss by recurrence", "nats per token", isLogarithmic: false, \.loss),
      chart("Step of the state", "change over its norm", isLogarithmic: true) {
        // A state that does not move has no place on this axis.
        $0.settling.flatMap { $0 > 0 ? $0 : nil }
      },
    ].filter { !$0.series[0].points.isEmpty }
  }
}
