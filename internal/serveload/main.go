// Serveload asks a server of the Open Inference Protocol for predictions, from many clients at a
// time, and prints how many requests a second it answers and how long they take.
//
//	demo serve -weights runs/lenet/model.safetensors -addr :8080 &
//	go run ./internal/serveload -url http://127.0.0.1:8080 -model lenet -clients 64 -time 20s
//
// A client sends its next request once it has the answer. Inputs are random numbers, as bytes or, with
// -json, as text. The file peer.py beside it writes the weights of torchvision's networks for demo
// serve and serves the same ones by FastAPI and ONNX Runtime; it compares all of them:
//
//	python3 internal/serveload/peer.py compare /tmp/networks lenet
//	python3 internal/serveload/peer.py compare /tmp/networks resnet18
//
// Knows nothing of ours. Never imports anything but the standard library.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"time"
)

func main() {
	var l load
	flag.StringVar(&l.url, "url", "http://127.0.0.1:8080", "address of the server")
	flag.StringVar(&l.model, "model", "lenet", "name of the model")
	flag.IntVar(&l.clients, "clients", 64, "how many clients ask at a time")
	flag.IntVar(&l.rows, "rows", 1, "rows of a request")
	flag.DurationVar(&l.length, "time", 10*time.Second, "for how long, after a tenth of it that does not count")
	flag.BoolVar(&l.text, "json", false, "send and ask for JSON instead of bytes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := l.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "serveload:", err)
		os.Exit(1)
	}
	fmt.Println(r)
}

// load is what clients do.
type load struct {
	url, model    string
	clients, rows int
	length        time.Duration
	text          bool
}

// result is what came of it.
type result struct {
	rate        float64 // requests a second
	median, p99 time.Duration
	failed      int
	first       error // of those that failed
}

func (r result) String() string {
	text := fmt.Sprintf("%.0f requests/s, median %.2f ms, p99 %.2f ms, %d failed", r.rate, r.median.Seconds()*1e3, r.p99.Seconds()*1e3, r.failed)
	if r.first != nil {
		text += ": " + r.first.Error()
	}
	return text
}

// run has the clients ask until the time is over.
func (l load) run(ctx context.Context) (result, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: l.clients}}
	defer client.CloseIdleConnections()
	body, header, err := l.body(ctx, client)
	if err != nil {
		return result{}, err
	}
	begin := time.Now().Add(l.length / 10)
	ctx, cancel := context.WithDeadline(ctx, begin.Add(l.length))
	defer cancel()
	all := make([]tally, l.clients)
	var group sync.WaitGroup
	for c := range l.clients {
		group.Go(func() {
			for ctx.Err() == nil {
				start := time.Now()
				err := l.ask(ctx, client, body, header)
				switch {
				case ctx.Err() != nil || start.Before(begin):
				case err != nil:
					all[c].fail(err)
				default:
					all[c].add(time.Since(start))
				}
			}
		})
	}
	group.Wait()
	var sum tally
	for _, t := range all {
		sum.join(t)
	}
	r := result{rate: float64(sum.answered) / l.length.Seconds(), failed: sum.failed, first: sum.first}
	if sum.answered == 0 {
		return r, errors.Join(errors.New("no request was answered"), r.first)
	}
	r.median, r.p99 = sum.quantile(.5), sum.quantile(.99)
	return r, nil
}

// tally counts requests by how long they took, in steps of one per cent from a microsecond on. Its
// size does not depend on how many there are.
type tally struct {
	steps            [2100]int32
	answered, failed int
	first            error
}

const step = 1.01

func (t *tally) add(took time.Duration) {
	i := int(math.Log(float64(max(took, time.Microsecond))/1e3) / math.Log(step))
	t.steps[min(i, len(t.steps)-1)]++
	t.answered++
}

func (t *tally) fail(err error) {
	if t.failed++; t.first == nil {
		t.first = err
	}
}

func (t *tally) join(other tally) {
	for i, n := range other.steps {
		t.steps[i] += n
	}
	t.answered += other.answered
	t.failed += other.failed
	if t.first == nil {
		t.first = other.first
	}
}

// quantile returns how long a part of the requests took at most, to a per cent.
func (t *tally) quantile(part float64) time.Duration {
	left := int(part * float64(t.answered))
	for i, n := range t.steps {
		if left -= int(n); left < 0 {
			return time.Duration(1e3 * math.Pow(step, float64(i)+.5))
		}
	}
	return time.Duration(1e3 * math.Pow(step, float64(len(t.steps))))
}

// body makes a request of random numbers for the model's only input, and the length of its JSON.
func (l load) body(ctx context.Context, client *http.Client) (body []byte, header int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+"/v2/models/"+l.model, nil)
	if err != nil {
		return nil, 0, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	var meta struct {
		Error  string
		Inputs []struct {
			Name, Datatype string
			Shape          []int
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&meta); err != nil {
		return nil, 0, err
	}
	if meta.Error != "" || len(meta.Inputs) != 1 || meta.Inputs[0].Datatype != "FP32" {
		return nil, 0, fmt.Errorf("%s: want a model with one input of FP32: %s", l.model, meta.Error)
	}
	in := meta.Inputs[0]
	in.Shape[0] = l.rows
	n := 1
	for _, d := range in.Shape {
		n *= d
	}
	random := rand.New(rand.NewPCG(1, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = random.Float32()
	}
	shape, _ := json.Marshal(in.Shape)
	if l.text {
		numbers, _ := json.Marshal(x)
		return fmt.Appendf(nil, `{"inputs":[{"name":%q,"datatype":"FP32","shape":%s,"data":%s}]}`, in.Name, shape, numbers), 0, nil
	}
	body = fmt.Appendf(nil, `{"parameters":{"binary_data_output":true},"inputs":[{"name":%q,"datatype":"FP32","shape":%s,"parameters":{"binary_data_size":%d}}]}`,
		in.Name, shape, 4*n)
	header = len(body)
	for _, v := range x {
		bits := math.Float32bits(v)
		body = append(body, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
	}
	return body, header, nil
}

// ask sends one request and reads the answer.
func (l load) ask(ctx context.Context, client *http.Client, body []byte, header int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url+"/v2/models/"+l.model+"/infer", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if header > 0 {
		r.Header.Set("Content-Type", "application/octet-stream")
		r.Header.Set("Inference-Header-Content-Length", strconv.Itoa(header))
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1000))
		return fmt.Errorf("%s: %s", answer.Status, bytes.TrimSpace(text))
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}
