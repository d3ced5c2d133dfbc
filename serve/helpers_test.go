package serve

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fake is a model in Go: y = x·k + bias, a row of three numbers times one, and next = k + 1.
type fake struct {
	bias    float32
	before  func(rows int) // called by each Run
	batches atomic.Int64
	rows    atomic.Int64
	open    atomic.Int64 // sessions
	closed  atomic.Int64
}

const (
	poison  = -7 // a k that is an error
	panics  = -8
	strange = -9 // a k whose results are not finite
)

func (f *fake) Inputs() []Tensor {
	return []Tensor{{"x", FP32, []int{-1, 3}}, {"k", INT64, []int{-1}}}
}
func (f *fake) Outputs() []Tensor {
	return []Tensor{{"y", FP32, []int{-1, 3}}, {"next", INT64, []int{-1}}}
}
func (f *fake) Batched() bool { return true }
func (f *fake) Close() error  { f.closed.Add(1); return nil }

func (f *fake) NewSession(rows int) (Session, error) {
	f.open.Add(1)
	return &fakeSession{fake: f, x: make([]byte, 12*rows), k: make([]byte, 8*rows), y: make([]byte, 12*rows), next: make([]byte, 8*rows)}, nil
}

type fakeSession struct {
	*fake
	x, k, y, next []byte
	n             int // rows
	shapes        [2][2]int
}

func (s *fakeSession) Input(i int, shape []int) ([]byte, error) {
	if s.n = shape[0]; i == 0 {
		return s.x[:12*s.n], nil
	}
	return s.k[:8*s.n], nil
}

func (s *fakeSession) Output(i int) ([]int, []byte) {
	s.shapes[i] = [2]int{s.n, 3}
	if i == 0 {
		return s.shapes[i][:], s.y[:12*s.n]
	}
	return s.shapes[i][:1], s.next[:8*s.n]
}

func (s *fakeSession) Run(context.Context) error {
	rows := s.n
	if s.before != nil {
		s.before(rows)
	}
	for r := range rows {
		k := int64(native.Uint64(s.k[8*r:]))
		switch k {
		case poison:
			return errors.New("a row is poisoned")
		case panics:
			panic("a row that panics")
		}
		for j := range 3 {
			at := 4 * (3*r + j)
			y := math.Float32frombits(native.Uint32(s.x[at:]))*float32(k) + s.bias
			if k == strange {
				y = float32(math.NaN())
			}
			native.PutUint32(s.y[at:], math.Float32bits(y))
		}
		native.PutUint64(s.next[8*r:], uint64(k+1))
	}
	s.batches.Add(1)
	s.rows.Add(int64(rows))
	return nil
}

// started serves models until the test ends.
func started(t testing.TB, o Options, models map[string]Model) (*Server, *httptest.Server) {
	t.Helper()
	s, err := New(o)
	require.NoError(t, err)
	for name, m := range models {
		require.NoError(t, s.Add(name, m, nil))
	}
	web := httptest.NewServer(s)
	web.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 256
	t.Cleanup(func() {
		require.NoError(t, s.Close(context.Background()))
		web.Close()
	})
	return s, web
}

// ask sends a request and returns its status and body.
func ask(t testing.TB, web *httptest.Server, method, path, body string, headers ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, web.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	client := web.Client()
	if client == nil { // of a server that httptest has not started
		client = http.DefaultClient
	}
	a, err := client.Do(r)
	require.NoError(t, err)
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	return a.StatusCode, string(b), a.Header
}

// result is an answer to infer.
type result struct {
	Model   string `json:"model_name"`
	Version string `json:"model_version"`
	ID      string `json:"id"`
	Outputs []struct {
		Name, Datatype string
		Shape          []int
		Data           []json.Number
		Parameters     struct {
			Size int `json:"binary_data_size"`
		}
	}
	Classes []class
	Error   string
}

func decoded(t testing.TB, body string) (r result) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(body), &r), "%s", body)
	return r
}

