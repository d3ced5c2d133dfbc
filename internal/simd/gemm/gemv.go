package gemm

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/isa"
)

// A product with a single row, or with few rows and B stored by columns, is limited by reading B
// once; tiles would read it in an order that memory does not like, or copy it first.

const (
	// fewRows is the most rows of A for which B stored by columns is not worth transposing.
	fewRows = 4

	// gemvCall is the most elements of B that one call of a kernel reads: 256 KiB of float32,
	// some 15 microseconds from memory.
	gemvCall = 1 << 16

	// gemvTask is the number of elements of B that a task reads.
	gemvTask = 1 << 15

	// gemvColumns is how many columns of B, stored by rows, a task takes at least: enough for
	// memory to be read ahead.
	gemvColumns = 512
)

// asRow turns a product with one column into the transposed product with one row, whose operands
// change places.
func (op Op) asRow() (row Op, ok bool) {
	if op.N != 1 || op.M < 2 || op.LDC != 1 || !op.TransB && op.LDB != 1 {
		return op, false
	}
	row = Op{M: 1, N: op.M, K: op.K, TransB: !op.TransA, LDA: op.K, LDB: op.LDA, LDC: op.M, Add: op.Add, Act: op.Act}
	switch op.Bias {
	case isa.ColBias:
		row.Bias = isa.RowBias
	case isa.RowBias:
		row.Bias = isa.ColBias
	}
	return row, true
}

// isVector reports whether op is a product of the kind above.
func (op Op) isVector() bool {
	rows := !op.TransA || op.M == 1 && op.LDA == 1
	return op.K > 0 && rows && (op.M == 1 || op.TransB && op.M <= fewRows)
}

// vectors plans such a product: tasks of some columns.
func (p *plan) vectors() {
	p.vector = true
	p.cols = max(gemvTask/p.K, 4)
	if !p.TransB {
		p.cols = max(p.cols, gemvColumns)
	}
	p.cols = isa.RoundUp(min(p.cols, p.N), 4)
	p.scratch = p.M * isa.RoundUp(p.N, 4)
	if !p.TransB {
		p.scratch *= gemvLevels(p.K)
	}
}

// vectorTasks computes tasks of a product of the kind above: columns of C, into sums first.
func (r *job[T]) vectorTasks(lo, hi int) {
	for task := lo; task < hi; task++ {
		j := task * r.cols
		j1 := min(j+r.cols, r.N)
		for i := range r.M {
			sums := r.sumsOf(0, i)
			if r.TransB {
				r.dotColumns(sums, i, j, j1)
			} else {
				r.addRows(0, i, 0, r.K, j, j1)
			}
			isa.Finish(r.c[i*r.LDC+j:][:j1-j], sums[j:j1], r.biasAt(i, j), 0, 0, r.flags())
		}
	}
}

// dotColumns multiplies row i of A by rows j to j1 of B as stored.
func (r *job[T]) dotColumns(sums []T, i, j, j1 int) {
	size := int(unsafe.Sizeof(T(0)))
	for k, more := 0, 0; k < r.K; more = 1 {
		depth := min(r.K-k, gemvCall/4)
		for n := j; n < j1; {
			m := min(j1-n, max(gemvCall/depth&^3, 4))
			r.dots(m, depth, &r.a[i*r.LDA+k], &r.b[n*r.LDB+k], r.LDB*size, &sums[n], more)
			n += m
		}
		k += depth
	}
}

// gemvRows is the most rows of B that are added up one after the other; more are by halves, so that
// little is lost.
const gemvRows = 256

// gemvLevels is how many sums by halves there are at a time.
func gemvLevels(rows int) (n int) {
	for n = 1; rows > gemvRows; n++ {
		rows -= gemvHalf(rows)
	}
	return n
}

// gemvHalf is about half of the rows, in eights, and not the smaller half.
func gemvHalf(rows int) int { return isa.RoundUp(isa.Ceil(rows, 2), 8) }

// addRows adds up rows k to k1 of B as stored, times the elements of row i of A, in sums of that
// level: columns j to j1.
func (r *job[T]) addRows(level, i, k, k1, j, j1 int) {
	if k1-k > gemvRows {
		half := k + gemvHalf(k1-k)
		r.addRows(level, i, k, half, j, j1)
		r.addRows(level+1, i, half, k1, j, j1)
		r.rows1(j1-j, &r.one, &r.sumsOf(level+1, i)[j], 0, &r.sumsOf(level, i)[j], 1)
		return
	}
	size, sums, first := int(unsafe.Sizeof(T(0))), r.sumsOf(level, i), k
	for k < k1 {
		f, n := r.rows1, 1
		if k1-k >= 8 {
			f, n = r.rows8, 8
		}
		f(j1-j, &r.a[i*r.LDA+k], &r.b[k*r.LDB+j], r.LDB*size, &sums[j], min(k-first, 1))
		k += n
	}
}

// sumsOf is where the sums of row i of that level are.
func (r *job[T]) sumsOf(level, i int) []T { return r.sums[(level*r.M+i)*isa.RoundUp(r.N, 4):] }
