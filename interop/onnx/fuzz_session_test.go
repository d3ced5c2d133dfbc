package onnx_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/interop/onnx/ir/irtest"
	"github.com/plexaura/plexaura/vm"
)

const (
	fuzzArena  = 32 << 20         // bytes of a run
	fuzzMemory = 1 << 30          // bytes that may be allocated for all that a file asks for
	fuzzTime   = 20 * time.Second // until the context's end is obeyed
)

// FuzzSession holds that a run of any file ends when its context does, in bounded memory, with results of the types that they
// say or an error of one line, and that a second run gives the same.
func FuzzSession(f *testing.F) {
	for _, m := range fuzzSeeds() {
		for seed := range uint64(30) {
			f.Add(m.Marshal(), seed)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		file, err := ir.Unmarshal(b)
		if err != nil || file.Graph == nil {
			return
		}
		r := rand.New(rand.NewPCG(seed, 1))
		for range seed % 4 { // which few changes of bytes reach
			change(file, r)
		}
		m, err := onnx.Read(file.Marshal(), onnx.Options{Memory: fuzzArena})
		if err != nil {
			return
		}
		feeds := fuzzFeeds(m, r)
		if feeds == nil {
			return
		}
		s, err := m.NewSession(cpu.New(), nil, vm.WithMemory(fuzzArena))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		before, start := allocated(), time.Now()
		first, err := s.Run(ctx, feeds)
		require.Less(t, time.Since(start), fuzzTime, "a run goes on after its context has ended")
		require.Less(t, allocated()-before, uint64(fuzzMemory), "a run allocates too much")
		if err != nil {
			require.False(t, first != nil)
			return
		}
		again, err := s.Run(ctx, feeds)
		if errors.Is(err, context.DeadlineExceeded) {
			return
		}
		require.NoError(t, err)
		require.Len(t, again, len(first))
		for name, v := range first {
			requireSound(t, v)
			require.True(t, sameTensor(v, again[name]), "output %s of a second run", name)
		}
	})
}

// change changes a part of a file: an operator, an input, an attribute, an element type, an extent or an element.
func change(m *ir.Model, r *rand.Rand) {
	graphs := []*ir.Graph{m.Graph}
	for _, n := range m.Graph.Nodes {
		for _, a := range n.Attributes {
			if a.Graph != nil {
				graphs = append(graphs, a.Graph)
			}
		}
	}
	g := graphs[r.IntN(len(graphs))]
	number := func() int64 {
		return []int64{0, 1, -1, 2, 3, 7, 100, 1 << 20, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}[r.IntN(12)]
	}
	types := []ir.DataType{ir.Float, ir.Double, ir.Int32, ir.Int64, ir.Uint8, ir.Int8, ir.Bool, ir.String, ir.Float16, ir.Uint64}
	if len(g.Nodes) > 0 && r.IntN(3) > 0 {
		n := g.Nodes[r.IntN(len(g.Nodes))]
		switch k := r.IntN(5); {
		case k == 0:
			n.Op, n.Domain = onnx.Operators()[r.IntN(len(onnx.Operators()))], ""
		case k == 1 && len(n.Inputs) > 0:
			n.Inputs[r.IntN(len(n.Inputs))] = append(namesIn(g), "")[r.IntN(len(namesIn(g))+1)]
		case k == 2:
			n.Inputs = append(n.Inputs, append(namesIn(g), "")[r.IntN(len(namesIn(g))+1)])
		case k == 3 && len(n.Inputs) > 0:
			n.Inputs = n.Inputs[:len(n.Inputs)-1]
		case len(n.Attributes) > 0:
			a := &n.Attributes[r.IntN(len(n.Attributes))]
			if a.Int = number(); len(a.Ints) > 0 {
				a.Ints[r.IntN(len(a.Ints))] = number()
			}
			if len(a.Floats) > 0 {
				a.Floats[r.IntN(len(a.Floats))] = float32(math.Inf(1))
			}
		}
		return
	}
	if len(g.Initializers) > 0 && r.IntN(2) == 0 {
		t := g.Initializers[r.IntN(len(g.Initializers))]
		switch k := r.IntN(3); {
		case k == 0:
			t.Type = types[r.IntN(len(types))]
		case k == 1 && len(t.Dims) > 0:
			t.Dims[r.IntN(len(t.Dims))] = number()
		case len(t.Int64s) > 0:
			t.Int64s[r.IntN(len(t.Int64s))] = number()
		case len(t.Floats) > 0:
			t.Floats[r.IntN(len(t.Floats))] = float32(math.NaN())
		case len(t.Int32s) > 0:
			t.Int32s[r.IntN(len(t.Int32s))] = int32(number())
		}
		return
	}
	if len(g.Inputs) > 0 {
		t := g.Inputs[r.IntN(len(g.Inputs))].Type
		switch k := r.IntN(2); {
		case t == nil:
		case k == 0:
			t.Elem = types[r.IntN(len(types))]
		case t.Shape != nil && len(t.Shape.Dims) > 0:
			t.Shape.Dims[r.IntN(len(t.Shape.Dims))] = ir.Dim{Value: number() % 70, HasValue: true}
		}
	}
}

