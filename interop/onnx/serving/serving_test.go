package serving_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/nothing"
	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/interop/onnx/serving"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/serve"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// digits is an export of LeNet with the weights of a seed.
func digits(t testing.TB, seed uint64) *onnx.Model {
	t.Helper()
	g := graph.New()
	y := lenet.Model.Apply(nn.Root(g), g.Input("image", shape.F32(shape.N, 1, 28, 28)))
	store := vm.NewStore(seed)
	require.NoError(t, store.Init(g.Leaves()...))
	file, err := onnx.Export([]*graph.Node{y}, store, onnx.ExportOptions{Outputs: []string{"logits"}})
	require.NoError(t, err)
	m, err := onnx.New(file, onnx.Options{})
	require.NoError(t, err)
	return m
}

func sessionOf(t testing.TB, m *onnx.Model) *onnx.Session {
	t.Helper()
	s, err := m.NewSession(cpu.New(), nil)
	require.NoError(t, err)
	return s
}

// crowd has clients ask for inputs that draw gives, and compares each answer with a session's.
func crowd(t *testing.T, m *onnx.Model, draw func(r *rand.Rand) map[string]*onnx.Tensor) {
	t.Helper()
	_, web := started(t, m, soon, serving.Options{})
	own := sessionOf(t, m)
	var group sync.WaitGroup
	for c := range 6 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(c), 2))
			for range 12 {
				inputs := draw(random)
				status, a := ask(t, web, inputs)
				if status != http.StatusOK {
					t.Error(status, a.Error)
					return
				}
				want, err := own.Run(t.Context(), inputs)
				require.NoError(t, err)
				requireSame(t, want, a)
			}
		})
	}
	group.Wait()
}

func TestAnExportedNetworkIsServedInBatches(t *testing.T) {
	crowd(t, digits(t, 1), func(r *rand.Rand) map[string]*onnx.Tensor {
		return map[string]*onnx.Tensor{"image": images(r, 1+r.IntN(13), 1, 28, 28)}
	})
}

// Images of several sizes come together; those of one size run together.
func TestOpenExtentsTakeAnySize(t *testing.T) {
	crowd(t, open(t), func(r *rand.Rand) map[string]*onnx.Tensor {
		return map[string]*onnx.Tensor{"x": images(r, 1+r.IntN(13), 1, 3+2*r.IntN(2), 4+r.IntN(2))}
	})
}

// How many numbers Range gives depends on the data, and so does the branch of an If.
func TestModelsThatDependOnDataAreServed(t *testing.T) {
	branch := func(op string) *ir.Graph {
		return &ir.Graph{Nodes: []*ir.Node{node(op, in("x"), op)}, Outputs: values(info(op, ir.Float, "n"))}
	}
	m := file(t, []*ir.Node{
		node("Range", in("zero", "k", "one"), "list"),
		node("If", in("c"), "y", ir.Attribute{Name: "then_branch", Type: ir.AttributeGraph, Graph: branch("Neg")},
			ir.Attribute{Name: "else_branch", Type: ir.AttributeGraph, Graph: branch("Exp")}),
	}, values(info("x", ir.Float, "n"), info("c", ir.Bool), info("k", ir.Int64)), values(info("list", ir.Int64, "m"), info("y", ir.Float, "n")),
		&ir.Tensor{Name: "zero", Type: ir.Int64, Int64s: []int64{0}}, &ir.Tensor{Name: "one", Type: ir.Int64, Int64s: []int64{1}})
	crowd(t, m, func(r *rand.Rand) map[string]*onnx.Tensor {
		k := pick(ir.Int64, []int{}, []int64{r.Int64N(9)})
		return map[string]*onnx.Tensor{"x": images(r, 1+r.IntN(40)), "k": k, "c": pick(ir.Bool, []int{}, []bool{r.IntN(2) == 0})}
	})
}

// A file may call something the batch that is none: then its requests run one by one, and whole.
func TestRowsThatAreMixedAreNotShared(t *testing.T) {
	m := file(t, []*ir.Node{node("ReduceSum", in("x"), "y")}, values(info("x", ir.Float, "n", 2)), values(info("y", ir.Float, "n", 1)))
	crowd(t, m, func(r *rand.Rand) map[string]*onnx.Tensor {
		return map[string]*onnx.Tensor{"x": images(r, 1+r.IntN(13), 2)}
	})
}

