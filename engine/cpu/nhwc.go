package cpu

import (
	"slices"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/nhwc"
	"github.com/plexaura/plexaura/shape"
)

// channelsLast is the layout (N,H,W,C).
var channelsLast = engine.Layout{Axis: 1, Block: engine.All}

// lastable reports whether kernels take tensors of all these types with channels last.
func (e Engine) lastable(ts ...shape.Type) bool {
	if !e.simd.NHWC.Vector() {
		return false
	}
	for _, t := range ts {
		if t.DType != shape.Float32 || t.Rank() != 4 {
			return false
		}
	}
	return true
}

// nhwcConv2D binds a convolution of images with channels last.
func (e Engine) nhwcConv2D(c engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	if out.Layout != channelsLast || !sameDType(shape.Float32, engine.Types(in)) {
		return engine.Bound{}, engine.Unsupported(name, "NHWC Conv2D", in)
	}
	g := convOf(c, in[0].Type, in[1].Type, out.Type)
	op := g.nhwcOp(c.Epilogue)
	if g.depthwise() {
		op.C = g.groups
		return e.withTail(len(in), out, op.Act, func(act isa.Act, t *mapTail) engine.Bound {
			return e.bindDepthwise(nhwc.NewDepthwise(e.simd.NHWC, op.Window, op.N, op.Bias, act), c.Epilogue, t)
		}), nil
	}
	choice := e.nhwcCandidates(op)
	product := func(op nhwc.Op, t *mapTail) engine.Bound {
		plan, form := e.nhwcPlan(op)
		b := e.bindNHWC(plan, form, c.Epilogue, t)
		b.Choice = choice
		return b
	}
	exact := e.withTail(len(in), out, op.Act, func(act isa.Act, t *mapTail) engine.Bound {
		op := op
		op.Act = act
		b := product(op, t)
		if t == nil {
			b.Into = into(op, func(op nhwc.Op, _ engine.Part) engine.Bound { return product(op, nil) })
		}
		return b
	})
	if choose(exact.Choice) != nhwcWinogradAlg {
		return exact, nil
	}
	direct := exact // which takes maps behind it
	exact.Then = nil
	winograd := func(op nhwc.Op, exact engine.Bound) engine.Bound {
		plan, _ := nhwc.NewWinograd(e.simd.NHWC, op)
		return e.bindNHWCWinograd(plan, c.Epilogue, exact)
	}
	b := withExact(in[1].Type, exact, func(exact engine.Bound) engine.Bound {
		b := winograd(op, exact)
		b.Into = into(op, func(op nhwc.Op, p engine.Part) engine.Bound {
			part, _ := exact.Into(p)
			return winograd(op, part)
		})
		return b
	})
	b.Lean = func() engine.Bound { return direct }
	return b, nil
}

// windowed is a convolution of images with channels last that is a product of its windows.
type windowed interface {
	unfolding
	Results() int
	Shares() bool
	Task(i int) (from, to int, all bool)
	Run(y, x, packed, bias, shared, scratch []float32, lo, hi int)
}

// nhwcPlan plans op, and names the form of its packed filters.
func (e Engine) nhwcPlan(op nhwc.Op) (windowed, nhwc.Form) {
	if nhwc.InStrips(op) {
		plan := nhwc.NewGrouped(e.simd.NHWC, op)
		return plan, plan.Form()
	}
	plan := nhwc.NewConv(e.simd.NHWC, op)
	return plan, plan.Form()
}

// into returns the function [engine.Bound.Into] of a kernel for op, given the one that binds it for an
// op whose results lie apart.
func into(op nhwc.Op, bind func(op nhwc.Op, p engine.Part) engine.Bound) func(p engine.Part) (engine.Bound, bool) {
	return func(p engine.Part) (engine.Bound, bool) {
		if p.Len != op.Groups*op.M {
			return engine.Bound{}, false
		}
		apart := op
		apart.Pitch = p.Pitch
		return bind(apart, p), true
	}
}

func (g *convolution) nhwcOp(ep engine.Epilogue) nhwc.Op {
	return nhwc.Op{Window: g.Window, N: g.batch, Groups: g.groups, M: g.filters, Bias: ep.Bias, Act: activation(ep)}
}

