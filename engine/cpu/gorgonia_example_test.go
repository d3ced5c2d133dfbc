package cpu_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine/cpu"
)

// Tensors that are made with the engine compute with it, and so do the results.
func ExampleEngine_tensors() {
	e := cpu.New()
	x := tensor.New(tensor.WithEngine(e), tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
	w := tensor.New(tensor.WithEngine(e), tensor.WithShape(3, 2), tensor.WithBacking([]float32{1, 0, 0, 1, 1, 1}))
	y, err := x.MatMul(w)
	if err != nil {
		fmt.Println(err)
		return
	}
	total, err := y.Sum(0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(y.Data(), total.Data(), total.Engine() == tensor.Engine(e))
	// Output: [4 5 10 11] [14 16] true
}

// A program of gorgonia computes with the engine that its machine is given.
func ExampleEngine_gorgonia() {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(2, 3), gorgonia.WithName("x"))
	w := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(3, 2), gorgonia.WithName("w"))
	y := gorgonia.Must(gorgonia.Mul(x, w))
	cost := gorgonia.Must(gorgonia.Sum(y))
	grads, err := gorgonia.Grad(cost, w)
	if err != nil {
		fmt.Println(err)
		return
	}
	var out gorgonia.Value
	gorgonia.Read(y, &out)

	m := gorgonia.NewTapeMachine(g, gorgonia.WithEngine(cpu.New()))
	defer m.Close()
	_ = gorgonia.Let(x, tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float64{1, 2, 3, 4, 5, 6})))
	_ = gorgonia.Let(w, tensor.New(tensor.WithShape(3, 2), tensor.WithBacking([]float64{1, 0, 0, 1, 1, 1})))
	if err := m.RunAll(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out.Data(), grads[0].Value().Data())
	fmt.Printf("%T\n", out.(tensor.Tensor).Engine())
	// Output:
	// [4 5 10 11] [5 5 7 7 9 9]
	// cpu.Engine
}

// engines are the library's and ours.
var engines = []struct {
	name string
	tensor.Engine
}{{"StdEng", tensor.StdEng{}}, {"cpu", cpu.New()}}

// product is that of a matrix of m×k and one of k×n.
type product struct{ m, k, n int }

func (p product) String() string {
	if p == (product{p.m, p.m, p.m}) {
		return fmt.Sprint(p.m)
	}
	return fmt.Sprintf("%dx%dx%d", p.m, p.k, p.n)
}

// flops are its multiplications and additions.
func (p product) flops() int { return 2 * p.m * p.k * p.n }

// program is a product of gorgonia and, if asked for, its gradients.
func program(t testing.TB, e tensor.Engine, p product, gradients bool) (m gorgonia.VM, results []*gorgonia.Node) {
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, matrix[float32](e, p.m, p.k), gorgonia.WithName("x"))
	w := gorgonia.NodeFromAny(g, matrix[float32](e, p.k, p.n), gorgonia.WithName("w"))
	y, err := gorgonia.Mul(x, w)
	require.NoError(t, err)
	results = append(results, y)
	if gradients {
		cost, err := gorgonia.Sum(gorgonia.Must(gorgonia.Tanh(y)))
		require.NoError(t, err)
		grads, err := gorgonia.Grad(cost, x, w)
		require.NoError(t, err)
		results = append(grads, cost)
	}
	m = gorgonia.NewTapeMachine(g, gorgonia.WithEngine(e))
	t.Cleanup(func() { _ = m.Close() })
	return m, results
}

func TestAProgramOfGorgoniaGivesTheSameOnBothEngines(t *testing.T) {
	for _, gradients := range []bool{false, true} {
		var want [][]float32
		for _, e := range engines {
			m, results := program(t, e.Engine, product{37, 41, 29}, gradients)
			for run := range 2 {
				m.Reset()
				require.NoError(t, m.RunAll())
				for i, n := range results {
					v := n.Value()
					if d, ok := v.(*tensor.Dense); ok {
						require.Equal(t, e.Engine, d.Engine())
						if e.name == "StdEng" && run == 0 {
							want = append(want, append([]float32(nil), d.Float32s()...))
						}
						require.InDeltaSlice(t, want[i], d.Float32s(), 1e-3)
					}
				}
			}
		}
		require.NotEmpty(t, want)
	}
}