// namesIn are the names of the values of a graph.
func namesIn(g *ir.Graph) (names []string) {
	for _, v := range g.Inputs {
		names = append(names, v.Name)
	}
	for _, t := range g.Initializers {
		names = append(names, t.Name)
	}
	for _, n := range g.Nodes {
		names = append(names, n.Outputs...)
	}
	return names
}

// allocated is how many bytes were ever allocated.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// fuzzFeeds makes up the inputs, or returns nil if they would be large.
func fuzzFeeds(m *onnx.Model, r *rand.Rand) map[string]*onnx.Tensor {
	feeds := map[string]*onnx.Tensor{}
	for _, in := range m.Inputs() {
		x := &onnx.Tensor{Type: in.Type, Dims: []int{}, Kind: in.Kind}
		if in.Kind != ir.TensorKind {
			feeds[in.Name] = x
			continue
		}
		n := 1
		for _, d := range in.Dims {
			size := d.Size
			if size < 0 {
				size = 1 + r.IntN(3)
			}
			if x.Dims = append(x.Dims, size); size > 1<<12 {
				return nil
			}
			if n *= size; n > 1<<12 {
				return nil
			}
		}
		x.Data = fuzzData(in.Type, n, r)
		feeds[in.Name] = x
	}
	return feeds
}

func fuzzData(d ir.DataType, n int, r *rand.Rand) any {
	switch d {
	case ir.Float:
		return drawn(n, func() float32 { return float32(3 * r.NormFloat64()) })
	case ir.Double:
		return drawn(n, func() float64 { return 3 * r.NormFloat64() })
	case ir.Int32:
		return drawn(n, func() int32 { return int32(r.IntN(9) - 4) })
	case ir.Int64:
		return drawn(n, func() int64 { return int64(r.IntN(9) - 4) })
	case ir.Uint8:
		return drawn(n, func() uint8 { return uint8(r.IntN(256)) })
	case ir.Int8:
		return drawn(n, func() int8 { return int8(r.IntN(256)) })
	case ir.Bool:
		return drawn(n, func() bool { return r.IntN(2) == 0 })
	case ir.String:
		return drawn(n, func() string { return string(rune('a' + r.IntN(4))) })
	}
	return nil
}

func drawn[T any](n int, f func() T) []T {
	v := make([]T, n)
	for i := range v {
		v[i] = f()
	}
	return v
}

// requireSound holds that a result has as many elements as it says.
func requireSound(t *testing.T, v *onnx.Tensor) {
	t.Helper()
	require.NotNil(t, v)
	if v.Kind != 0 && v.Kind != ir.TensorKind {
		for _, e := range v.Items {
			requireSound(t, e)
		}
		return
	}
	require.Equal(t, v.Len(), reflect.ValueOf(v.Data).Len(), v)
}

// sameTensor compares two results. NaN equals NaN.
func sameTensor(a, b *onnx.Tensor) bool {
	if b == nil || a.String() != b.String() || len(a.Items) != len(b.Items) {
		return false
	}
	for i := range a.Items {
		if !sameTensor(a.Items[i], b.Items[i]) {
			return false
		}
	}
	x, y := a.Numbers(), b.Numbers()
	for i, v := range x {
		if v != y[i] && (v == v || y[i] == y[i]) {
			return false
		}
	}
	return true
}