// depthwise reports whether each channel has one filter.
func (g *convolution) depthwise() bool { return g.C == 1 && g.filters == 1 }

// What Bound.Alg calls the algorithms.
const (
	nhwcAlg         = "nhwc"
	nhwcWinogradAlg = "nhwc winograd"
	depthwiseAlg    = "nhwc depthwise"
)

// withTail returns the kernel that bind makes for act without a tail, which can be followed by one.
// A tail that begins with a ReLU6 leaves that to the kernel.
func (e Engine) withTail(own int, out engine.Operand, act isa.Act, bind func(act isa.Act, t *mapTail) engine.Bound) engine.Bound {
	return e.withMap(own, out, func(t *mapTail) engine.Bound {
		if t != nil {
			if rest, ok := t.withoutReLU6(); ok {
				return bind(isa.ReLU6, rest)
			}
		}
		return bind(act, t)
	})
}

// withMap is withTail for a kernel without activations.
func (e Engine) withMap(own int, out engine.Operand, bind func(t *mapTail) engine.Bound) engine.Bound {
	b := bind(nil)
	b.Then = func(m engine.Map, in []engine.Operand) (engine.Bound, bool) {
		t, ok := e.newTail(m, own, in, out)
		if !ok {
			return engine.Bound{}, false
		}
		return bind(t), true
	}
	return b
}

// bindNHWC returns the kernel of plan that applies the tail to what a task has made, or to everything
// where tasks share pixels. form names the packed filters.
func (e Engine) bindNHWC(plan windowed, form any, ep engine.Epilogue, t *mapTail) engine.Bound {
	var l layout
	rest := e.tailLoop(t, plan.Shares(), plan.Results())
	t.reserve(&l, max(e.pool.Workers(), rest.slots))
	return e.bindUnfolding(&l, plan, form, func(c *engine.Call, slot int, packed, shared, scratch []float32, lo, hi int) {
		for i := lo; i < hi; i++ {
			plan.Run(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), packed, bias[float32](c, ep), shared, scratch, i, i+1)
			if from, to, all := plan.Task(i); all {
				t.apply(c, slot, from, to)
			}
		}
	}, rest)
}

// unfolding is a product by packed filters, before which images may be unfolded.
type unfolding interface {
	PackedLen() int
	Packs() int
	Pack(packed, w []float32, lo, hi int)
	SharedLen() int
	Unfolds() int
	Unfold(shared, x []float32, lo, hi int)
	ScratchLen() int
	Tasks() int
	Work() int
}

// bindUnfolding returns the kernel that unfolds the images, where that is done first, does plan's tasks by
// run, and then what is left. form names the packed filters.
func (e Engine) bindUnfolding(l *layout, plan unfolding, form any,
	run func(c *engine.Call, slot int, packed, shared, scratch []float32, lo, hi int), left ...*loop) engine.Bound {
	var shared, scratch region[float32]
	packed := e.packer(filterPacking{plan.PackedLen(), plan.Packs(), form, plan.Pack})
	unfold := e.newLoop(plan.Unfolds(), vectorCost(4*plan.SharedLen())/max(plan.Unfolds(), 1), func(c *engine.Call, _, lo, hi int) {
		plan.Unfold(shared.of(c, 0), engine.Slice[float32](c.In[0]), lo, hi)
	})
	tasks := e.newLoop(plan.Tasks(), vectorCost(plan.Work())/max(plan.Tasks(), 1), func(c *engine.Call, slot, lo, hi int) {
		run(c, slot, packed.of(c), shared.of(c, 0), scratch.of(c, slot), lo, hi)
	})
	shared, scratch = reserve[float32](l, 1, plan.SharedLen()), reserve[float32](l, tasks.slots, plan.ScratchLen())
	return packed.bind(l, nhwcAlg, func(c *engine.Call) error {
		unfold.run(c)
		tasks.run(c)
		for _, rest := range left {
			rest.run(c)
		}
		return nil
	})
}

