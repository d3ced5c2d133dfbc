package vm

import (
	"iter"
	"slices"
)

// loweringPasses run once for each batch size.
func loweringPasses() []pass[plan] {
	return slices.Concat(instructionPasses(), placementPasses(), []pass[plan]{
		{"link", false, link, nil, after{"inplace", "memory"}, "last: where the step commits, what the machine patches"},
	})
}

// instructionPasses say what is computed, and by which kernels.
func instructionPasses() []pass[plan] {
	return []pass[plan]{
		{"lower", false, lower, nil, nil, "types are concrete from here on; what is one number everywhere becomes an immediate"},
		{"absorb", true, absorb, nil, after{"lower"}, "kernels take in what follows them; before fuse, which would take it elsewhere"},
		{"layout", true, layout, nil, after{"absorb"}, "batches in lanes where convolutions gain; ops are final, and maps not yet joined"},
		{"fuse", true, fuse, nil, after{"absorb", "layout"}, "elementwise chains that remain run in one pass over memory"},
		{"mask", true, mask, nil, after{"fuse"}, "adjoints of pooling take in the gradient of the ReLU before them; after fuse, which makes one map of it"},
		{"select", false, selectKernels, nil, after{"mask"}, "kernels, their scratch, what they may overwrite; instructions are final"},
		{"remat", true, remat, nil, after{"select"}, "recomputes what does not fit WithMemory; kernels and their scratch are known, and an order is yet to be made"},
	}
}

// placementPasses say when it is computed and where the values are. remat tries them too.
func placementPasses() []pass[plan] {
	return []pass[plan]{
		scheduling(),
		{"alias", false, alias, nil, after{"remat"}, "reshapes are free; lifetimes are then final"},
		{"inplace", true, inplace, nil, after{"schedule", "alias"}, "results over inputs that die, new values straight into their leaf"},
		{"group", true, group, nil, after{"inplace"}, "small instructions side by side; before memory, which keeps what they work on apart"},
		{"pack", true, pack, nil, after{"select", "alias"}, "what a kernel makes of a value that stays is made once; after alias, before memory, whose scratch it spares"},
		{"memory", true, memory, spread, after{"group", "pack"}, "lifetimes to offsets in one arena"},
	}
}

func scheduling() pass[plan] {
	return pass[plan]{"schedule", true, schedule, arrange, after{"remat"}, "an order with little live memory, writes last"}
}

// running are the passes that run, by name: of those that are switched off what runs instead.
func running[U any](passes []pass[U], o *options) iter.Seq2[string, func(*U) error] {
	return func(yield func(string, func(*U) error) bool) {
		for _, ps := range passes {
			if run := ps.chosen(o); run != nil && !yield(ps.name, run) {
				return
			}
		}
	}
}

// chosen is what runs of a pass: nil for nothing.
func (ps pass[U]) chosen(o *options) func(*U) error {
	if o.off[ps.name] {
		return ps.instead
	}
	return ps.run
}

// specialise lowers the program for batch size n.
func (p *Program) specialise(n int) (*plan, error) {
	pl := &plan{prog: p, batch: n}
	o := p.unit.opts
	passes := loweringPasses()
	if o.shuffle != 0 {
		passes = shuffled(passes, o.random(n))
	}
	for name, run := range running(passes, o) {
		if err := guard(pl, &pl.working, run); err != nil {
			return nil, wrap(name, err)
		}
		if err := o.after(name, pl); err != nil {
			return nil, err
		}
	}
	return pl, nil
}
