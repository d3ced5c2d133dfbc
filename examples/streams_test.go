package examples_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

// jsonLines is the stream of a file with an example on each line, such as {"X":[0.5,1],"Y":0}.
func jsonLines(path string, info data.Info) (data.Stream, error) {
	return data.Generate(info, func(context.Context, int) iter.Seq2[data.Example, error] {
		return func(yield func(data.Example, error) bool) {
			file, err := os.Open(path)
			if err != nil {
				yield(data.Example{}, err)
				return
			}
			defer file.Close()
			for lines := json.NewDecoder(file); ; {
				var line struct {
					X []float32
					Y int32
				}
				err := lines.Decode(&line)
				if err == io.EOF || !yield(data.Example{X: line.X, Labels: []int32{line.Y}}, err) {
					return
				}
			}
		}
	})
}

func Example_stream() {
	ctx := context.Background()
	path, err := points(400)
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(filepath.Dir(path))
	stream, err := jsonLines(path, data.Info{Input: shape.F32(2), Target: shape.I32(), Classes: []string{"left", "right"}})
	if err != nil {
		log.Fatal(err)
	}

	result, err := train.Fit(ctx, train.Config{
		Model: nn.Linear{Out: 2}, Engine: cpu.New(), Optimizer: optim.Adam{LR: 0.05},
		Stream: stream, Buffer: 100, Epochs: 3, Batch: 16, Seed: 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	last := result.Epochs[2].Train
	fmt.Println(last.Examples, "examples,", last.Accuracy() > .9)
	// Output: 400 examples, true
}

// points writes n points, of which those on the right of the diagonal are of class 1.
func points(n int) (path string, err error) {
	dir, err := os.MkdirTemp("", "points")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "points.jsonl")
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range n {
		x, y := r.Float32(), r.Float32()
		class := 0
		if x > y {
			class = 1
		}
		if _, err := fmt.Fprintf(file, "{\"X\":[%v,%v],\"Y\":%d}\n", x, y, class); err != nil {
			return "", err
		}
	}
	return path, file.Close()
}
