#if MPI
import CMPI
import Platform

/// The one thread that speaks to MPI, so that communication goes on while others compute.
///
/// It sleeps when nothing is under way, looks every tenth of a millisecond while sums are, and
/// gives its time slice away in between once somebody waits for them.
@safe
final class MPIThread: @unchecked Sendable {
  typealias Request = ck_mpi_request

  private enum Job {
    /// Gives an error code; done when it returns.
    case call(() -> Int32)
    /// Starts a sum.
    case begin((inout Request) -> Int32)
    case end
  }

  private let monitor = Monitor()
  // Guarded by the monitor.
  private var jobs: [Job] = []
  private var unfinished = 0
  private var isAwaited = false
  /// The first error code since the last `wait`.
  private var failure: Int32 = 0
  private var sums = 0
  /// When the sums that are under way began.
  private var sumsBegan = ContinuousClock.now
  private var pastSums = Duration.zero

  /// Microseconds between two looks at sums that nobody waits for.
  private static let pause: UInt32 = 100

  init() throws {
    let thread = try SystemThread { [self] in work() }
    thread.detach()
  }

  /// Starts a sum, after all that was asked for before.
  func begin(_ start: @escaping (inout Request) -> Int32) { add(.begin(start)) }

  /// Calls `body` on the thread and gives its error code, or that of a sum before it.
  func call(_ body: @escaping () -> Int32) -> Int32 {
    add(.call(body))
    return wait()
  }

  /// Waits for everything that was asked for; gives 0 or an error code.
  func wait() -> Int32 {
    locked {
      isAwaited = true
      monitor.announce()
      while unfinished > 0 { monitor.wait() }
      isAwaited = false
      defer { failure = 0 }
      return failure
    }
  }

  /// Seconds so far in which sums were under way, one or many.
  var activeSeconds: Double {
    locked { (sums > 0 ? pastSums + (.now - sumsBegan) : pastSums) / .seconds(1) }
  }

  /// Ends the thread; nothing may follow.
  func end() { add(.end) }

  private func add(_ job: Job) {
    locked {
      jobs.append(job)
      unfinished += 1
      monitor.announce()
    }
  }

  private func locked<R>(_ body: () -> R) -> R { monitor.locked(body) }

  // MARK: On the thread

  private func work() {
    var active: [Request] = []
    while true {
      let (jobs, isAwaited) = take(waiting: active.isEmpty)
      for job in jobs {
        switch job {
        case .call(let body): finished(body())
        case .begin(let start):
          var request: Request = 0
          sumBegins()
          let code = start(&request)
          if code == 0 { active.append(request) } else { finished(code, isSum: true) }
        case .end: return finished(0)
        }
      }
      let left = test(active)
      if left.count == active.count, !left.isEmpty {
        if isAwaited {
          SystemThread.giveWay()
        } else {
          SystemThread.sleep(microseconds: Self.pause)
        }
      }
      active = left
    }
  }

  /// New jobs; when there are none, waits for some if asked to.
  private func take(waiting: Bool) -> ([Job], isAwaited: Bool) {
    locked {
      while waiting, jobs.isEmpty { monitor.wait() }
      defer { jobs = [] }
      return (jobs, isAwaited)
    }
  }

  /// The requests that are still under way.
  private func test(_ requests: [Request]) -> [Request] {
    requests.compactMap { request -> Request? in
      var (request, isDone): (Request, Int32) = (request, 0)
      let code = unsafe ck_mpi_test(&request, &isDone)
      if code == 0, isDone == 0 { return request }
      finished(code, isSum: true)
      return nil
    }
  }

  private func sumBegins() {
    locked {
      if sums == 0 { sumsBegan = .now }
      sums += 1
    }
  }

  private func finished(_ code: Int32, isSum: Bool = false) {
    locked {
      if isSum {
        sums -= 1
        if sums == 0 { pastSums += .now - sumsBegan }
      }
      unfinished -= 1
      if failure == 0 { failure = code }
      if unfinished == 0 { monitor.announce() }
    }
  }
}
#endif
