package gorgonia_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/interop/gorgonia"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// normal fills leaves with a normal distribution, so that no two elements are equal.
type normal struct{}

func (normal) Fill(v []float64, _ shape.Type, r *rand.Rand) {
	for i := range v {
		v[i] = r.NormFloat64()
	}
}

// positive fills leaves with numbers from 0.5 to 2.
type positive struct{}

func (positive) Fill(v []float64, _ shape.Type, r *rand.Rand) {
	for i := range v {
		v[i] = .5 + 1.5*r.Float64()
	}
}

// leaves returns the values that ours and gorgonia's program both start from.
func leaves(t testing.TB, g *graph.Graph) *vm.Store {
	s := vm.NewStore(1)
	require.NoError(t, s.Init(g.Leaves()...))
	return s
}

// ours computes outs, and the gradients of the first of them where there are any, by vm on
// engine/ref.
func ours(t testing.TB, store *vm.Store, outs, wrt []*graph.Node, inputs ...*tensor.Dense) []*tensor.Dense {
	t.Helper()
	if len(wrt) > 0 {
		outs = append(outs[:len(outs):len(outs)], autodiff.Grad(outs[0], wrt...)...)
	}
	p, err := vm.Compile(ref.Engine{}, outs)
	require.NoError(t, err)
	m, err := p.NewMachine(store)
	require.NoError(t, err)
	res, err := m.Run(context.Background(), inputs...)
	require.NoError(t, err)
	return res
}

func theirs(t testing.TB, store *vm.Store, outs []*graph.Node, n int, wrt []*graph.Node, inputs ...*tensor.Dense) []*tensor.Dense {
	t.Helper()
	p, err := gorgonia.Lower(outs, n, wrt...)
	require.NoError(t, err)
	res, err := p.Run(context.Background(), store.Value, inputs...)
	require.NoError(t, err)
	return res
}

// requireClose compares relative to the greatest element, or to 1e-5 where all are smaller.
func requireClose(t testing.TB, want, have []*tensor.Dense, tolerance float64, names ...string) {
	t.Helper()
	require.Len(t, have, len(want))
	for i := range want {
		require.Equal(t, want[i].Dtype(), have[i].Dtype(), names)
		require.Equal(t, fmt.Sprint(want[i].Shape()), fmt.Sprint(have[i].Shape()), names)
		w, h := float64s(want[i]), float64s(have[i])
		scale, worst := 1e-5, 0.0
		for k := range w {
			require.Equal(t, math.IsNaN(w[k]), math.IsNaN(h[k]), "result %d, element %d: %v, %v", i, k, w[k], h[k])
			scale = max(scale, math.Abs(w[k]))
			if w[k] != h[k] && !math.IsNaN(w[k]) {
				worst = max(worst, math.Abs(w[k]-h[k]))
			}
		}
		require.LessOrEqual(t, worst, tolerance*scale, "result %d of %v: ours %v, gorgonia's %v", i, names, w[:min(len(w), 8)], h[:min(len(h), 8)])
	}
}

func float64s(d *tensor.Dense) []float64 {
	switch d.Dtype() {
	case tensor.Float64:
		return d.Float64s()
	case tensor.Float32:
		return floats(d.Float32s())
	case tensor.Int32:
		return floats(d.Int32s())
	case tensor.Int64:
		return floats(d.Int64s())
	case tensor.Uint8:
		return floats(d.Uint8s())
	}
	v := make([]float64, len(d.Bools()))
	for i, b := range d.Bools() {
		if b {
			v[i] = 1
		}
	}
	return v
}

func floats[T float32 | int32 | int64 | uint8](v []T) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = float64(v[i])
	}
	return out
}

// batch returns n random images and class numbers.
func batch[T float32 | float64](n int) (x, target *tensor.Dense) {
	r := rand.New(rand.NewPCG(3, 4))
	pixels, ids := make([]T, n*28*28), make([]int32, n)
	for i := range pixels {
		pixels[i] = T(r.Float64())
	}
	for i := range ids {
		ids[i] = int32(r.IntN(10))
	}
	return tensor.New(tensor.WithShape(n, 1, 28, 28), tensor.WithBacking(pixels)), tensor.New(tensor.WithShape(n), tensor.WithBacking(ids))
}

// network returns the loss of a model, in float32.
func network(m nn.Layer, loss func(logits, target *graph.Node) *graph.Node) *graph.Node {
	g := graph.New()
	x, target := g.Input("x", shape.F32(shape.N, 1, 28, 28)), g.Input("target", shape.I32(shape.N))
	return loss(m.Apply(nn.Root(g), x), target)
}

