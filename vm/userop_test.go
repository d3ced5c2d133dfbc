package vm_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// mapped is an op of a user's, with the map it says it is.
type mapped struct{ m *engine.Map }

func (mapped) Name() string                                  { return "Mapped" }
func (mapped) Infer(in []shape.Type) (shape.Type, error)     { return in[0], nil }
func (m mapped) Map(_ []shape.Type, _ shape.Type) engine.Map { return *m.m }

// bound is an op of a user's, with the kernel it says it has.
type bound struct{ b *engine.Bound }

func (bound) Name() string                              { return "Bound" }
func (bound) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (b bound) Bind(engine.Engine, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return *b.b, nil
}

func noop(*engine.Call) error { return nil }

func TestWhatAUsersOpGetsWrongIsAnErrorWithItsLine(t *testing.T) {
	step := func(f engine.Fn, d shape.DType, args ...engine.Arg) engine.Map { return engine.MapOf(f, d, args...) }
	two := step(engine.Neg, shape.Float32, engine.In(0))
	two.Outs = []int{0, 0}
	beyond := step(engine.Neg, shape.Float32, engine.In(0))
	beyond.Outs = []int{1}
	for _, c := range []struct {
		name, want string
		m          engine.Map
		b          engine.Bound
	}{
		{"input that there is not", "cannot read in1", step(engine.Add, shape.Float32, engine.In(0), engine.In(1)), engine.Bound{}},
		{"input before the first", "cannot read in-1", step(engine.Neg, shape.Float32, engine.In(-1)), engine.Bound{}},
		{"later step", "cannot read r0", step(engine.Neg, shape.Float32, engine.Res(0)), engine.Bound{}},
		{"argument left out", "cannot read -", step(engine.Add, shape.Float32, engine.In(0)), engine.Bound{}},
		{"no function", "step 0 of a map has no function", step(engine.NoFn, shape.Float32), engine.Bound{}},
		{"unknown function", "step 0 of a map has no function", step(engine.Fn(200), shape.Float32, engine.In(0)), engine.Bound{}},
		{"no outputs", "0 outputs, 1 types", engine.Map{}, engine.Bound{}},
		{"two outputs", "2 outputs, 1 types", two, engine.Bound{}},
		{"output that there is not", "cannot return output 0", beyond, engine.Bound{}},
		{"another element type", "cannot return output 0 as float32", step(engine.Eq, shape.Bool, engine.In(0), engine.In(0)), engine.Bound{}},
		{"no such function of the type", "no function", step(engine.Not, shape.Float32, engine.In(0)), engine.Bound{}},
		{"no kernel", "a kernel that is nil", engine.Map{}, engine.Bound{By: "test"}},
		{"scratch", "-1 bytes of scratch", engine.Map{}, engine.Bound{Kernel: noop, Scratch: -1, By: "test"}},
		{"overwrites another's input", "may overwrite input 1 of 1", engine.Map{}, engine.Bound{Kernel: noop, InPlace: []engine.Overwrite{{Out: 0, In: 1}}, By: "test"}},
	} {
		for _, after := range []func(*graph.Node) *graph.Node{
			func(n *graph.Node) *graph.Node { return n },
			func(n *graph.Node) *graph.Node { return ops.Neg(ops.MulScalar(n, 3)) }, // which would be fused
		} {
			t.Run(c.name, func(t *testing.T) {
				_, x := vector()
				var op graph.Op = mapped{&c.m}
				if c.b.By != "" {
					op = bound{&c.b}
				}
				p, err := vm.Compile(ref.Engine{}, []*graph.Node{after(graph.Apply(op, x))})
				require.NoError(t, err)
				_, err = p.Memory(3)
				require.ErrorContains(t, err, c.want)
				require.ErrorContains(t, err, "userop_test.go:")
			})
		}
	}
}

// A kernel may fail if it says so; one that does not say so could tear a training step.
func TestAKernelThatFailsWithoutSayingSo(t *testing.T) {
	boom := errors.New("boom")
	g := graph.New()
	x := g.Input("x", shape.F32(2))
	bad := graph.Apply(bound{&engine.Bound{By: "test", Kernel: func(*engine.Call) error { return boom }}}, x)
	m, _ := machine(t, []*graph.Node{bad})
	_, err := m.Run(ctx, f32([]float32{1, 2}, 2))
	require.ErrorIs(t, err, boom)
	require.ErrorContains(t, err, `the kernel, of engine "test", is not marked as one that fails`)
	require.ErrorContains(t, err, "userop_test.go:")

	w, v := g.State("w", shape.F32(2), nil), g.State("v", shape.F32(2), nil)
	g.Update(v, ops.Add(x, x))
	g.Update(w, bad)
	m, s := machine(t, []*graph.Node{ops.Sum(v)}, vm.Train, vm.Without("schedule"))
	_, err = m.Run(ctx, f32([]float32{1, 2}, 2))
	require.ErrorIs(t, err, boom)
	require.ErrorContains(t, err, "holds a part of this step")
	_, err = s.Value("w") // and is not left locked
	require.NoError(t, err)
}

// folded adds to each element the one at the same place from the end. It may overwrite its
// first input, but not while that is also the second.
type folded struct{}

func (folded) Name() string                              { return "Folded" }
func (folded) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (folded) Bind(engine.Engine, []engine.Operand, engine.Operand) (engine.Bound, error) {
	return engine.Bound{By: "test", InPlace: []engine.Overwrite{{Out: 0, In: 0}}, Kernel: func(c *engine.Call) error {
		y, a, b := engine.Slice[float32](c.Out[0]), engine.Slice[float32](c.In[0]), engine.Slice[float32](c.In[1])
		for i := range y {
			y[i] = a[i] + b[len(b)-1-i]
		}
		return nil
	}}, nil
}

