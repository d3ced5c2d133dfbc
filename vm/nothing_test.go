package vm_test

import (
	"testing"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{
			"Checked":         vm.Checked,
			"Compile":         vm.Compile,
			"Dump":            vm.Dump,
			"MustCompile":     vm.MustCompile,
			"NewStore":        vm.NewStore,
			"Number":          vm.Number,
			"Passes":          vm.Passes,
			"Quantise":        vm.Quantise,
			"ReadRanges":      vm.ReadRanges,
			"Train":           vm.Train,
			"TrainBy":         vm.TrainBy,
			"WithMemory":      vm.WithMemory,
			"WithWeights":     vm.WithWeights,
			"WithThreads":     vm.WithThreads,
			"Without":         vm.Without,
			"WithoutCounters": vm.WithoutCounters,
		},
		Types: []any{
			new(vm.LoadError),
			new(vm.Machine),
			new(vm.Mismatch),
			new(vm.Ranges),
			new(vm.Result),
			new(vm.Program),
			new(vm.Store),
		},
		Panics: map[string]string{
			"MustCompile": "which is for programs that are part of the source",
			"Checked":     "an Option, which Compile calls", "Train": "an Option, which Compile calls",
			"LoadError.Error": "an error that is nil has no text",
		},
		Takes: map[string]string{
			"Machine.Profile(func(vm.Instruction))":                "which is then Run",
			"Machine.Trace(func(vm.Instruction, []*tensor.Dense))": "which is then Run",
		},
		Good: func() []any {
			g := graph.New()
			x := g.Input("x", shape.F32(2))
			w := g.Param("w", shape.F32(2), nil)
			p := vm.MustCompile(ref.Engine{}, []*graph.Node{ops.Sum(ops.Mul(x, w))})
			s := vm.NewStore(1)
			m, err := p.NewMachine(s)
			if err != nil {
				panic(err)
			}
			return []any{p, s, m, w, ref.Engine{}, []*graph.Node{x}, f32([]float32{1, 2}, 2), ctx, vm.Option(vm.Checked)}
		},
	})
}
