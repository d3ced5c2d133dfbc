// Pictures learns to classify your own pictures: DIR has a folder of pictures, PNG, JPEG or others, for each
// class, such as DIR/cat and DIR/dog. A random fifth of them is kept for validation, unless you
// have chosen pictures yourself: then the folders of the classes are in DIR/train and in DIR/val.
//
//	go run ./examples/pictures DIR                # trains, and saves the network in DIR.safetensors
//	go run ./examples/pictures DIR photo.png ...  # classifies pictures with that network
//
// Without DIR it draws 600 circles, squares and triangles into a temporary folder and trains on
// those.
package main

import (
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/augment"
	"github.com/plexaura/plexaura/data/imagefolder"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/viz"
)

const (
	side  = 48 // height and width of the scaled pictures
	batch = 16
	steps = 1200 // for few pictures, unless -epochs is given
)

// network is a small convolutional network; it fits any number of classes.
func network(classes int) nn.Layer {
	return nn.Sequential{
		nn.Conv2D{Out: 16, Kernel: 3, Pad: 1}, nn.BatchNorm{}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
		nn.Conv2D{Out: 32, Kernel: 3, Pad: 1}, nn.BatchNorm{}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
		nn.Conv2D{Out: 64, Kernel: 3, Pad: 1}, nn.BatchNorm{}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
		nn.Conv2D{Out: 128, Kernel: 3, Pad: 1}, nn.BatchNorm{}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
		nn.Flatten{}, nn.Dropout{P: 0.5}, nn.Linear{Out: classes},
	}
}

func main() {
	epochs := flag.Int("epochs", 0, "passes over the pictures; 0 chooses by their number")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *epochs, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, epochs int, args []string) error {
	if len(args) > 1 {
		return classify(ctx, file(args[0]), args[1:])
	}
	if len(args) == 1 {
		return learn(ctx, epochs, args[0], file(args[0]))
	}
	dir, err := os.MkdirTemp("", "pictures")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	shapes := filepath.Join(dir, "shapes")
	if err := draw(ctx, shapes, 200); err != nil {
		return err
	}
	return learn(ctx, epochs, shapes, "")
}

// file is the name of the file for the network trained on dir.
func file(dir string) string { return filepath.Clean(dir) + ".safetensors" }

// learn trains on the pictures of dir and saves the network in a file, if weights is not empty.
func learn(ctx context.Context, epochs int, dir, weights string) error {
	training, validation, err := load(ctx, dir)
	if err != nil {
		return err
	}
	classes := training.Info().Classes
	fmt.Printf("%d pictures of %d classes %q\n", training.Len()+validation.Len(), len(classes), classes)
	if epochs == 0 {
		epochs = max(10, steps*batch/training.Len())
	}
	result, err := train.Fit(ctx, train.Config{
		Model: network(len(classes)), Train: training, Validation: validation, Engine: cpu.New(),
		Optimizer: optim.Recipe{
			Rule:     optim.Adam{LR: 0.002},
			Schedule: optim.Cosine{Steps: epochs * (training.Len()/batch + 1)},
		},
		Epochs: epochs, Batch: batch, Seed: 1, Workers: 2,
		Augment: augment.List{augment.RandomCrop{Pad: 3}}, // if left and right do not matter: augment.HorizontalFlip{}
		OnEpoch: func(e train.Epoch) error {
			fmt.Printf("epoch %2d: loss %.3f, validation accuracy %.1f %%\n", e.Number, e.Train.Loss(), 100*e.Validation.Accuracy())
			return nil
		},
	})
	if err != nil {
		return err
	}
	if weights == "" {
		return nil
	}
	if err := result.Checkpoint.Save(weights); err != nil {
		return err
	}
	fmt.Println("saved in", weights)
	return nil
}

// load lists the pictures to train on and those for validation.
func load(ctx context.Context, dir string) (training, validation data.Dataset, err error) {
	prepared := data.Preprocess{Image: picture.Shorter(side).String(), Mean: []float32{0.5}, Std: []float32{0.25}}
	input := shape.Of(3, side, side)
	if parted(dir) {
		training, validation, err := imagefolder.Load(ctx, dir, input, input, prepared)
		if err != nil {
			return nil, nil, err
		}
		tellLeftOut(training, validation)
		return training, validation, nil
	}
	all, err := imagefolder.Open(ctx, dir, input, prepared)
	if err != nil {
		return nil, nil, err
	}
	tellLeftOut(all)
	return data.Split(all, all.Len()/5, 1)
}

// parted reports whether dir has its own pictures for validation.
func parted(dir string) bool {
	for _, part := range []string{imagefolder.TrainFolder, imagefolder.ValidationFolder} {
		if info, err := os.Stat(filepath.Join(dir, part)); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

func tellLeftOut(folders ...*imagefolder.Folder) {
	for _, folder := range folders {
		for _, l := range folder.LeftOut() {
			fmt.Println("not read:", l)
		}
	}
}

// classify prints the most probable class of each picture.
func classify(ctx context.Context, weights string, pictures []string) error {
	checkpoint, err := train.LoadCheckpoint(weights)
	if err != nil {
		return err
	}
	info := checkpoint.Info
	predictor, err := train.NewPredictor(network(len(info.Classes)), checkpoint, cpu.New())
	if err != nil {
		return err
	}
	for _, name := range pictures {
		img, err := picture.DecodeFile(name)
		if err != nil {
			return err
		}
		x, err := picture.Shorter(side).Prepare(img, info.Input.Shape)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		info.Preprocess.Apply(x)
		probabilities, err := predictor.Predict(ctx, x)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		best := predictor.Top(1, probabilities)[0]
		fmt.Printf("%s: %s %.1f %%\n", name, best.Name, 100*best.Probability)
	}
	return nil
}

// draw makes n pictures of each of three shapes, in a random colour, size and place.
func draw(ctx context.Context, dir string, n int) error {
	inside := map[string]func(x, y float64) bool{ // whether a point is in a shape from -1 to 1
		"circle":   func(x, y float64) bool { return x*x+y*y < 1 },
		"square":   func(x, y float64) bool { return max(x, -x) < 0.85 && max(y, -y) < 0.85 },
		"triangle": func(x, y float64) bool { return y < 0.9 && y > -0.9+2*max(x, -x) },
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"circle", "square", "triangle"} {
		folder := filepath.Join(dir, name)
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return err
		}
		for i := range n {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := viz.WritePNG(filepath.Join(folder, fmt.Sprintf("%03d.png", i)), drawn(r, inside[name])); err != nil {
				return err
			}
		}
	}
	return nil
}

// drawn is one picture of a shape, in noise.
func drawn(r *rand.Rand, inside func(x, y float64) bool) image.Image {
	const size = 64
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	radius := 10 + 12*r.Float64()
	cx, cy := 24+16*r.Float64(), 24+16*r.Float64()
	red, green, blue := 120+r.IntN(80), 120+r.IntN(80), 120+r.IntN(80)
	for y := range size {
		for x := range size {
			noise := r.IntN(60)
			c := color.RGBA{uint8(noise), uint8(noise), uint8(noise), 255}
			if inside((float64(x)-cx)/radius, (float64(y)-cy)/radius) {
				c = color.RGBA{uint8(red + noise/2), uint8(green + noise/2), uint8(blue + noise/2), 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}
