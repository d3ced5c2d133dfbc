package onnx_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/autodiff/gradcheck/cases"
	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// withoutForm are the rows of the table of gradients that have no ONNX form, by how they begin, with a part of
// the reason.
var withoutForm = map[string]string{
	"BroadcastTo batch":           "depends on N, which no input has",
	"Random ":                     "random numbers",
	"Attention some keys, causal": "a cache of keys and values",
	"LSTM lengths":                "last cell state",
	"UpdateSlice first axis":      "a cache of keys and values",
	"UpdateSlice batch":           "a cache of keys and values",
}

// reasonOf returns the reason of the row, or of those that begin like it.
func reasonOf(name string) string {
	for row, why := range withoutForm {
		if strings.HasPrefix(name, row) {
			return why
		}
	}
	return ""
}

// exported is a graph in a folder for runtime.py, with what we compute.
type exported struct {
	name, folder string
	want         []float64
	again        []float64 // what our importer makes of the file
	importing    error
}

func TestEveryRowOfTheTableGivesTheSameInONNXRuntime(t *testing.T) {
	all := cases.All()
	root := t.TempDir()
	var models []exported
	for i, c := range all {
		name := c.Op + " " + c.Label
		m, err := exportCase(c, filepath.Join(root, fmt.Sprint(i)))
		if why := reasonOf(name); why != "" {
			require.ErrorContains(t, err, why, name)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m.name = name
		models = append(models, m)
	}
	t.Logf("%d of %d rows are exported", len(models), len(all))
	for _, m := range models {
		if m.importing != nil {
			t.Errorf("%s: import: %v", m.name, m.importing)
			continue
		}
		requireClose(t, m.name+", imported", m.want, m.again, 1e-5)
	}
	runtime(t, models)
	for _, m := range models {
		got, err := m.result()
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		requireClose(t, m.name, m.want, got, 1e-4)
	}
}

// exportCase exports a row of the table in float32, for a batch size that was not the one of the export.
func exportCase(c cases.Case, folder string) (m exported, err error) {
	g := graph.New()
	r := rand.New(rand.NewPCG(1, 2))
	m.folder = folder
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return m, err
	}
	var ins []*graph.Node
	var feeds []*tensor.Dense
	for i, in := range c.In {
		t := in.Type
		if t.IsFloat() && c.Op != "Cast" { // whose rows join two types
			t.DType = shape.Float32
		}
		name := fmt.Sprint("x", i)
		x := g.Input(name, t)
		ins = append(ins, x)
		at := t.At(4)
		b := engine.BufferAt(engine.Aligned(at.Bytes()), at.DType, at.Len())
		v := make([]float64, at.Len())
		values := in.Values
		switch {
		case values != nil:
		case at.IsFloat():
			values = gradcheck.Normal
		default:
			values = func(r *rand.Rand, v []float64) {
				for i := range v {
					v[i] = float64(r.IntN(2))
				}
			}
		}
		values(r, v)
		engine.Load(b, v)
		feeds = append(feeds, engine.DenseOf(at.Shape, b))
	}
	y := c.F(ins...)
	if err := g.Err(); err != nil {
		return m, err
	}
	outs := graph.Inference(y)
	p, err := vm.Compile(ref.Engine{}, outs)
	if err != nil {
		return m, err
	}
	store := vm.NewStore(1)
	machine, err := p.NewMachine(store)
	if err != nil {
		return m, err
	}
	used := map[string]*tensor.Dense{}
	var args []*tensor.Dense
	for _, in := range p.Inputs() {
		for i, x := range ins {
			if x.Name() == in.Name() {
				args = append(args, feeds[i])
				used[in.Name()] = feeds[i]
			}
		}
	}
	results, err := machine.Run(context.Background(), args...)
	if err != nil {
		return m, err
	}
	m.want = engine.Floats(engine.BufferOfDense(results[0]))
	path := filepath.Join(folder, "model.onnx")
	if err := onnx.WriteFile(path, []*graph.Node{y}, store, onnx.ExportOptions{}); err != nil {
		return m, err
	}
	model, err := ir.ReadFile(path)
	if err != nil {
		return m, err
	}
	inputs := map[string]*onnx.Tensor{}
	for i, in := range model.Graph.Inputs {
		d := used[in.Name]
		if d == nil { // its shape is used
			for k, x := range ins {
				if x.Name() == in.Name {
					d = feeds[k]
				}
			}
		}
		b := engine.BufferOfDense(d)
		pb := ir.Tensor{Type: in.Type.Elem, Raw: b.Bytes(), HasRaw: true}
		for _, n := range d.Shape() {
			pb.Dims = append(pb.Dims, int64(n))
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("input_%d.pb", i)), pb.Marshal(), 0o644); err != nil {
			return m, err
		}
		if inputs[in.Name], err = onnx.FromProto(&pb); err != nil {
			return m, err
		}
	}
	m.again, m.importing = imported(path, inputs, ref.Engine{})
	return m, nil
}

// imported runs the file at path.
func imported(path string, inputs map[string]*onnx.Tensor, e engine.Engine) ([]float64, error) {
	model, err := onnx.ReadFile(path, onnx.Options{})
	if err != nil {
		return nil, err
	}
	s, err := model.NewSession(e, vm.NewStore(1))
	if err != nil {
		return nil, err
	}
	outs, err := s.Run(context.Background(), inputs)
	if err != nil {
		return nil, err
	}
	return outs["output"].Numbers(), nil
}

// runtime has ONNX Runtime check and run the models.
func runtime(t *testing.T, models []exported) {
	interpreter, err := python.Find("onnx", "onnxruntime")
	if err != nil {
		t.Skip(err)
	}
	var list strings.Builder
	for _, m := range models {
		fmt.Fprintln(&list, m.folder)
	}
	cmd := exec.Command(interpreter, filepath.Join("testdata", "runtime.py"))
	cmd.Stdin = strings.NewReader(list.String())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// result reads what ONNX Runtime has computed.
func (m exported) result() ([]float64, error) {
	if b, err := os.ReadFile(filepath.Join(m.folder, "error.txt")); err == nil {
		return nil, fmt.Errorf("ONNX Runtime: %s", b)
	}
	b, err := os.ReadFile(filepath.Join(m.folder, "output_0.pb"))
	if err != nil {
		return nil, err
	}
	pb, err := ir.UnmarshalTensor(b)
	if err != nil {
		return nil, err
	}
	v, err := onnx.FromProto(pb)
	if err != nil {
		return nil, err
	}
	return v.Numbers(), nil
}

// requireClose compares the largest error with the largest value.
func requireClose(t *testing.T, name string, want, got []float64, tolerance float64) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%s: %d elements, want %d", name, len(got), len(want))
		return
	}
	largest, worst := 0.0, 0.0
	for i := range want {
		largest = max(largest, math.Abs(want[i]))
		if d := math.Abs(want[i] - got[i]); !(math.IsNaN(want[i]) && math.IsNaN(got[i])) && want[i] != got[i] {
			worst = max(worst, d)
			if math.IsNaN(d) {
				worst = math.Inf(1)
			}
		}
	}
	if worst > tolerance*max(largest, 1e-3) {
		t.Errorf("%s: error %g of %g", name, worst, largest)
	}
}