// bindNHWCWinograd returns the kernel of plan, or of exact where numbers are not finite.
func (e Engine) bindNHWCWinograd(plan *nhwc.Winograd, ep engine.Epilogue, exact engine.Bound) engine.Bound {
	if sweep, ok := plan.Sweep(); ok {
		return e.bindNHWCSweep(sweep, ep, exact)
	}
	var l layout
	packed := e.packer(filterPacking{plan.PackedLen(), plan.Packs(), plan.Form(), plan.Pack})
	work, _, _ := nhwc.WinogradWork(plan.Op)
	tasks := e.newFiniteLoop(&l, plan.Tasks(), vectorCost(work)/max(plan.Tasks(), 1), plan.ScratchLen(), func(c *engine.Call, scratch []float32, lo, hi int) bool {
		return plan.Run(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), packed.of(c), bias[float32](c, ep), scratch, lo, hi)
	})
	return withExactScratch(packed.bind(&l, nhwcWinogradAlg, finiteRun(tasks.holds).orElse(exact)), exact)
}

// bindNHWCSweep does what bindNHWCWinograd does. Filters in small types are not widened before they are transformed in turn; then exact
// is given rounded ones.
func (e Engine) bindNHWCSweep(plan *nhwc.WinogradSweep, ep engine.Epilogue, exact engine.Bound) engine.Bound {
	var l layout
	packed := e.packer(filterPacking{plan.PackedLen(), plan.Packs(), plan.Form(), plan.Pack})
	run := e.sweep(&l, plan, ep, func(c *engine.Call) nhwc.SweptFilters {
		if plan.InTurn() && !c.Packed.Valid() {
			return nhwc.SweptFilters{Plain: engine.Slice[float32](c.In[1])}
		}
		return nhwc.SweptFilters{Packed: packed.of(c)}
	}).orElse(exact)
	if !plan.InTurn() {
		return withExactScratch(packed.bind(&l, nhwcWinogradAlg, run), exact)
	}
	b := withExactScratch(engine.Bound{Kernel: run, Scratch: int(l), By: name, Alg: nhwcWinogradAlg, Packing: packed.packing(int(l))}, exact)
	b.Narrow = func(as shape.DType) (engine.Bound, bool) {
		storage, ok := smallStorage[as]
		if !ok {
			return engine.Bound{}, false
		}
		return e.bindSmallSweep(plan, plan.Small(storage), ep, exact), true
	}
	return b
}

// bindSmallSweep is bindNHWCSweep for filters in the form of small.
func (e Engine) bindSmallSweep(plan *nhwc.WinogradSweep, small *gemm.Small, ep engine.Epilogue, exact engine.Bound) engine.Bound {
	var l layout
	packed := &smallPacker{engine: e, plan: small}
	run := e.sweep(&l, plan, ep, func(c *engine.Call) nhwc.SweptFilters { return nhwc.SweptFilters{Small: small, Form: packed.of(c)} })
	return withExactScratch(packed.bind(&l, nhwcWinogradAlg, run.orElse(exact)), exact)
}

// finiteRun computes results, and reports false where numbers are not finite.
type finiteRun func(c *engine.Call) bool

// sweep runs plan with filters.
func (e Engine) sweep(l *layout, plan *nhwc.WinogradSweep, ep engine.Epilogue, filters func(c *engine.Call) nhwc.SweptFilters) finiteRun {
	tiles, group := reserve[float32](l, 1, plan.TilesLen()), reserve[int32](l, 1, 1)
	transform := e.newFiniteLoop(l, plan.Transforms(), chunkWork, plan.CellsLen(), func(c *engine.Call, cells []float32, lo, hi int) bool {
		return plan.Transform(tiles.of(c, 0), engine.Slice[float32](c.In[0]), cells, int(group.of(c, 0)[0]), lo, hi)
	})
	products := e.newFiniteLoop(l, plan.Tasks(), chunkWork, plan.ScratchLen(), func(c *engine.Call, scratch []float32, lo, hi int) bool {
		return plan.Run(engine.Slice[float32](c.Out[0]), tiles.of(c, 0), filters(c), bias[float32](c, ep), scratch, int(group.of(c, 0)[0]), lo, hi)
	})
	return func(c *engine.Call) bool {
		for i := range plan.Groups() {
			group.of(c, 0)[0] = int32(i)
			if !transform.holds(c) || !products.holds(c) {
				return false
			}
		}
		return true
	}
}

