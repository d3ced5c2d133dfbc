package totals

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

var plain = Kernels{width: 8, f32: plainTable[float32](), f64: plainTable[float64]()}

func plainTable[T isa.Float]() (t table[T]) {
	for op, f := range plainTotals[T]() {
		t.totals[op] = rowsGo(Total(op), f)
	}
	t.maps, t.lines = plainMaps[T](), linesGo[T]
	for op := range t.rows {
		t.rows[op] = mapRowsGo(Map(op), t.maps[op])
	}
	t.columns = columnsGo[T]
	t.both, t.bothBy = plainBoth(t.totals[Products], t.totals[Sum]), plainBoth(t.totals[ProductsBy], t.totals[Dots])
	return t
}

// mapRowsGo applies a map to rows, one after the other.
func mapRowsGo[T isa.Float](op Map, f mapFunc[T]) rowsFunc[T] {
	return func(rows, n int, dst *T, dstRow int, x *T, xRow int, z *T, zRow int, p, q, a, b, c, d *T) (csr uint32) {
		number := func(v *T, row, which int) T {
			if !op.numbers()[which] {
				return 0
			}
			return unsafe.Slice(v, rows)[row]
		}
		for i := range rows {
			zs := z
			if z != nil {
				zs = isa.Add(z, i*zRow)
			}
			f(n, isa.Add(dst, i*dstRow), isa.Add(x, i*xRow), zs, p, q, nil, nil, number(a, i, 0), number(b, i, 1), number(c, i, 2), number(d, i, 3))
		}
		return 0
	}
}

// plainTotals are the terms of the sums; extremes have none.
func plainTotals[T isa.Float]() [nTotals]func(x, z, g, c T) T {
	return [nTotals]func(x, z, g, c T) T{
		Sum:        func(x, _, _, _ T) T { return x },
		Squares:    func(x, _, _, c T) T { return (x - c) * (x - c) },
		Dots:       func(x, z, _, _ T) T { return x * z },
		Products:   func(x, z, _, c T) T { return z * (x - c) },
		ProductsBy: func(x, z, g, c T) T { return z * g * (x - c) },
	}
}

func rowsGo[T isa.Float](op Total, term func(x, z, g, c T) T) totalFunc[T] {
	needsZ, needsG, needsC := op.needs()
	return func(rows, n int, y, x *T, xRow int, z *T, zRow int, g, c *T) uint32 {
		for i := range rows {
			xs, zs, gs, cv := unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(x), i*xRow)), n), []T(nil), []T(nil), T(0)
			if needsZ {
				zs = unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(z), i*zRow)), n)
			}
			if needsG {
				gs = unsafe.Slice(g, n)
			}
			if needsC {
				cv = unsafe.Slice(c, rows)[i]
			}
			unsafe.Slice(y, rows)[i] = rowGo(op, term, xs, zs, gs, cv)
		}
		return 0
	}
}

// rowGo keeps four sums, like lanes, in float64.
func rowGo[T isa.Float](op Total, term func(x, z, g, c T) T, xs, zs, gs []T, c T) T {
	var sums [4]float64
	best := none[T](op)
	at := func(v []T, i int) T {
		if v == nil {
			return 0
		}
		return isa.Flush(v[i])
	}
	for i, x := range xs {
		switch op {
		case Maximum:
			best = max(best, x)
		case Minimum:
			best = min(best, x)
		default:
			sums[i&3] += float64(term(isa.Flush(x), at(zs, i), at(gs, i), isa.Flush(c)))
		}
	}
	if op >= Maximum {
		return best
	}
	return isa.Flush(T(sums[0] + sums[1] + (sums[2] + sums[3])))
}

func plainMaps[T isa.Float]() (all [nMaps]mapFunc[T]) {
	for op, f := range [nMaps]func(o element[T]) T{
		Scale:       func(o element[T]) T { return (o.x-o.c)*o.a + o.b },
		ScaleBy:     func(o element[T]) T { return (o.x-o.c)*o.a*o.p + o.q },
		Blend:       func(o element[T]) T { return (o.x-o.c)*o.b + o.d + o.z*o.a },
		BlendBy:     func(o element[T]) T { return (o.x-o.c)*o.b + o.d + o.z*o.p*o.a },
		Weigh:       func(o element[T]) T { return o.dst + (o.x-o.c)*o.a*o.z },
		Add:         func(o element[T]) T { return o.dst + o.x },
		AddSquares:  func(o element[T]) T { return o.dst + (o.x-o.p)*(o.x-o.p) },
		AddProducts: func(o element[T]) T { return o.dst + (o.x-o.p)*o.z },
		ScaleEach:   func(o element[T]) T { return (o.x-o.p)*o.q + o.r },
		BlendEach:   func(o element[T]) T { return (o.x-o.p)*o.r + o.s + o.z*o.q },
	} {
		all[op] = mapGo(f)
	}
	return all
}

func linesGo[T isa.Float](rows, n, lines int, dst *T, dstRow int, x *T, xRow, xLine int) uint32 {
	for r := range rows {
		to := unsafe.Slice(isa.Add(dst, r*dstRow), n)
		copy(to, unsafe.Slice(isa.Add(x, r*xRow), n))
		for a := 1; a < lines; a++ {
			for i, v := range unsafe.Slice(isa.Add(x, r*xRow+a*xLine), n) {
				to[i] = isa.Flush(isa.Flush(to[i]) + isa.Flush(v))
			}
		}
	}
	return 0
}

// element are the operands of one element.
type element[T isa.Float] struct{ dst, x, z, p, q, r, s, a, b, c, d T }

func mapGo[T isa.Float](f func(o element[T]) T) mapFunc[T] {
	return func(n int, dst, x, z, p, q, r, s *T, a, b, c, d T) uint32 {
		o := element[T]{a: isa.Flush(a), b: isa.Flush(b), c: isa.Flush(c), d: isa.Flush(d)}
		to := unsafe.Slice(dst, n)
		for i := range to {
			o.dst = isa.Flush(to[i])
			o.x, o.z, o.p = read(x, i, n), read(z, i, n), read(p, i, n)
			o.q, o.r, o.s = read(q, i, n), read(r, i, n), read(s, i, n)
			to[i] = isa.Flush(f(o))
		}
		return 0
	}
}

// read is element i of n, 0 if there are none.
func read[T isa.Float](v *T, i, n int) T {
	if v == nil {
		return 0
	}
	return isa.Flush(unsafe.Slice(v, n)[i])
}
