package nhwc

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// diagonalFunc multiplies windows, ars bytes apart, of k > 0 taps each, of which the i-th is at[i] bytes behind a, by the
// diagonals of n > 0 vectors of channels, which follow each other in a, b and c; the last one has last channels. Results are cs
// bytes apart. It does so m > 0 times: the next windows are as bytes on, their results ys. Of a, it reads whole vectors.
type diagonalFunc func(m, n, k int, at *int, a *float32, as, ars int, b *float32, c *float32, ys, cs int, bias *float32, flags, last int) (csr uint32)

// diagonals is the matrix of a tap of several groups that share a vector, by its diagonals: the matrix is zero but for a block
// for each group, so that a vector of channels has as many results, and diagonal r has the number that takes channel c of a
// group to result c^r. Halevi and Shoup, Algorithms in HElib, 2014, multiply so by diagonals that wrap around.
type diagonals struct {
	Op
	source  filters
	width   int
	vectors int            // of channels
	kernel  []diagonalFunc // by windows
	chunk   int            // vectors of a call, whose filters stay in the first-level cache
}

// diagonalsOf returns the diagonals of op, or nil where its groups have vectors of their own.
func diagonalsOf(k *Kernels, op Op, source filters) *diagonals {
	if op.C != op.M || op.C >= len(k.diagonal) || k.diagonal[op.C] == nil {
		return nil
	}
	d := &diagonals{Op: op, source: source, width: k.width, vectors: isa.Ceil(op.channels(), k.width), kernel: k.diagonal[op.C]}
	d.chunk = max(isa.CacheSizes().L1/2/(4*d.panel()), 1)
	return d
}

// Lanes is how many results a pixel has in the vectors of a convolution in strips, those that nobody asks for too.
func (k *Kernels) Lanes(op Op) int {
	if diagonalsOf(k, op, filters{}) != nil {
		return isa.RoundUp(op.channels(), k.width)
	}
	return op.Groups * isa.RoundUp(op.M, k.width)
}

// packedLen is the number of elements of all diagonals.
func (d *diagonals) packedLen() int { return d.vectors * d.panel() }

// panel is the elements of the diagonals of a vector of channels.
func (d *diagonals) panel() int { return d.KH * d.KW * d.C * d.width }

// pack packs the filters of a vector of channels: the diagonals of a tap stand together.
func (d *diagonals) pack(packed, w []float32, vector int) {
	panel := packed[vector*d.panel():][:d.panel()]
	first := vector * d.width
	channels := min(d.width, d.channels()-first)
	for t, tap := range d.source.use {
		for r := range d.C {
			row := panel[(t*d.C+r)*d.width:][:d.width]
			clear(row[channels:])
			for i := range row[:channels] {
				from, to := first+i, (first+i)^r
				if d.source.turned {
					from, to = to, from
				}
				row[i] = isa.Flush32(w[(to*d.C+from%d.C)*len(d.source.use)+tap])
			}
		}
	}
}

// multiply multiplies so many rows of windows of a strip by the diagonals. Windows below each other are one call.
func (d *diagonals) multiply(y, strip, packed, bias []float32, of places, rows int) {
	tiles, ys, flags := isa.Ceil(d.OW, len(d.kernel)-1), d.OW*d.pitch(), d.flags(d.Add, true)
	for first := 0; first < d.vectors; first += d.chunk {
		n, at := min(d.chunk, d.vectors-first), first*d.width
		last := min(d.width, d.channels()-at-(n-1)*d.width)
		for t := range tiles {
			from, to := d.OW*t/tiles, d.OW*(t+1)/tiles
			most := max(isa.CallWork/(d.panel()*n*(to-from)), 1)
			for row := 0; row < rows; row += most {
				d.kernel[to-from](min(most, rows-row), n, len(of.at), &of.at[0], &strip[row*of.row+from*of.window+at], 4*of.row, 4*of.window,
					&packed[first*d.panel()], &y[row*ys+from*d.pitch()+at], 4*ys, 4*d.pitch(), isa.Elem(bias, at), flags, last)
			}
		}
	}
}

func diagonalGo(group, windows int) diagonalFunc {
	return func(m, n, k int, at *int, a *float32, as, ars int, b *float32, c *float32, ys, cs int, bias *float32, flags, last int) uint32 {
		places := unsafe.Slice(at, k)
		for i := range m * n * windows {
			row, vector, window := i/(n*windows), i/windows%n, i%windows
			var sums [goWidth]float32
			for tap, x := range places {
				v := unsafe.Slice(isa.Add(a, row*as+window*ars+x+4*vector*goWidth), goWidth)
				w := unsafe.Slice(isa.Add(b, 4*(vector*k+tap)*group*goWidth), group*goWidth)
				for r := range group {
					for lane := range goWidth {
						sums[lane^r] += isa.Flush32(v[lane]) * w[r*goWidth+lane]
					}
				}
			}
			lanes := goWidth
			if vector == n-1 {
				lanes = last
			}
			isa.Finish(unsafe.Slice(isa.Add(c, row*ys+window*cs+4*vector*goWidth), lanes), sums[:], bias, vector*goWidth, 0, flags)
		}
		return 0
	}
}
