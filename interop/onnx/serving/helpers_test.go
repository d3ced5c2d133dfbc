package serving_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/interop/onnx/ir/irtest"
	"github.com/plexaura/plexaura/interop/onnx/serving"
	"github.com/plexaura/plexaura/serve"
)

// file is a model of nodes in opset 18.
func file(t testing.TB, nodes []*ir.Node, inputs, outputs []ir.ValueInfo, initializers ...*ir.Tensor) *onnx.Model {
	t.Helper()
	m, err := onnx.New(irtest.Model(&ir.Graph{Nodes: nodes, Inputs: inputs, Outputs: outputs, Initializers: initializers}), onnx.Options{Name: "m"})
	require.NoError(t, err)
	return m
}

func node(op string, inputs []string, output string, attributes ...ir.Attribute) *ir.Node {
	return irtest.Node(op, inputs, []string{output}, attributes...)
}

var in, info, values = irtest.Names, irtest.Info, irtest.Infos

// open has open extents: y is a convolution of images of any size, and mean its mean.
func open(t testing.TB) *onnx.Model {
	random := rand.New(rand.NewPCG(1, 1))
	w := &ir.Tensor{Name: "w", Type: ir.Float, Dims: []int64{2, 1, 3, 3}}
	for range 18 {
		w.Floats = append(w.Floats, random.Float32()-0.5)
	}
	return file(t, []*ir.Node{
		node("Conv", in("x", "w"), "c", ir.Attribute{Name: "pads", Type: ir.AttributeInts, Ints: []int64{1, 1, 1, 1}}),
		node("Relu", in("c"), "y"),
		node("GlobalAveragePool", in("y"), "mean"),
	}, values(info("x", ir.Float, "n", 1, "h", "w")), values(info("y", ir.Float, "n", 2, "h", "w"), info("mean", ir.Float, "n", 2, 1, 1)), w)
}

// started serves a model under the name m.
func started(t testing.TB, m *onnx.Model, so serve.Options, o serving.Options) (*serve.Server, *httptest.Server) {
	t.Helper()
	served, err := serving.New(m, cpu.New(), o)
	require.NoError(t, err)
	s, err := serve.New(so)
	require.NoError(t, err)
	require.NoError(t, s.Add("m", served, nil))
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		require.NoError(t, s.Close(context.Background()))
		web.Close()
	})
	return s, web
}

// pick is a tensor with elements of the given type.
func pick(d ir.DataType, dims []int, data any) *onnx.Tensor {
	return &onnx.Tensor{Type: d, Dims: dims, Data: data}
}

func bytesOf[T any](v []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(zero)))
}

// raw returns the elements as bytes.
func raw(t testing.TB, x *onnx.Tensor) []byte {
	switch v := x.Data.(type) {
	case []float32:
		return bytesOf(v)
	case []int64:
		return bytesOf(v)
	case []bool:
		return bytesOf(v)
	}
	t.Fatalf("%T", x.Data)
	return nil
}

// output is an output of an answer.
type output struct {
	Name, Datatype string
	Shape          []int
	Data           []any
	Parameters     struct {
		Size int `json:"binary_data_size"`
	}
	bytes []byte
}

// answer is the answer to a request.
type answer struct {
	Version string `json:"model_version"`
	Outputs []output
	Classes []struct {
		Name        string
		Probability float32
	}
	Error string
}

var datatypes = map[ir.DataType]string{ir.Float: "FP32", ir.Int64: "INT64", ir.Bool: "BOOL"}

// ask sends inputs as bytes.
func ask(t testing.TB, web *httptest.Server, inputs map[string]*onnx.Tensor) (status int, a answer) {
	t.Helper()
	type tensor struct {
		Name       string         `json:"name"`
		Datatype   string         `json:"datatype"`
		Shape      []int          `json:"shape"`
		Parameters map[string]int `json:"parameters"`
	}
	var list []tensor
	var tail []byte
	for name, x := range inputs {
		b := raw(t, x)
		list = append(list, tensor{name, datatypes[x.Type], x.Dims, map[string]int{"binary_data_size": len(b)}})
		tail = append(tail, b...)
	}
	head, err := json.Marshal(map[string]any{"inputs": list, "parameters": map[string]any{"binary_data_output": true}})
	require.NoError(t, err)
	return post(t, web, append(head, tail...), "Inference-Header-Content-Length", strconv.Itoa(len(head)))
}

// post sends a body.
func post(t testing.TB, web *httptest.Server, body []byte, header, value string) (status int, a answer) {
	t.Helper()
	r, err := http.NewRequest("POST", web.URL+"/v2/models/m/infer", bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set(header, value)
	response, err := web.Client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	var tail []byte
	if text := response.Header.Get("Inference-Header-Content-Length"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		b, tail = b[:n], b[n:]
	}
	require.NoError(t, json.Unmarshal(b, &a), "%s", b)
	for i := range a.Outputs {
		n := a.Outputs[i].Parameters.Size
		a.Outputs[i].bytes, tail = tail[:n], tail[n:]
	}
	require.NotContains(t, a.Error, "\n")
	return response.StatusCode, a
}

// requireSame fails unless the answer is what a session gives: but for the last bits of floating-point
// numbers, which differ with the size of a batch.
func requireSame(t testing.TB, want map[string]*onnx.Tensor, a answer) {
	t.Helper()
	require.Len(t, a.Outputs, len(want))
	for _, out := range a.Outputs {
		w := want[out.Name]
		require.NotNil(t, w, out.Name)
		require.Equal(t, fmt.Sprint(w.Dims), fmt.Sprint(out.Shape), out.Name)
		require.Equal(t, datatypes[w.Type], out.Datatype)
		if w.Type != ir.Float {
			require.Equal(t, raw(t, w), out.bytes, out.Name)
			continue
		}
		floats := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(bytes.Clone(out.bytes)))), len(out.bytes)/4)
		require.Len(t, floats, w.Len())
		for i, v := range w.Data.([]float32) {
			require.InDelta(t, v, floats[i], 1e-5)
		}
	}
}

func images(random *rand.Rand, dims ...int) *onnx.Tensor {
	n := 1
	for _, d := range dims {
		n *= d
	}
	x := make([]float32, n)
	for i := range x {
		x[i] = random.Float32()*2 - 1
	}
	return pick(ir.Float, dims, x)
}

// soon waits for others within a batch.
var soon = serve.Options{MaxBatch: 13, Delay: time.Millisecond, Sessions: 2, Token: "0123456789abcdef"}
