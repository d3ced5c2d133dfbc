// Serve answers HTTP requests with a trained network; requests that come together run together.
//
//	go run ./examples/serve                # trains, sends itself 2,000 digits, 16 at a time, and ends
//	go run ./examples/serve -addr :8080    # serves until Ctrl-C
//	curl -H 'Content-Type: image/png' --data-binary @digit.png localhost:8080/v2/models/digits/infer
//
// A request is a picture of one digit, PNG or JPEG or others, or tensors in the Open Inference Protocol.
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
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/serve"
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
	if addr != "" {
		return serveAt(ctx, predictor, addr, func(url string) { fmt.Println("serving at", url) })
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	asked := make(chan error, 1)
	err = serveAt(ctx, predictor, ":0", func(url string) {
		fmt.Println("serving at", url)
		go func() {
			asked <- ask(ctx, url+"v2/models/digits/infer", requests)
			cancel()
		}()
	})
	if err != nil {
		return err
	}
	return <-asked
}

// serveAt serves until ctx ends.
func serveAt(ctx context.Context, predictor *train.Predictor, addr string, started func(url string)) error {
	model, err := serve.NewPredictor(predictor, mnist.Prepare)
	if err != nil {
		return err
	}
	server, err := serve.New(serve.Options{Delay: 2 * time.Millisecond})
	if err != nil {
		return err
	}
	if err := server.Add("digits", model, nil); err != nil {
		return err
	}
	return server.ListenAndServe(ctx, addr, started)
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

// answer is what the example reads of the response to a picture.
type answer struct {
	Classes []struct{ Name string } `json:"classes"` // the most probable first
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
				var got string
				if got, failures[c] = request(ctx, client, url, pictures[i]); got == labels[i] {
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

// request sends one picture and returns its most probable class.
func request(ctx context.Context, client *http.Client, url string, picture []byte) (class string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(picture))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "image/png")
	response, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		return "", fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(text))
	}
	var a answer
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil || len(a.Classes) == 0 {
		return "", errors.Join(errors.New("no class"), err)
	}
	return a.Classes[0].Name, nil
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
