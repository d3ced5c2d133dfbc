package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/serve"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// lenetOf is LeNet with the weights of a seed.
func lenetOf(t testing.TB, seed uint64) *train.Predictor {
	t.Helper()
	g := graph.New()
	lenet.Model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 28, 28)))
	w := &train.Checkpoint{Name: "lenet", Info: mnist.Info(), Store: vm.NewStore(seed)}
	require.NoError(t, w.Store.Init(g.Leaves()...))
	p, err := train.NewPredictor(lenet.Model, w, cpu.New())
	require.NoError(t, err)
	return p
}

func served(t testing.TB, o serve.Options, p *train.Predictor) (*serve.Server, string) {
	t.Helper()
	m, err := serve.NewPredictor(p, mnist.Prepare)
	require.NoError(t, err)
	s, err := serve.New(o)
	require.NoError(t, err)
	require.NoError(t, s.Add("digits", m, nil))
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		require.NoError(t, s.Close(context.Background()))
		web.Close()
	})
	return s, web.URL + "/v2/models/digits/infer"
}

// response is the answer to a request to infer.
type response struct {
	Version string `json:"model_version"`
	Outputs []struct {
		Name string
		Data []float32
	}
	Classes []struct {
		Name        string
		Probability float32
	}
}

func post(url, kind string, body []byte) (r response, err error) {
	a, err := http.Post(url, kind, bytes.NewReader(body))
	if err != nil {
		return r, err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		return r, fmt.Errorf("%s: %s (%w)", a.Status, b, err)
	}
	return r, json.Unmarshal(b, &r)
}

// images are rows of random numbers, and their request.
func images(random *rand.Rand, rows int) (x []float32, body []byte) {
	for range rows * 28 * 28 {
		x = append(x, random.Float32()*2-1)
	}
	numbers, _ := json.Marshal(x) // finite
	return x, fmt.Appendf(nil, `{"inputs":[{"name":"input","shape":[%d,1,28,28],"datatype":"FP32","data":%s}]}`, rows, numbers)
}

func requireNear(t *testing.T, want, have []float32) {
	t.Helper()
	require.Len(t, have, len(want))
	for i, w := range want {
		require.LessOrEqual(t, math.Abs(float64(w-have[i])), 1e-4*(1+math.Abs(float64(w))))
	}
}

// What a network answers in batches of any size is what its Predictor computes.
func TestAServedNetworkComputesWhatItsPredictorDoes(t *testing.T) {
	p := lenetOf(t, 1)
	_, url := served(t, serve.Options{MaxBatch: 13, Delay: time.Millisecond, Sessions: 2}, p)
	var group sync.WaitGroup
	for c := range 6 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(c), 2))
			for range 6 {
				x, body := images(random, 1+random.IntN(13))
				r, err := post(url, "application/json", body)
				if err != nil {
					t.Error(err)
					return
				}
				want, err := p.Outputs(t.Context(), x)
				require.NoError(t, err)
				requireNear(t, want, r.Outputs[0].Data)
				want, err = p.Predict(t.Context(), x)
				require.NoError(t, err)
				require.Equal(t, "probabilities", r.Outputs[1].Name)
				requireNear(t, want, r.Outputs[1].Data)
			}
		})
	}
	group.Wait()
}

func TestAPictureIsClassified(t *testing.T) {
	p := lenetOf(t, 3)
	_, url := served(t, serve.Options{}, p)
	img := image.NewGray(image.Rect(0, 0, 20, 20))
	for i := range 14 {
		img.SetGray(10, 3+i, color.Gray{Y: 255})
	}
	var file bytes.Buffer
	require.NoError(t, png.Encode(&file, img))
	r, err := post(url, "image/png", file.Bytes())
	require.NoError(t, err)

	x, err := mnist.Prepare(img)
	require.NoError(t, err)
	p.Info().Preprocess.Apply(x)
	want, err := p.Predict(t.Context(), x)
	require.NoError(t, err)
	requireNear(t, want, r.Outputs[1].Data)
	require.Len(t, r.Classes, 5)
	for i, c := range p.Top(5, want) {
		require.Equal(t, c.Name, r.Classes[i].Name)
		require.InDelta(t, c.Probability, r.Classes[i].Probability, 1e-4)
	}

	_, err = post(url, "image/png", file.Bytes()[:40])
	require.ErrorContains(t, err, "400 Bad Request")
	_, err = post(url, "image/jpeg", []byte("no picture"))
	require.ErrorContains(t, err, "400 Bad Request")
	var large bytes.Buffer
	require.NoError(t, png.Encode(&large, image.NewGray(image.Rect(0, 0, 5000, 4000))))
	_, err = post(url, "image/png", large.Bytes())
	require.ErrorContains(t, err, "5000 by 4000 pixels is too large")
}

