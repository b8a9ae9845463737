import Foundation

/// One column of strings from Parquet files, beside pyarrow, both on one thread.
let readingParquet = Benchmark("parquet", "126 MB of strings from Parquet, one thread") { setting in
  guard let python = setting.python else {
    throw BenchmarkFailure("the peer needs a Python with pyarrow: --python")
  }
  let program = ".build/release/ReadColumn"
  guard FileManager.default.isExecutableFile(atPath: program) else {
    throw BenchmarkFailure("\(program) is not there: CKPT_BENCH=1 swift build -c release")
  }
  let files = try jsonOutput(
    [python, "Benchmarks/peers/make_parquet.py", setting.workspace], in: setting)
  var table = Table("file", "ckpt MB/s (min / median / max)", "pyarrow MB/s", "ratio")
  for name in files.keys.sorted() {
    guard let path = files[name] as? String else { continue }
    let side = { (command: [String]) in
      {
        let object = try jsonOutput(command + [path, "text"], in: setting)
        return object["megabytes_per_second"] as? Double ?? .nan
      }
    }
    let speeds = try interleaved(
      setting.runs,
      [side([program]), side([python, "Benchmarks/peers/read_column.py"])]
    ).map { Samples($0) }
    table.add(
      name, speeds[0].text(digits: 0), speeds[1].text(digits: 0), speeds[0].over(speeds[1]).text())
  }
  table.print()
}
