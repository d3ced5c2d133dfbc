package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

// bars is images (1,8,8) with a bar that stands or lies, and noise.
func bars(t testing.TB, n int) data.Dataset {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var pixels []float32
	var labels []int32
	for i := range n {
		x := make([]float32, 64)
		for k := range x {
			x[k] = rng.Float32() / 4
		}
		at := 1 + rng.IntN(6)
		for k := range 8 {
			if i%2 == 0 {
				x[k*8+at] = 1
			} else {
				x[at*8+k] = 1
			}
		}
		pixels, labels = append(pixels, x...), append(labels, int32(i%2))
	}
	ds, err := data.New(pixels, labels, data.Info{Input: shape.F32(1, 8, 8), Classes: []string{"column", "row"}})
	require.NoError(t, err)
	return ds
}

func network() nn.Layer {
	return nn.Sequential{
		nn.Conv2D{Name: "conv", Out: 3, Kernel: 3, Pad: 1}, nn.BatchNorm{Name: "norm"}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
		nn.Flatten{}, nn.Dropout{P: .25}, nn.Linear{Name: "fc", Out: 2},
	}
}

func config(t testing.TB) train.Config {
	return train.Config{
		Model: network(), Train: bars(t, 96), Validation: bars(t, 32), Engine: cpu.New(),
		Optimizer: optim.SGD{LR: .05, Momentum: .9}, Epochs: 3, Batch: 16, Seed: 3,
	}
}

// serve serves a page until the test ends.
func serve(t testing.TB, p Page) *Server {
	t.Helper()
	s, err := Serve("127.0.0.1:0", p)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// ask sends a request, with "Name: value" headers, and returns the status and the answer.
func ask(t testing.TB, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(t, err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	a, err := client.Do(r)
	require.NoError(t, err)
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	return a.StatusCode, strings.TrimSpace(string(b))
}

// client keeps no connections, which would be goroutines of the tests.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}

func (s *Server) withToken() string { return tokenHeader + ": " + s.token }

// event is one that a browser is sent.
type event struct {
	name string
	data json.RawMessage
}

// listen reads the stream of a page until it ends, or ctx does.
func listen(ctx context.Context, t testing.TB, s *Server) <-chan event {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"api/events", nil)
	require.NoError(t, err)
	a, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.StatusCode)
	events := make(chan event, 10000)
	go func() {
		defer close(events)
		defer a.Body.Close()
		var e event
		lines := bufio.NewScanner(a.Body)
		lines.Buffer(nil, 1<<24)
		for lines.Scan() {
			switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
			case "event":
				e.name = value
			case "data":
				e.data = json.RawMessage(value)
				events <- e
			}
		}
	}()
	return events
}

// tablesOf collects the tables that a browser has at the end of the events.
func tablesOf(t testing.TB, events <-chan event) (tables map[string]rowsMessage, last runState) {
	t.Helper()
	tables = map[string]rowsMessage{}
	for e := range events {
		switch e.name {
		case "rows":
			var m struct {
				Table   string
				Columns []string
				Reset   bool
				Rows    [][]*float64
			}
			require.NoError(t, json.Unmarshal(e.data, &m), string(e.data))
			have := tables[m.Table]
			if m.Reset {
				have = rowsMessage{Columns: m.Columns}
			}
			for _, row := range m.Rows {
				var numbers []number
				for _, v := range row {
					if v == nil {
						numbers = append(numbers, none)
					} else {
						numbers = append(numbers, number(*v))
					}
				}
				have.Rows = append(have.Rows, numbers)
			}
			tables[m.Table] = have
		case "state":
			last = runState{}
			var m map[string]any
			require.NoError(t, json.Unmarshal(e.data, &m))
			last.Phase, _ = m["phase"].(string)
			last.Message, _ = m["message"].(string)
			last.Trial, _ = m["trial"].(bool)
			if notes, ok := m["notes"].([]any); ok {
				for _, n := range notes {
					last.Notes = append(last.Notes, n.(string))
				}
			}
		}
	}
	return tables, last
}
