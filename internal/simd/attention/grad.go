package attention

import (
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// Grads are the gradients of a head, as its operands.
type Grads[T isa.Float] struct{ Q, K, V []T }

// block is how many queries there are to a product over queries: many, so that the gradients of keys
// and values are read and written seldom, but not so many that their scores leave the cache.
func (p *plan[T]) block() int {
	fit := p.tiles.Block() / max(2*p.pitch, 1)
	return max(min(rowsOfBlock, fit)/max(p.tall, 1)*p.tall, p.tall)
}

// backward is the gradients of a head under way.
type backward[T isa.Float] struct {
	run[T]
	Grads[T]
	d            []T // gradients of probabilities, and then of scores
	elements     gemm.Panels[T]
	values       gemm.Panels[T]
	packQ, packV []T
	flushed      []T // see leftDY
}

// Backward sets the gradients of queries from to to, and those of keys and values for them.
func Backward[T isa.Float](k *Kernels, op Op, from, to int, h Head[T], g Grads[T], scratch []T) {
	clear(g.K[:op.S*op.E])
	clear(g.V[:op.S*op.V])
	if from >= to {
		return
	}
	var b backward[T]
	p := planOf[T](k, op)
	block := p.block()
	n := b.begin(k, op, h, to, block, true, scratch)
	b.Grads = g
	keys := op.keys(to - 1)
	b.elements = b.tiles.Rows(take(&b.rest, n[4]), b.Head.K, op.E, keys, op.E, b.byElement)
	b.values = b.tiles.Columns(take(&b.rest, n[5]), b.Head.V, op.V, op.V, keys, b.byKey)
	b.d = take(&b.rest, n[6])
	b.packQ, b.packV, b.flushed = take(&b.rest, n[7]), take(&b.rest, n[8]), take(&b.rest, n[9])
	for i := from; i < to; i += block {
		b.rows(i, min(block, to-i))
	}
}

// rows adds what queries from i on contribute.
func (b *backward[T]) rows(i, rows int) {
	n := b.Op.keys(i + rows - 1)
	dy := b.tiles.Rows(b.packV, b.DY[i*b.Op.V:], b.Op.V, rows, b.Op.V, b.byValue)
	for row := 0; row < rows; row += b.tall {
		b.scoreGrads(i, row, min(b.tall, rows-row), n)
	}
	q := b.tiles.Rows(b.packQ, b.Head.Q[i*b.E:], b.E, rows, b.E, b.byElement)
	b.overQueries(b.Grads.K, b.d, q, b.E, i, rows, n)
	b.overQueries(b.Grads.V, b.p, dy, b.Op.V, i, rows, n)
}

// scoreGrads computes the probabilities of some rows of a block that begins with query i and has n
// keys, the gradients of their scores, and those of the queries.
func (b *backward[T]) scoreGrads(i, row, rows, n int) {
	p, d := b.p[row*b.pitch:], b.d[row*b.pitch:]
	first := i + row
	keys := b.Op.keys(first + rows - 1)
	b.scores(p, first, rows)
	b.exponentiate(p, first, rows)
	b.tiles.MulBlock(d, b.pitch, gemm.Left[T]{A: b.leftDY(first, rows), Rows: rows, Row: b.Op.V, Col: 1}, b.values.Part(0, b.Op.V, keys), false)
	for at := 0; at < rows; {
		s := b.span(first+at, rows-at)
		if s.n > 0 {
			b.gradients(p[at*b.pitch:], d[at*b.pitch:], b.pitch, s, b.sums[at:], b.factor[0])
		}
		for range s.rows {
			clear(d[at*b.pitch:][b.Op.keys(first+at):n])
			clear(p[at*b.pitch:][keys:max(keys, n)])
			at++
		}
	}
	b.tiles.MulBlock(b.Grads.Q[first*b.E:], b.E, gemm.Left[T]{A: d, Rows: rows, Row: b.pitch, Col: 1}, b.elements.Part(0, keys, b.E), false)
}

// leftDY is the gradient of some rows of the result, without denormals where kernels do not flush
// them.
func (b *backward[T]) leftDY(i, rows int) []T {
	dy := b.DY[i*b.Op.V:][:rows*b.Op.V]
	if !b.tiles.Flushes() || len(dy) == 0 {
		return dy
	}
	b.scale(b.flushed[:len(dy)], dy, b.Op.V, b.factor[1:])
	return b.flushed
}

// overQueries adds to out, for each of n keys, the rows of x, of cols elements, weighted by the
// key's column of w. Blocks of keys leave out the queries that do not have them.
func (b *backward[T]) overQueries(out, w []T, x gemm.Panels[T], cols, i, rows, n int) {
	all := n // the keys that all of the queries have
	if b.Causal {
		all = min(b.Op.keys(i), n)
	}
	b.tiles.MulBlock(out, cols, gemm.Left[T]{A: w, Rows: all, Row: 1, Col: b.pitch}, x.Part(0, rows, cols), true)
	for j := all; j < n; {
		count := min(b.tall, n-j)
		first := max(j-b.Shift-i, 0)
		b.tiles.MulBlock(out[j*cols:], cols, gemm.Left[T]{A: w[first*b.pitch+j:], Rows: count, Row: 1, Col: b.pitch}, x.Part(first, rows, cols), true)
		j += count
	}
}
