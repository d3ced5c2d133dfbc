package onnx

import (
	"context"
	"slices"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// A runner is a machine of a stage with the memory of its inputs, used by one run at a time.
type runner struct {
	machine *vm.Machine // nil if the stage has no program
	ins     []*tensor.Dense
	memory  []engine.Buffer // of ins
	outs    []*tensor.Dense // of the last run
	fed     bool            // inputs have other extents than before
	batch   int             // the largest so far
	bytes   int             // that it keeps
}

// keeps returns the bytes of values and inputs of a runner of st.
func (r *runner) keeps(st *stage) int {
	bytes := 0
	for i, n := range st.program.Inputs() {
		bytes += r.memory[i].Size()
		for k, d := range n.Type().Dims() {
			if d.Symbolic() {
				r.batch = max(r.batch, r.ins[i].Shape()[k]/d.Factor())
			}
		}
	}
	m, err := st.program.Memory(max(r.batch, 1))
	if err != nil { // it has run
		return bytes
	}
	return bytes + m.Arena
}

// constants returns the bytes that the program of the stage keeps for all runners.
func (st *stage) constants() int {
	m, err := st.program.Memory(1)
	if err != nil {
		return 0
	}
	return m.Consts + m.Once
}

// acquire returns an idle runner, or a new one.
func (st *stage) acquire(store *vm.Store) (*runner, error) {
	st.mu.Lock()
	if n := len(st.idle); n > 0 {
		r := st.idle[n-1]
		st.idle = st.idle[:n-1]
		st.mu.Unlock()
		return r, nil
	}
	st.mu.Unlock()
	if st.program == nil {
		return &runner{}, nil
	}
	m, err := st.program.NewMachine(store)
	if err != nil {
		return nil, err
	}
	n := len(st.inputs)
	return &runner{machine: m, ins: make([]*tensor.Dense, n), memory: make([]engine.Buffer, n), fed: true}, nil
}

// release makes the runner idle; what it computed is then another's to overwrite.
func (st *stage) release(r *runner) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.idle = append(st.idle, r)
}

// run runs the program of the stage. The caller releases the runner, which has the results.
func (st *stage) run(ctx context.Context, store *vm.Store, inputs feeds) (*runner, error) {
	r, err := st.acquire(store)
	if err != nil || r.machine == nil {
		return r, err
	}
	for i, name := range st.inputs {
		r.feed(i, inputs[name])
	}
	if r.outs, err = r.machine.Run(ctx, r.ins...); err != nil {
		st.release(r)
		return nil, err
	}
	return r, nil
}

// feed copies the elements of t, which are then input i.
func (r *runner) feed(i int, t *Tensor) {
	from := t.buffer()
	if d := r.ins[i]; d == nil || !slices.Equal([]int(d.Shape()), t.Dims) {
		r.memory[i] = engine.BufferAt(engine.Aligned(from.Size()), from.DType(), from.Len())
		r.ins[i] = engine.DenseOf(shape.OfInts(t.Dims...), r.memory[i])
		r.fed = true
	}
	copy(r.memory[i].Bytes(), from.Bytes())
}
