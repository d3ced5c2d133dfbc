// Pictures trains a small network on a folder of your own pictures and names further ones:
//
//	go run ./examples/pictures [-size 48] [-epochs 60] FOLDER [IMAGE...]
//
// FOLDER holds PNG or JPEG files in train/CLASS/ and val/CLASS/, with the same classes in both.
// The weights are kept in runs/pictures. Ctrl-C ends the training; the last epoch's weights stay.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/augment"
	"github.com/plexaura/plexaura/data/imagefolder"
	"github.com/plexaura/plexaura/data/picture"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
)

func main() {
	size := flag.Int("size", 48, "side of the square that is cut from the middle of each picture, scaled")
	epochs := flag.Int("epochs", 60, "how often every picture is used")
	out := flag.String("out", "runs/pictures", "folder for the weights")
	flag.Parse()
	if flag.NArg() == 0 {
		log.Fatal("give a folder with pictures in train/CLASS and val/CLASS")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	predictor, err := learn(ctx, os.Stdout, flag.Arg(0), *out, *size, *epochs)
	if err != nil {
		log.Fatal(err)
	}
	for _, file := range flag.Args()[1:] {
		if err := name(ctx, os.Stdout, predictor, file); err != nil {
			log.Fatal(err)
		}
	}
}

// network is for pictures of three channels and any size from 16 on; it tells classes apart.
func network(classes int) nn.Sequential {
	var model nn.Sequential
	for _, channels := range []int{16, 32, 64, 128} {
		model = append(model,
			nn.Conv2D{Out: channels, Kernel: 3, Pad: 1, NoBias: true}, nn.BatchNorm{}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2})
	}
	return append(model, nn.Flatten{}, nn.Dropout{P: 0.5}, nn.Linear{Out: classes})
}

// learn trains on dir/train and prints the accuracy on dir/val after each epoch.
func learn(ctx context.Context, w io.Writer, dir, out string, size, epochs int) (*train.Predictor, error) {
	input := shape.Of(3, shape.Dim(size), shape.Dim(size))
	prep := data.Preprocess{Image: picture.Shorter(size).String(), Mean: []float32{0.5}, Std: []float32{0.25}}
	training, validation, err := imagefolder.Load(ctx, dir, input, input, prep)
	if err != nil {
		return nil, err
	}
	model := network(len(training.Info().Classes))
	result, err := train.Fit(ctx, train.Config{
		Model: model, Train: training, Validation: validation, Engine: cpu.New(), Folder: out,
		Optimizer: optim.Adam{LR: 0.003}, Epochs: epochs, Batch: 16, Seed: 1, Workers: 2,
		Augment: augment.List{augment.RandomCrop{Pad: size / 12}, augment.HorizontalFlip{}},
		OnEpoch: func(e train.Epoch) error {
			_, err := fmt.Fprintf(w, "epoch %d of %d: loss %.3f, %.1f %% of %d validation pictures right\n",
				e.Number, epochs, e.Train.Loss(), 100*e.Validation.Accuracy(), e.Validation.Examples)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return train.NewPredictor(model, result.Checkpoint, cpu.New())
}

// name prints the two most probable classes of a picture.
func name(ctx context.Context, w io.Writer, predictor *train.Predictor, file string) error {
	img, err := picture.DecodeFile(file)
	if err != nil {
		return err
	}
	info := predictor.Info()
	way, ok := picture.ParseShorter(info.Preprocess.Image)
	if !ok {
		return fmt.Errorf("the weights are for inputs prepared by %q, which are no pictures", info.Preprocess.Image)
	}
	x, err := way.Prepare(img, info.Input.Shape)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	info.Preprocess.Apply(x)
	p, err := predictor.Predict(ctx, x)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	_, err = fmt.Fprintf(w, "%s:", file)
	for _, c := range predictor.Top(2, p) {
		if err == nil {
			_, err = fmt.Fprintf(w, "  %s %.1f %%", c.Name, 100*c.Probability)
		}
	}
	if err == nil {
		_, err = fmt.Fprintln(w)
	}
	return err
}
