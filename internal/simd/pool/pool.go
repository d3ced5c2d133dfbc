package pool

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Windows are the windows of a max pooling of float32: Rows×Cols of Size×Size elements, all within
// the image. Denormals are numbers like others here.
type Windows struct {
	Size       int // 2 or 3 where Stride is 2
	Stride     int // columns from a window to the next in its row: 1 or 2
	Rows, Cols int
	LD         int // elements from a line of the image to the next
	Step       int // from the first line of a row of windows to that of the next
	Out        int // from a row of results to the next
}

// Has reports whether there are kernels for windows of size×size elements, stride columns apart.
func Has(size, stride int) bool {
	return stride == 1 && size > 1 || stride == 2 && (size == 2 || size == 3)
}

// maxFunc sets y for rows > 0 rows of n > 0 windows. Strides are in bytes.
type maxFunc func(rows, n int, x *float32, xRow, xStep int, y *float32, yRow int)

// placesFunc sets y to places; the first window of a row begins at first, and the next row's step
// on.
type placesFunc func(rows, n int, x *float32, xRow, xStep int, y *int32, yRow, first, step int)

// Kernels are the kernels of one level.
type Kernels struct {
	max    [4]maxFunc    // by size, of windows two columns apart
	places [4]placesFunc // by size

	// slideMax and slidePlaces are those of windows next to each other.
	slideMax    func(rows, n, size int, x *float32, xRow, xStep int, y *float32, yRow int)
	slidePlaces func(rows, n, size int, x *float32, xRow, xStep int, y *int32, yRow, first, step int)

	columns func(rows, n, lines int, x *float32, xRow, xStep int, y *int64, yRow, first, step int)
	scatter func(rows, n int, x *float32, xRow, xStep int, y *float32, yRow int, dx *float32)
}

// At returns the kernels for a level, or nil where there are none.
func At(l isa.Level) *Kernels {
	k, ok := tables[l]
	if !ok {
		return nil
	}
	return &k
}

// Max sets y to the largest element of each window of x: of equal ones the first, line by line,
// and the first NaN rather than any number.
func (k *Kernels) Max(w Windows, y, x []float32) {
	w.check(len(x), len(y))
	w.eachCall(func(p Windows, row int) {
		if p.Stride == 1 {
			k.slideMax(p.Rows, p.Cols, p.Size, &x[row*p.Step], 4*p.LD, 4*p.Step, &y[row*p.Out], 4*p.Out)
			return
		}
		k.max[p.Size](p.Rows, p.Cols, &x[row*p.Step], 4*p.LD, 4*p.Step, &y[row*p.Out], 4*p.Out)
	})
}

// Places sets at to the places of the same elements. The first element of x has place first.
func (k *Kernels) Places(w Windows, at []int32, x []float32, first int) {
	w.check(len(x), len(at))
	w.eachCall(func(p Windows, row int) {
		if p.Stride == 1 {
			k.slidePlaces(p.Rows, p.Cols, p.Size, &x[row*p.Step], 4*p.LD, 4*p.Step, &at[row*p.Out], 4*p.Out, first+row*p.Step, p.Step)
			return
		}
		k.places[p.Size](p.Rows, p.Cols, &x[row*p.Step], 4*p.LD, 4*p.Step, &at[row*p.Out], 4*p.Out, first+row*p.Step, p.Step)
	})
}

// Scatter sets dx, laid out like x, to dy at the places of the same elements, and to 0 elsewhere in
// the windows; the rest of dx stays. Windows are of 2×2 elements and do not overlap.
func (k *Kernels) Scatter(w Windows, dx, x, dy []float32) {
	w.check(min(len(x), len(dx)), len(dy))
	if w.Size != 2 || w.Stride != 2 || w.Rows > 1 && w.Step < 2*w.LD || w.LD < 2*w.Cols {
		panic(fmt.Sprintf("pool: scattering over windows that overlap: %+v", w))
	}
	w.eachCall(func(p Windows, row int) {
		i := row * p.Step
		k.scatter(p.Rows, p.Cols, &x[i], 4*p.LD, 4*p.Step, &dy[row*p.Out], 4*p.Out, &dx[i])
	})
}

// Columns are rows of windows as wide as the image, of which each column is looked at by itself:
// Rows×Cols columns of Lines > 0 elements. A row of results follows the one before.
type Columns struct {
	Lines      int
	Rows, Cols int
	LD         int // elements from a line of a window to the next
	Step       int // from the first line of a row of windows to that of the next
}

// Best sets keys to those of the largest element of each column of x. A key stands for an element and
// its place, which is first for that of x[0]: the larger one is that of the larger element; of equal
// elements, or of two NaNs, that of the first place. NaN is larger than all numbers.
func (k *Kernels) Best(c Columns, keys []int64, x []float32, first int) {
	if c.Rows <= 0 || c.Cols <= 0 {
		return
	}
	if c.Lines <= 0 || c.LD < 0 || c.Step < 0 || len(x) < (c.Rows-1)*c.Step+(c.Lines-1)*c.LD+c.Cols || len(keys) < c.Rows*c.Cols {
		panic(fmt.Sprintf("pool: columns %+v of %d elements to %d keys", c, len(x), len(keys)))
	}
	each := max(isa.CallLen/(c.Cols*c.Lines), 1)
	for row := 0; row < c.Rows; row += each {
		k.columns(min(each, c.Rows-row), c.Cols, c.Lines, &x[row*c.Step], 4*c.LD, 4*c.Step, &keys[row*c.Cols], 8*c.Cols, first+row*c.Step, c.Step)
	}
}

