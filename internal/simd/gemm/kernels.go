package gemm

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// tileFunc computes m > 0 times n > 0 tiles, n side by side and m below each other: C = A·B, with k the inner extent. Element (i,k) of A is
// ars*i + aks*k bytes from a. A row of a panel of B is contiguous, rows are bks bytes apart
// and panels bps bytes. Rows of C are cs bytes apart. Of the last vector of a panel, last lanes
// are used. bias points at the first column's or the first row's; that of rows is of one tile, so that m is 1.
type tileFunc[T isa.Float] func(m, n, k int, a *T, ars, aks int, b *T, bks, bps int, c *T, cs int, bias *T, flags, last int) (csr uint32)

// Tiles are the micro-kernels of one level and element type, and what fits its caches.
type Tiles[T isa.Float] struct {
	Width  int             // lanes of a vector
	Kernel [][]tileFunc[T] // by vectors and rows

	// transpose writes up to width source rows of cols > 0 elements as columns; ss and ds are
	// the strides in bytes.
	transpose func(cols, rows int, src *T, ss int, dst *T, ds int) (csr uint32)

	// dots multiplies a by rows of b as stored, in fours; rows1 and rows8 add up rows of b times
	// elements of x. With more they add to what is there.
	dots         func(n, k int, a, b *T, bs int, sums *T, more int) (csr uint32)
	rows1, rows8 func(n int, x, b *T, bs int, y *T, more int) (csr uint32)

	// Fetch prefetches rows > 0 rows of lines > 0 cache lines; nil where there is no such thing.
	Fetch func(rows, lines int, src *byte, stride int)

	flush bool // packing flushes denormals, since the kernels do not

	depth  int // rows of B in a block, usually
	bBlock int // elements of B for the second-level cache
	bTotal int // elements of packed B for the last level

	jobs par.Free[job[T]]
}

// newTiles fits tiles to the caches.
func newTiles[T isa.Float](t Tiles[T], c isa.Caches) *Tiles[T] {
	size := int(unsafe.Sizeof(T(0)))
	t.depth = 256
	t.bBlock = c.L2 / 2 / size
	t.bTotal = min(c.L3/4, 8<<20) / size
	t.jobs = par.NewFree(64, t.newJob)
	return &t
}

// Flushes reports whether operands must be free of denormals, which the micro-kernels do not flush.
func (t *Tiles[T]) Flushes() bool { return t.flush }

// Block is how many elements of B stay in the second-level cache beside the others.
func (t *Tiles[T]) Block() int { return t.bBlock }

// Kernels are the kernels of one level.
type Kernels struct {
	level isa.Level
	F32   *Tiles[float32]
	f64   *Tiles[float64]
	small smalls
}

// At returns the kernels for a level, or nil where there are none.
func At(l isa.Level) *Kernels {
	t, ok := tables[l]
	if !ok {
		return nil
	}
	return &Kernels{l, newTiles(t.f32, isa.CacheSizes()), newTiles(t.f64, isa.CacheSizes()), t.small}
}

// table are the micro-kernels for one level, which know nothing of the caches.
type table struct {
	f32 Tiles[float32]
	f64 Tiles[float64]

	small smalls
}

func tilesOf[T isa.Float](k *Kernels) *Tiles[T] {
	if t, ok := any(k.F32).(*Tiles[T]); ok {
		return t
	}
	return any(k.f64).(*Tiles[T])
}
