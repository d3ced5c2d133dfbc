package vm

import (
	"iter"
	"slices"
)

// loweringPasses run once for each batch size.
func loweringPasses() []pass[plan] {
	return slices.Concat(instructionPasses(), placingPasses(), linkingPasses())
}

// instructionPasses determine the instructions and their kernels.
func instructionPasses() []pass[plan] {
	return []pass[plan]{
		{name: "lower", run: lower, why: "types are concrete from here on; uniform values become immediates"},
		{name: "distribute", optional: true, run: distribute, why: "functions of a concatenation go to its inputs; before absorb, which merges them into what computes these",
			needs: []string{"lower"}},
		{name: "absorb", optional: true, run: absorb, why: "kernels absorb the ops that follow them; before fuse, which would merge these elsewhere",
			needs: []string{"lower"}, after: []string{"distribute"}},
		{name: "quantise", run: quantise, why: "convolutions and products in 8-bit integers, with Quantise; ops have absorbed their bias, and maps are not yet joined",
			needs: []string{"lower"}, after: []string{"absorb"}},
		{name: "layout", optional: true, run: layout, why: "layouts other than rows where kernels are faster; ops are final, and maps not yet joined",
			needs: []string{"quantise"}, after: []string{"absorb"}},
		{name: "fuse", optional: true, run: fuse, why: "elementwise chains that remain run in one pass over memory",
			needs: []string{"lower"}, after: []string{"absorb", "layout"}},
		{name: "mask", optional: true, run: mask, why: "adjoints of pooling absorb the gradient of the ReLU before them; after fuse, which makes that one map",
			needs: []string{"lower"}, after: []string{"fuse"}},
		{name: "select", run: selectKernels, why: "kernels, their scratch, and the inputs they may overwrite; instructions are final",
			needs: []string{"lower"}, after: []string{"absorb", "layout", "fuse", "mask"}},
		{name: "lean", optional: true, run: lean, why: "kernels with smaller packed forms, where these would take more than twice the weights and 16 MiB; before weights and tail, which the kernels decide on",
			needs: []string{"select"}},
		{name: "weights", run: weights, why: "kernels with weights in the type of WithWeights; the kernels for float32 are known, and may have others",
			needs: []string{"select"}, after: []string{"lean"}},
		{name: "tail", optional: true, run: tail, why: "kernels apply the map of their result while that is in the cache; the kernels are known, and say whether they can",
			needs: []string{"select"}, after: []string{"fuse", "mask", "weights"}},
		{name: "remat", optional: true, run: remat, why: "recomputes values that do not fit WithMemory; kernels and their scratch are known, the order is not",
			needs: []string{"select"}, after: []string{"tail"}},
	}
}

// placingPasses put the instructions in order and place their values in memory. Remat tries them on
// copies of the plan.
func placingPasses() []pass[plan] {
	return []pass[plan]{
		{name: "schedule", optional: true, run: schedule, why: "an order with little live memory, writes last",
			needs: []string{"select"}, after: []string{"remat"}},
		{name: "alias", run: alias, why: "reshapes are free; lifetimes are then final",
			needs: []string{"lower"}, after: []string{"remat"}},
		{name: "join", optional: true, run: join, why: "concatenations without a copy: their inputs are computed where they lie in the result",
			needs: []string{"select", "alias"}, after: []string{"schedule", "tail"}},
		{name: "inplace", optional: true, run: inplace, why: "results over inputs no longer needed, new values directly into their leaf",
			needs: []string{"select", "schedule", "alias"}, after: []string{"join"}},
		{name: "group", optional: true, run: group, why: "small instructions side by side; before memory, which keeps their values apart",
			needs: []string{"select", "schedule", "alias"}, after: []string{"inplace"}},
		{name: "pack", optional: true, run: pack, why: "packs values that do not change once; after alias, before memory, which then needs less scratch",
			needs: []string{"select", "alias"}},
		{name: "memory", optional: true, run: memory, why: "lifetimes to offsets in one arena",
			needs: []string{"select", "schedule", "alias"}, after: []string{"inplace", "group", "pack"}},
	}
}

func linkingPasses() []pass[plan] {
	return []pass[plan]{
		{name: "link", run: link, why: "last: finds where the step commits",
			needs: []string{"select", "schedule"}, after: []string{"inplace", "group", "memory"}},
	}
}

// instead has functions that run instead of an optional pass that is switched off, if its work must
// be done in some way.
var instead = map[string]func(*plan) error{
	"schedule": arrange,
	"memory":   separate,
}

// running iterates over the passes of list that run: their names, each with its function or, if it
// is switched off, the function that runs instead.
func (o *options) running(list []pass[plan]) iter.Seq2[string, func(*plan) error] {
	return func(yield func(string, func(*plan) error) bool) {
		for _, ps := range list {
			run := ps.run
			if o.off[ps.name] {
				run = instead[ps.name]
			}
			if run != nil && !yield(ps.name, run) {
				return
			}
		}
	}
}

// specialise lowers the program for batch size n.
func (p *Program) specialise(n int) (*plan, error) {
	pl := &plan{prog: p, batch: n}
	o := p.unit.opts
	for name, run := range o.running(loweringPasses()) {
		if err := guard(pl, &pl.working, run); err != nil {
			return nil, wrap(name, err)
		}
		if err := o.after(name, pl); err != nil {
			return nil, err
		}
	}
	return pl, nil
}
