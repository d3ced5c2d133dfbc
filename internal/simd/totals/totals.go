package totals

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Total is a function of a row x, of rows z and g along with it, and of a number c of the row.
type Total uint8

// The totals. All but the extremes take denormals for zeros.
const (
	Sum        Total = iota // of x
	Squares                 // the sum of (x-c)²
	Dots                    // the sum of x*z
	Products                // the sum of z*(x-c)
	ProductsBy              // the sum of z*g*(x-c), with the same g for all rows
	Maximum                 // NaN if an element is; +0 is larger than -0
	Minimum                 // NaN if an element is; -0 is smaller than +0

	nTotals
)

// String returns the formula.
func (op Total) String() string {
	return [...]string{"sum x", "sum (x-c)²", "sum x*z", "sum z*(x-c)", "sum z*g*(x-c)", "max", "min"}[op]
}

// Map is a function of elements.
type Map uint8

// The maps. They take denormals for zeros.
const (
	Scale       Map = iota // dst = (x-c)*a + b
	ScaleBy                // dst = (x-c)*a*p + q
	Blend                  // dst = z*a + (x-c)*b + d
	BlendBy                // dst = z*p*a + (x-c)*b + d
	Weigh                  // dst = dst + z*(x-c)*a
	Add                    // dst = dst + x
	AddSquares             // dst = dst + (x-p)²
	AddProducts            // dst = dst + z*(x-p)
	ScaleEach              // dst = (x-p)*q + r
	BlendEach              // dst = z*q + (x-p)*r + s

	nMaps
)

// String returns the formula.
func (op Map) String() string {
	return [...]string{"(x-c)*a+b", "(x-c)*a*p+q", "z*a+(x-c)*b+d", "z*p*a+(x-c)*b+d", "dst+z*(x-c)*a",
		"dst+x", "dst+(x-p)²", "dst+z*(x-p)", "(x-p)*q+r", "z*q+(x-p)*r+s"}[op]
}

// totalFunc sets y for rows > 0 rows of n > 0 elements. Strides are in bytes.
type totalFunc[T isa.Float] func(rows, n int, y, x *T, xRow int, z *T, zRow int, g, c *T) (csr uint32)

// mapFunc sets n > 0 elements of dst.
type mapFunc[T isa.Float] func(n int, dst, x, z, p, q, r, s *T, a, b, c, d T) (csr uint32)

// rowsFunc sets rows > 0 rows of n > 0 elements of dst. Strides are in bytes.
type rowsFunc[T isa.Float] func(rows, n int, dst *T, dstRow int, x *T, xRow int, z *T, zRow int, p, q, a, b, c, d *T) (csr uint32)

// linesFunc sets rows > 0 rows of n > 0 elements of dst to sums of lines > 0 lines. Strides are in bytes.
type linesFunc[T isa.Float] func(rows, n, lines int, dst *T, dstRow int, x *T, xRow, xLine int) (csr uint32)

// columnsFunc sets planes > 0 rows of n > 0 elements of dst to sums of rows > 0 rows. Strides are in bytes.
type columnsFunc[T isa.Float] func(planes, rows, n int, dst *T, dstPlane int, x *T, xPlane, xRow int) (csr uint32)

type table[T isa.Float] struct {
	totals  [nTotals]totalFunc[T]
	maps    [nMaps]mapFunc[T]
	rows    [Weigh + 1]rowsFunc[T]
	columns columnsFunc[T]
	lines   linesFunc[T]

	both, bothBy bothFunc[T]
}

// Kernels are the kernels of one level.
type Kernels struct {
	width int // elements of float32 in a vector
	f32   table[float32]
	f64   table[float64]
}

// At returns the kernels for a level, or nil where there are none.
func At(l isa.Level) *Kernels {
	k, ok := tables[l]
	if !ok {
		return nil
	}
	return &k
}

func tableOf[T isa.Float](k *Kernels) *table[T] {
	if t, ok := any(&k.f32).(*table[T]); ok {
		return t
	}
	return any(&k.f64).(*table[T])
}

// Rows are rows of N elements, the first at X[0], and each XRow elements after the one before; Z
// and ZRow likewise, if the total has a z. C has a number for each row, if it has a c, and G is the
// row that all share.
type Rows[T isa.Float] struct {
	N          int
	X, Z, G, C []T
	XRow, ZRow int
}

// Longest is the most elements of a row to be added up by vectors, side by side; more would lose
// digits.
const Longest = isa.CallLen / 2

// Exact is the most elements of a row whose sum loses as little as can be: 12 terms in each lane of
// the vectors that are added up side by side.
func (k *Kernels) Exact() int { return 4 * 12 * k.width }

