package serve

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/allocs"
)

// Requests in both forms, of many sizes and at the same time, get their own rows.
func TestEachRequestGetsItsOwnRows(t *testing.T) {
	model := &fake{bias: 0.5, before: func(int) { time.Sleep(time.Millisecond) }}
	_, web := started(t, Options{MaxBatch: 8, Delay: 2 * time.Millisecond}, map[string]Model{"m": model})
	var group sync.WaitGroup
	for c := range 16 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(c), 1))
			for i := range 30 {
				first, rows, k := 1000*c+i, 1+random.IntN(8), random.IntN(100)
				body, headers := jsonBody(first, rows, k), []string{"Content-Type", "application/json"}
				if random.IntN(2) == 0 {
					var header int
					body, header = binaryBody(first, rows, k)
					headers = []string{headerLength, strconv.Itoa(header)}
				}
				status, answer, h := ask(t, web, "POST", "/v2/models/m/infer", body, headers...)
				if status != http.StatusOK {
					t.Errorf("%d %s", status, answer)
					return
				}
				requireRows(t, answer, h, first, rows, k, 0.5)
			}
		})
	}
	group.Wait()
	require.Less(t, model.batches.Load(), int64(16*30), "some ran together")
}

func TestTheProtocol(t *testing.T) {
	s, web := started(t, Options{}, map[string]Model{"m": &fake{}, "other": &fake{}})
	for path, want := range map[string]string{
		"/v2":                           `{"name":"plexaura","version":"`,
		"/v2/health/live":               `{"live":true}`,
		"/v2/health/ready":              `{"ready":true}`,
		"/v2/models/m/ready":            `{"name":"m","ready":true}`,
		"/v2/models/m/versions/1":       `{"name":"m","versions":["1"],"platform":"plexaura","inputs":[{"name":"x","datatype":"FP32","shape":[-1,3]},{"name":"k","datatype":"INT64","shape":[-1]}],"outputs":[{"name":"y","datatype":"FP32","shape":[-1,3]},{"name":"next","datatype":"INT64","shape":[-1]}]}`,
		"/v2/models/m/versions/1/ready": `{"name":"m","ready":true}`,
		"/v2/repository/index":          `[{"name":"m","version":"1","state":"READY","reason":""},{"name":"other","version":"1","state":"READY","reason":""}]`,
		"/metrics":                      "# HELP plexaura_requests_total",
	} {
		status, body, _ := ask(t, web, "GET", path, "")
		require.Equal(t, 200, status, path)
		require.True(t, strings.HasPrefix(body, want), "%s: %s", path, body)
	}
	status, body, h := ask(t, web, "POST", "/v2/models/m/versions/1/infer", jsonBody(3, 2, 5))
	require.Equal(t, 200, status)
	requireRows(t, body, h, 3, 2, 5, 0)
	require.Equal(t, "1", decoded(t, body).Version)

	// Outputs that are chosen, each in its own form, in the order of the request.
	chosen := strings.Replace(jsonBody(3, 2, 5), `"inputs"`, `"outputs":[{"name":"next","parameters":{"binary_data":true}},{"name":"y"}],"inputs"`, 1)
	status, body, h = ask(t, web, "POST", "/v2/models/m/infer", chosen)
	require.Equal(t, 200, status, body)
	n, err := strconv.Atoi(h.Get(headerLength))
	require.NoError(t, err)
	r := decoded(t, body[:n])
	require.Equal(t, "next", r.Outputs[0].Name)
	require.Equal(t, []float64{6, 6}, r.numbers(t, 0, []byte(body[n:])))
	require.Equal(t, []float64{15, 20, 25, 30, 35, 40}, r.numbers(t, 1, nil))

	require.ErrorContains(t, s.Add("m", &fake{}, nil), "already")
	require.ErrorContains(t, s.Add("../m", &fake{}, nil), "not a name")
}

