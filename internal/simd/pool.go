package simd

import (
	"fmt"
	"unsafe"
)

// MaxPool2x2 sets y, of rows×cols elements, to the largest of each 2×2 elements of x, whose 2*rows lines
// are ld >= 2*cols elements apart; NaN where one is NaN. The planes of a batch can be one matrix
// where their height is even.
func (k *Kernels) MaxPool2x2(y, x []float32, rows, cols, ld int) {
	checkPool(rows, cols, ld, len(x), len(y))
	for step := poolRows(cols); rows > 0 && cols > 0; rows -= step {
		n := min(rows, step)
		k.maxPool(n, cols, &x[0], 4*ld, &y[0])
		if n == rows {
			return
		}
		x, y = x[2*n*ld:], y[n*cols:]
	}
}

// MaxPool2x2Grad sets dx, laid out like x, to the gradient of MaxPool2x2 given its result y and that
// result's gradient dy. The gradient goes to the first largest element of each 2×2, line by line; if y is
// NaN, to the first. Elements of dx between lines stay.
func (k *Kernels) MaxPool2x2Grad(dx, x, y, dy []float32, rows, cols, ld int) {
	checkPool(rows, cols, ld, min(len(x), len(dx)), min(len(y), len(dy)))
	for step := poolRows(cols); rows > 0 && cols > 0; rows -= step {
		n := min(rows, step)
		k.maxPoolGrad(n, cols, &x[0], 4*ld, &y[0], &dy[0], &dx[0])
		if n == rows {
			return
		}
		x, dx, y, dy = x[2*n*ld:], dx[2*n*ld:], y[n*cols:], dy[n*cols:]
	}
}

// poolRows is the most lines of results for one call.
func poolRows(cols int) int { return max(callLen/max(cols, 1), 1) }

func checkPool(rows, cols, ld, x, y int) {
	if rows <= 0 || cols <= 0 {
		return
	}
	if ld < 2*cols || x < (2*rows-1)*ld+2*cols || y < rows*cols {
		panic(fmt.Sprintf("simd: pooling to %d×%d from lines of %d, with %d and %d elements", rows, cols, ld, x, y))
	}
}

func maxPoolGo(rows, n int, x *float32, xRow int, y *float32) uint32 {
	for r := range rows {
		top, bottom := unsafe.Slice(add(x, 2*r*xRow), 2*n), unsafe.Slice(add(x, (2*r+1)*xRow), 2*n)
		out := unsafe.Slice(add(y, 4*r*n), n)
		for i := range out {
			out[i] = flush(max(top[2*i], top[2*i+1], bottom[2*i], bottom[2*i+1]))
		}
	}
	return 0
}

func maxPoolGradGo(rows, n int, x *float32, xRow int, y, dy, dx *float32) uint32 {
	line := func(p *float32, r int) []float32 { return unsafe.Slice(add(p, r*xRow), 2*n) }
	for r := range rows {
		top, bottom, dTop, dBottom := line(x, 2*r), line(x, 2*r+1), line(dx, 2*r), line(dx, 2*r+1)
		ys, dys := unsafe.Slice(add(y, 4*r*n), n), unsafe.Slice(add(dy, 4*r*n), n)
		for i, largest := range ys {
			d := flush(dys[i])
			j := 2 * i
			is := func(v float32) bool { return flush(v) == largest || v != v || largest != largest }
			cells := [4]float32{}
			switch {
			case is(top[j]):
				cells[0] = d
			case is(top[j+1]):
				cells[1] = d
			case is(bottom[j]):
				cells[2] = d
			case is(bottom[j+1]):
				cells[3] = d
			}
			dTop[j], dTop[j+1], dBottom[j], dBottom[j+1] = cells[0], cells[1], cells[2], cells[3]
		}
	}
	return 0
}
