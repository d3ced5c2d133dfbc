package vm_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// panicking gives its input, and panics in the method that In names.
type panicking struct{ In string }

func (o panicking) in(method string) {
	if o.In == method {
		panic("in " + method)
	}
}

func (panicking) Name() string { return "Panicking" }
func (o panicking) Infer(in []shape.Type) (shape.Type, error) {
	o.in("Infer")
	return in[0], nil
}

func (o panicking) Grad(_, dy *graph.Node) []*graph.Node {
	o.in("Grad")
	return []*graph.Node{dy}
}

func (o panicking) Simplify(*graph.Node) *graph.Node {
	o.in("Simplify")
	return nil
}

func (o panicking) Absorb(engine.Engine, []shape.Type, graph.Op, int, []shape.Type) (graph.Op, bool) {
	o.in("Absorb")
	return nil, false
}

func (o panicking) Bind(_ engine.Engine, in []engine.Operand, _ engine.Operand) (engine.Bound, error) {
	o.in("Bind")
	return engine.Bound{By: "test", Serial: true, Kernel: func(c *engine.Call) error {
		o.in("the kernel")
		copy(c.Out[0].Bytes(), c.In[0].Bytes())
		if o.In == "a worker" {
			engine.Sharer(cpu.New()).Share(64, func(lo, hi int) { o.in("a worker") })
		}
		return nil
	}}, nil
}

// Whatever method of a user's op panics, it is one error at the node's line.
func TestAPanicOfAUsersOpIsAnErrorAtItsNode(t *testing.T) {
	for _, in := range []string{"Infer", "Grad", "Simplify", "Absorb", "Bind", "the kernel", "a worker"} {
		for _, e := range []engine.Engine{ref.Engine{}, cpu.New(), newSharingEngine()} {
			t.Run(in+"/"+e.Name(), func(t *testing.T) {
				g := graph.New()
				x, z := g.Input("x", shape.F32(4)), g.Input("z", shape.F32(4))
				w := g.Param("w", shape.F32(4), graph.Fill(1))
				y := graph.Apply(panicking{in}, ops.Mul(x, w))
				beside := graph.Apply(panicking{}, z) // which a group has side by side
				loss := ops.Sum(ops.Add(ops.Neg(y), beside))
				g.Update(w, autodiff.Grad(loss, w)[0])
				s := vm.NewStore(1)
				err := func() error {
					p, err := vm.Compile(e, []*graph.Node{loss}, vm.Train)
					if err != nil {
						return err
					}
					m, err := p.NewMachine(s)
					if err != nil {
						return err
					}
					_, err = m.Run(ctx, f32([]float32{1, 2, 3, 4}, 4), f32([]float32{1, 2, 3, 4}, 4))
					if err != nil {
						require.Equal(t, []float32{1, 1, 1, 1}, values(t, s)["w"], "the step is undone")
					}
					return err
				}()
				require.ErrorContains(t, err, "panic: in "+in+" at panic_test.go:")
				var at *graph.Error
				require.ErrorAs(t, err, &at)
				require.Equal(t, y.Pos(), at.Pos, "%v", err)
			})
		}
	}
}

// filling is an initialiser that panics.
type filling struct{}

func (filling) Fill([]float64, shape.Type, *rand.Rand) { panic("no numbers") }

func TestAPanicOfAnInitialiserIsAnError(t *testing.T) {
	g := graph.New()
	err := vm.NewStore(1).Init(g.Param("w", shape.F32(2), filling{}))
	require.ErrorContains(t, err, `the initialiser of "w", vm_test.filling: panic: no numbers at panic_test.go`)
}

// Nothing, where something is wanted, is an error.
func TestNothingIsAnErrorNotAPanic(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(2))
	good := []*graph.Node{ops.Sum(x)}
	var noContext context.Context
	for name, try := range map[string]func() error{
		"no engine":           func() error { _, err := vm.Compile(nil, good); return err },
		"the zero cpu.Engine": func() error { _, err := vm.Compile(cpu.Engine{}, good); return err },
		"no outputs":          func() error { _, err := vm.Compile(ref.Engine{}, nil); return err },
		"a nil output":        func() error { _, err := vm.Compile(ref.Engine{}, []*graph.Node{nil}); return err },
		"a nil option":        func() error { _, err := vm.Compile(ref.Engine{}, good, nil); return err },
		"a dump to nil":       func() error { _, err := vm.Compile(ref.Engine{}, good, vm.Dump("lower", nil)); return err },
		"no store":            func() error { _, err := vm.MustCompile(ref.Engine{}, good).NewMachine(nil); return err },
		"a nil leaf":          func() error { return new(vm.Store).Init(nil) },
		"a nil value":         func() error { return new(vm.Store).Set("w", nil) },
		"a number of nothing": func() error { _, err := vm.Number(nil); return err },
		"a dot file to nil":   func() error { return vm.MustCompile(ref.Engine{}, good).WriteDot(nil, 1) },
		"a batch size of 0":   func() error { _, err := vm.MustCompile(ref.Engine{}, good).Describe(0); return err },
		"a nil context": func() error {
			m, _ := machine(t, good)
			_, err := m.Run(noContext, f32([]float32{1, 2}, 2))
			return err
		},
		"a nil input":           func() error { m, _ := machine(t, good); _, err := m.Run(ctx, nil); return err },
		"a profile without see": func() error { m, _ := machine(t, good); _, err := m.Profile(ctx, nil, nil); return err },
	} {
		t.Run(name, func(t *testing.T) {
			require.NotPanics(t, func() { require.Error(t, try()) })
		})
	}
	require.NotPanics(t, func() {
		m, _ := machine(t, good)
		_, err := m.Profile(ctx, nil, f32([]float32{1, 2}, 2))
		require.NoError(t, err, "as Trace does, it runs")
	})
}

// Training of nothing would be a loop that looks as if it trained.
func TestTrainingWithoutUpdatesIsAnError(t *testing.T) {
	g := graph.New()
	w := g.Param("w", shape.F32(2), nil)
	_, err := vm.Compile(ref.Engine{}, []*graph.Node{ops.Sum(w)}, vm.Train)
	require.ErrorContains(t, err, "vm: compiled for training, but the graph has no updates: apply an optimiser first")
	g.Update(w, ops.Neg(w))
	_, err = vm.Compile(ref.Engine{}, []*graph.Node{ops.Sum(w)}, vm.Train)
	require.NoError(t, err)
	m, s := machine(t, []*graph.Node{ops.Sum(w)})
	_, err = m.Run(ctx)
	require.NoError(t, err)
	require.Zero(t, s.Writes("w"), "evaluation writes nothing")
}