// PlaceOf returns the place of a key.
func PlaceOf(key int64) int32 { return int32(^uint32(key)) }

func (w *Windows) check(x, y int) {
	if !Has(w.Size, w.Stride) {
		panic(fmt.Sprintf("pool: pooling without a kernel: %+v", *w))
	}
	if w.Rows <= 0 || w.Cols <= 0 {
		return
	}
	if w.LD < 0 || w.Step < 0 || w.Out < w.Cols ||
		x < (w.Rows-1)*w.Step+(w.Size-1)*w.LD+w.Stride*(w.Cols-1)+w.Size || y < (w.Rows-1)*w.Out+w.Cols {
		panic(fmt.Sprintf("pool: pooling %+v of %d elements to %d", *w, x, y))
	}
}

// eachCall cuts rows up: a call cannot be preempted, and so must not be long.
func (w Windows) eachCall(call func(part Windows, row int)) {
	if w.Cols <= 0 {
		return
	}
	part := w
	for row := 0; row < w.Rows; row += part.Rows {
		part.Rows = min(max(isa.CallLen/(w.Cols*w.work()), 1), w.Rows-row)
		call(part, row)
	}
}

// work is how many elements of a window are looked at one by one.
func (w *Windows) work() int {
	if w.Stride == 1 {
		return w.Size * w.Size
	}
	return 1
}

var plain = Kernels{
	max:         [...]maxFunc{2: maxGo(2, 2), 3: maxGo(3, 2)},
	places:      [...]placesFunc{2: placesGo(2, 2), 3: placesGo(3, 2)},
	slideMax:    slideMaxGo,
	slidePlaces: slidePlacesGo,
	columns:     columnsGo,
	scatter:     scatterGo,
}

func slideMaxGo(rows, n, size int, x *float32, xRow, xStep int, y *float32, yRow int) {
	maxGo(size, 1)(rows, n, x, xRow, xStep, y, yRow)
}

func slidePlacesGo(rows, n, size int, x *float32, xRow, xStep int, y *int32, yRow, first, step int) {
	placesGo(size, 1)(rows, n, x, xRow, xStep, y, yRow, first, step)
}

// windowMax is the largest element of the window at x, its line, and its column.
func windowMax(size int, x *float32, xRow int) (best float32, line, col int) {
	best = *x
	for a := range size {
		for b, v := range unsafe.Slice(isa.Add(x, a*xRow), size) {
			if !(v <= best) && best == best {
				best, line, col = v, a, b
			}
		}
	}
	return best, line, col
}

func maxGo(size, stride int) maxFunc {
	return func(rows, n int, x *float32, xRow, xStep int, y *float32, yRow int) {
		for r := range rows {
			to := unsafe.Slice(isa.Add(y, r*yRow), n)
			for i := range to {
				to[i], _, _ = windowMax(size, isa.Add(x, r*xStep+4*stride*i), xRow)
			}
		}
	}
}

func placesGo(size, stride int) placesFunc {
	return func(rows, n int, x *float32, xRow, xStep int, y *int32, yRow, first, step int) {
		for r := range rows {
			to := unsafe.Slice((*int32)(unsafe.Add(unsafe.Pointer(y), r*yRow)), n)
			for i := range to {
				_, line, col := windowMax(size, isa.Add(x, r*xStep+4*stride*i), xRow)
				to[i] = int32(first + r*step + stride*i + line*xRow/4 + col)
			}
		}
	}
}

func columnsGo(rows, n, lines int, x *float32, xRow, xStep int, y *int64, yRow, first, step int) {
	for r := range rows {
		to := unsafe.Slice((*int64)(unsafe.Add(unsafe.Pointer(y), r*yRow)), n)
		for i := range to {
			best, place := float32(0), 0
			for a := range lines {
				v := *isa.Add(x, r*xStep+a*xRow+4*i)
				if a == 0 || !(v <= best) && best == best {
					best, place = v, first+r*step+a*xRow/4+i
				}
			}
			to[i] = keyOf(best, place)
		}
	}
}

// keyOf puts what is in the order of elements above the complement of the place.
func keyOf(v float32, place int) int64 {
	bits := int32(math.Float32bits(v + 0)) // -0 becomes 0
	bits ^= int32(uint32(bits>>31) >> 1)
	if v != v {
		bits = math.MaxInt32
	}
	return int64(bits)<<32 | int64(^uint32(place))
}

func scatterGo(rows, n int, x *float32, xRow, xStep int, y *float32, yRow int, dx *float32) {
	for r := range rows {
		for i, v := range unsafe.Slice(isa.Add(y, r*yRow), n) {
			at := r*xStep + 8*i
			_, line, col := windowMax(2, isa.Add(x, at), xRow)
			for a := range 2 {
				clear(unsafe.Slice(isa.Add(dx, at+a*xRow), 2))
			}
			*isa.Add(dx, at+line*xRow+4*col) = v
		}
	}
}