// numbers are the elements of output i, from JSON or from the bytes behind it.
func (r result) numbers(t testing.TB, i int, tail []byte) (all []float64) {
	out := r.Outputs[i]
	if out.Parameters.Size == 0 {
		for _, n := range out.Data {
			v, err := n.Float64()
			require.NoError(t, err)
			all = append(all, v)
		}
		return all
	}
	for _, before := range r.Outputs[:i] {
		tail = tail[before.Parameters.Size:]
	}
	tail = tail[:out.Parameters.Size]
	for len(tail) > 0 {
		switch out.Datatype {
		case "FP32":
			all, tail = append(all, float64(math.Float32frombits(binary.LittleEndian.Uint32(tail)))), tail[4:]
		case "INT64":
			all, tail = append(all, float64(int64(binary.LittleEndian.Uint64(tail)))), tail[8:]
		default:
			t.Fatalf("datatype %s", out.Datatype)
		}
	}
	return all
}

// jsonBody asks fake for rows of x = first, first+1, ... times k.
func jsonBody(first, rows, k int) string {
	var x, ks []string
	for i := range 3 * rows {
		x = append(x, strconv.Itoa(first+i))
	}
	for range rows {
		ks = append(ks, strconv.Itoa(k))
	}
	return fmt.Sprintf(`{"id":"r%d","inputs":[{"name":"x","datatype":"FP32","shape":[%d,3],"data":[%s]},{"name":"k","datatype":"INT64","shape":[%d],"data":[%s]}]}`,
		first, rows, strings.Join(x, ","), rows, strings.Join(ks, ","))
}

// binaryBody is jsonBody with the elements as bytes, and the length of its JSON.
func binaryBody(first, rows, k int) (string, int) {
	var tail bytes.Buffer
	for i := range 3 * rows {
		_ = binary.Write(&tail, binary.LittleEndian, float32(first+i))
	}
	for range rows {
		_ = binary.Write(&tail, binary.LittleEndian, int64(k))
	}
	header := fmt.Sprintf(`{"id":"r%d","parameters":{"binary_data_output":true},"inputs":[`+
		`{"name":"x","datatype":"FP32","shape":[%d,3],"parameters":{"binary_data_size":%d}},`+
		`{"name":"k","datatype":"INT64","shape":[%d],"parameters":{"binary_data_size":%d}}]}`, first, rows, 12*rows, rows, 8*rows)
	return header + tail.String(), len(header)
}

// requireRows fails unless the answer is that to a body of first, rows and k.
func requireRows(t testing.TB, body string, h http.Header, first, rows, k int, bias float32) {
	t.Helper()
	var tail []byte
	if text := h.Get(headerLength); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		body, tail = body[:n], []byte(body[n:])
	}
	r := decoded(t, body)
	require.Equal(t, fmt.Sprintf("r%d", first), r.ID)
	require.Len(t, r.Outputs, 2)
	require.Equal(t, []int{rows, 3}, r.Outputs[0].Shape)
	require.Equal(t, []int{rows}, r.Outputs[1].Shape)
	var y, next []float64
	for i := range 3 * rows {
		y = append(y, float64(float32(first+i)*float32(k)+bias))
	}
	for range rows {
		next = append(next, float64(k+1))
	}
	require.Equal(t, y, r.numbers(t, 0, tail))
	require.Equal(t, next, r.numbers(t, 1, tail))
}

// gate lets the runs of a model through one by one.
type gate struct {
	began chan int // rows
	open  chan struct{}
	once  sync.Once
}

func newGate() *gate { return &gate{began: make(chan int, 1000), open: make(chan struct{})} }

func (g *gate) hold(rows int) {
	g.began <- rows
	<-g.open
}

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

// eventually waits until is reports true.
func eventually(t testing.TB, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(end), "it has not happened within 20 seconds")
	}
}

// unlike is a model with other inputs.
type unlike struct{ *fake }

func (*unlike) Inputs() []Tensor { return []Tensor{{"x", FP32, []int{-1, 4}}, {"k", INT64, []int{-1}}} }

// patient is a model that runs until its context ends.
type patient struct {
	*fake
	waits atomic.Int64
}

func (p *patient) NewSession(rows int) (Session, error) {
	s, err := p.fake.NewSession(rows)
	return &patientSession{s.(*fakeSession), p}, err
}

type patientSession struct {
	*fakeSession
	p *patient
}

func (s *patientSession) Run(ctx context.Context) error {
	s.p.waits.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

func newWeb(t testing.TB, s *Server) *httptest.Server {
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return web
}

func netDial(address string) (net.Conn, error) { return net.Dial("tcp", address) }
