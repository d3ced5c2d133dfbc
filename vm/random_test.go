package vm_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// choices turns bytes into decisions, so that the fuzzer can explore graphs.
type choices []byte

func (c *choices) next(n int) int {
	if len(*c) == 0 {
		return 0
	}
	b := (*c)[0]
	*c = (*c)[1:]
	return int(b) % n
}

// randomModel builds a graph of float64 ops, its loss, and a momentum update of each Param.
func randomModel(c *choices) (*graph.Graph, []*graph.Node) {
	g := graph.New()
	pool := []*graph.Node{
		g.Input("x", shape.F64(shape.N, 2, 5, 4)),
		g.Input("z", shape.F64(shape.N, 2, 1, 4)),
		g.Param("p", shape.F64(2, 5, 4), spread(1)),
		g.Param("q", shape.F64(4), spread(2)),
	}
	pick := func() *graph.Node { return pool[len(pool)-1-c.next(min(len(pool), 6))] }
	for range 3 + c.next(24) {
		if n := randomOp(g, c, pick); n != nil {
			pool = append(pool, n)
		}
	}
	loss := ops.Scalar(pool[0], .5)
	for range 3 {
		n := pick()
		if !n.Type().IsFloat() {
			continue
		}
		loss = ops.Add(loss, ops.Mean(ops.Tanh(n)))
	}
	outs := []*graph.Node{loss, pick(), pick()}
	for i, d := range autodiff.Grad(loss, g.Params()...) {
		w := g.Params()[i]
		v := g.State(w.Name()+".v", w.Type(), nil)
		next := ops.Add(ops.MulScalar(v, .9), d)
		g.Update(v, next)
		g.Update(w, ops.Sub(w, ops.MulScalar(next, .1)))
	}
	return g, outs
}

// randomOp applies one op to nodes that suit it, or returns nil.
func randomOp(g *graph.Graph, c *choices, pick func() *graph.Node) *graph.Node {
	x := pick()
	if !x.Type().IsFloat() {
		return nil
	}
	unary := []func(*graph.Node) *graph.Node{ops.Tanh, ops.Sigmoid, ops.Neg, ops.Abs, ops.ReLU, ops.Sin, ops.StopGradient}
	rank := x.Type().Rank()
	switch c.next(14) {
	case 0, 1, 2:
		return unary[c.next(len(unary))](x)
	case 3, 4, 5:
		y := pick()
		if _, err := shape.Broadcast(x.Type().Shape, y.Type().Shape); err != nil || !y.Type().IsFloat() {
			return nil
		}
		binary := []func(a, b *graph.Node) *graph.Node{ops.Add, ops.Sub, ops.Mul, ops.Maximum, func(a, b *graph.Node) *graph.Node {
			return ops.Where(ops.Less(a, b), a, b)
		}}
		return binary[c.next(len(binary))](x, y)
	case 6:
		return ops.MulScalar(x, float64(c.next(5))-2)
	case 7:
		if rank == 0 {
			return nil
		}
		return []func(*graph.Node, ...int) *graph.Node{ops.SumKeep, ops.MeanKeep, ops.MaxKeep}[c.next(3)](x, c.next(rank))
	case 8:
		if rank < 2 {
			return nil
		}
		return ops.Softmax(x, rank-1)
	case 9:
		if rank != 4 || x.Type().Dim(3) != 4 {
			return nil
		}
		return ops.Reshape(x, x.Type().Dim(0), x.Type().Dim(1), x.Type().Dim(2), 2, 2)
	case 10:
		if rank != 5 || x.Type().Dim(3) != 2 || x.Type().Dim(4) != 2 {
			return nil
		}
		return ops.Reshape(ops.Transpose(x, 0, 1, 2, 4, 3), x.Type().Dim(0), x.Type().Dim(1), x.Type().Dim(2), 4)
	case 11:
		if rank != 4 || x.Type().Dim(2) < 3 || x.Type().Dim(3) < 3 {
			return nil
		}
		ch, _ := x.Type().Dim(1).Int()
		w := g.Param(fmt.Sprintf("w%d", len(g.Nodes())), shape.F64(2, shape.Dim(ch), 3, 3), spread(3))
		b := g.Param(fmt.Sprintf("b%d", len(g.Nodes())), shape.F64(2), spread(4))
		return ops.AddBias(ops.Conv2D(x, w, ops.Conv2DOp{Pad: [2][2]int{{1, 1}, {1, 1}}}), b)
	case 12:
		if rank < 2 || x.Type().Dim(rank-1).Symbolic() {
			return nil
		}
		w := g.Param(fmt.Sprintf("m%d", len(g.Nodes())), shape.F64(x.Type().Dim(rank-1), 4), spread(5))
		return ops.MatMul(x, w)
	default:
		if rank != 4 || x.Type().Dim(2) < 2 || x.Type().Dim(3) < 2 {
			return nil
		}
		return ops.MaxPool2D(x, ops.Pool2DOp{Kernel: [2]int{2, 2}, Stride: [2]int{1, 1}, Pad: [2][2]int{{1, 0}, {0, 1}}})
	}
}