// fuzzSeeds are small files that reach much: loops, steps on the host, integers, strings, trees, shape arithmetic.
func fuzzSeeds() []*ir.Model {
	seeds := []*ir.Model{linear(), flattening(), reshapes(), calls(2)}
	add := func(g *ir.Graph) { seeds = append(seeds, irtest.Model(g, "ai.onnx.ml", "com.microsoft")) }
	graph := func(inputs []ir.ValueInfo, outputs []string, init []*ir.Tensor, nodes ...*ir.Node) *ir.Graph {
		return &ir.Graph{Nodes: nodes, Inputs: inputs, Outputs: out(outputs...), Initializers: init}
	}
	x := inputs(info("x", ir.Float, "n", 3))
	image := inputs(info("x", ir.Float, "n", 1, "h", "w"))
	add(graph(x, in("y", "m"), []*ir.Tensor{intInit("k", 2)}, irtest.Node("TopK", in("x", "k"), in("v", "i"), intAttr("largest", 0)),
		node("NonZero", in("v"), "y"), node("ArgMin", in("x"), "m")))
	add(graph(image, in("y"), []*ir.Tensor{floatInit("w", []int64{2, 1, 3, 3}, drawn(18, func() float32 { return .5 })...)},
		node("Conv", in("x", "w"), "c", irtest.Ints("pads", 1, 1, 1, 1)), node("Relu", in("c"), "r"), node("Shape", in("r"), "s"),
		node("Gather", in("s", "axis"), "n"), node("MaxPool", in("r"), "p", irtest.Ints("kernel_shape", 2, 2)), node("GlobalAveragePool", in("p"), "y")))
	seeds[len(seeds)-1].Graph.Initializers = append(seeds[len(seeds)-1].Graph.Initializers, intInit("axis", 0))
	for seed := range uint64(4) {
		m, _ := drawIntegerLayer(rand.New(rand.NewPCG(seed, 9)), integerOps[seed]).model()
		seeds = append(seeds, m)
	}
	add(graph(x, in("q", "s", "z"), nil, irtest.Node("DynamicQuantizeLinear", in("x"), in("q", "s", "z"))))
	step := &ir.Graph{Name: "step", Nodes: []*ir.Node{
		node("Add", in("h", "e"), "sum"), node("ReduceSum", in("sum"), "all"), node("Less", in("all", "most"), "more"), node("Identity", in("sum"), "o"),
	}, Inputs: inputs(info("i", ir.Int64), info("c", ir.Bool), info("h", ir.Float, 3)), Outputs: out("more", "sum", "o"),
		Initializers: []*ir.Tensor{floatInit("e", []int64{3}, 1, 2, 3), floatInit("most", nil, 100)}}
	add(graph(inputs(info("x", ir.Float, 3)), in("y", "all"), []*ir.Tensor{intInit("times", 70)},
		irtest.Node("Loop", in("times", "", "x"), in("y", "all"), irtest.Graph("body", step))))
	scan := &ir.Graph{Name: "part", Nodes: []*ir.Node{node("Mul", in("a", "h"), "p"), node("Add", in("p", "a"), "s"), node("Identity", in("s"), "t")},
		Inputs: inputs(info("h", ir.Float), info("a", ir.Float)), Outputs: out("s", "t")}
	add(graph(inputs(info("h", ir.Float), info("x", ir.Float, "n")), in("y", "all"), nil,
		irtest.Node("Scan", in("h", "x"), in("y", "all"), irtest.Graph("body", scan), intAttr("num_scan_inputs", 1))))
	add(graph(inputs(info("x", ir.Int64, "n"), info("e", ir.Int64, "n")), in("y", "s"), []*ir.Tensor{intInit("axis", 0)},
		node("Pow", in("x", "e"), "y"), node("CumProd", in("x", "axis"), "s")))
	add(graph(inputs(info("x", ir.String, "n")), in("y", "z", "n"), nil, irtest.Node("StringSplit", in("x"), in("y", "n")), node("StringConcat", in("x", "x"), "z")))
	add(graph(inputs(info("x", ir.Float, "n", "m"), info("to", ir.Int64, 2)), in("y", "t", "e", "u"), []*ir.Tensor{intInit("reps", 2, 2)},
		node("Reshape", in("x", "to"), "y"), node("Tile", in("x", "reps"), "t"), node("Expand", in("x", "reps"), "e"), node("Unique", in("x"), "u")))
	add(graph(inputs(info("x", ir.Float, 1, 1, "h", "w")), in("y"), []*ir.Tensor{floatInit("scales", []int64{4}, 1, 1, 2, 1.5)}, node("Resize", in("x", "", "scales"), "y")))
	add(graph(inputs(info("b", ir.Float, 1, "s", 4), info("p", ir.Float, 1, 2, "s")), in("y"), []*ir.Tensor{intInit("most", 3)},
		node("NonMaxSuppression", in("b", "p", "most"), "y")))
	tree, _ := drawTrees(rand.New(rand.NewPCG(1, 1)), false)
	seeds = append(seeds, tree)
	return seeds
}
