package vm

// alias makes reshapes free: their result is their input's memory.
func alias(p *plan) error {
	for _, in := range p.instrs {
		if in.kind == aliased {
			in.out[0].alias = in.in[0].root() // which is not looked for again along a chain of views
		}
	}
	return nil
}