// BenchmarkAgainstStdEng runs both engines in turn, so that whatever else the machine does is the
// same for both; "times" is how often cpu goes into StdEng, by the medians.
func BenchmarkAgainstStdEng(b *testing.B) {
	for _, n := range []int{512, 1024, 2048} {
		p := product{n, n, n}
		against(b, "MatMul/float32/"+p.String(), p.flops(), func(e tensor.Engine) func() error { return matMul[float32](e, p) })
		against(b, "MatMul/float64/"+p.String(), p.flops(), func(e tensor.Engine) func() error { return matMul[float64](e, p) })
		against(b, "gorgonia/MatMul/"+p.String(), p.flops(), func(e tensor.Engine) func() error { return tape(b, e, p, false) })
		against(b, "gorgonia/gradients/"+p.String(), 3*p.flops(), func(e tensor.Engine) func() error { return tape(b, e, p, true) })
	}
	for _, p := range []product{
		{64, 400, 120},                  // fc1 of LeNet, batch 64
		{50176, 25, 6}, {6400, 150, 16}, // its convolutions, as gorgonia has them
		{64, 9216, 4096}, {64, 4096, 1000}, // dense layers of AlexNet, batch 64
		{2704, 1728, 384}, // a convolution of AlexNet, batch 16
	} {
		against(b, "gorgonia/MatMul/"+p.String(), p.flops(), func(e tensor.Engine) func() error { return tape(b, e, p, false) })
	}
	for _, op := range []struct {
		name string
		do   func(x, to *tensor.Dense) error
	}{
		{"Add", func(x, to *tensor.Dense) error { return second(tensor.Add(x, x, tensor.WithReuse(to))) }},
		{"Exp", func(x, to *tensor.Dense) error { return second(tensor.Exp(x, tensor.WithReuse(to))) }},
		{"Sum(0)", func(x, _ *tensor.Dense) error { return second(tensor.Sum(x, 0)) }},
		{"Max(1)", func(x, _ *tensor.Dense) error { return second(x.Max(1)) }},
	} {
		const n = 1 << 10
		against(b, op.name+"/float32", n*n, func(e tensor.Engine) func() error {
			x, to := matrix[float32](e, n, n), matrix[float32](e, n, n)
			return func() error { return op.do(x, to) }
		})
		against(b, op.name+"/float64", n*n, func(e tensor.Engine) func() error {
			x, to := matrix[float64](e, n, n), matrix[float64](e, n, n)
			return func() error { return op.do(x, to) }
		})
	}
}

func second[T any](_ T, err error) error { return err }

// matrix is one of numbers in [-1,1).
func matrix[T float32 | float64](e tensor.Engine, rows, columns int) *tensor.Dense {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]T, rows*columns)
	for i := range x {
		x[i] = T(2*r.Float64() - 1)
	}
	return tensor.New(tensor.WithEngine(e), tensor.WithShape(rows, columns), tensor.WithBacking(x))
}

func matMul[T float32 | float64](e tensor.Engine, p product) func() error {
	x, y, to := matrix[T](e, p.m, p.k), matrix[T](e, p.k, p.n), matrix[T](e, p.m, p.n)
	return func() error { return second(x.MatMul(y, tensor.WithReuse(to))) }
}

func tape(b *testing.B, e tensor.Engine, p product, gradients bool) func() error {
	m, _ := program(b, e, p, gradients)
	return func() error {
		m.Reset()
		return m.RunAll()
	}
}

func against(b *testing.B, name string, flops int, make func(tensor.Engine) func() error) {
	b.Run(name, func(b *testing.B) {
		var run [2]func() error
		for i, e := range engines {
			run[i] = make(e.Engine)
		}
		var took [2][]time.Duration
		for b.Loop() {
			for i, f := range run {
				start := time.Now()
				if err := f(); err != nil {
					b.Fatal(err)
				}
				took[i] = append(took[i], time.Since(start))
			}
		}
		var median [2]float64
		for i, d := range took {
			slices.Sort(d)
			median[i] = float64(d[len(d)/2])
			b.ReportMetric(float64(flops)/median[i], engines[i].name+"-GFLOP/s")
		}
		b.ReportMetric(median[0]/median[1], "times")
		b.ReportMetric(0, "ns/op")
	})
}
