package vm

import "github.com/plexaura/plexaura/graph"

// selectKernels asks the engine for the kernel of every instruction: the algorithm, its
// scratch, and what it may overwrite.
func selectKernels(p *plan) error {
	eng := p.prog.unit.eng
	for _, in := range p.instrs {
		if in.kind != compute {
			continue
		}
		p.working.at(in.node())
		var err error
		if in.fmap != nil {
			in.bound, err = bindMap(eng, *in.fmap, types(in.in), types(in.out))
		} else {
			in.bound, err = bindOp(eng, in.op, types(in.in), in.out[0].typ)
		}
		if err != nil {
			return graph.ErrorAt(in.node(), err)
		}
	}
	return nil
}
