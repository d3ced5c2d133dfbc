package vm

import (
	"context"
	"time"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
)

// Trace is like [Machine.Run] but calls see after each instruction with its results, which are
// valid until see returns. It helps to find where two programs differ.
func (m *Machine) Trace(ctx context.Context, see func(Instruction, []*tensor.Dense), inputs ...*tensor.Dense) ([]*tensor.Dense, error) {
	if see == nil {
		return m.Run(ctx, inputs...)
	}
	return m.trace(ctx, func(s *step, _ time.Duration) error {
		results := make([]*tensor.Dense, len(s.instr.out))
		for i, v := range s.instr.out {
			b, err := s.result(i)
			if err != nil {
				return err
			}
			results[i] = engine.DenseOf(v.typ.Shape, v.rowMajorOf(v.together(b)))
		}
		see(s.instr.describe(), results)
		return nil
	}, inputs)
}

// Profile is like [Machine.Run] but calls see after each instruction with the time that its kernel
// took. It does not show results, so that little happens between one kernel and the next.
// Instructions that Run runs side by side run one after the other.
func (m *Machine) Profile(ctx context.Context, see func(Instruction), inputs ...*tensor.Dense) ([]*tensor.Dense, error) {
	if see == nil {
		return m.Run(ctx, inputs...)
	}
	return m.trace(ctx, func(s *step, took time.Duration) error {
		in := s.instr.describe()
		in.Took = took
		see(in)
		return nil
	}, inputs)
}