func crossEntropy(logits, target *graph.Node) *graph.Node { return ops.CrossEntropy(logits, target) }

var networks = []struct {
	name  string
	model nn.Layer
	loss  func(logits, target *graph.Node) *graph.Node
}{
	{"LeNet", lenet.Model, crossEntropy},
	{"LeNet of 1998", lenet.Model1998, lenet.Loss1998},
}

func TestLossAndEveryGradientOfLeNetAgreeWithOurs(t *testing.T) {
	for _, c := range networks {
		for _, n := range []int{1, 4} {
			t.Run(fmt.Sprint(c.name, " batch ", n), func(t *testing.T) {
				loss := graph.WithDType(shape.Float64, network(c.model, c.loss))
				g := loss[0].Graph()
				params := g.Params()
				require.NotEmpty(t, params)
				store := leaves(t, g)
				x, target := batch[float64](n)
				have := theirs(t, store, loss, n, params, x, target)
				want := ours(t, store, loss, params, x, target)
				for i := range want {
					name := "loss"
					if i > 0 {
						name = params[i-1].Name()
					}
					requireClose(t, want[i:i+1], have[i:i+1], 1e-10, name)
				}
			})
		}
	}
}

func TestLeNetInFloat32AgreesWithOurs(t *testing.T) {
	outs := []*graph.Node{network(lenet.Model, crossEntropy)}
	g := outs[0].Graph()
	store := leaves(t, g)
	x, target := batch[float32](8)
	requireClose(t, ours(t, store, outs, g.Params(), x, target), theirs(t, store, outs, 8, g.Params(), x, target), 1e-4)
}

// Without a Reset a run does nothing, and gorgonia overwrites inputs that a Reshape of its own
// looks at.
func TestRunsAreAlikeAndLeaveTheirInputsAlone(t *testing.T) {
	loss := network(lenet.Model, crossEntropy)
	g := loss.Graph()
	store := leaves(t, g)
	p, err := gorgonia.Lower([]*graph.Node{loss}, 4, g.Params()...)
	require.NoError(t, err)
	require.Equal(t, 4, p.Batch())
	require.Equal(t, g.Inputs(), p.Inputs())
	require.Equal(t, g.Leaves(), p.Leaves())
	x, target := batch[float32](4)
	given := map[string]*tensor.Dense{}
	value := func(name string) (*tensor.Dense, error) {
		d, err := store.Value(name)
		given[name] = d
		return d, err
	}
	run := func() []*tensor.Dense {
		res, err := p.Run(context.Background(), value, x, target)
		require.NoError(t, err)
		for i, typ := range p.Outputs() {
			require.Equal(t, fmt.Sprint(typ.Ints()), fmt.Sprint([]int(res[i].Shape())))
		}
		return res
	}
	first := run()
	kept := make([]*tensor.Dense, len(first))
	for i, d := range first {
		kept[i] = d.Clone().(*tensor.Dense)
	}
	again := run()
	requireClose(t, kept, again, 0)

	pixel := &x.Float32s()[400]
	old := *pixel
	*pixel++ // another input, other results
	other := run()
	*pixel = old
	require.NotEqual(t, again[0].Float32s()[0], other[0].Float32s()[0])
	requireClose(t, kept, first, 0, "results stay when the program runs again")

	same, sameTarget := batch[float32](4)
	requireClose(t, []*tensor.Dense{same, sameTarget}, []*tensor.Dense{x, target}, 0, "inputs")
	for name, d := range given {
		want, err := store.Value(name)
		require.NoError(t, err)
		requireClose(t, []*tensor.Dense{want}, []*tensor.Dense{d}, 0, name)
	}
}

func TestTensorsInAnyLayoutAreRead(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(3, 2))
	p, err := gorgonia.Lower([]*graph.Node{ops.Neg(x)}, 1)
	require.NoError(t, err)
	wide := tensor.New(tensor.WithShape(2, 4), tensor.WithBacking([]float64{1, 2, 3, 4, 5, 6, 7, 8}))
	part, err := wide.Slice(nil, tensor.S(1, 4))
	require.NoError(t, err)
	view := part.(*tensor.Dense)
	require.NoError(t, view.T())
	res, err := p.Run(context.Background(), nil, view)
	require.NoError(t, err)
	require.Equal(t, []float64{-2, -6, -3, -7, -4, -8}, res[0].Float64s())
	require.Equal(t, []float64{1, 2, 3, 4, 5, 6, 7, 8}, wide.Float64s())
}