// Of returns the total of the one row of r, whose C is c if it has one. Its memory to work in
// is two elements: what kernels are given would otherwise be allocated.
func Of[T isa.Float](k *Kernels, op Total, r Rows[T], c T, work []T) T {
	work[1], r.C = c, work[1:2]
	OfRows(k, op, work[:1], r)
	return work[0]
}

// OfRows sets each element of y to the total of a row. The order of a sum depends only on N.
func OfRows[T isa.Float](k *Kernels, op Total, y []T, r Rows[T]) {
	if len(y) == 0 {
		return
	}
	if r.N == 0 {
		for i := range y {
			y[i] = none[T](op)
		}
		return
	}
	r.check(op, len(y))
	f, size := tableOf[T](k).totals[op], int(unsafe.Sizeof(y[0]))
	each := max(isa.CallLen/r.N, 1)
	for row := 0; row < len(y); row += each {
		n := min(each, len(y)-row)
		x, z, g, c := &r.X[row*r.XRow], &r.X[0], &r.X[0], &r.X[0]
		if len(r.Z) > 0 {
			z = &r.Z[row*r.ZRow]
		}
		if len(r.G) > 0 {
			g = &r.G[0]
		}
		if len(r.C) > 0 {
			c = &r.C[row]
		}
		f(n, r.N, &y[row], x, r.XRow*size, z, r.ZRow*size, g, c)
	}
	if op >= Maximum {
		mendZeros(op, y, r)
	}
}

// needs are the operands of a total.
func (op Total) needs() (z, g, c bool) {
	return op == Dots || op == Products || op == ProductsBy, op == ProductsBy, op == Squares || op == Products || op == ProductsBy
}

func (r *Rows[T]) check(op Total, rows int) {
	z, g, c := op.needs()
	if r.XRow < 0 || r.ZRow < 0 || len(r.X) < (rows-1)*r.XRow+r.N || z && len(r.Z) < (rows-1)*r.ZRow+r.N || g && len(r.G) < r.N || c && len(r.C) < rows {
		panic(fmt.Sprintf("totals: %v of %d rows of %d: x %d by %d, z %d by %d, g %d, c %d", op, rows, r.N, len(r.X), r.XRow, len(r.Z), r.ZRow, len(r.G), len(r.C)))
	}
}

// none is the total of no elements.
func none[T isa.Float](op Total) T {
	switch op {
	case Maximum:
		return T(math.Inf(-1))
	case Minimum:
		return T(math.Inf(1))
	}
	return 0
}

// mendZeros gives extremes that are zero their sign, which the kernels do not tell. The sign that is
// wanted is found soon where many zeros have it.
func mendZeros[T isa.Float](op Total, y []T, r Rows[T]) {
	for i, v := range y {
		if v != 0 {
			continue
		}
		has := slices.ContainsFunc(r.X[i*r.XRow:][:r.N], func(x T) bool { return x == 0 && (1/x < 0) == (op == Minimum) })
		if y[i] = 0; has == (op == Minimum) {
			y[i] = T(math.Copysign(0, -1))
		}
	}
}

// Operands are those of a map: vectors as long as the result where the map reads them, and numbers.
type Operands[T isa.Float] struct {
	X, Z, P, Q, R, S []T
	A, B, C, D       T
}

// Apply sets each element of dst. Operands may be dst itself, but not overlap it otherwise.
func Apply[T isa.Float](k *Kernels, op Map, dst []T, o Operands[T]) {
	f := tableOf[T](k).maps[op]
	at := func(v []T, i, n int) *T {
		if len(v) == 0 {
			return nil
		}
		return &v[i : i+n][0]
	}
	o.check(op, len(dst))
	for i := 0; i < len(dst); i += isa.CallLen {
		n := min(isa.CallLen, len(dst)-i)
		f(n, &dst[i], at(o.X, i, n), at(o.Z, i, n), at(o.P, i, n), at(o.Q, i, n), at(o.R, i, n), at(o.S, i, n), o.A, o.B, o.C, o.D)
	}
}

// MapRows are the operands of a map of rows of N elements, up to Weigh: those of X, Z and Dst are XRow,
// ZRow and DstRow elements apart, all share P and Q, and each row has a number of A, B, C and D where the
// map has one. Weigh may add all rows to one, with a DstRow of 0.
type MapRows[T isa.Float] struct {
	N                  int
	Dst, X, Z, P, Q    []T
	DstRow, XRow, ZRow int
	A, B, C, D         []T
}

// numbers reports which of a, b, c and d a map of rows has.
func (op Map) numbers() [4]bool {
	return [...][4]bool{Scale: {true, true, true, false}, ScaleBy: {true, false, true, false}, Blend: {true, true, true, true}, BlendBy: {true, true, true, true}, Weigh: {true, false, true, false}}[op]
}