// spread fills with distinct values, so that nothing is equal by chance.
type spread int

func (s spread) Fill(v []float64, _ shape.Type, _ *rand.Rand) {
	for i := range v {
		v[i] = float64((7919*i+131*int(s))%1009)/1009 - .5
	}
}

// steps trains for some steps and returns every output and leaf on the way.
func steps(t *testing.T, outs []*graph.Node, opts ...vm.Option) (all []float64) {
	p, err := vm.Compile(ref.Engine{}, outs, append(opts, vm.Train, vm.Checked)...)
	require.NoError(t, err)
	s := vm.NewStore(1)
	m, err := p.NewMachine(s)
	require.NoError(t, err)
	for _, n := range []int{3, 1, 3} {
		var in []*tensor.Dense
		for k, node := range p.Inputs() {
			typ := node.Type().At(n)
			v := make([]float64, typ.Len())
			spread(10+k).Fill(v, typ, nil)
			in = append(in, tensor.New(tensor.WithShape(typ.Ints()...), tensor.WithBacking(v)))
		}
		out, err := m.Run(ctx, in...)
		require.NoError(t, err)
		for _, d := range out {
			all = append(all, numbers(d)...)
		}
	}
	for _, name := range s.Names() {
		v, err := s.Value(name)
		require.NoError(t, err)
		all = append(all, numbers(v)...)
	}
	return all
}

func numbers(d *tensor.Dense) []float64 {
	if d.Dtype() == tensor.Bool {
		v := make([]float64, len(d.Bools()))
		for i, b := range d.Bools() {
			if b {
				v[i] = 1
			}
		}
		return v
	}
	return append([]float64(nil), d.Float64s()...)
}

// sameUnderPasses holds a graph to give the same with all optional passes and with none.
func sameUnderPasses(t *testing.T, data []byte) {
	c := choices(data)
	g, outs := randomModel(&c)
	require.NoError(t, g.Err())
	var optional []string
	for _, p := range vm.Passes() {
		if p.Optional {
			optional = append(optional, p.Name)
		}
	}
	plain, all := steps(t, outs, vm.Without(optional...)), steps(t, outs)
	require.Len(t, all, len(plain))
	for i := range plain {
		if math.Abs(all[i]-plain[i]) > 1e-9*(1+math.Abs(plain[i])) {
			t.Fatalf("value %d: %v with passes, %v without", i, all[i], plain[i])
		}
	}
	if len(optional) > 0 { // and with one pass off at a time
		off := optional[int(crc(data))%len(optional)]
		some := steps(t, outs, vm.Without(off))
		for i := range plain {
			if math.Abs(some[i]-plain[i]) > 1e-9*(1+math.Abs(plain[i])) {
				t.Fatalf("value %d: %v without %s, %v without passes", i, some[i], off, plain[i])
			}
		}
	}
}

func crc(data []byte) (sum uint32) {
	for _, b := range data {
		sum = sum*31 + uint32(b)
	}
	return sum & 0x7fffffff
}

func TestRandomGraphsAreTheSameUnderPasses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	for range rounds {
		data := make([]byte, 20+r.IntN(150))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		sameUnderPasses(t, data)
		if t.Failed() {
			t.Fatalf("data %v", data)
		}
	}
}

func FuzzPasses(f *testing.F) {
	f.Add([]byte{20, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13})
	f.Add([]byte("a random graph of ops, passes on and passes off"))
	f.Fuzz(sameUnderPasses)
}
