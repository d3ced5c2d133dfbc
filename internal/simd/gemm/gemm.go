package gemm

import (
	"fmt"
	"unsafe"

	"github.com/plexaura/plexaura/internal/par"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Op describes C = act(op(A)·op(B) + bias) for row-major matrices: op(A) is M×K, op(B) is
// K×N and C is M×N. The zero Bias and Act are none.
type Op struct {
	M, N, K int

	// TransA says that A is stored K×M, TransB that B is stored N×K.
	TransA, TransB bool

	// LDA, LDB and LDC are the distances between stored rows, in elements; 0 means that rows
	// follow each other without gap.
	LDA, LDB, LDC int

	// Add keeps what C holds: C = act(C + op(A)·op(B) + bias).
	Add  bool
	Bias isa.Bias
	Act  isa.Act
}

// withStrides returns op with the default leading dimensions filled in.
func (op Op) withStrides() Op {
	aCols, bCols := op.K, op.N
	if op.TransA {
		aCols = op.M
	}
	if op.TransB {
		bCols = op.K
	}
	op.LDA = stride(op.LDA, aCols)
	op.LDB = stride(op.LDB, bCols)
	op.LDC = stride(op.LDC, op.N)
	return op
}

func stride(ld, cols int) int {
	if ld == 0 {
		return cols
	}
	return ld
}

// check panics where an operand is too short for op, whose strides are filled in.
func (op Op) check(a, b, c, bias int) {
	aRows, aCols, bRows, bCols := op.M, op.K, op.K, op.N
	if op.TransA {
		aRows, aCols = aCols, aRows
	}
	if op.TransB {
		bRows, bCols = bCols, bRows
	}
	if op.M < 0 || op.N < 0 || op.K < 0 {
		panic(fmt.Sprintf("gemm: a product of %d×%d×%d", op.M, op.N, op.K))
	}
	checkMatrix("Mul", "A", a, aRows, aCols, op.LDA)
	checkMatrix("Mul", "B", b, bRows, bCols, op.LDB)
	checkMatrix("Mul", "C", c, op.M, op.N, op.LDC)
	if want := op.biasLen(); bias < want {
		panic(fmt.Sprintf("gemm: Mul has a bias of %d values, needs %d", bias, want))
	}
}

func (op Op) biasLen() int {
	switch op.Bias {
	case isa.ColBias:
		return op.N
	case isa.RowBias:
		return op.M
	}
	return 0
}

func checkMatrix(kernel, name string, length, rows, cols, ld int) {
	if rows == 0 || cols == 0 {
		return
	}
	if ld < cols || length < (rows-1)*ld+cols {
		panic(fmt.Sprintf("gemm: %s has %d elements in %s, too few for %d×%d in rows of %d",
			kernel, length, name, rows, cols, ld))
	}
}

// Scratch returns the number of elements of scratch memory that Mul needs for op.
func Scratch[T isa.Float](k *Kernels, op Op) int {
	op, _ = op.withStrides().asRow()
	return tilesOf[T](k).plan(op).scratch
}

// Form names a packed form of B: operations with equal ones can use the same.
type Form struct {
	level            isa.Level
	size             int // bytes of an element
	n, k, ldb        int
	transB           bool
	nr, kc, cols, nc int
}

// Packing returns the number of elements of a packed form of B, for those who use the same B
// many times, and the name of the form. It is 0 where packing is no gain.
func Packing[T isa.Float](k *Kernels, op Op) (elements int, form Form) {
	op, _ = op.withStrides().asRow()
	t := tilesOf[T](k)
	p := t.plan(op)
	if !p.packsAhead() {
		return 0, form
	}
	return isa.RoundUp(op.N, p.nr) * op.K, Form{k.level, int(unsafe.Sizeof(T(0))), op.N, op.K, op.LDB, op.TransB, p.nr, p.kc, p.cols, p.nc}
}

// packedRows is the fewest rows of A for which the packed form of B is worth its memory.
const packedRows = 8

// packsAhead reports whether a packed form of B is a gain: for large matrices that few rows are
// multiplied by, and for small ones that lie the wrong way.
func (p *plan) packsAhead() bool {
	return p.M >= packedRows && (p.deep || p.small)
}

// Pack packs B of op into form, which is aligned to a cache line and has the elements that
// [Packing] returns, which must not be 0.
func Pack[T isa.Float](k *Kernels, pool *par.Pool, op Op, b, form []T) {
	run := formRun(k, op, form)
	checkMatrix("Pack", "B", len(b), rowsOf(op.TransB, op.K, op.N), rowsOf(op.TransB, op.N, op.K), run.LDB)
	run.b, run.uses = b, makesForm
	run.all(pool)
	run.give(run)
}

// MulPacked is [Mul], to the same bits, with a form that Pack has made in place of B. It
// needs no scratch memory.
func MulPacked[T isa.Float](k *Kernels, pool *par.Pool, op Op, a, form, c, bias []T) {
	run := formRun(k, op, form)
	checkMatrix("MulPacked", "A", len(a), rowsOf(op.TransA, op.M, op.K), rowsOf(op.TransA, op.K, op.M), run.LDA)
	checkMatrix("MulPacked", "C", len(c), op.M, op.N, run.LDC)
	if want := op.biasLen(); len(bias) < want {
		panic(fmt.Sprintf("gemm: MulPacked has a bias of %d values, needs %d", len(bias), want))
	}
	run.a, run.c, run.bias, run.uses = a, c, bias, readsForm
	run.all(pool)
	run.give(run)
}

// rowsOf is the first extent of a matrix, or where it is stored transposed the second.
func rowsOf(trans bool, first, second int) int {
	if trans {
		return second
	}
	return first
}

// formRun is a run of op over a packed form.
func formRun[T isa.Float](k *Kernels, op Op, form []T) *job[T] {
	if need, _ := Packing[T](k, op); need == 0 || len(form) < need {
		panic(fmt.Sprintf("gemm: a packed form of %d elements, needs %d", len(form), need))
	}
	t := tilesOf[T](k)
	run := t.jobs.Take()
	run.plan, run.form = t.plan(op.withStrides()), form
	return run
}

// Mul computes op into c. The chunks that pool runs, and the order of every sum, depend only
// on op: the bits of c do not depend on the pool. A nil pool means the calling goroutine.
// bias may be nil where op has none. scratch needs [Scratch] elements, in any state; no
// operand may overlap it or c. M or N of 0 does nothing; K = 0 is a product of zeros.
func Mul[T isa.Float](k *Kernels, pool *par.Pool, op Op, a, b, c, bias, scratch []T) {
	op = op.withStrides()
	op.check(len(a), len(b), len(c), len(bias))
	if op.M == 0 || op.N == 0 {
		return
	}
	op, swap := op.asRow()
	if swap {
		a, b = b, a
	}
	t := tilesOf[T](k)
	p := t.plan(op)
	if len(scratch) < p.scratch {
		panic(fmt.Sprintf("gemm: Mul has scratch for %d elements, needs %d", len(scratch), p.scratch))
	}
	run := t.jobs.Take()
	run.plan, run.a, run.b, run.c, run.bias = p, a, b, c, bias
	run.split(scratch)
	run.all(pool)
	t.give(run)
}
