package tracing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/tracing"
	"github.com/plexaura/plexaura/vm"
)

// event is one of the Trace Event Format.
type event struct {
	Name string
	Ph   string
	Pid  int
	Tid  int
	Ts   float64
	Dur  float64
	Args struct {
		Name   string
		Layer  string
		Op     string
		Result []string
		Kernel string
		Line   string
		Run    int
	}
}

func (e event) end() float64 { return e.Ts + e.Dur }

// network is a training step on e.
func network(t testing.TB, e interface {
	Name() string
	tensor.Engine
}) *vm.Machine {
	g := graph.New()
	x, y := g.Input("x", shape.F32(shape.N, 1, 16, 16)), g.Input("y", shape.I32(shape.N))
	logits := nn.Sequential{
		nn.Conv2D{Name: "conv", Out: 8, Kernel: 5, Pad: 2}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2}, nn.Flatten{}, nn.Linear{Name: "fc", Out: 3},
	}.Apply(nn.Root(g), x)
	loss := ops.CrossEntropy(logits, y)
	optim.SGD{LR: .05, Momentum: .9}.Apply(g, autodiff.Grad(loss, g.Params()...))
	p, err := vm.Compile(e, []*graph.Node{loss}, vm.Train)
	require.NoError(t, err)
	m, err := p.NewMachine(vm.NewStore(1))
	require.NoError(t, err)
	return m
}

func batch() []*tensor.Dense {
	return []*tensor.Dense{tensor.New(tensor.WithShape(32, 1, 16, 16), tensor.Of(tensor.Float32)), tensor.New(tensor.WithShape(32), tensor.Of(tensor.Int32))}
}

// trace has m make some runs.
func trace(t testing.TB, m *vm.Machine, c *tracing.Chrome, runs int) {
	require.NoError(t, m.Observe(vm.Observer{Span: c.Span}))
	for range runs {
		_, err := m.Run(t.Context(), batch()...)
		require.NoError(t, err)
	}
}

func parsed(t testing.TB, text []byte) (all []event) {
	require.NoError(t, json.Unmarshal(text, &all), "%s", text)
	return all
}

func TestATraceHasALaneForEachWorker(t *testing.T) {
	var b bytes.Buffer
	c := tracing.NewChrome(&b)
	trace(t, network(t, cpu.New()), c, 20)
	require.NoError(t, c.Close())
	lanes := map[int][]event{}
	names := map[int]string{}
	for _, e := range parsed(t, b.Bytes()) {
		require.Equal(t, 1, e.Pid)
		switch {
		case e.Ph == "X":
			lanes[e.Tid] = append(lanes[e.Tid], e)
		case e.Name == "thread_name":
			names[e.Tid] = e.Args.Name
		}
	}
	require.Equal(t, "worker 0, the caller", names[0])
	runs := map[int]event{}
	for _, e := range lanes[0] {
		if e.Args.Op == "" {
			runs[e.Args.Run] = e
		}
	}
	require.Len(t, runs, 20)
	for tid, lane := range lanes {
		require.NotEmpty(t, names[tid])
		nested(t, lane)
		for _, e := range lane {
			around := runs[e.Args.Run]
			require.GreaterOrEqual(t, e.Ts, around.Ts-1e-4)
			require.LessOrEqual(t, e.end(), around.end()+1e-4)
			if e.Args.Op == "" {
				require.Zero(t, tid)
				require.Equal(t, fmt.Sprint("run ", e.Args.Run), e.Name)
				continue
			}
			require.Contains(t, []string{e.Args.Op, e.Args.Op + " " + e.Args.Layer}, e.Name)
			require.Regexp(t, `^\w+\.go:\d+$`, e.Args.Line)
		}
	}
	require.True(t, slices.ContainsFunc(lanes[0], func(e event) bool {
		return strings.HasPrefix(e.Name, "Conv2D+Bias+ReLU") && strings.HasSuffix(e.Name, " conv") && e.Args.Layer == "conv" && len(e.Args.Result) == 1 && e.Args.Run == 19
	}))
}

