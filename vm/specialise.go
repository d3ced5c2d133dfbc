package vm

// loweringPasses run once for each batch size.
func loweringPasses() []pass[plan] {
	return []pass[plan]{
		{"lower", false, lower, "types are concrete from here on; what is one number everywhere becomes an immediate"},
		{"absorb", true, absorb, "kernels take in what follows them; before fuse, which would take it elsewhere"},
		{"layout", true, layout, "batches in lanes where convolutions gain; ops are final, and maps not yet joined"},
		{"fuse", true, fuse, "elementwise chains that remain run in one pass over memory"},
		{"mask", true, mask, "adjoints of pooling take in the gradient of the ReLU before them; after fuse, which makes one map of it"},
		{"select", false, selectKernels, "kernels, their scratch, what they may overwrite; instructions are final"},
		{"remat", true, remat, "recomputes what does not fit WithMemory; kernels and their scratch are known, and an order is yet to be made"},
		{"schedule", true, schedule, "an order with little live memory, writes last"},
		{"alias", false, alias, "reshapes are free; lifetimes are then final"},
		{"inplace", true, inplace, "results over inputs that die, new values straight into their leaf"},
		{"group", true, group, "small instructions side by side; before memory, which keeps what they work on apart"},
		{"pack", true, pack, "what a kernel makes of a value that stays is made once; after alias, before memory, whose scratch it spares"},
		{"memory", true, memory, "lifetimes to offsets in one arena"},
		{"link", false, link, "last: where the step commits, what the machine patches"},
	}
}

// instead runs in place of an optional pass that is switched off but whose work must be
// done in some way.
var instead = map[string]func(*plan) error{
	"schedule": arrange,
	"memory":   separate,
}

// specialise lowers the program for batch size n.
func (p *Program) specialise(n int) (*plan, error) {
	pl := &plan{prog: p, batch: n}
	o := p.unit.opts
	for _, ps := range loweringPasses() {
		run := ps.run
		if o.off[ps.name] {
			if run = instead[ps.name]; run == nil {
				continue
			}
		}
		if err := guard(pl, &pl.working, run); err != nil {
			return nil, wrap(ps.name, err)
		}
		if err := o.after(ps.name, pl); err != nil {
			return nil, err
		}
	}
	return pl, nil
}