// orElse is the kernel that computes by run, or by exact where numbers are not finite.
func (run finiteRun) orElse(exact engine.Bound) engine.Kernel {
	return func(c *engine.Call) error {
		if run(c) {
			return nil
		}
		return withoutPacked(c, exact.Kernel)
	}
}

// withExactScratch returns b, which computes by exact where numbers are not finite, with the memory that this needs.
func withExactScratch(b, exact engine.Bound) engine.Bound {
	b.Choice, b.Packing.Replaces = exact.Choice, false
	b.Scratch, b.Packing.Rest = max(b.Scratch, exact.Scratch), max(b.Packing.Rest, exact.Scratch)
	return b
}

// withoutPacked runs a kernel that would pack another form of the filters.
func withoutPacked(c *engine.Call, kernel engine.Kernel) error {
	ours := c.Packed
	c.Packed = engine.Buffer{}
	err := kernel(c)
	c.Packed = ours
	return err
}

// tailLoop is the loop that applies t to all n elements, if it is to.
func (e Engine) tailLoop(t *mapTail, applies bool, n int) *loop {
	if t == nil || !applies {
		n = 0
	}
	return e.newLoop((n+block-1)/block, block/8, func(c *engine.Call, slot, lo, hi int) { t.apply(c, slot, lo*block, min(hi*block, n)) })
}

func (e Engine) bindDepthwise(plan *nhwc.Depthwise, ep engine.Epilogue, t *mapTail) engine.Bound {
	var l layout
	packed := e.packer(filterPacking{plan.PackedLen(), 1, [2]int{plan.C, plan.KH * plan.KW}, func(packed, w []float32, _, _ int) { plan.Pack(packed, w) }})
	row := plan.OW * plan.C
	tasks := e.newLoop(plan.Tasks(), vectorCost(plan.Work()*depthwiseCost/100)/max(plan.Tasks(), 1), func(c *engine.Call, slot, lo, hi int) {
		for i := lo; i < hi; i++ {
			plan.Run(engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), packed.of(c), bias[float32](c, ep), i, i+1)
			t.apply(c, slot, i*row, (i+1)*row)
		}
	})
	t.reserve(&l, tasks.slots)
	b := packed.bind(&l, depthwiseAlg, tasks.kernel())
	b.Choice = []engine.Candidate{{Alg: depthwiseAlg, Work: plan.Work()}}
	return b
}

// nhwcPool returns the kernel that pools images with channels last by f.
func (e Engine) nhwcPool(p engine.Pool2D, in []engine.Operand, out engine.Operand, counted func(axis, o int) int,
	f func(p *nhwc.Pool, y, x []float32, lo, hi int)) (engine.Bound, error) {
	x := in[0]
	if out.Layout != channelsLast || !e.lastable(x.Type, out.Type) {
		return engine.Bound{}, engine.Unsupported(name, "NHWC pooling", in)
	}
	w := poolWindow(p, x.Type, out.Type)
	w.C = x.Int(1)
	plan := nhwc.NewPool(e.simd.NHWC, w, x.Int(0), counted)
	rows := e.newLoop(plan.Tasks(), vectorCost(4*plan.Work())/max(plan.Tasks(), 1), func(c *engine.Call, _, lo, hi int) {
		f(plan, engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), lo, hi)
	})
	return engine.Bound{Kernel: rows.kernel(), By: name, Alg: nhwcAlg}, nil
}