// Every element type of the protocol comes back as it was sent.
func TestEveryElementTypeIsCarried(t *testing.T) {
	for _, c := range []struct {
		elem           ir.DataType
		datatype, data string // of JSON
		bytes          []byte // of one element
	}{
		{ir.Bool, "BOOL", `[true,false]`, []byte{1}},
		{ir.Uint8, "UINT8", `[0,255]`, []byte{200}},
		{ir.Uint16, "UINT16", `[0,65535]`, []byte{200, 255}},
		{ir.Uint32, "UINT32", `[0,4294967295]`, []byte{1, 2, 3, 255}},
		{ir.Uint64, "UINT64", `[0,18446744073709551615]`, []byte{1, 2, 3, 4, 5, 6, 7, 255}},
		{ir.Int8, "INT8", `[-128,127]`, []byte{200}},
		{ir.Int16, "INT16", `[-32768,32767]`, []byte{200, 255}},
		{ir.Int32, "INT32", `[-2147483648,2147483647]`, []byte{1, 2, 3, 255}},
		{ir.Int64, "INT64", `[-9223372036854775808,9223372036854775807]`, []byte{1, 2, 3, 4, 5, 6, 7, 255}},
		{ir.Float, "FP32", `[-1.5,3e+38]`, []byte{0, 0, 128, 63}},
		{ir.Double, "FP64", `[-1.5,1e+300]`, []byte{0, 0, 0, 0, 0, 0, 240, 63}},
		{ir.Float16, "FP16", "", []byte{0, 60}},
		{ir.BFloat16, "BF16", "", []byte{128, 63}},
	} {
		t.Run(c.datatype, func(t *testing.T) {
			m := file(t, []*ir.Node{node("Identity", in("x"), "y")}, values(info("x", c.elem, "n")), values(info("y", c.elem, "n")))
			_, web := started(t, m, serve.Options{}, serving.Options{})
			head := fmt.Appendf(nil, `{"parameters":{"binary_data_output":true},"inputs":[{"name":"x","datatype":%q,"shape":[3],"parameters":{"binary_data_size":%d}}]}`, c.datatype, 3*len(c.bytes))
			sent := bytes.Repeat(c.bytes, 3)
			status, a := post(t, web, append(head, sent...), "Inference-Header-Content-Length", fmt.Sprint(len(head)))
			require.Equal(t, 200, status, a.Error)
			require.Equal(t, c.datatype, a.Outputs[0].Datatype)
			require.Equal(t, sent, a.Outputs[0].bytes)

			body := fmt.Appendf(nil, `{"inputs":[{"name":"x","datatype":%q,"shape":[2],"data":%s}]}`, c.datatype, c.data)
			if c.data == "" {
				body = append(head, sent...)
				body = bytes.Replace(body, []byte(`"parameters":{"binary_data_output":true},`), nil, 1)
				status, a = post(t, web, body, "Inference-Header-Content-Length", fmt.Sprint(bytes.Index(body, []byte("}]}"))+3))
				require.Equal(t, 400, status)
				require.Contains(t, a.Error, "which JSON does not carry; ask for it with binary_data")
				return
			}
			response, err := http.Post(web.URL+"/v2/models/m/infer", "application/json", bytes.NewReader(body))
			require.NoError(t, err)
			defer response.Body.Close()
			var text bytes.Buffer
			_, err = text.ReadFrom(response.Body)
			require.NoError(t, err)
			require.Contains(t, text.String(), `"data":`+c.data)
		})
	}
}

// What cannot be served, or not in the place of what is served, is refused in a line.
func TestFilesThatCannotBeServed(t *testing.T) {
	x, y := values(info("x", ir.Float, "n", 2)), values(info("y", ir.Float, "n", 2))
	for want, m := range map[string]*onnx.Model{
		"there is no model":                        nil,
		"operators that are not supported: NoSuch": file(t, []*ir.Node{node("NoSuch", in("x"), "y")}, x, y),
		"requests cannot carry it":                 file(t, []*ir.Node{node("Identity", in("x"), "y")}, values(info("x", ir.String, "n")), values(info("y", ir.String, "n"))),
		"ReLU: input 0 is bool":                    file(t, []*ir.Node{node("Relu", in("b"), "y")}, values(info("b", ir.Bool, "n")), values(info("y", ir.Bool, "n"))),
	} {
		_, err := serving.New(m, cpu.New(), serving.Options{})
		require.ErrorContains(t, err, want)
	}
	s, web := started(t, open(t), soon, serving.Options{})
	for want, m := range map[string]*onnx.Model{
		`its inputs are "image" of FP32 [-1 1 28 28], those of the model that is served "x" of FP32 [-1 1 -1 -1]`: digits(t, 1),
	} {
		other, err := serving.New(m, cpu.New(), serving.Options{})
		require.NoError(t, err)
		require.ErrorContains(t, s.Replace("m", other), want)
	}
	status, a := ask(t, web, map[string]*onnx.Tensor{"x": images(rand.New(rand.NewPCG(1, 1)), 2, 1, 4, 4)})
	require.Equal(t, 200, status, a.Error)
	require.Equal(t, "1", a.Version)

	for want, x := range map[string]*onnx.Tensor{
		"its shape is [2 1 4], want [-1 1 -1 -1]":    images(rand.New(rand.NewPCG(1, 1)), 2, 1, 4),
		"its shape is [2 3 4 4], want [-1 1 -1 -1]":  images(rand.New(rand.NewPCG(1, 1)), 2, 3, 4, 4),
		"it has 14 rows; a request may have 1 to 13": images(rand.New(rand.NewPCG(1, 1)), 14, 1, 4, 4),
	} {
		status, a := ask(t, web, map[string]*onnx.Tensor{"x": x})
		require.Equal(t, 400, status)
		require.Contains(t, a.Error, want)
	}
	body := `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,1,2147483647,2147483647],"data":[1]}]}`
	status, a = post(t, web, []byte(body), "Content-Type", "application/json")
	require.Equal(t, 400, status)
	require.Contains(t, a.Error, "which is too large")
	body = `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,1,65536,65536],"data":[1]}]}`
	status, a = post(t, web, []byte(body), "Content-Type", "application/json")
	require.Equal(t, 413, status)
	require.Contains(t, a.Error, "bytes; there are")
}

