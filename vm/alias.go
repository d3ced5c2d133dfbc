package vm

// alias makes reshapes free: their result uses the memory of their input.
func alias(p *plan) error {
	for _, in := range p.instrs {
		if in.kind == aliased {
			in.out[0].alias = in.in[0].root() // the root, so that chains of views need not be followed again
		}
	}
	return nil
}
