package cpu

import (
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/internal/simd/pool"
	"github.com/plexaura/plexaura/internal/simd/window"
)

// columned is max pooling of float32 with any windows, in two steps: the largest element of each column
// of a row of windows, by vectors, and then the largest of the columns of each window.
type columned struct {
	*pooling
	rows, cols []window.Run
	keys       int // of the rows of windows that are looked at in one call
}

func newColumned(p *pooling) *columned {
	w := &columned{pooling: p, rows: p.Vertical().Runs(), cols: p.Horizontal().Runs()}
	for _, r := range w.rows {
		w.keys = max(w.keys, r.N*p.W)
	}
	return w
}

// cost is about the time for a plane, in nanoseconds.
func (w *columned) cost() int { return w.OH*(10+w.KH*w.W/8) + w.yPlane()*(2+w.KW) }

// places sets at to the places of the maxima of a plane. keys is memory for those of its columns.
func (w *columned) places(k *simd.Kernels, at []int32, plane []float32, keys []int64) {
	for i := range w.rows {
		r := &w.rows[i]
		if r.Taps == 0 {
			nowhere(at[r.Out*w.OW:][:r.N*w.OW])
			continue
		}
		of := pool.Columns{Lines: r.Taps, Rows: r.N, Cols: w.W, LD: r.InTap * w.W, Step: r.InStep * w.W}
		first := r.In * w.W
		k.Pool.Best(of, keys, plane[first:], first)
		for row := range r.N {
			w.along(nth(at, r.Out+row, w.OW), nth(keys, row, w.W))
		}
	}
}

// along sets at to the places of the maxima of a row of windows.
func (w *columned) along(at []int32, keys []int64) {
	for i := range w.cols {
		r := &w.cols[i]
		to := at[r.Out:][:r.N]
		if r.Taps == 0 {
			nowhere(to)
			continue
		}
		for j := range to {
			from := r.In + j*r.InStep
			best := keys[from]
			for t := 1; t < r.Taps; t++ {
				from += r.InTap
				best = max(best, keys[from])
			}
			to[j] = pool.PlaceOf(best)
		}
	}
}

// nowhere says that windows hold only padding.
func nowhere(at []int32) {
	for j := range at {
		at[j] = -1
	}
}