// Other weights take over without a failed request; what was computed before and after is of one
// network or the other.
func TestOtherWeightsTakeOver(t *testing.T) {
	old, young := lenetOf(t, 1), lenetOf(t, 2)
	s, url := served(t, serve.Options{}, old)
	x, body := images(rand.New(rand.NewPCG(1, 3)), 2)
	for version, p := range map[string]*train.Predictor{"2": young} {
		r, err := post(url, "", body)
		require.NoError(t, err)
		require.Equal(t, "1", r.Version)
		want, err := old.Outputs(t.Context(), x)
		require.NoError(t, err)
		requireNear(t, want, r.Outputs[0].Data)

		m, err := serve.NewPredictor(p, mnist.Prepare)
		require.NoError(t, err)
		require.NoError(t, s.Replace("digits", m))
		r, err = post(url, "", body)
		require.NoError(t, err)
		require.Equal(t, version, r.Version)
		want, err = p.Outputs(t.Context(), x)
		require.NoError(t, err)
		requireNear(t, want, r.Outputs[0].Data)
	}
	without, err := serve.NewPredictor(young, nil)
	require.NoError(t, err)
	require.ErrorContains(t, s.Replace("digits", without), "its classes are not those")
}

func TestASessionAllocatesNothing(t *testing.T) {
	m, err := serve.NewPredictor(lenetOf(t, 1), nil)
	require.NoError(t, err)
	s, err := m.NewSession(37)
	require.NoError(t, err)
	sizes, shape := []int{1, 2, 3, 7, 13, 31, 32, 36, 37}, []int{0, 1, 28, 28}
	require.Zero(t, allocs.PerRun(10, func() {
		for _, rows := range sizes {
			shape[0] = rows
			_, err := s.Input(0, shape)
			require.NoError(t, err)
			require.NoError(t, s.Run(context.Background()))
		}
	}))
}

func TestProgramsThatCannotBeServed(t *testing.T) {
	compiled := func(build func(g *graph.Graph) *graph.Node) *vm.Program {
		p, err := vm.Compile(cpu.New(), []*graph.Node{build(graph.New())})
		require.NoError(t, err)
		return p
	}
	for want, p := range map[string]*vm.Program{
		"no program": nil,
		`input "x": it is float32(2,3); want the batch as the first axis`: compiled(func(g *graph.Graph) *graph.Node {
			return ops.ReLU(g.Input("x", shape.F32(2, 3)))
		}),
		`output "output": it is float32()`: compiled(func(g *graph.Graph) *graph.Node {
			return ops.Sum(g.Input("x", shape.F32(shape.N, 3)))
		}),
	} {
		_, err := serve.NewProgram(p, vm.NewStore(1), serve.ProgramOptions{})
		require.ErrorContains(t, err, want)
	}
	good := compiled(func(g *graph.Graph) *graph.Node { return ops.ReLU(g.Input("x", shape.F32(shape.N, 3))) })
	_, err := serve.NewProgram(good, vm.NewStore(1), serve.ProgramOptions{Outputs: []string{"a", "b"}})
	require.ErrorContains(t, err, "2 names for 1 outputs")
}

// A server on a port of its own ends when its context does.
func TestListenAndServeUntilTheContextEnds(t *testing.T) {
	s, err := serve.New(serve.Options{})
	require.NoError(t, err)
	m, err := serve.NewPredictor(lenetOf(t, 1), mnist.Prepare)
	require.NoError(t, err)
	require.NoError(t, s.Add("digits", m, nil))
	ctx, cancel := context.WithCancel(t.Context())
	started, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- s.ListenAndServe(ctx, ":0", func(url string) { started <- url }) }()
	url := <-started
	require.True(t, strings.HasPrefix(url, "http://127.0.0.1:"))
	_, body := images(rand.New(rand.NewPCG(1, 3)), 2)
	_, err = post(url+"v2/models/digits/infer", "application/json", body)
	require.NoError(t, err)
	second, err := serve.New(serve.Options{})
	require.NoError(t, err)
	require.ErrorContains(t, second.ListenAndServe(ctx, strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/"), nil), "in use by another program")
	cancel()
	require.NoError(t, <-ended)
	_, err = post(url+"v2/models/digits/infer", "application/json", body)
	require.Error(t, err)
}
