package simd

import (
	"fmt"
	"unsafe"
)

// PoolWindows are the windows of a max pooling of float32: Rows×Cols of Size×Size elements, the next one in
// a row two columns on, all within the image. Denormals are numbers like others here.
type PoolWindows struct {
	Size       int // 2 or 3
	Rows, Cols int
	LD         int // elements from a line of the image to the next
	Step       int // from the first line of a row of windows to that of the next
	Out        int // from a row of results to the next
}

// HasPool reports whether there are kernels for windows of size×size elements, stride columns apart.
func HasPool(size, stride int) bool { return (size == 2 || size == 3) && stride == 2 }

// poolFunc sets y for rows > 0 rows of n > 0 windows. Strides are in bytes.
type poolFunc func(rows, n int, x *float32, xRow, xStep int, y *float32, yRow int)

// placesFunc sets y to places; the first window of a row begins at first, and the next row's step on.
type placesFunc func(rows, n int, x *float32, xRow, xStep int, y *int32, yRow, first, step int)

// pools are the kernels of one level.
type pools struct {
	maxPool        [4]poolFunc   // by size
	maxPlaces      [4]placesFunc // by size
	maxPoolScatter func(rows, n int, x *float32, xRow, xStep int, y *float32, yRow int, dx *float32)
}

// MaxPool sets y to the largest element of each window of x: of equal ones the first, line by line,
// and the first NaN rather than any number.
func (k *Kernels) MaxPool(w PoolWindows, y, x []float32) {
	w.check(len(x), len(y))
	w.eachCall(func(p PoolWindows, row int) {
		k.maxPool[p.Size](p.Rows, p.Cols, &x[row*p.Step], 4*p.LD, 4*p.Step, &y[row*p.Out], 4*p.Out)
	})
}

// MaxPoolPlaces sets at to the places of the same elements. The first element of x has place first.
func (k *Kernels) MaxPoolPlaces(w PoolWindows, at []int32, x []float32, first int) {
	w.check(len(x), len(at))
	w.eachCall(func(p PoolWindows, row int) {
		k.maxPlaces[p.Size](p.Rows, p.Cols, &x[row*p.Step], 4*p.LD, 4*p.Step, &at[row*p.Out], 4*p.Out, first+row*p.Step, p.Step)
	})
}

// MaxPoolScatter sets dx, laid out like x, to dy at the places of the same elements, and to 0 elsewhere in
// the windows; the rest of dx stays. Windows are of 2×2 elements and do not overlap.
func (k *Kernels) MaxPoolScatter(w PoolWindows, dx, x, dy []float32) {
	w.check(min(len(x), len(dx)), len(dy))
	if w.Size != 2 || w.Rows > 1 && w.Step < 2*w.LD || w.LD < 2*w.Cols {
		panic(fmt.Sprintf("simd: scattering over windows that overlap: %+v", w))
	}
	w.eachCall(func(p PoolWindows, row int) {
		i := row * p.Step
		k.maxPoolScatter(p.Rows, p.Cols, &x[i], 4*p.LD, 4*p.Step, &dy[row*p.Out], 4*p.Out, &dx[i])
	})
}

func (w *PoolWindows) check(x, y int) {
	if !HasPool(w.Size, 2) {
		panic(fmt.Sprintf("simd: pooling without a kernel: %+v", *w))
	}
	if w.Rows <= 0 || w.Cols <= 0 {
		return
	}
	if w.LD < 0 || w.Step < 0 || w.Out < w.Cols ||
		x < (w.Rows-1)*w.Step+(w.Size-1)*w.LD+2*(w.Cols-1)+w.Size || y < (w.Rows-1)*w.Out+w.Cols {
		panic(fmt.Sprintf("simd: pooling %+v of %d elements to %d", *w, x, y))
	}
}

// eachCall cuts rows up: a call cannot be preempted, and so must not be long.
func (w PoolWindows) eachCall(call func(part PoolWindows, row int)) {
	if w.Cols <= 0 {
		return
	}
	part := w
	for row := 0; row < w.Rows; row += part.Rows {
		part.Rows = min(max(callLen/w.Cols, 1), w.Rows-row)
		call(part, row)
	}
}

var poolsGo = pools{
	maxPool:        [...]poolFunc{2: maxPoolGo(2), 3: maxPoolGo(3)},
	maxPlaces:      [...]placesFunc{2: maxPlacesGo(2), 3: maxPlacesGo(3)},
	maxPoolScatter: maxPoolScatterGo,
}

// windowMax is the largest element of the window at x, its line, and its column.
func windowMax(size int, x *float32, xRow int) (best float32, line, col int) {
	best = *x
	for a := range size {
		for b, v := range unsafe.Slice(add(x, a*xRow), size) {
			if !(v <= best) && best == best {
				best, line, col = v, a, b
			}
		}
	}
	return best, line, col
}

func maxPoolGo(size int) poolFunc {
	return func(rows, n int, x *float32, xRow, xStep int, y *float32, yRow int) {
		for r := range rows {
			to := unsafe.Slice(add(y, r*yRow), n)
			for i := range to {
				to[i], _, _ = windowMax(size, add(x, r*xStep+8*i), xRow)
			}
		}
	}
}

func maxPlacesGo(size int) placesFunc {
	return func(rows, n int, x *float32, xRow, xStep int, y *int32, yRow, first, step int) {
		for r := range rows {
			to := unsafe.Slice((*int32)(unsafe.Add(unsafe.Pointer(y), r*yRow)), n)
			for i := range to {
				_, line, col := windowMax(size, add(x, r*xStep+8*i), xRow)
				to[i] = int32(first + r*step + 2*i + line*xRow/4 + col)
			}
		}
	}
}

func maxPoolScatterGo(rows, n int, x *float32, xRow, xStep int, y *float32, yRow int, dx *float32) {
	for r := range rows {
		for i, v := range unsafe.Slice(add(y, r*yRow), n) {
			at := r*xStep + 8*i
			_, line, col := windowMax(2, add(x, at), xRow)
			for a := range 2 {
				clear(unsafe.Slice(add(dx, at+a*xRow), 2))
			}
			*add(dx, at+line*xRow+4*col) = v
		}
	}
}