// Results of any size are bounded by the memory of the server.
func TestResultsOfAnySizeAreBounded(t *testing.T) {
	m := file(t, []*ir.Node{node("ConstantOfShape", in("n"), "y")}, values(info("n", ir.Int64, 1)), values(info("y", ir.Float, "k")))
	_, web := started(t, m, serve.Options{Memory: 1 << 20}, serving.Options{})
	for n, want := range map[int64]int{1000: 200, 1 << 20: 413} {
		status, a := ask(t, web, map[string]*onnx.Tensor{"n": pick(ir.Int64, []int{1}, []int64{n})})
		require.Equal(t, want, status, a.Error)
	}
}

// Another file takes over, and a picture is answered with the classes of the network's logits.
func TestPicturesAreClassified(t *testing.T) {
	old, young := digits(t, 1), digits(t, 2)
	o := serving.Options{Prepare: mnist.Prepare, Classes: mnist.Info().Classes, Logits: true}
	s, web := started(t, old, serve.Options{}, o)
	stroke := image.NewGray(image.Rect(0, 0, 20, 20))
	for i := range 14 {
		stroke.Pix[20*(3+i)+10] = 255
	}
	var picture bytes.Buffer
	require.NoError(t, png.Encode(&picture, stroke))
	x, err := mnist.Prepare(stroke)
	require.NoError(t, err)
	for i, m := range []*onnx.Model{old, young} {
		if i > 0 {
			next, err := serving.New(m, cpu.New(), o)
			require.NoError(t, err)
			require.NoError(t, s.Replace("m", next))
		}
		status, a := post(t, web, picture.Bytes(), "Content-Type", "image/png")
		require.Equal(t, 200, status, a.Error)
		require.Equal(t, fmt.Sprint(i+1), a.Version)
		outs, err := sessionOf(t, m).Run(t.Context(), map[string]*onnx.Tensor{"image": pick(ir.Float, []int{1, 1, 28, 28}, x)})
		require.NoError(t, err)
		best, logits := 0, outs["logits"].Data.([]float32)
		for k, v := range logits {
			require.InDelta(t, v, a.Outputs[0].Data[k], 1e-4)
			if v > logits[best] {
				best = k
			}
		}
		require.Equal(t, fmt.Sprint(best), a.Classes[0].Name)
		require.Len(t, a.Classes, 5)
		require.Greater(t, a.Classes[0].Probability, a.Classes[4].Probability)
		require.LessOrEqual(t, a.Classes[0].Probability, float32(1))
	}
}

// NVIDIA's client for Python is served with the answers of ONNX Runtime.
func TestTheClientOfTritonIsServed(t *testing.T) {
	interpreter, err := python.Find("tritonclient.http", "onnxruntime")
	if err != nil {
		t.Skip(err)
	}
	m := open(t)
	path := filepath.Join(t.TempDir(), "m.onnx")
	proto := *m.Proto()
	proto.IRVersion = 8
	require.NoError(t, os.WriteFile(path, proto.Marshal(), 0o666))
	_, web := started(t, m, soon, serving.Options{})
	out, err := exec.CommandContext(t.Context(), interpreter, filepath.Join("testdata", "client.py"), web.Listener.Addr().String(), path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "all is well")
}

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"New": serving.New},
		Good:  func() []any { return []any{context.Background(), open(t), ref.Engine{}, serving.Options{}} },
	})
}
