package gemm

import "github.com/plexaura/plexaura/internal/simd/isa"

// plan is how a product is cut up. It is a function of the Op and the processor, never
// of the workers.
type plan struct {
	Op
	vecs int // vectors in a panel of B
	nr   int // columns in it
	mrs  int // row panels, of M/mrs rows or one more

	kc int // depth of a block
	nc int // columns of a block, a multiple of nr
	mc int // row panels of a block

	deep         bool // a task takes its columns through all of K, packing as it goes
	vector       bool // see gemv.go; then cols are columns, and the fields above are unset
	small        bool // B is transposed and stays in the second-level cache, packed in one piece
	packA, packB bool
	rows, cols   int // row panels and column panels of one task

	scratch int // elements
}

const (
	// maxDepth is the most rows of B in a block. A block is deeper than usual where all
	// columns still fit the second-level cache, since each block costs a pass over C.
	maxDepth = 1024

	// deepPanels is how many panels of B there must be for tasks that go through all of K. A task takes
	// up to deepColumns of them, since it reads A once for all, if there are still deepTasks tasks.
	deepPanels  = 6
	deepColumns = 4
	deepTasks   = 16
)

func (t *Tiles[T]) plan(op Op) plan {
	p := plan{Op: op}
	if op.M == 0 || op.N == 0 {
		return p
	}
	if op.isVector() {
		p.vectors()
		return p
	}
	p.vecs = t.PanelVecs(op.M, op.N)
	p.nr = p.vecs * t.Width
	p.mrs = isa.Ceil(op.M, t.Tallest(p.vecs))
	p.kc = isa.Even(op.K, max(t.depth, min(t.bBlock/isa.RoundUp(op.N, p.nr), maxDepth)))
	p.packA = t.flush || op.TransA && op.N > 2*p.nr
	p.packB = t.flush || op.TransB || op.M > 2*t.Tallest(p.vecs) && op.N*op.K > t.bBlock
	p.nc = isa.RoundUp(op.N, p.nr)
	p.mc = p.mrs
	p.deep = p.packB && !p.packA && op.K > 0 && op.M*p.kc <= t.bBlock/2 && isa.Ceil(op.N, p.nr) >= deepPanels
	if p.packB {
		p.nc = min(p.nc, max(t.bTotal/max(p.kc, 1)/p.nr, 1)*p.nr)
		if p.deep {
			p.nc = isa.RoundUp(isa.Even(op.N, p.nc), p.nr)
		}
		p.scratch += p.nc * p.kc
	}
	if p.packA {
		tall := t.Tallest(p.vecs)
		p.mc = min(p.mc, max(t.bTotal/max(p.kc, 1)/tall, 1))
		p.scratch += p.mc * tall * p.kc
	}
	if p.scratch > 0 {
		p.scratch += isa.Alignment
	}
	if p.deep {
		p.cols = max(min(p.nc/p.nr/deepTasks, deepColumns), 1)
		return p
	}
	p.small = op.TransB && !p.packA && op.K > 0 && p.nc >= op.N && op.N*op.K <= t.bBlock
	p.tasks(t.bBlock)
	return p
}

// PanelVecs returns how many vectors a panel has with which m rows are multiplied by n columns the
// fastest: it weighs wide panels, which load less, against how well they fit m and n.
func (t *Tiles[T]) PanelVecs(m, n int) int {
	best, bestCost := 0, 0.0
	for vecs := len(t.Kernel) - 1; vecs > 0; vecs-- {
		rows := isa.Ceil(m, t.Tallest(vecs))
		high := float64(m) / float64(rows)
		// Cycles for one step in k: two multiplications at once, each four cycles long, or
		// two loads at once.
		step := max(high*float64(vecs)/2, 4, (high+float64(vecs))/2)
		cost := step * float64(rows*isa.Ceil(n, vecs*t.Width))
		if best == 0 || cost < bestCost {
			best, bestCost = vecs, cost
		}
	}
	return best
}

// Tallest is the most rows of a tile with so many vectors.
func (t *Tiles[T]) Tallest(vecs int) int { return len(t.Kernel[vecs]) - 1 }

// tasks chooses how many panels a task takes: not more columns than fit the second-level cache,
// and enough work.
func (p *plan) tasks(bBlock int) {
	depth := max(p.kc, 1)
	tall := isa.Ceil(p.M, p.mrs)
	work := max(isa.TaskWork, p.M*min(p.N, p.nc)/isa.MaxTasks*depth)
	panels := isa.Ceil(min(p.N, p.nc), p.nr)
	p.cols = min(panels, max(bBlock/(depth*p.nr), 1))
	if one := tall * p.nr * depth * p.mc; one*p.cols > work {
		// One row of panels down the whole block is enough work.
		p.cols = min(p.cols, max(work/one, min(p.cols, 4)))
	}
	p.cols = isa.Even(panels, p.cols)
	p.rows = isa.Even(p.mc, max(work/(tall*p.nr*depth*p.cols), 1))
}