// nhwcMeans returns the kernel of average pooling.
func (e Engine) nhwcMeans(p engine.Pool2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	x, counted := in[0], poolOf(p, in[0].Type, out.Type).counted
	b, err := e.nhwcPool(p, in, out, counted, (*nhwc.Pool).Mean)
	if err != nil {
		return b, err
	}
	w := poolWindow(p, x.Type, out.Type)
	w.C = x.Int(1)
	plan, ok := nhwc.NewWhole(e.simd.NHWC, w, x.Int(0), counted)
	if !ok {
		return b, nil
	}
	var l layout
	sums := reserve[float32](&l, 1, plan.SumsLen())
	parts := e.newLoop(plan.Tasks(), vectorCost(meanCost*plan.Work())/plan.Tasks(), func(c *engine.Call, _, lo, hi int) {
		plan.Sum(sums.of(c, 0), engine.Slice[float32](c.In[0]), lo, hi)
	})
	b.Scratch, b.Kernel = int(l), func(c *engine.Call) error {
		parts.run(c)
		plan.Mean(engine.Slice[float32](c.Out[0]), sums.of(c, 0))
		return nil
	}
	return b, nil
}

// reduceLast reduces x, whose channels are last, in its memory (N,1,H,W,C). The axes that are kept
// have to be in order there.
func (e Engine) reduceLast(r engine.Reduction, axes engine.Axes, x, out engine.Operand) (engine.Bound, error) {
	if !keepsOrder(axes) {
		return engine.Bound{}, engine.Unsupported(name, "NHWC "+r.String(), []engine.Operand{x})
	}
	stored := axes | engine.AxesOf(1)
	if axes.Has(1) {
		stored |= engine.AxesOf(4)
	}
	return e.reduceRows(r, stored, engine.InRows(x.Stored()), out)
}

// keepsOrder reports whether a reduction leaves of (N,H,W,C) what it leaves of (N,C,H,W).
func keepsOrder(axes engine.Axes) bool { return axes.Has(1) || axes.Has(2) && axes.Has(3) }

// concatLast joins tensors whose channels are last.
func (e Engine) concatLast(axis int, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	stored := make([]engine.Operand, len(in))
	for i, o := range in {
		if o.Layout != channelsLast {
			return engine.Bound{}, engine.Unsupported(name, "NHWC Concat", in)
		}
		stored[i] = engine.InRow(o.Stored())
	}
	if axis == 1 {
		axis = 4
	}
	return e.BindConcat(axis, stored, engine.InRow(out.Stored()))
}

// Costs of convolutions with channels last, in multiplications of the direct algorithm; measured.
const (
	// transformCost is that of a value which Winograd's algorithm transforms, filterCost that of a number
	// of packed filters, which memory takes as long to give to all processors, sweptCost that of a number of
	// filters which are transformed in each run.
	transformCost = 8
	filterCost    = 18
	sweptCost     = 54

	// winogradValues is how many values Winograd's algorithm transforms a tile, or a filter, to.
	winogradValues = 36

	// pieceCost is that of a copy of windows side by side that meet the same taps, stripCost that of an element
	// which is copied to a strip.
	pieceCost = 3000
	stripCost = 2

	// depthwiseCost is that of a multiplication by a filter of one channel, in percent, and so are the
	// costs of the algorithms for rows: rowsCost, rowsCostStrided for strides, unless there are few channels
	// to sort by them, rowsCostGroups for groups, and rowsCostDepthwise for groups of one channel.
	depthwiseCost     = 350
	rowsCost          = 150
	rowsCostStrided   = 250
	rowsCostGroups    = 400
	rowsCostDepthwise = 6000

	// meanCost is that of an element of a whole image that is added up, which is in the caches of all processors.
	meanCost = 16

	// winogradGradCost is how much longer Winograd's gradient of the filters takes than the convolution, in
	// percent.
	winogradGradCost = 130

	// bytesPerCost is how many bytes are converted in the time of a multiplication, in percent.
	bytesPerCost = 6
)

// nhwcCandidates are the algorithms for channels last.
func (e Engine) nhwcCandidates(op nhwc.Op) []engine.Candidate {
	all := e.unfoldingCandidates(op)
	if nhwc.InStrips(op) {
		all[1].Work = e.stripWork(op)
	}
	return all
}

// stripWork is the work of a convolution in strips, whose windows are multiplied where they lie.
func (e Engine) stripWork(op nhwc.Op) int {
	return op.N*op.Cols()*e.simd.NHWC.Lanes(op)*op.Rows() + stripCost*op.N*op.H*op.W*op.Groups*op.C + filterCost*op.Groups*op.M*op.Rows()
}

