// Serve answers HTTP requests with one Predictor, which the goroutines of all requests share.
//
//	go run ./examples/serve                # trains, sends itself 2,000 digits, 16 at a time, and ends
//	go run ./examples/serve -addr :8080    # serves until Ctrl-C: curl --data-binary @digit.png localhost:8080
//
// A request is a PNG or JPEG picture of one digit; the answer is JSON.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/train"
)

func main() {
	addr := flag.String("addr", "", "`address` to serve on until Ctrl-C, such as :8080")
	short := flag.Bool("short", false, "train on a part of the images and send fewer digits")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *addr, *short); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr string, short bool) error {
	requests, limit := 2000, 60000
	if short {
		requests, limit = 300, 10000
	}
	predictor, err := learn(ctx, limit)
	if err != nil {
		return err
	}
	listen := addr
	if listen == "" {
		listen = "localhost:0"
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(predictor), ReadTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Println("serving on", listener.Addr())
	if addr == "" {
		err = ask(ctx, "http://"+listener.Addr().String(), requests)
	} else {
		select {
		case <-ctx.Done():
			fmt.Println("stopped; answering the requests under way")
		case err = <-ended:
			return err
		}
	}
	// A connection without a request counts as busy for five seconds.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(within)) // requests under way are answered first
}

// learn trains LeNet-5 for one epoch.
func learn(ctx context.Context, limit int) (*train.Predictor, error) {
	training, err := mnist.Train()
	if err != nil {
		return nil, err
	}
	result, err := train.Fit(ctx, train.Config{
		Model: lenet.Model, Train: data.Limit(training, limit), Engine: cpu.New(),
		Optimizer: optim.SGD{LR: 0.05, Momentum: 0.9}, Seed: 1,
	})
	if err != nil {
		return nil, err
	}
	return train.NewPredictor(lenet.Model, result.Checkpoint, cpu.New())
}

// maxPicture is the largest request, in bytes.
const maxPicture = 1 << 20

// answer is the response to a request.
type answer struct {
	Digit       string  `json:"digit"`
	Probability float32 `json:"probability"`
}

// handler classifies the picture in the body of a request.
func handler(predictor *train.Predictor) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPicture))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		best, err := classify(r.Context(), predictor, body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(best) // an error means that the client has gone
	})
}

func classify(ctx context.Context, predictor *train.Predictor, body []byte) (answer, error) {
	img, err := picture.Decode(bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	x, err := mnist.Prepare(img)
	if err != nil {
		return answer{}, err
	}
	predictor.Info().Preprocess.Apply(x)
	probabilities, err := predictor.Predict(ctx, x)
	if err != nil {
		return answer{}, err
	}
	best := predictor.Top(1, probabilities)[0]
	return answer{best.Name, best.Probability}, nil
}

// ask sends the first n test images from 16 goroutines and prints how many answers are right.
func ask(ctx context.Context, url string, n int) error {
	const clients = 16
	pictures, labels, err := digits(n)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections() // including unused ones, for which the server would wait
	var right, next atomic.Int64
	failures := make([]error, clients)
	start := time.Now()
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && failures[c] == nil; i = next.Add(1) - 1 {
				var got answer
				if got, failures[c] = request(ctx, client, url, pictures[i]); got.Digit == labels[i] {
					right.Add(1)
				}
			}
		})
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	fmt.Printf("%d clients, %d requests a second, %.1f %% right\n",
		clients, int(float64(n)/time.Since(start).Seconds()), 100*float64(right.Load())/float64(n))
	return nil
}

// request sends one picture.
func request(ctx context.Context, client *http.Client, url string, picture []byte) (a answer, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(picture))
	if err != nil {
		return a, err
	}
	response, err := client.Do(r)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		return a, fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(text))
	}
	return a, json.NewDecoder(response.Body).Decode(&a)
}

// digits returns the first n test images as PNG, and the names of their classes.
func digits(n int) (pictures [][]byte, labels []string, err error) {
	test, err := mnist.Test()
	if err != nil {
		return nil, nil, err
	}
	info := test.Info()
	e := data.Example{X: make([]float32, mnist.Side*mnist.Side), Labels: make([]int32, 1)}
	for i := range n {
		if err := test.Read(i, e); err != nil {
			return nil, nil, err
		}
		info.Preprocess.Undo(e.X)
		img := image.NewGray(image.Rect(0, 0, mnist.Side, mnist.Side))
		for p, v := range e.X {
			img.SetGray(p%mnist.Side, p/mnist.Side, color.Gray{Y: uint8(255*v + 0.5)})
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			return nil, nil, err
		}
		pictures, labels = append(pictures, b.Bytes()), append(labels, info.Classes[e.Labels[0]])
	}
	return pictures, labels, nil
}
