package onnx_test

import (
	"math/rand/v2"
	goruntime "runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// lenetModel is LeNet with random weights, from a file.
func lenetModel(t testing.TB) *onnx.Model {
	t.Helper()
	g := graph.New()
	y := lenet.Model.Apply(nn.Root(g), g.Input("image", shape.F32(shape.N, 1, 28, 28)))
	file, err := onnx.Export([]*graph.Node{y}, vm.NewStore(1), onnx.ExportOptions{})
	require.NoError(t, err)
	m, err := onnx.Read(file.Marshal(), onnx.Options{})
	require.NoError(t, err)
	return m
}

func lenetSession(t testing.TB) *onnx.Session {
	t.Helper()
	s, err := lenetModel(t).NewSession(cpu.New(), nil)
	require.NoError(t, err)
	return s
}

func digits(n int) map[string]*onnx.Tensor {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	v := make([]float32, n*28*28)
	for i := range v {
		v[i] = r.Float32()
	}
	return map[string]*onnx.Tensor{"image": floats([]int{n, 1, 28, 28}, v...)}
}

// Beyond the outputs - a list, a map, and of each tensor itself, its extents and its elements - a run allocates nothing.
func TestARunAllocatesItsOutputs(t *testing.T) {
	s, x := lenetSession(t), digits(1)
	run := func() {
		_, err := s.Run(t.Context(), x)
		require.NoError(t, err)
	}
	run()
	require.LessOrEqual(t, allocs.PerRun(20, run), 7.0)
}

// Runs of many goroutines, of several batch sizes, give what one gives alone.
func TestConcurrentRunsOfASession(t *testing.T) {
	alone, together := lenetSession(t), lenetSession(t)
	var wg sync.WaitGroup
	for i := range 8 {
		n := 1 + i%3
		want, err := alone.Run(t.Context(), digits(n))
		require.NoError(t, err)
		for range 2 {
			wg.Go(func() {
				for range 5 {
					got, err := together.Run(t.Context(), digits(n))
					if err != nil || !slices.Equal(want["output"].Data.([]float32), got["output"].Data.([]float32)) {
						t.Errorf("%d images: %v", n, err)
					}
				}
			})
		}
	}
	wg.Wait()
}

// So do runs that need values first, whose stages are made at the same time.
func TestConcurrentRunsThatNeedValues(t *testing.T) {
	s := session(t, reshapes())
	var wg sync.WaitGroup
	for _, dims := range [][]int64{{6}, {3, 2}, {2, 3}, {1, 6}, {6}, {3, 2}, {5}} {
		wg.Go(func() {
			for range 20 {
				outs, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{2, 3}, 1, 2, 3, 4, 5, 6), "dims": ints(dims...)})
				if dims[0] == 5 && err == nil || dims[0] != 5 && (err != nil || len(outs["y"].Dims) != len(dims)) {
					t.Errorf("%v: %v, %v", dims, outs, err)
				}
			}
		})
	}
	wg.Wait()
}

// A model whose N its operators do not allow still runs, and batches of many sizes do not push out its programs.
func TestWhatNIsNotAllowedForRunsAtItsSizes(t *testing.T) {
	s := session(t, model([]*ir.Node{node("Reshape", in("x", "to"), "y")}, inputs(info("x", ir.Float, "n", 2)), out("y"), intInit("to", 1, 4)))
	for range 3 {
		outs, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{2, 2}, 1, 2, 3, 4)})
		require.NoError(t, err)
		require.Equal(t, []int{1, 4}, outs["y"].Dims)
		_, err = s.Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{1, 2}, 1, 2)})
		require.Error(t, err)
	}
}

// Of open extents without a name only the first is the batch: they need not be equal.
func TestOpenExtentsWithoutANameNeedNotBeEqual(t *testing.T) {
	s := session(t, model([]*ir.Node{node("Exp", in("x"), "y")}, inputs(info("x", ir.Float, "", "")), out("y")))
	for _, dims := range [][]int{{2, 3}, {4, 3}, {2, 5}} {
		outs, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": floats(dims, make([]float32, total(dims))...)})
		require.NoError(t, err)
		require.Equal(t, dims, outs["y"].Dims)
	}
	n, _ := onnx.Stages(s)
	require.Equal(t, 2, n, "one for each width")
}

func BenchmarkSession(b *testing.B) {
	s, x := lenetSession(b), digits(1)
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Run(b.Context(), x); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("clients", func(b *testing.B) {
		s, err := lenetModel(b).NewSession(cpu.New(), nil, vm.WithThreads(1))
		require.NoError(b, err)
		b.ReportAllocs()
		b.SetParallelism(max(1, 8/goruntime.GOMAXPROCS(0)))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := s.Run(b.Context(), x); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// A program for each extent that is met is kept only as long as all of them have room.
func TestProgramsAreForgottenWhereTheyNeedTooMuch(t *testing.T) {
	file := model([]*ir.Node{node("Exp", in("x"), "e"), node("Add", in("e", "x"), "s"), node("ReduceMax", in("s"), "y")},
		inputs(info("x", ir.Float, 1, "w")), out("y"))
	run := func(s *onnx.Session, w int) float64 {
		v := make([]float32, w)
		v[w-1] = float32(w)
		outs, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": floats([]int{1, w}, v...)})
		require.NoError(t, err)
		return outs["y"].Numbers()[0]
	}
	const limit = 1 << 20
	s, err := read(t, file, onnx.Options{Memory: limit}).NewSession(cpu.New(), nil)
	require.NoError(t, err)
	for i := range 40 {
		w := 1000 + 1000*i
		_ = run(s, w)
		n, bytes := onnx.Stages(s)
		require.LessOrEqual(t, bytes, limit)
		require.Positive(t, n)
	}
	n, _ := onnx.Stages(s)
	require.Less(t, n, 20, "of 40")
	free := session(t, file)
	for i := range 40 {
		_ = run(free, 1000+1000*i)
	}
	n, _ = onnx.Stages(free)
	require.Equal(t, 40, n, "the default has room for all")

	tight, err := read(t, file, onnx.Options{Memory: 1}).NewSession(cpu.New(), nil)
	require.NoError(t, err)
	for _, w := range []int{5, 6, 5, 6} {
		require.Equal(t, run(free, w), run(tight, w), "the program of a run is kept")
		n, _ = onnx.Stages(tight)
		require.Equal(t, 1, n)
	}
}
