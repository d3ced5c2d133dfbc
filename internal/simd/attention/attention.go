package attention

import (
	"fmt"
	"math"

	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Rows of queries are taken together: their scores for all keys are in the cache, where they become
// probabilities, before the next rows are. With whole rows the softmax is the exact one, and the
// gradients need no statistics of the rows besides.

// Op is attention of a head: L queries and S keys of E elements, and S values of V.
type Op struct {
	L, S, E, V int
	Scale      float64 // of the products

	Keys   int  // only so many keys are there
	Causal bool // query i has keys 0 to i+Shift only
	Shift  int
}

// keys is how many keys query i has, as far as there is no mask.
func (op *Op) keys(i int) int {
	if !op.Causal {
		return op.Keys
	}
	return min(max(i+1+op.Shift, 0), op.Keys)
}

// span are the first of rows rows from query i on that are alike.
func (op *Op) span(i, rows int) span {
	n := i + 1 + op.Shift
	switch {
	case !op.Causal || n >= op.Keys:
		return span{rows, op.Keys, 0}
	case n <= 0:
		return span{min(rows, 1-n), 0, 0}
	}
	return span{min(rows, op.Keys-n), n, 1}
}

// Head are the operands. Allowed, if it is not nil, tells which keys a query has: key j of query i
// at [i*AllowedRow+j*AllowedCol].
type Head[T isa.Float] struct {
	Q, K, V, DY            []T
	Allowed                []bool
	AllowedRow, AllowedCol int
}

// fewRows is the most queries for which the keys are read as they are stored: packing them would
// cost more.
const fewRows = 4

// scoresOfStep is how many scores are worth a step, and mostTiles how many tiles it has at most: calls
// of kernels would take a noticeable part of less.
const scoresOfStep, mostTiles = 4096, 4

// rowsOfBlock is how many queries the gradients of keys and values are added up over at once.
const rowsOfBlock = 64

// plan is how a head is cut up.
type plan[T isa.Float] struct {
	Op
	*kernels[T]
	tiles          *gemm.Tiles[T]
	byKey, byValue int // vectors of panels: of keys, and of elements of values
	byElement      int // of keys and queries
	tall           int // rows of scores that are computed together
	pitch          int // elements from a row of scores to the next
}

func planOf[T isa.Float](k *Kernels, op Op) plan[T] {
	t := gemm.TilesOf[T](k.gemm)
	p := plan[T]{Op: op, kernels: kernelsOf[T](k), tiles: t}
	p.byKey = t.PanelVecs(op.L, op.S)
	p.tall = t.Tallest(p.byKey)
	if !op.Causal { // else more keys would be computed for nothing
		p.tall *= max(min(scoresOfStep/max(op.S*p.tall, 1), mostTiles), 1)
	}
	p.tall = min(p.tall, op.L)
	p.byValue, p.byElement = t.PanelVecs(max(p.tall, 1), op.V), t.PanelVecs(max(p.tall, 1), op.E)
	p.pitch = isa.RoundUp(op.S, 4*t.Width) + t.Width // not a power of two, which the cache does not like
	return p
}

// take returns n elements of memory, and what is left, on a cache line.
func take[T isa.Float](mem *[]T, n int) []T {
	part := (*mem)[:n:n]
	*mem = (*mem)[isa.RoundUp(n, isa.Alignment):]
	return part
}

// parts is how many kinds of scratch memory a run takes.
const parts = 11

// lengths are the elements of memory that a run needs, by kind.
func (p *plan[T]) lengths(rows int, grad bool) (n [parts]int) {
	n = [parts]int{p.tall * p.E, rows * p.pitch, p.tall + 2, p.tiles.PackedLen(p.E, p.S, p.byKey)}
	if p.few() {
		n[3] = 0
	}
	n[10] = p.S // whether or not there is a mask, which Scratch does not know
	if !grad {
		n[4] = p.tiles.RowsLen(p.S, p.V, p.byValue)
		return n
	}
	n[4] = p.tiles.RowsLen(p.S, p.E, p.byElement)
	n[5] = p.tiles.PackedLen(p.V, p.S, p.byKey)
	n[6] = rows * p.pitch
	n[7] = p.tiles.RowsLen(rows, p.E, p.byElement)
	n[8] = p.tiles.RowsLen(rows, p.V, p.byValue)
	if p.tiles.Flushes() {
		n[9] = p.tall * p.V
	}
	return n
}

// few reports whether the keys are read as they are stored.
func (p *plan[T]) few() bool { return p.L <= fewRows }

// Scratch returns the elements of scratch memory that [Forward] needs, or with grad [Backward]; op
// has any number of keys.
func Scratch[T isa.Float](k *Kernels, op Op, grad bool) (n int) {
	p := planOf[T](k, op)
	rows := p.tall
	if grad {
		rows = p.block()
	}
	for _, part := range p.lengths(rows, grad) {
		n += isa.RoundUp(part, isa.Alignment)
	}
	return n
}

// run is a head under way.
type run[T isa.Float] struct {
	plan[T]
	Head[T]
	q      []T // some queries, scaled
	p      []T // their scores, exponentials and probabilities
	sums   []T // of the exponentials of a row
	keys   gemm.Panels[T]
	factor []T // Scale, and 1
	none   []T // -Inf for each key, where there is a mask for choose
	choose func(dst []T, cond []bool, x, y []T)
	rest   []T // of the scratch memory
}

// begin prepares the keys that queries before to have.
func (r *run[T]) begin(k *Kernels, op Op, h Head[T], to, rows int, grad bool, scratch []T) (n [parts]int) {
	r.plan, r.Head, r.rest = planOf[T](k, op), h, scratch
	r.check()
	n = r.lengths(rows, grad)
	r.q, r.p, r.sums = take(&r.rest, n[0]), take(&r.rest, n[1]), take(&r.rest, n[2])
	r.sums, r.factor = r.sums[:r.tall], r.sums[r.tall:]
	packed := take(&r.rest, n[3])
	if !r.few() {
		r.keys = r.tiles.Columns(packed, r.K, r.E, r.E, r.Op.keys(to-1), r.byKey)
	}
	r.factor[0], r.factor[1] = T(r.Scale), 1
	if none := take(&r.rest, n[10]); r.Allowed != nil && r.AllowedCol == 1 {
		r.none, r.choose = none, chooser[T](k)
		for i := range none {
			none[i] = T(math.Inf(-1))
		}
	}
	return n
}

func (r *run[T]) check() {
	bad := len(r.Q) < r.L*r.E || len(r.K) < r.S*r.E || len(r.V) < r.S*r.Op.V || r.Keys > r.S || r.Keys < 0
	if r.Allowed != nil && r.L > 0 && r.S > 0 {
		bad = bad || len(r.Allowed) < (r.L-1)*r.AllowedRow+(r.S-1)*r.AllowedCol+1
	}
	if bad {
		panic(fmt.Sprintf("attention: %+v of %d queries, %d keys, %d values, a mask of %d", r.Op, len(r.Q), len(r.K), len(r.V), len(r.Allowed)))
	}
}

// Forward sets y, (L,V), for queries from to to. scratch has [Scratch] elements, in any state.
func Forward[T isa.Float](k *Kernels, op Op, from, to int, h Head[T], y, scratch []T) {
	if from >= to || op.V == 0 {
		return
	}
	var r run[T]
	tall := planOf[T](k, op).tall
	n := r.begin(k, op, h, to, tall, false, scratch)
	values := r.tiles.Rows(take(&r.rest, n[4]), r.V, op.V, op.keys(to-1), op.V, r.byValue)
	for i := from; i < to; i += tall {
		rows := min(tall, to-i)
		r.scores(r.p, i, rows)
		r.exponentiate(r.p, i, rows)
		out := y[i*op.V:][:rows*op.V]
		r.tiles.MulBlock(out, op.V, gemm.Left[T]{A: r.p, Rows: rows, Row: r.pitch, Col: 1}, values.Part(0, op.keys(i+rows-1), op.V), false)
		r.scale(out, out, op.V, r.sums[:rows])
	}
}

// scores sets rows of p to the products of queries from i on and the keys that the last of them has.
func (r *run[T]) scores(p []T, i, rows int) {
	n := r.Op.keys(i + rows - 1)
	r.scale(r.q[:rows*r.E], r.Q[i*r.E:], r.E, r.factor[:1])
	if r.few() {
		for row := range rows {
			r.tiles.Dots(p[row*r.pitch:][:n], r.q[row*r.E:][:r.E], r.K, r.E)
		}
		return
	}
	r.tiles.MulBlock(p, r.pitch, gemm.Left[T]{A: r.q, Rows: rows, Row: r.E, Col: 1}, r.keys.Part(0, r.E, n), false)
}

// exponentiate turns rows of scores from query i on into exponentials, zeros where there is no key,
// and sets sums to 1 over what they add up to, 0 of a row without a key.
func (r *run[T]) exponentiate(p []T, i, rows int) {
	r.disallow(p, i, rows)
	n := r.Op.keys(i + rows - 1)
	for row := 0; row < rows; {
		s := r.span(i+row, rows-row)
		if s.n > 0 {
			r.exponentials(p[row*r.pitch:], r.pitch, s, r.sums[row:])
		}
		for range s.rows {
			clear(p[row*r.pitch:][r.Op.keys(i+row):n])
			r.sums[row] = 1 / r.sums[row]
			if !r.hasKey(i + row) {
				clear(p[row*r.pitch:][:n])
				r.sums[row] = 0
			}
			row++
		}
	}
}

// disallow sets the scores of keys that the mask leaves out to -Inf.
func (r *run[T]) disallow(p []T, i, rows int) {
	if r.Allowed == nil {
		return
	}
	for row := range rows {
		x, at := p[row*r.pitch:][:r.Op.keys(i+row)], (i+row)*r.AllowedRow
		if r.choose != nil {
			r.choose(x, r.Allowed[at:], x, r.none)
			continue
		}
		for j := range x {
			if !r.Allowed[at+j*r.AllowedCol] {
				x[j] = T(math.Inf(-1))
			}
		}
	}
}

// hasKey reports whether query i has a key.
func (r *run[T]) hasKey(i int) bool {
	n := r.Op.keys(i)
	if r.Allowed == nil || n == 0 {
		return n > 0
	}
	for j := range n {
		if r.Allowed[i*r.AllowedRow+j*r.AllowedCol] {
			return true
		}
	}
	return false
}