func TestAKernelThatMayOverwriteOneOfItsInputs(t *testing.T) {
	g := graph.New()
	x, w := g.Input("x", shape.F32(3)), g.State("w", shape.F32(3), nil)
	v, u := g.State("v", shape.F32(3), nil), g.State("u", shape.F32(3), nil)
	a, b := ops.Tanh(ops.Sub(x, x)), ops.Softmax(ops.Sub(x, x), 0)
	a = ops.Add(a, x)
	g.Update(w, graph.Apply(folded{}, w, w))
	g.Update(v, graph.Apply(folded{}, v, x))
	g.Update(u, graph.Apply(folded{}, x, u))
	outs := []*graph.Node{graph.Apply(folded{}, a, a), graph.Apply(folded{}, b, ops.Reshape(ops.Reshape(b, 1, 3), 3))}
	for _, off := range [][]string{nil, {"simplify"}, {"inplace"}} {
		m, s := machine(t, outs, vm.Train, vm.Without(off...))
		for _, name := range []string{"w", "v", "u"} {
			require.NoError(t, s.Set(name, f32([]float32{1, 2, 5}, 3)))
		}
		in := f32([]float32{10, 20, 40}, 3)
		got, err := m.Run(ctx, in)
		require.NoError(t, err)
		require.Equal(t, []float32{50, 40, 50}, floats(got[0]))
		require.InDeltaSlice(t, []float32{2. / 3, 2. / 3, 2. / 3}, floats(got[1]), 1e-6)
		for name, want := range map[string][]float32{"w": {6, 4, 6}, "v": {41, 22, 15}, "u": {15, 22, 41}} {
			have, err := s.Value(name)
			require.NoError(t, err)
			require.Equal(t, want, floats(have), name)
		}
		require.Equal(t, []float32{10, 20, 40}, floats(in))
	}
}

// erring has a rule that makes a mistake, and one that answers with a node of elsewhere.
type erring struct{ Elsewhere bool }

func (erring) Name() string                              { return "Erring" }
func (erring) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (erring) Map(_ []shape.Type, out shape.Type) engine.Map {
	return engine.MapOf(engine.Neg, out.DType, engine.In(0))
}
func (e erring) Simplify(n *graph.Node) *graph.Node {
	if e.Elsewhere {
		return graph.New().Input("x", n.Type())
	}
	return ops.MatMul(n.In(0), n.In(0))
}

func TestARuleThatMakesAMistake(t *testing.T) {
	_, x := vector()
	_, err := vm.Compile(ref.Engine{}, []*graph.Node{graph.Apply(erring{}, x)})
	require.ErrorContains(t, err, "simplify")
	require.ErrorContains(t, err, "MatMul")
	require.ErrorContains(t, err, "userop_test.go:")

	got := compute(t, []*graph.Node{ops.AddScalar(graph.Apply(erring{Elsewhere: true}, x), 1)}, f32([]float32{1, 2}, 2))
	require.Equal(t, []float32{0, -1}, floats(got[0]), "the rule is not followed")
}

// doubling has a rule that makes the graph twice as large each time.
type doubling struct{}

func (doubling) Name() string                              { return "Doubling" }
func (doubling) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }
func (doubling) Map(_ []shape.Type, out shape.Type) engine.Map {
	return engine.MapOf(engine.Copy, out.DType, engine.In(0))
}
func (doubling) Simplify(n *graph.Node) *graph.Node {
	return graph.Apply(doubling{}, graph.Apply(doubling{}, n.In(0)))
}

func TestRulesThatDoubleTheGraphAreStopped(t *testing.T) {
	_, x := vector()
	y := x
	for range 100 {
		y = graph.Apply(doubling{}, y)
	}
	p, err := vm.Compile(ref.Engine{}, []*graph.Node{y}, vm.Without("fuse"))
	require.NoError(t, err)
	list, err := p.Describe(2)
	require.NoError(t, err)
	require.Less(t, len(list), 1000)
}

// careful has maps that may overwrite their first input alone.
type careful struct{ ref.Engine }

func (e careful) BindMap(m engine.Map, in, out []engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindMap(m, in, out)
	b.InPlace = slices.DeleteFunc(b.InPlace, func(o engine.Overwrite) bool { return o.In > 0 })
	kernel := b.Kernel
	b.Kernel = func(c *engine.Call) error {
		for _, x := range c.In[min(1, len(c.In)):] {
			if c.Out[0].Overlaps(x.Bytes()) {
				return errors.New("the second input is overwritten")
			}
		}
		return kernel(c)
	}
	return b, err
}

func TestAMapThatMayOverwriteOneOfTwoEqualInputs(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F32(3))
	w := g.State("w", shape.F32(3), graph.Fill(3))
	g.Update(w, ops.Mul(w, w))
	s := ops.Softmax(x, 0)
	p, err := vm.Compile(careful{}, []*graph.Node{ops.Mul(s, s)}, vm.Train, vm.Checked)
	require.NoError(t, err)
	store := vm.NewStore(1)
	m, err := p.NewMachine(store)
	require.NoError(t, err)
	_, err = m.Run(ctx, f32([]float32{1, 2, 3}, 3))
	require.NoError(t, err)
	require.Equal(t, 9.0, first(t, store, "w"))
}