func TestGradientsOfLeavesThatTheLossDoesNotReachAreZeros(t *testing.T) {
	g := graph.New()
	x := g.Input("x", shape.F64(2))
	w, stopped, unused := g.Param("w", shape.F64(2), normal{}), g.Param("stopped", shape.F64(2), normal{}), g.Param("unused", shape.F64(3), normal{})
	sign, frozen := g.Param("sign", shape.F64(2), normal{}), g.FrozenParam("frozen", shape.F64(2), normal{})
	y := ops.Add(ops.Mul(w, ops.StopGradient(stopped)), ops.Mul(ops.Sign(sign), ops.Mul(x, frozen)))
	outs := []*graph.Node{ops.Sum(y), w, ops.Less(w, x), ops.Scalar(x, 7)}
	wrt := []*graph.Node{w, stopped, unused, sign, frozen, x, w}
	store := leaves(t, g)
	d := tensor.New(tensor.WithShape(2), tensor.WithBacking([]float64{3, -4}))
	have := theirs(t, store, outs, 1, wrt, d)
	requireClose(t, ours(t, store, outs, wrt, d), have, 1e-15)
	require.Equal(t, []float64{0, 0, 0}, have[len(outs)+2].Float64s())

	none := []*graph.Node{ops.Sum(ops.Floor(w)), unused}
	requireClose(t, ours(t, store, none, []*graph.Node{w}), theirs(t, store, none, 1, []*graph.Node{w}), 1e-15)
	number := g.Param("number", shape.F64(), normal{})
	require.NoError(t, store.Init(number))
	leaf := []*graph.Node{number}
	requireClose(t, ours(t, store, leaf, leaf), theirs(t, store, leaf, 1, leaf), 1e-15)
}

func TestIntegersAndBoolsKeepTheirTypes(t *testing.T) {
	g := graph.New()
	ids, bytes, mask := g.Input("ids", shape.I64(shape.N)), g.Input("bytes", shape.Type{DType: shape.Uint8, Shape: shape.Of(shape.N, 2)}), g.Input("mask", shape.Type{DType: shape.Bool, Shape: shape.Of(2)})
	x := ops.Cast(bytes, shape.Float32)
	outs := []*graph.Node{
		ops.Sum(ops.Where(mask, x, ops.Neg(x))), ids, mask, ops.Transpose(bytes), ops.OneHot(ids, 3, bytes), ops.OneHot(ids, 3, mask),
		ops.Equal(ids, ids), ops.Cast(ids, shape.Bool), ops.Where(ops.Not(mask), bytes, ops.Scalar(bytes, 9)), ops.Concat(0, ids, ids), ops.Count(x),
	}
	d := []*tensor.Dense{
		tensor.New(tensor.WithShape(3), tensor.WithBacking([]int64{2, 0, 1})),
		tensor.New(tensor.WithShape(3, 2), tensor.WithBacking([]uint8{1, 2, 3, 4, 5, 255})),
		tensor.New(tensor.WithShape(2), tensor.WithBacking([]bool{true, false})),
	}
	store := vm.NewStore(1)
	requireClose(t, ours(t, store, outs, nil, d...), theirs(t, store, outs, 3, nil, d...), 0)
}

// Building and running write variables that all of gorgonia shares; run this with -race.
func TestProgramsOfSeveralGoroutines(t *testing.T) {
	loss := network(lenet.Model, crossEntropy)
	g := loss.Graph()
	store := leaves(t, g)
	x, target := batch[float32](2)
	shared, err := gorgonia.Lower([]*graph.Node{loss}, 2, g.Params()...)
	require.NoError(t, err)
	want, err := shared.Run(context.Background(), store.Value, x, target)
	require.NoError(t, err)
	var all errgroup
	for range 3 {
		all.start(func() error {
			own, err := gorgonia.Lower([]*graph.Node{loss}, 2, g.Params()...)
			if err != nil {
				return err
			}
			for _, p := range []*gorgonia.Program{own, shared} {
				have, err := p.Run(context.Background(), store.Value, x, target)
				if err != nil {
					return err
				}
				for i := range want {
					if !slices.Equal(want[i].Float32s(), have[i].Float32s()) {
						return fmt.Errorf("result %d differs", i)
					}
				}
			}
			return nil
		})
	}
	require.NoError(t, all.wait())
}

// errgroup waits for goroutines and keeps their errors.
type errgroup struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (e *errgroup) start(f func() error) {
	e.wg.Go(func() {
		err := f()
		e.mu.Lock()
		defer e.mu.Unlock()
		e.errs = append(e.errs, err)
	})
}

func (e *errgroup) wait() error {
	e.wg.Wait()
	return errors.Join(e.errs...)
}