// nhwcInputGradCandidates are the algorithms for the gradient of images.
func (e Engine) nhwcInputGradCandidates(op nhwc.Op) []engine.Candidate {
	all := e.unfoldingCandidates(op)
	if adjoint, ok := nhwc.AdjointInStrips(op); ok {
		all[1].Work = e.stripWork(adjoint)
	}
	return all
}

// unfoldingCandidates are the algorithms where no windows are multiplied where they lie.
func (e Engine) unfoldingCandidates(op nhwc.Op) []engine.Candidate {
	filters := op.Groups * op.M * op.Rows()
	lanes := isa.RoundUp(op.M, e.simd.Gemm.F32.Width)
	direct := engine.Candidate{Alg: nhwcAlg, Work: op.N*op.Cols()*op.Groups*lanes*op.Rows() + filterCost*filters + pieceCost*op.Groups*nhwc.Pieces(op)}
	winograd := engine.Candidate{Alg: nhwcWinogradAlg}
	multiplications, transformed, ok := nhwc.WinogradWork(op)
	read := filterCost * winogradValues * op.M * op.C
	if nhwc.TransformsInTurn(op) {
		read = sweptCost * filters
	}
	switch winograd.Work = multiplications + transformCost*transformed + read; {
	case e.exact:
		winograd.Against = "ruled out by ExactConv"
	case !ok:
		winograd.Against = againstSizes
	case min(op.C, op.M) < winogradChannels:
		winograd.Against = fewer(min(op.C, op.M), "channels or filters", winogradChannels)
	}
	return []engine.Candidate{winograd, direct}
}

// nhwcGradCandidates are the algorithms for the gradient of the filters, whose transformed sums are
// read and written for each group of tiles.
func (e Engine) nhwcGradCandidates(op nhwc.Op) []engine.Candidate {
	all := e.unfoldingCandidates(op)
	all[0].Work = all[0].Work*winogradGradCost/100 + filterCost*winogradValues*op.M*op.C
	return all
}

// nhwcGain is what a way of a convolution gains by channels last; see [engine.Arrangement].
func (e Engine) nhwcGain(c engine.Conv2D, w way, x, filters, y shape.Type) int {
	if !e.lastable(x, y) || x.Len()*y.Len() == 0 {
		return 0
	}
	g := convOf(c, x, filters, y)
	candidates := e.nhwcCandidates
	switch w {
	case inputGrad:
		candidates = e.nhwcInputGradCandidates
	case filterGrad:
		candidates = e.nhwcGradCandidates
	}
	rows, last, percent := e.rowsWork(g, w), leastWork(candidates(g.nhwcOp(engine.Epilogue{}))), rowsCost
	switch {
	case w == forward && stems(c, x):
		last = e.stemWork(g)
		if choose(e.candidates(g, w)) == stemAlg { // the same kernel, which turns results to rows
			rows, percent = last+stemTurnCost*g.results(), 100
		}
	case w == filterGrad && stems(c, x):
		rows, percent = e.directGradWork(g), 100
	case g.depthwise():
		percent, last = rowsCostDepthwise, g.results()*g.depth()*depthwiseCost/100
	case g.groups > 1:
		percent = rowsCostGroups
	case (g.SH > 1 || g.SW > 1) && g.C >= nhwcChannels:
		percent = rowsCostStrided
	}
	return (rows*percent/100 - last) * bytesPerCost / 100
}

// rowsWork is the work of the algorithm for rows, with what Winograd's takes beside multiplying.
func (e Engine) rowsWork(g convolution, w way) int {
	all := e.candidates(g, w)
	work := leastWork(all)
	if choose(all) != winogradAlg {
		return work
	}
	tile := 7 - g.KH
	transformed := g.batch * isa.Ceil(g.OH, tile) * isa.Ceil(g.OW, tile) * winogradValues * (g.C + g.filters)
	return work + transformCost*transformed + filterCost*winogradValues*g.C*g.filters
}

// leastWork is the work of the algorithm that is chosen.
func leastWork(all []engine.Candidate) int {
	i := slices.IndexFunc(all, func(c engine.Candidate) bool { return c.Alg == choose(all) })
	return all[i].Work
}
