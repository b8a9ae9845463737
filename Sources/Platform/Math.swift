import Glibc

// The C library's functions of one real number, by their usual names.

package func exp(_ x: Double) -> Double { Glibc.exp(x) }
package func log(_ x: Double) -> Double { Glibc.log(x) }
package func log10(_ x: Double) -> Double { Glibc.log10(x) }
package func pow(_ x: Double, _ y: Double) -> Double { Glibc.pow(x, y) }
package func cos(_ x: Double) -> Double { Glibc.cos(x) }
package func sin(_ x: Double) -> Double { Glibc.sin(x) }
package func acos(_ x: Double) -> Double { Glibc.acos(x) }
package func floor(_ x: Double) -> Double { x.rounded(.down) }
package func ceil(_ x: Double) -> Double { x.rounded(.up) }
package func tanh(_ x: Double) -> Double { Glibc.tanh(x) }
package func erf(_ x: Double) -> Double { Glibc.erf(x) }