// ApplyRows sets so many rows of m.Dst, which may be X or Z itself. They have the bits that Apply gives
// each.
func ApplyRows[T isa.Float](k *Kernels, op Map, rows int, m *MapRows[T]) {
	if rows == 0 || m.N == 0 {
		return
	}
	m.check(op, rows)
	f, size := tableOf[T](k).rows[op], int(unsafe.Sizeof(m.X[0]))
	each := max(isa.CallLen/m.N, 1)
	for row := 0; row < rows; row += each {
		f(min(each, rows-row), m.N, &m.Dst[row*m.DstRow], m.DstRow*size, &m.X[row*m.XRow], m.XRow*size, isa.Elem(m.Z, row*m.ZRow), m.ZRow*size,
			isa.Elem(m.P, 0), isa.Elem(m.Q, 0), isa.Elem(m.A, row), isa.Elem(m.B, row), isa.Elem(m.C, row), isa.Elem(m.D, row))
	}
}

func (m *MapRows[T]) check(op Map, rows int) {
	reach := func(row int) int { return (rows-1)*row + m.N }
	short := m.N > isa.CallLen || m.DstRow < m.N && rows > 1 && (op != Weigh || m.DstRow != 0) || m.DstRow < 0 || m.XRow < 0 || m.ZRow < 0 || len(m.Dst) < reach(m.DstRow) || len(m.X) < reach(m.XRow)
	short = short || reads[op].z > 0 && len(m.Z) < reach(m.ZRow)
	for i, v := range [...][]T{m.P, m.Q} {
		short = short || i < reads[op].p && len(v) < m.N
	}
	for i, v := range [...][]T{m.A, m.B, m.C, m.D} {
		short = short || op.numbers()[i] && len(v) < rows
	}
	if short {
		panic(fmt.Sprintf("totals: %v of %d rows of %d: dst %d by %d, x %d by %d, z %d by %d, p %d q %d, numbers %d %d %d %d", op, rows, m.N,
			len(m.Dst), m.DstRow, len(m.X), m.XRow, len(m.Z), m.ZRow, len(m.P), len(m.Q), len(m.A), len(m.B), len(m.C), len(m.D)))
	}
}

// reads are how many of z, and of p, q, r and s, a map reads besides x.
var reads = [nMaps]struct{ z, p int }{ScaleBy: {0, 2}, Blend: {1, 0}, BlendBy: {1, 1}, Weigh: {1, 0}, AddSquares: {0, 1},
	AddProducts: {1, 1}, ScaleEach: {0, 3}, BlendEach: {1, 4}}

func (o *Operands[T]) check(op Map, n int) {
	need := reads[op]
	short := len(o.X) < n || need.z > 0 && len(o.Z) < n
	for i, v := range [...][]T{o.P, o.Q, o.R, o.S} {
		short = short || i < need.p && len(v) < n
	}
	if short {
		panic(fmt.Sprintf("totals: %v of %d elements: x %d z %d p %d q %d r %d s %d", op, n, len(o.X), len(o.Z), len(o.P), len(o.Q), len(o.R), len(o.S)))
	}
}

// Lines are rows of N elements, of which each is the sum of Count > 0 lines of X: those of the first
// row begin with X[0] and are Line elements apart, those of the next row XRow elements on. Dst has a
// row every DstRow elements.
type Lines[T isa.Float] struct {
	N, Count           int
	Dst, X             []T
	DstRow, XRow, Line int
}

// SumLines sets so many rows of l.Dst. A sum is in the order of the lines; the sum of one line is that
// line, denormals too. X and Dst do not overlap.
func SumLines[T isa.Float](k *Kernels, rows int, l Lines[T]) {
	if rows == 0 || l.N == 0 {
		return
	}
	l.check(rows)
	f, size := tableOf[T](k).lines, int(unsafe.Sizeof(l.X[0]))
	for at := 0; at < l.N; at += isa.CallLen {
		n := min(isa.CallLen, l.N-at)
		each := max(isa.CallLen/(n*l.Count), 1)
		for row := 0; row < rows; row += each {
			f(min(each, rows-row), n, l.Count, &l.Dst[row*l.DstRow+at], l.DstRow*size, &l.X[row*l.XRow+at], l.XRow*size, l.Line*size)
		}
	}
}

func (l *Lines[T]) check(rows int) {
	if l.Count <= 0 || l.Line < 0 || l.XRow < 0 || rows > 1 && l.DstRow < l.N ||
		len(l.Dst) < (rows-1)*l.DstRow+l.N || len(l.X) < (rows-1)*l.XRow+(l.Count-1)*l.Line+l.N {
		panic(fmt.Sprintf("totals: %d rows of %d lines of %d: dst %d by %d, x %d by %d and %d", rows, l.Count, l.N, len(l.Dst), l.DstRow, len(l.X), l.XRow, l.Line))
	}
}
