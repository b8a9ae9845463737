/// Colours that are told apart with any colour vision (Okabe and Ito, 2008), in the order of the
/// series.
enum ChartColors {
  static let light = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
  ]
  static let dark = [
    "#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#ffffff",
  ]
  /// Escape codes of a terminal that come near.
  static let terminal = [34, 31, 32, 35, 33, 36, 37]
  /// Lengths of strokes and gaps, so that lines under one another are seen, and colours repeat.
  static let dashes = ["", "9 5", "2 4", "11 4 2 4"]
}

extension LineChart {
  /// Rules for charts on dark pages, for the `<style>` around them. Light is what they are drawn in.
  package static let style: Markup = {
    let rules = ChartColors.dark.enumerated().map { index, color in
      ".chart .s\(index){color:\(color)}" as Markup
    }
    return """
      @media screen and (prefers-color-scheme:dark){.chart{color:#e3e6e9}.chart .page{fill:#15181c}\
      .chart .grid{color:#343a41}.chart .axis{color:#8a939c}\(rules.joined())}
      """
  }()
}
