package gemm

import (
	"fmt"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Blocks are products of blocks that are in the cache already, for those who do something between
// two products. The caller cuts them up; B is prepared once for many.

// TilesOf returns the micro-kernels of an element type.
func TilesOf[T isa.Float](k *Kernels) *Tiles[T] { return tilesOf[T](k) }

// Panels is a matrix B of depth rows, as the micro-kernels read it.
type Panels[T isa.Float] struct {
	b           []T
	row, panel  int // elements from row to row, and from panel to panel
	depth, cols int
	vecs        int // vectors of a panel
}

// PackedLen returns the elements of a packed copy of B with so many rows and columns, in panels of
// so many vectors.
func (t *Tiles[T]) PackedLen(depth, cols, vecs int) int {
	return depth * isa.RoundUp(cols, vecs*t.Width)
}

// RowsLen returns the elements that Rows needs: of a packed copy, where the micro-kernels cannot read
// B as it is stored, else none.
func (t *Tiles[T]) RowsLen(depth, cols, vecs int) int {
	if !t.flush {
		return 0
	}
	return t.PackedLen(depth, cols, vecs)
}

// Rows prepares B, of which src holds depth rows of cols elements, ld after each other. dst has
// [Tiles.RowsLen] elements.
func (t *Tiles[T]) Rows(dst, src []T, ld, depth, cols, vecs int) Panels[T] {
	checkMatrix("Rows", "B", len(src), depth, cols, ld)
	nr := vecs * t.Width
	if !t.flush {
		return Panels[T]{src, ld, nr, depth, cols, vecs}
	}
	for j := 0; j < cols; j += nr {
		packRows(dst[j*depth:][:nr*depth], nr, src[j:], ld, min(nr, cols-j), depth)
	}
	isa.FlushAll(dst[:t.PackedLen(depth, cols, vecs)])
	return Panels[T]{dst, nr, nr * depth, depth, cols, vecs}
}

// Columns prepares B, of which src holds the transpose: cols rows of depth elements, ld after each
// other. dst has [Tiles.PackedLen] elements.
func (t *Tiles[T]) Columns(dst, src []T, ld, depth, cols, vecs int) Panels[T] {
	checkMatrix("Columns", "B", len(src), cols, depth, ld)
	nr := vecs * t.Width
	for j := 0; j < cols && depth > 0; j += nr {
		t.packColumns(dst[j*depth:][:nr*depth], nr, src[j*ld:], ld, min(nr, cols-j), depth)
	}
	if t.flush {
		isa.FlushAll(dst[:t.PackedLen(depth, cols, vecs)])
	}
	return Panels[T]{dst, nr, nr * depth, depth, cols, vecs}
}

// Part returns rows from to to of B, and its first cols columns.
func (p Panels[T]) Part(from, to, cols int) Panels[T] {
	if from < to && cols > 0 {
		p.b = p.b[from*p.row:]
	}
	p.depth, p.cols = to-from, cols
	return p
}

// Left is a matrix A of Rows rows: element (i,k) is A[i*Row+k*Col]. Where the kernels do not flush
// denormals, it has none.
type Left[T isa.Float] struct {
	A              []T
	Rows, Row, Col int
}

// MulBlock sets c, of a.Rows rows ldc elements after each other, to A·B, or with add adds to it. The
// order of a sum depends only on depth.
func (t *Tiles[T]) MulBlock(c []T, ldc int, a Left[T], b Panels[T], add bool) {
	if a.Rows == 0 || b.cols == 0 {
		return
	}
	a.check(b.depth)
	checkMatrix("MulBlock", "C", len(c), a.Rows, b.cols, ldc)
	if b.depth == 0 {
		clearBlock(c, ldc, a.Rows, b.cols, add)
		return
	}
	flags := 0
	if add {
		flags = abi.FlagAdd
	}
	parts := isa.Ceil(a.Rows, t.Tallest(b.vecs))
	each := isa.Even(b.depth, blockDepth)
	for i := range parts {
		row, end := a.Rows*i/parts, a.Rows*(i+1)/parts
		for k, f := 0, flags; k < b.depth; k, f = k+each, abi.FlagAdd {
			t.rowBlock(c[row*ldc:], ldc, Left[T]{a.A[row*a.Row+k*a.Col:], end - row, a.Row, a.Col}, b.Part(k, min(k+each, b.depth), b.cols), f)
		}
	}
}

// blockDepth is the most terms that are added up in one register.
const blockDepth = 512

func (a *Left[T]) check(depth int) {
	if depth > 0 && len(a.A) < (a.Rows-1)*a.Row+(depth-1)*a.Col+1 {
		panic(fmt.Sprintf("gemm: MulBlock has %d elements in A, too few for %d×%d by %d and %d", len(a.A), a.Rows, depth, a.Row, a.Col))
	}
}

func clearBlock[T isa.Float](c []T, ldc, rows, cols int, add bool) {
	for i := range rows {
		if !add {
			clear(c[i*ldc:][:cols])
		}
	}
}

// rowBlock is MulBlock for the rows of one tile.
func (t *Tiles[T]) rowBlock(c []T, ldc int, a Left[T], b Panels[T], flags int) {
	size, nr := int(unsafe.Sizeof(T(0))), b.vecs*t.Width
	most := max(isa.CallWork/(b.depth*a.Rows*nr), 1)
	for j := 0; j < b.cols; {
		n, vecs, last := (b.cols-j)/nr, b.vecs, t.Width
		if n == 0 { // only the partial panel is left
			n, vecs = 1, isa.Ceil(b.cols-j, t.Width)
			last = b.cols - j - (vecs-1)*t.Width
		}
		n = min(n, most)
		t.Kernel[vecs][a.Rows](1, n, b.depth, &a.A[0], a.Row*size, a.Col*size, &b.b[j/nr*b.panel], b.row*size, b.panel*size,
			&c[j], ldc*size, nil, flags, last)
		j += n * nr
	}
}

// Dots sets sums[j] to the product of a and row j of b, rows of len(a) elements ld after each other.
// It may write up to the next multiple of four sums, for which there must be room.
func (t *Tiles[T]) Dots(sums, a, b []T, ld int) {
	if len(a) == 0 {
		clear(sums)
		return
	}
	checkMatrix("Dots", "B", len(b), len(sums), len(a), ld)
	_ = sums[:isa.RoundUp(len(sums), 4)]
	r := job[T]{Tiles: t, plan: plan{Op: Op{K: len(a), LDA: len(a), LDB: ld}}, a: a, b: b}
	r.dotColumns(sums, 0, 0, len(sums))
}
