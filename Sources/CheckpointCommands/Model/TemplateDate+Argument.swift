import ArgumentParser
import ChatTemplates
import Platform

/// `2026-11-29`: the date that a chat template writes.
extension TemplateDate: ExpressibleByArgument {
  package init?(argument: String) { self.init(argument) }

  /// The day and the time that it is.
  static var now: TemplateDate {
    let time = localTime()
    var date = TemplateDate(year: time.year, month: time.month, day: time.day)
    (date.hour, date.minute, date.second) = (time.hour, time.minute, time.second)
    return date
  }
}