// nested fails where two events overlap and neither holds the other, which Perfetto does not show,
// or where two end together, which other viewers take in any order.
func nested(t testing.TB, lane []event) {
	const rounding = 1e-4 // µs
	slices.SortStableFunc(lane, func(a, b event) int {
		if a.Ts != b.Ts {
			return int(a.Ts*1000) - int(b.Ts*1000)
		}
		return int(b.Dur*1000) - int(a.Dur*1000)
	})
	var open []event
	for _, e := range lane {
		for len(open) > 0 && open[len(open)-1].end() <= e.Ts+rounding {
			open = open[:len(open)-1]
		}
		if len(open) > 0 {
			require.Less(t, e.end(), open[len(open)-1].end()-rounding, "%v in %v", e, open[len(open)-1])
		}
		open = append(open, e)
	}
}

// What is there before the end lacks the bracket alone: viewers add it.
func TestATraceThatIsCutOffCanBeRead(t *testing.T) {
	var b bytes.Buffer
	c := tracing.NewChrome(&b)
	trace(t, network(t, ref.Engine{}), c, 3) // and is killed in the third
	all := parsed(t, append(b.Bytes(), ']'))
	require.Equal(t, "run 1", all[len(all)-1].Name)
	require.NoError(t, tracing.NewChrome(&b).Close())
	require.Empty(t, parsed(t, []byte("[\n]\n")))
}

func TestATraceIsBounded(t *testing.T) {
	var b bytes.Buffer
	c := tracing.NewChrome(&b)
	c.Bound(50)
	trace(t, network(t, ref.Engine{}), c, 10)
	require.ErrorContains(t, c.Close(), "spans after the first")
	require.Less(t, len(parsed(t, b.Bytes())), 60)
}

// full is a file on a full disk.
type full struct{ room int }

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestAFailureToWriteIsToldAtTheEnd(t *testing.T) {
	c := tracing.NewChrome(&full{5000})
	trace(t, network(t, ref.Engine{}), c, 10)
	require.ErrorIs(t, c.Close(), errFull)
	require.ErrorContains(t, tracing.NewChrome(nil).Close(), "there is no writer")
	tracing.NewChrome(&full{}).Span(vm.Span{})
}

func TestAnEmptyTraceIsAnEmptyList(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, tracing.NewChrome(&b).Close())
	require.Empty(t, parsed(t, b.Bytes()))
}

func TestNamesAreQuoted(t *testing.T) {
	var b bytes.Buffer
	c := tracing.NewChrome(&b)
	c.Span(vm.Span{Instruction: &vm.Instruction{Name: "Odd\"\n\\", Layer: "größe\x00"}, Start: time.Now(), Took: time.Microsecond})
	require.NoError(t, c.Close())
	all := parsed(t, b.Bytes())
	require.Equal(t, "Odd\"\n\\ größe\x00", all[len(all)-2].Name)
	require.Equal(t, 1.0, all[len(all)-2].Dur)
}

// The trace of three runs goes into a file, for Perfetto.
func ExampleChrome() {
	g := graph.New()
	x := g.Input("x", shape.F32(shape.N, 4))
	m, err := vm.MustCompile(cpu.New(), []*graph.Node{ops.Softmax(x, 1)}).NewMachine(vm.NewStore(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := os.CreateTemp("", "trace-*.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(file.Name())
	chrome := tracing.NewChrome(file)
	if err := m.Observe(vm.Observer{Span: chrome.Span, Runs: 3}); err != nil {
		fmt.Println(err)
		return
	}
	for range 5 { // three of which are watched
		if _, err := m.Run(context.Background(), tensor.New(tensor.WithShape(1, 4), tensor.Of(tensor.Float32))); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(errors.Join(chrome.Close(), file.Close()))
	// Output: <nil>
}

// A worker's span may begin before that which is told first.
func TestARunHoldsAllItsSpans(t *testing.T) {
	var b bytes.Buffer
	c := tracing.NewChrome(&b)
	in, now := &vm.Instruction{}, time.Now()
	c.Span(vm.Span{Instruction: in, Start: now, Took: 10 * time.Microsecond})
	c.Span(vm.Span{Instruction: in, Worker: 1, Start: now.Add(-time.Microsecond), Took: 20 * time.Microsecond})
	require.NoError(t, c.Close())
	for _, e := range parsed(t, b.Bytes()) {
		if e.Name == "run 0" {
			require.InDelta(t, -1, e.Ts, 1e-9)
			require.InDelta(t, 20.001, e.Dur, 1e-9)
			return
		}
	}
	require.Fail(t, "no event of the run")
}