// A refused request is one line in the protocol's form, with the status that fits, and runs nothing.
func TestRefusedRequestsAreOneLine(t *testing.T) {
	model := &fake{}
	_, web := started(t, Options{MaxBatch: 4, MaxBody: 4096, Token: "0123456789abcdef"}, map[string]Model{"m": model})
	good := jsonBody(1, 1, 2)
	swap := func(old, new string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, new, 1)
	}
	binary, header := binaryBody(1, 2, 3)
	deep := strings.Repeat("[", 100000) + strings.Repeat("]", 100000)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
		headers            []string
	}{
		{"GET", "/", "", 404, "nothing is served at /; the protocol begins at /v2", nil},
		{"GET", "/v2/models/none", "", 404, `no model "none"; there are m`, nil},
		{"POST", "/v2/models/none/infer", good, 404, `no model "none"`, nil},
		{"POST", "/v2/models/m/versions/2/infer", good, 404, `served in version 1, not 2`, nil},
		{"GET", "/v2/models/m/infer", "", 405, "asked by POST, not by GET", nil},
		{"DELETE", "/v2/models/m", "", 405, "asked by GET, not by DELETE", nil},
		{"POST", "/v2/models/m/infer", good, 415, "not text/plain", []string{"Content-Type", "text/plain"}},
		{"POST", "/v2/models/m/infer", good, 415, "not nonsense/", []string{"Content-Type", "nonsense/"}},
		{"POST", "/v2/models/m/infer", good, 415, "Content-Encoding gzip", []string{"Content-Encoding", "gzip"}},
		{"POST", "/v2/models/m/infer", "x", 415, "the model takes no pictures", []string{"Content-Type", "image/png"}},
		{"POST", "/v2/models/m/infer", strings.Repeat(" ", 4097), 413, "more than 4096 bytes", nil},
		{"POST", "/v2/models/m/infer", good, 403, "another origin", []string{"Origin", "http://evil.example"}},
		{"POST", "/v2/models/m/infer", good, 403, "another origin", []string{"Sec-Fetch-Site", "cross-site"}},
		{"GET", "/v2", "", 403, "not called evil.example", []string{"Host", "evil.example"}},
		{"POST", "/v2/models/m/infer", "", 400, "want '{', have its end", nil},
		{"POST", "/v2/models/m/infer", "[]", 400, "want '{', have '['", nil},
		{"POST", "/v2/models/m/infer", good + "x", 400, "want its end, have 'x'", nil},
		{"POST", "/v2/models/m/infer", good[:len(good)-1], 400, "have its end", nil},
		{"POST", "/v2/models/m/infer", "{}", 400, `input "x" is missing`, nil},
		{"POST", "/v2/models/m/infer", `{"inputs":[]}`, 400, `input "x" is missing`, nil},
		{"POST", "/v2/models/m/infer", `{"inputs":[{}]}`, 400, `no input ""; there are x, k`, nil},
		{"POST", "/v2/models/m/infer", `{"inputs":1}`, 400, `want '[', have '1'`, nil},
		{"POST", "/v2/models/m/infer", `{"id":1}`, 400, `want '"', have '1'`, nil},
		{"POST", "/v2/models/m/infer", `{"id":"` + strings.Repeat("i", 1025) + `"}`, 400, "an id of more than 1024 bytes", nil},
		{"POST", "/v2/models/m/infer", `{"inputs":[],"inputs":[]}`, 400, `"inputs" stands twice`, nil},
		{"POST", "/v2/models/m/infer", "{\"id\":\"a\nb\"}", 400, "control character", nil},
		{"POST", "/v2/models/m/infer", `{"id":"\q"}`, 400, "string that is damaged", nil},
		{"POST", "/v2/models/m/infer", `{"x":` + deep[:2000] + `}`, 400, "more than 32 levels", nil},
		{"POST", "/v2/models/m/infer", swap(`"FP32"`, `"FP64"`), 400, `input "x": its datatype is "FP64", want FP32`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,3]`, `[3]`), 400, `input "x": its shape is [3], want [-1 3]`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,3]`, `[1,3,1]`), 400, `its shape is [1 3 1]`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,3]`, `[-1,3]`), 400, `not negative`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,3]`, `[1.5,3]`), 400, `want a whole number`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,3]`, `[99999999999999999999,3]`), 400, `want a whole number`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,3]`, `[9223372036854775807,3]`), 400, `a request may have 1 to 4`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,3]`, `[0,3]`), 400, `it has 0 rows; a request may have 1 to 4`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,3]`, `[5,3]`), 400, `it has 5 rows; a request may have 1 to 4`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,3]`, `[2,3]`), 400, `it has 1 rows, the input before it 2`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,2,3]`, `[1,2]`), 400, `input "x": 2 elements, want 3`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,2,3]`, `[1,2,3,4]`), 400, `input "x": more than 3 elements`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,2,3]`, `[1,2,"3"]`), 400, `want a number, have '"'`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,2,3]`, `[1,2,1e39]`), 400, `1e39 does not fit in FP32`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,2,3]`, `[1,2,null]`), 400, `null is no FP32`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,2,3]`, `[1,2,nan]`), 400, `"nan" is no number`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,2,3]`, `[1,2,0x1]`), 400, `want`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,2,3]`, `[1,2,01]`), 400, `"01" is no number`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,2,3]`, `[1,2,.5]`), 400, `".5" is no number`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,2,3]`, `[1,2,]`), 400, `want a number, have ']'`, nil},
		{"POST", "/v2/models/m/infer", swap(`[1,2,3]`, `1`), 400, `want '[', have '1'`, nil},
		{"POST", "/v2/models/m/infer", swap(`[2]`, `[2.0]`), 400, `input "k": byte`, nil},
		{"POST", "/v2/models/m/infer", swap(`[2]`, `[9223372036854775808]`), 400, `does not fit in INT64`, nil},
		{"POST", "/v2/models/m/infer", swap(`,"data":[2]`, ``), 400, `neither data nor binary_data_size`, nil},
		{"POST", "/v2/models/m/infer", swap(`"name":"k"`, `"name":"x"`), 400, `"x" is given twice`, nil},
		{"POST", "/v2/models/m/infer", swap(`"name":"k"`, `"name":"q\u001b[31m"`), 400, `no input`, nil},
		{"POST", "/v2/models/m/infer", swap(`"inputs"`, `"outputs":[{"name":"z"}],"inputs"`), 400, `no output "z"; there are y, next`, nil},
		{"POST", "/v2/models/m/infer", swap(`"inputs"`, `"outputs":[{"name":"y"},{"name":"y"}],"inputs"`), 400, `asked for twice`, nil},
		{"POST", "/v2/models/m/infer", swap(`"inputs"`, `"outputs":[{"name":"y","parameters":{"classification":3}}],"inputs"`), 400, `no parameter "classification"`, nil},
		{"POST", "/v2/models/m/infer", swap(`"inputs"`, `"parameters":{"sequence_id":3},"inputs"`), 400, `"sequence_id"`, nil},
		{"POST", "/v2/models/m/infer", swap(`"inputs"`, `"parameters":{"binary_data_output":3},"inputs"`), 400, `want true or false`, nil},
		{"POST", "/v2/models/m/infer", swap(`"data":[2]`, `"parameters":{"shared_memory_region":"r"}`), 400, `no shared memory`, nil},
		{"POST", "/v2/models/m/infer", binary, 400, `of the JSON`, nil},
		{"POST", "/v2/models/m/infer", binary, 400, `the body has`, []string{headerLength, "100000"}},
		{"POST", "/v2/models/m/infer", binary, 400, `the body has`, []string{headerLength, "-1"}},
		{"POST", "/v2/models/m/infer", binary, 400, `the body has`, []string{headerLength, "many"}},
		{"POST", "/v2/models/m/infer", binary[:len(binary)-1], 400, `input "k": binary_data_size is 16, but 15 bytes follow`, []string{headerLength, strconv.Itoa(header)}},
		{"POST", "/v2/models/m/infer", binary + "x", 400, `1 bytes are left over`, []string{headerLength, strconv.Itoa(header)}},
		{"POST", "/v2/models/m/infer", strings.Replace(binary, `"binary_data_size":24`, `"binary_data_size":20`, 1), 400, `binary_data_size is 20, but [2 3] FP32 take 24 bytes`, []string{headerLength, strconv.Itoa(header)}},
		{"POST", "/v2/models/m/infer", strings.Replace(good, `"data":[2]`, `"data":[2],"parameters":{"binary_data_size":8}`, 1), 400, `both data and binary_data_size`, nil},
		{"POST", "/v2/models/m/infer", jsonBody(1, 1, strange), 500, `output "y": element 0 is not finite, for which JSON has no number`, nil},
		{"POST", "/v2/models/m/infer", jsonBody(1, 1, poison), 500, `the model: a row is poisoned`, nil},
		{"POST", "/v2/models/m/infer", jsonBody(1, 1, panics), 500, `the model: panic: a row that panics at helpers_test.go`, nil},
		{"POST", "/v2/repository/models/m/load", "", 401, `does not have the token`, nil},
		{"POST", "/v2/repository/models/m/load", "", 401, `does not have the token`, []string{"Authorization", "Bearer wrong"}},
		{"POST", "/v2/repository/models/m/load", "", 400, `cannot be loaded again`, []string{"Authorization", "Bearer 0123456789abcdef"}},
		{"POST", "/v2/repository/models/m/load", `{"parameters":{"config":"x"}}`, 400, `no parameter "config"`, []string{"Authorization", "Bearer 0123456789abcdef"}},
		{"POST", "/v2/repository/models/m/unload", "", 404, `nothing is served at`, nil},
	} {
		t.Run(c.want, func(t *testing.T) {
			status, body, _ := ask(t, web, c.method, c.path, c.body, c.headers...)
			require.Equal(t, c.status, status, "%s", body)
			e := decoded(t, body).Error
			require.Contains(t, e, c.want)
			require.NotContains(t, e, "\n")
			require.NotContains(t, e, "\x1b")
		})
	}
	require.Zero(t, model.rows.Load()-1, "only the strange one ran")
	status, body, h := ask(t, web, "POST", "/v2/models/m/infer", good)
	require.Equal(t, 200, status)
	requireRows(t, body, h, 1, 1, 2, 0)
	_, body, _ = ask(t, web, "GET", "/metrics", "")
	require.Contains(t, body, `plexaura_requests_total{model="m",status="413"} 1`)
	require.Contains(t, body, `plexaura_requests_total{model="m",status="200"} 1`)
}

// sent asks in the background, and then hands over status and body.
func sent(t *testing.T, do func() (int, string, http.Header)) func() (int, string, http.Header) {
	type answer struct {
		status int
		body   string
		h      http.Header
	}
	got := make(chan answer, 1)
	go func() {
		status, body, h := do()
		got <- answer{status, body, h}
	}()
	return func() (int, string, http.Header) {
		t.Helper()
		select {
		case a := <-got:
			return a.status, a.body, a.h
		case <-time.After(20 * time.Second):
			t.Fatal("no answer")
			return 0, "", nil
		}
	}
}

// An error, or a panic, of one request in a batch is told to that request alone.
func TestAnErrorIsThatOfItsRequest(t *testing.T) {
	g := newGate()
	model := &fake{before: g.hold}
	s, web := started(t, Options{MaxBatch: 8}, map[string]Model{"m": model})
	t.Cleanup(g.release)
	first := sent(t, func() (int, string, http.Header) {
		return ask(t, web, "POST", "/v2/models/m/infer", jsonBody(0, 1, 1))
	})
	<-g.began
	var others []func() (int, string, http.Header)
	ks := []int{2, poison, 4, panics, 6}
	for i, k := range ks {
		others = append(others, sent(t, func() (int, string, http.Header) {
			return ask(t, web, "POST", "/v2/models/m/infer", jsonBody(10*i, 1, k))
		}))
	}
	eventually(t, func() bool { return s.entries["m"].queue.depth() == len(ks) })
	g.release()
	status, body, h := first()
	require.Equal(t, 200, status)
	requireRows(t, body, h, 0, 1, 1, 0)
	require.Equal(t, 5, <-g.began, "they ran together")
	for i, k := range ks {
		status, body, h := others[i]()
		if k < 0 {
			require.Equal(t, 500, status)
			continue
		}
		require.Equal(t, 200, status, body)
		requireRows(t, body, h, 10*i, 1, k, 0)
	}
}

func TestAFullQueueIsToldAndAGoneClientIsDropped(t *testing.T) {
	g := newGate()
	model := &fake{before: g.hold}
	s, web := started(t, Options{MaxBatch: 1, Queue: 2, Timeout: 10 * time.Second}, map[string]Model{"m": model})
	t.Cleanup(g.release)
	infer := func(body string) func() (int, string, http.Header) {
		return sent(t, func() (int, string, http.Header) { return ask(t, web, "POST", "/v2/models/m/infer", body) })
	}
	running := infer(jsonBody(0, 1, 1))
	<-g.began

	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan error, 1)
	go func() {
		r, err := http.NewRequestWithContext(ctx, "POST", web.URL+"/v2/models/m/infer", strings.NewReader(jsonBody(1, 1, poison)))
		if err == nil {
			_, err = web.Client().Do(r)
		}
		gone <- err
	}()
	depth := func(n int) func() bool { return func() bool { return s.entries["m"].queue.depth() == n } }
	eventually(t, depth(1))
	waiting := infer(jsonBody(2, 1, 3))
	eventually(t, depth(2))
	status, body, h := ask(t, web, "POST", "/v2/models/m/infer", jsonBody(3, 1, 4))
	require.Equal(t, 429, status)
	require.Equal(t, "2 requests wait for this model already; try again later", decoded(t, body).Error)
	require.Equal(t, "1", h.Get("Retry-After"))

	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)
	eventually(t, depth(1))
	short := infer(strings.Replace(jsonBody(4, 1, 5), `"inputs"`, `"parameters":{"timeout":2000},"inputs"`, 1))
	status, body, _ = short()
	require.Equal(t, 504, status)
	require.Contains(t, body, "has waited for its batch for too long")
	g.release()
	for i, answer := range []func() (int, string, http.Header){running, nil, waiting} {
		if answer != nil {
			status, body, h := answer()
			require.Equal(t, 200, status, body)
			requireRows(t, body, h, i, 1, i+1, 0)
		}
	}
	require.EqualValues(t, 2, model.batches.Load(), "what was dropped did not run")
	_, body, _ = ask(t, web, "GET", "/metrics", "")
	for _, line := range []string{`status="200"} 2`, `status="429"} 1`, `status="499"} 1`, `status="504"} 1`} {
		require.Contains(t, body, `plexaura_requests_total{model="m",`+line)
	}
}

// A client that sends a part of its body is not waited for longer than the timeout.
func TestABodyThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	_, web := started(t, Options{Timeout: 50 * time.Millisecond}, map[string]Model{"m": &fake{}})
	conn, err := netDial(web.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
	answer := make([]byte, 1024)
	n, err := conn.Read(answer)
	require.NoError(t, err)
	require.Contains(t, string(answer[:n]), "504 Gateway Timeout")
}

func TestMemoryOfRequestsIsBounded(t *testing.T) {
	s, web := started(t, Options{MaxBody: 8 << 20, Memory: 2 << 20}, map[string]Model{"m": &fake{}})
	status, body, _ := ask(t, web, "POST", "/v2/models/m/infer", strings.Repeat(" ", 4<<20))
	require.Equal(t, 413, status, body)
	s.memory.used.Store(2 << 20)
	status, body, _ = ask(t, web, "POST", "/v2/models/m/infer", jsonBody(1, 1, 1))
	require.Equal(t, 429, status, body)
	s.memory.used.Store(0)
	status, body, _ = ask(t, web, "POST", "/v2/models/m/infer", jsonBody(1, 1, 1))
	require.Equal(t, 200, status, body)
	eventually(t, func() bool { return s.memory.used.Load() == 0 })
}

// When the server closes it answers what it has accepted, is not ready meanwhile, and takes no more.
func TestAcceptedRequestsAreAnsweredBeforeTheEnd(t *testing.T) {
	g := newGate()
	model := &fake{before: g.hold}
	s, web := started(t, Options{MaxBatch: 1}, map[string]Model{"m": model})
	t.Cleanup(g.release)
	var accepted []func() (int, string, http.Header)
	for i := range 3 {
		accepted = append(accepted, sent(t, func() (int, string, http.Header) {
			return ask(t, web, "POST", "/v2/models/m/infer", jsonBody(i, 1, 2))
		}))
	}
	<-g.began // else two may wait while the third has not come
	eventually(t, func() bool { return s.entries["m"].queue.depth() == 2 })
	closed := make(chan error, 1)
	go func() { closed <- s.Close(context.Background()) }()
	eventually(t, func() bool { return !s.ready() })
	for path, want := range map[string]int{"/v2/health/ready": 503, "/v2/models/m/ready": 503, "/v2/health/live": 200} {
		status, _, _ := ask(t, web, "GET", path, "")
		require.Equal(t, want, status, path)
	}
	status, body, _ := ask(t, web, "POST", "/v2/models/m/infer", jsonBody(9, 1, 2))
	require.Equal(t, 503, status)
	require.Equal(t, "the server is closing", decoded(t, body).Error)
	select {
	case <-closed:
		t.Fatal("it closed before it answered")
	default:
	}
	require.Zero(t, model.closed.Load())
	g.release()
	for i, answer := range accepted {
		status, body, h := answer()
		require.Equal(t, 200, status, body)
		requireRows(t, body, h, i, 1, 2, 0)
	}
	require.NoError(t, <-closed)
	require.EqualValues(t, 1, model.closed.Load())
	require.ErrorIs(t, s.Add("n", &fake{}, nil), errClosing)
	require.ErrorIs(t, s.Replace("m", &fake{}), errClosing)
}

// ListenAndServe is not ready any more when its context ends, answers what it has accepted, and
// returns nil.
func TestListenAndServeAnswersWhatItHasAccepted(t *testing.T) {
	g := newGate()
	t.Cleanup(g.release)
	s, err := New(Options{})
	require.NoError(t, err)
	require.NoError(t, s.Add("m", &fake{before: g.hold}, nil))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	started, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- s.ListenAndServe(ctx, ":0", func(url string) { started <- url }) }()
	web := &httptest.Server{URL: strings.TrimSuffix(<-started, "/")}
	accepted := sent(t, func() (int, string, http.Header) {
		return ask(t, web, "POST", "/v2/models/m/infer", jsonBody(1, 1, 2))
	})
	<-g.began
	cancel()
	eventually(t, func() bool { return !s.ready() })
	status, _, _ := ask(t, web, "GET", "/v2/health/ready", "")
	require.Equal(t, 503, status)
	g.release()
	status, body, h := accepted()
	require.Equal(t, 200, status)
	requireRows(t, body, h, 1, 1, 2, 0)
	require.NoError(t, <-ended)
}

// A model that never ends does not keep the server: its requests are abandoned.
func TestAClosingServerDoesNotWaitForEver(t *testing.T) {
	s, err := New(Options{})
	require.NoError(t, err)
	model := &patient{fake: &fake{}}
	require.NoError(t, s.Add("m", model, nil))
	web := newWeb(t, s)
	answer := sent(t, func() (int, string, http.Header) {
		return ask(t, web, "POST", "/v2/models/m/infer", jsonBody(0, 1, 2))
	})
	eventually(t, func() bool { return model.waits.Load() == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Close(ctx), context.DeadlineExceeded)
	status, body, _ := answer()
	require.Equal(t, 503, status, body)
}

// Models are replaced under load: no request fails, each answer is that of one model, and the old
// ones close.
func TestNoRequestFailsWhileModelsAreReplaced(t *testing.T) {
	models := []*fake{{bias: 0}}
	s, web := started(t, Options{MaxBatch: 8, Delay: time.Millisecond, Sessions: 2}, map[string]Model{"m": models[0]})
	stop := make(chan struct{})
	var group sync.WaitGroup
	for c := range 8 {
		group.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				status, body, h := ask(t, web, "POST", "/v2/models/m/infer", jsonBody(c*100, 2, 3))
				if status != 200 {
					t.Errorf("%d: %s", status, body)
					return
				}
				version, err := strconv.Atoi(decoded(t, body).Version)
				require.NoError(t, err)
				requireRows(t, body, h, c*100, 2, 3, float32(version-1))
			}
		})
	}
	for v := 1; v <= 20; v++ {
		m := &fake{bias: float32(v)}
		models = append(models, m)
		require.NoError(t, s.Replace("m", m))
		require.ErrorContains(t, s.Replace("m", &unlike{fake: m}), `its inputs are "x" of FP32 [-1 4]`)
		require.ErrorContains(t, s.Replace("m", nil), "the model is nil")
		time.Sleep(3 * time.Millisecond)
	}
	close(stop)
	group.Wait()
	for _, m := range models[:20] {
		require.EqualValues(t, 1, m.closed.Load())
	}
	require.Zero(t, models[20].closed.Load())
	require.Equal(t, 21, s.entries["m"].version())
}

// A model that is replaced while a batch of it runs closes when that has ended, once.
func TestAReplacedModelClosesWithItsLastBatch(t *testing.T) {
	g := newGate()
	t.Cleanup(g.release)
	old := &fake{before: g.hold}
	s, web := started(t, Options{}, map[string]Model{"m": old})
	running := sent(t, func() (int, string, http.Header) {
		return ask(t, web, "POST", "/v2/models/m/infer", jsonBody(1, 1, 2))
	})
	<-g.began
	require.NoError(t, s.Replace("m", &fake{bias: 1}))
	require.Zero(t, old.closed.Load())
	g.release()
	status, body, h := running()
	require.Equal(t, 200, status)
	requireRows(t, body, h, 1, 1, 2, 0)
	require.Equal(t, "1", decoded(t, body).Version)
	eventually(t, func() bool { return old.closed.Load() == 1 })
	_, body, h = ask(t, web, "POST", "/v2/models/m/infer", jsonBody(1, 1, 2))
	requireRows(t, body, h, 1, 1, 2, 1)
	require.EqualValues(t, 1, old.closed.Load())
}

// A body takes memory as it comes, up to its limit, whatever its client has told.
func TestABodyIsReadUpToItsLimit(t *testing.T) {
	const most = 100_000
	for _, size := range []int{0, 1, 70_000, most, most + 1, 3 * most} {
		for _, told := range []int64{-1, int64(size)} {
			b := budget{size: 1 << 30}
			l := loan{from: &b}
			got, err := readBody(strings.NewReader(strings.Repeat("x", size)), nil, told, most, &l)
			if size > most {
				require.Equal(t, http.StatusRequestEntityTooLarge, statusOf(err), size)
			} else {
				require.NoError(t, err)
				require.Len(t, got, size)
			}
			require.LessOrEqual(t, b.used.Load(), int64(most+1))
			require.GreaterOrEqual(t, b.used.Load(), int64(len(got)))
			l.repay()
			require.Zero(t, b.used.Load())

			_, err = readBody(strings.NewReader(strings.Repeat("x", size)), make([]byte, 0, 2*most), told, most, &l)
			require.Equal(t, size > most, err != nil, "in memory that is larger")
		}
	}
}

func TestModelsAreLoadedByWhoHasTheToken(t *testing.T) {
	const token = "a token of some length"
	s, err := New(Options{Token: token})
	require.NoError(t, err)
	made, failed := 0, errors.New("the file is damaged")
	fails := false
	require.NoError(t, s.Add("m", &fake{}, func(context.Context) (Model, error) {
		if fails {
			return nil, failed
		}
		made++
		return &fake{bias: float32(made)}, nil
	}))
	web := newWeb(t, s)
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	load := func() (int, string) {
		status, body, _ := ask(t, web, "POST", "/v2/repository/models/m/load", "{}", "Authorization", "Bearer "+token)
		return status, body
	}
	status, body := load()
	require.Equal(t, 200, status, body)
	require.JSONEq(t, `{"name":"m","version":"2"}`, body)
	fails = true
	status, body = load()
	require.Equal(t, 400, status)
	require.Equal(t, "m: the file is damaged", decoded(t, body).Error)
	require.ErrorIs(t, s.Load(context.Background(), "m"), failed)
	_, answer, h := ask(t, web, "POST", "/v2/models/m/infer", jsonBody(1, 1, 2))
	requireRows(t, answer, h, 1, 1, 2, 1)
	_, body, _ = ask(t, web, "GET", "/metrics", "")
	require.Contains(t, body, `plexaura_loads_total{model="m",result="refused"} 2`)
	require.Contains(t, body, `plexaura_model_version{model="m"} 2`)
}

// From the queue to the model nothing is allocated.
func TestABatchAllocatesNothing(t *testing.T) {
	e := &entry{name: "m", queue: newQueue(64, 8, 0), workers: 1, ctx: context.Background()}
	var err error
	e.signature, err = signatureOf(&fake{})
	require.NoError(t, err)
	e.current, err = newGeneration(&fake{}, 1, 8)
	require.NoError(t, err)
	w := newWorker(e, 0)
	var calls []*call
	d := decoder{e.signature, 8, func(int) error { return nil }}
	for i := range 3 {
		c := newCall()
		body := jsonBody(i, 2, 3)
		require.NoError(t, d.decode(c, []byte(body), len(body)))
		calls = append(calls, c)
	}
	require.Zero(t, allocs.PerRun(100, func() {
		for _, c := range calls {
			require.NoError(t, e.queue.add(c))
		}
		if !w.step() {
			t.Fatal("no batch")
		}
		for _, c := range calls {
			<-c.done
		}
	}))
}

func TestOptionsHaveRanges(t *testing.T) {
	for _, o := range []Options{
		{MaxBatch: -1}, {MaxBatch: 1 << 20}, {Queue: -1}, {Sessions: 5000}, {Timeout: -1}, {Timeout: time.Hour * 2},
		{Delay: -1}, {Delay: time.Hour}, {MaxBody: 10}, {Memory: 10}, {Token: "short"},
	} {
		_, err := New(o)
		require.ErrorContains(t, err, "serve: Options.", "%+v", o)
	}
}
