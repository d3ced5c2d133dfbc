package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/data/mnist"
	"github.com/plexaura/plexaura/internal/plain"
	"github.com/plexaura/plexaura/interop/safetensors"
	"github.com/plexaura/plexaura/vm"
)

// asDemo is the environment variable with which the test binary is the program.
const asDemo = "PLEXAURA_TEST_AS_DEMO"

func TestMain(m *testing.M) {
	if os.Getenv(asDemo) != "" {
		main()
	}
	os.Exit(m.Run())
}

// demo runs a command line.
func demo(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(ctx, calledAs("demo"), args, &out, &errs)
	return status, out.String(), errs.String()
}

func TestMistakesAreOneLineAndAStatus(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk.safetensors")
	require.NoError(t, os.WriteFile(junk, []byte("this is no weights file"), 0o644))
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.Mkdir(empty, 0o755))
	few, unequal, single := pictures(t, 2), pictures(t, 2), pictures(t, 1)
	require.NoError(t, os.RemoveAll(filepath.Join(unequal, "val", "class001")))
	other := pictures(t, 2)
	require.NoError(t, os.CopyFS(filepath.Join(other, "test"), os.DirFS(filepath.Join(single, "train"))))
	color := cifarFolder(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	taken := listener.Addr().String()
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"nonsense", 2, `no command "nonsense"`},
		{"train -epochs 0", 2, "-epochs 0: at least 1"},
		{"train -epochs many", 2, "invalid value"},
		{"train -batch -1", 2, "-batch -1"},
		{"train -epochs 9223372036854775807", 2, "-epochs 9223372036854775807: at least 1 and at most 1,000,000"},
		{"train -schedule cosine -epochs 9223372036854775807", 2, "-epochs 9223372036854775807: at least 1 and at most 1,000,000"},
		{"train -workers 9223372036854775807", 2, "-workers 9223372036854775807: at least 1 and at most 256, or 0 for none"},
		{"train -batch 9223372036854775807", 2, "at most 65,536"},
		{"train -lr 1e300", 2, "-lr 1e+300: at least 1e-12 and at most 1,000,000, or 0 for the model's own"},
		{"train -lr 1e-45", 2, "-lr 1e-45"},
		{"train -decay 1e30", 2, "-decay 1e+30"},
		{"train -seed 18446744073709551616", 2, "out of range"},
		{"train -limit 9223372036854775807", 2, "-limit 9223372036854775807"},
		{"train -step 9223372036854775807", 2, "-step 9223372036854775807"},
		{"train -test-limit 9223372036854775807", 2, "-test-limit 9223372036854775807"},
		{"predict -top 9223372036854775807 x.png", 2, "-top 9223372036854775807"},
		{"verify -batch 9223372036854775807", 2, "-batch 9223372036854775807: at least 1 and at most 65,536"},
		{"verify -model alexnet -batch 65536", 1, "a batch of 65,536 images takes"},
		{"verify -vm gorgonia -model vgg16 -batch 65536", 1, "a batch of 131,072 images takes"},
		{"bench -layers vgg16 -batch 65536", 1, "a batch of 65,536 images takes"},
		{"summary -batch 9223372036854775807", 2, "-batch 9223372036854775807"},
		{"program -batch 9223372036854775807", 2, "-batch 9223372036854775807"},
		{"bench -threads 1000000", 2, "-threads 1000000: at least 1 and at most 1,024"},
		{"bench -layers lenet -batch 9223372036854775807", 2, "-batch 9223372036854775807"},
		{"train -data " + junk, 1, "and no such folder"},
		{"train -out " + junk, 1, "junk.safetensors is not a folder for a run: it is a file"},
		{"train -out " + junk + "/run", 1, "junk.safetensors"},
		{"train -out " + dir, 1, "is not a folder of a run: it contains"},
		{"train -resume -out " + junk, 1, "junk.safetensors"},
		{"eval -weights " + dir, 1, "a folder, not a regular file"},
		{"predict -weights /dev/null x.png", 1, "/dev/null"},
		{"train -lr NaN", 2, "-lr NaN"},
		{"train -lr -1", 2, "-lr -1"},
		{"train -limit -1", 2, "-limit -1"},
		{"train -model vgg", 2, `no model "vgg"; there are alexnet, alexnet-bn, alexnet2012, lenet, lenet1998, mnistnet, mnistnet-dense, mnistnet-wide`},
		{"train -decay NaN", 2, "-decay NaN"},
		{"train -step -1", 2, "-step -1"},
		{"train -gamma 2", 2, "-gamma 2"},
		{"train -schedule nonsense", 2, `no schedule "nonsense"; there are cosine, onecycle, plateau, steps`},
		{"train -schedule cosine -step 2", 2, "-step and -gamma are of -schedule steps and plateau, not of cosine"},
		{"train -test-limit -1", 2, "-test-limit -1"},
		{"train -model lenet -data cifar10:" + color + " -out " + dir + "/run", 1, "the images of cifar10:" + color + " are (3,32,32), the model takes (1,28,28)"},
		{"train -model lenet -data " + few + " -out " + dir + "/run", 1, "holds pictures, the model takes images (1,28,28)"},
		{"train -model squeezenet -data " + unequal + " -out " + dir + "/run", 1, `differ in their classes: only the first has ["class001"]`},
		{"train -model squeezenet -data " + other + " -out " + dir + "/run", 1, "other classes in test than in train"},
		{"train -model squeezenet -data " + single + " -out " + dir + "/run", 1, `only one class, ["class000"]`},
		{"train -model squeezenet -data " + dir + "/nothing", 1, `nothing", and no such folder; there are cifar10, cifar100, fashion-mnist, mnist`},
		{"train -data cifar100:" + dir + "/nothing", 1, "-data cifar100:FOLDER"},
		{"train -workers -1", 2, "-workers -1"},
		{"train -trace-steps 0", 2, "-trace-steps 0: at least 1"},
		{"train -profile " + dir, 1, dir},
		{"train -trace " + dir + "/missing/trace.json", 1, "missing"},
		{"train -profile same -trace same", 2, "-profile and -trace are to be two files, not both same"},
		{"train -augment nonsense", 2, `no recipe "nonsense" to augment by; there are alexnet, cifar, fashion-mnist, imagenet, mnist, mnist-affine, none`},
		{"train -augment alexnet -out " + dir + "/run", 1, "the images of mnist are (1,28,28), the augmentation cuts its parts from (1,256,256)"},
		{"train -engine gpu", 2, `no engine "gpu"`},
		{"train -ui 8080", 2, `-ui: "8080" is not [HOST]:PORT, such as :8080`},
		{"train -ui :http", 2, `-ui: "http" is not a port`},
		{"train -stay=false", 2, "-stay is of the page of -ui, which is not given"},
		{"train -out " + dir + "/run -ui " + taken, 1, "is in use by another program; choose another, or 0 for any free port"},
		{"watch", 2, "no folder of a run"},
		{"watch -ui nonsense " + dir, 2, `-ui: "nonsense" is not [HOST]:PORT`},
		{"watch " + dir + "/none", 1, "none"},
		{"watch " + dir, 1, "is not a folder of a run: there is no metrics.jsonl in it"},
		{"serve extra", 2, `unexpected argument "extra"`},
		{"serve -addr 8080", 2, `-addr: "8080" is not [HOST]:PORT`},
		{"serve -max-batch 0", 2, "-max-batch 0: at least 1 and at most 1,024"},
		{"serve -queue -1", 2, "-queue -1: at least 1"},
		{"serve -threads 0", 2, "-threads 0: at least 1"},
		{"serve -delay -1s", 2, "-delay -1s: at least 1e-06 and at most 60 seconds, or 0 for none"},
		{"serve -timeout 2h", 2, "-timeout 2h0m0s: at least 0.001 and at most 3,600 seconds"},
		{"serve -weights=", 2, "it names no file"},
		{"serve -weights m=" + junk, 1, "junk.safetensors"},
		{"serve -weights missing=x/y", 1, "x/y"},
		{"serve -onnx=", 2, "it names no file"},
		{"serve -onnx missing=x/y", 1, "x/y"},
		{"serve -onnx " + junk, 1, "junk.safetensors"},
		{"serve -token " + dir + "/missing", 1, "missing"},
		{"serve -token " + empty, 1, "not a regular file"},
		{"train extra", 2, `unexpected argument "extra"`},
		{"train -nonsense", 2, "not defined: -nonsense"},
		{"train -data " + empty + " -out " + dir + "/run", 1, empty},
		{"train -data " + dir + "/missing -out " + dir + "/run", 1, "missing"},
		{"train -resume -out " + dir + "/none", 1, "none"},
		{"eval -weights " + dir + "/none", 1, "none"},
		{"eval -weights " + junk, 1, "junk.safetensors"},
		{"eval -test-limit -1", 2, "-test-limit -1"},
		{"eval -model nonsense", 2, `no model "nonsense"`},
		{"eval -model alexnet -weights " + junk, 1, "junk.safetensors"},
		{"predict -weights " + junk, 2, "no picture"},
		{"predict -weights " + junk + " x.png", 1, "junk.safetensors"},
		{"predict -top 0 x.png", 2, "-top 0"},
		{"inspect -channels 0 x.png", 2, "-channels 0: at least 1 and at most 4,096"},
		{"inspect -n -1", 2, "-n -1: at least 1 and at most 1,000,000,000, or 0 for all"},
		{"inspect" + strings.Repeat(" x.png", 17), 2, "17 pictures; a page explains at most 16"},
		{"inspect -weights " + junk, 1, "junk.safetensors"},
		{"inspect -weights " + dir, 1, "a folder, not a regular file"},
		{"inspect -out " + junk, 1, "junk.safetensors"},
		{"summary -batch 0", 2, "-batch 0"},
		{"program -after nonsense", 2, "-after nonsense: the passes are validate, fold"},
		{"program -batch -2", 2, "-batch -2"},
		{"gradcheck -op Nonsense", 2, `no op "Nonsense"`},
		{"parity -op Nonsense", 2, `no op "Nonsense"`},
		{"parity -model vgg11", 2, "-model vgg11: lenet and alexnet are compared"},
		{"parity -engine gpu", 2, `no engine "gpu"`},
		{"explain", 2, "want the name of one parameter, such as conv1.weight"},
		{"explain conv1.weight conv2.weight", 2, "want the name of one parameter"},
		{"explain conv1.weight -n 0", 2, "-n 0: at least 1"},
		{"explain conv1.weight -weights " + junk, 1, "junk.safetensors"},
		{"verify -batch 0", 2, "-batch 0"},
		{"verify -vm lisp", 2, `no vm "lisp"; there are gorgonia, plexaura`},
		{"train -vm lisp", 2, `no vm "lisp"; there are gorgonia, plexaura`},
		{"bench -case nonsense", 2, `no case "nonsense"`},
		{"bench -bf16", 2, "-bf16"},
		{"bench -weights-type int4", 2, "-weights-type int4: there are float32, bfloat16, int8"},
		{"bench -case lenet/train/1 -weights-type int8", 2, "lenet/train/1 trains"},
		{"program -train -weights-type int8", 1, "weights that are trained stay in float32"},
		{"eval -weights-type half", 2, "-weights-type half"},
		{"eval -weights-type int8 -ranges x.json", 2, "run it without -weights-type"},
		{"eval -ranges " + junk, 1, "junk.safetensors: vm: ranges"},
		{"predict -ranges missing.json x.png", 1, "missing.json"},
		{"calibrate -weights " + junk, 1, "junk.safetensors"},
		{"calibrate -limit -1", 2, "-limit -1"},
		{"calibrate -out=", 2, "-out names no file"},
		{"calibrate -out " + os.TempDir(), 1, "not a regular file"},
		{"bench -int8 -weights-type int8", 2, "run it without -weights-type"},
		{"bench -int8 -case lenet/train/1", 2, "lenet/train/1 does not infer"},
		{"bench -int8 -case gemm/512", 2, "gemm/512 does not infer"},
		{"predict -weights-type half x.png", 2, "-weights-type half"},
		{"bench -ops -case nonsense", 2, "-case nonsense: no case has such a name"},
		{"bench -ops -case (", 2, "-case (: error parsing regexp"},
		{"bench -ops -ops-mode fast", 2, "-ops-mode fast: want list or turns"},
		{"bench -threads 0", 2, "-threads 0"},
		{"bench -clients -1", 2, "-clients -1"},
		{"bench -ops -int8", 2, "-int8: single ops"},
		{"bench -clients 2 -ops", 2, "-clients: only of inference"},
		{"bench -clients 2 -case lenet/train/64", 2, "-clients: only of inference"},
		{"bench -layers lenet -json", 2, "without -json and -case"},
		{"program -engine cpu-fast", 2, "there are cpu, cpu-exact, ref, std"},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, stdout, stderr := demo(context.Background(), strings.Fields(c.args)...)
			require.Equal(t, c.status, status, stderr)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.want)
			require.Equal(t, 1, strings.Count(stderr, "\n"), "one line: %q", stderr)
			require.NotContains(t, stderr, "goroutine")
			require.Empty(t, plain.Repeats(stderr), stderr)
		})
	}
	_, err = os.Stat(filepath.Join(dir, "run"))
	require.ErrorIs(t, err, os.ErrNotExist, "what was refused leaves nothing behind")
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"help"}, {"--help"}} {
		status, out, errs := demo(context.Background(), args...)
		require.Zero(t, status)
		require.Empty(t, errs)
		for _, c := range commands() {
			require.Contains(t, out, c.name)
			require.Contains(t, out, c.does)
		}
	}
	for _, c := range commands() {
		status, out, errs := demo(context.Background(), c.name, "-h")
		require.Zero(t, status)
		require.Empty(t, errs)
		require.Contains(t, out, "usage: demo "+c.name)
		require.Equal(t, strings.Contains(out, "[flags]"), strings.Contains(out, "  -"), "%s", out)
		require.Equal(t, c.name == "version" || c.name == "onnx", !strings.Contains(out, "[flags]"), "all others have flags, and the subcommands of onnx")
	}
}

// weights are the bytes of a run's weights file.
func weights(t *testing.T, folder string) []byte {
	file, err := os.ReadFile(filepath.Join(folder, "model.safetensors"))
	require.NoError(t, err)
	return file
}

// trigger cancels once a text has been written.
type trigger struct {
	bytes.Buffer
	text   string
	cancel func()
}

func (w *trigger) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.text)) {
		w.cancel()
	}
	return w.Buffer.Write(p)
}

func TestARunThatStoppedGoesOnBitForBit(t *testing.T) {
	dir := t.TempDir()
	common := []string{"train", "-limit", "700", "-batch", "32", "-augment", "mnist"}
	at := func(folder string, more ...string) []string {
		return append(append([]string{"-out", filepath.Join(dir, folder)}, more...), common[1:]...)
	}
	train := func(args []string) {
		status, _, errs := demo(context.Background(), append([]string{"train"}, args...)...)
		require.Zero(t, status, errs)
	}
	train(at("whole", "-epochs", "3"))
	train(at("again", "-epochs", "3"))
	require.Equal(t, weights(t, filepath.Join(dir, "whole")), weights(t, filepath.Join(dir, "again")), "the same seed, the same bits")

	// Ctrl-C in the second epoch, then the rest.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var errs bytes.Buffer
	out := &trigger{text: "epoch 1/3", cancel: cancel}
	require.Equal(t, 1, run(ctx, calledAs("demo"), append([]string{"train"}, at("parts", "-epochs", "3")...), out, &errs))
	require.Contains(t, errs.String(), "stopped at a whole step and saved")
	require.NotEqual(t, weights(t, filepath.Join(dir, "whole")), weights(t, filepath.Join(dir, "parts")))
	train([]string{"-resume", "-workers", "3", "-out", filepath.Join(dir, "parts")})
	require.Equal(t, weights(t, filepath.Join(dir, "whole")), weights(t, filepath.Join(dir, "parts")))

	// A longer total takes up what is left.
	train(at("short", "-epochs", "1"))
	train([]string{"-resume", "-epochs", "3", "-out", filepath.Join(dir, "short")})
	require.Equal(t, weights(t, filepath.Join(dir, "whole")), weights(t, filepath.Join(dir, "short")))
	metrics, err := os.ReadFile(filepath.Join(dir, "short", "metrics.jsonl"))
	require.NoError(t, err)
	require.Equal(t, 3, bytes.Count(metrics, []byte("\n")))

	status, _, conflict := demo(context.Background(), "train", "-resume", "-batch", "64", "-out", filepath.Join(dir, "short"))
	require.Equal(t, 2, status)
	require.Contains(t, conflict, "has -batch 32, not 64")
	status, _, conflict = demo(context.Background(), "train", "-resume", "-augment", "none", "-out", filepath.Join(dir, "short"))
	require.Equal(t, 2, status)
	require.Contains(t, conflict, "has -augment mnist, not none")
}

// A schedule that ends with the last epoch is bound to the number of epochs: the rate of the last
// step is the schedule's, and a run goes on to that end alone.
func TestSchedulesOfKnownLength(t *testing.T) {
	for name, last := range map[string]float64{"cosine": .01 * (1 - math.Cos(math.Pi/44)) / 2, "onecycle": .01 / 25 / 1e4} {
		dir := t.TempDir()
		common := []string{"-limit", "700", "-batch", "32", "-schedule", name, "-lr", ".01"}
		train := func(folder string, more ...string) (status int, errs string) {
			status, _, errs = demo(context.Background(), append([]string{"train", "-out", filepath.Join(dir, folder)}, more...)...)
			return status, errs
		}
		status, errs := train("run", append(common, "-epochs", "2")...)
		require.Zero(t, status, errs)
		metrics, err := os.ReadFile(filepath.Join(dir, "run", "metrics.jsonl"))
		require.NoError(t, err)
		lines := bytes.Split(bytes.TrimSpace(metrics), []byte("\n"))
		require.Len(t, lines, 2)
		var epoch struct {
			Rate float64 `json:"learning_rate"`
		}
		require.NoError(t, json.Unmarshal(lines[1], &epoch))
		require.InEpsilon(t, last, epoch.Rate, 1e-6, name)

		status, errs = train("run", "-resume", "-epochs", "3")
		require.Equal(t, 2, status)
		require.Contains(t, errs, "has its end after 2 epochs, -schedule "+name)
		status, errs = train("run", "-resume", "-schedule", "steps")
		require.Equal(t, 2, status)
		require.Contains(t, errs, "has -schedule "+name+", not steps")
	}
}

func TestTrainThenEvalThenPredict(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "run")
	status, out, errs := demo(context.Background(), "train", "-epochs", "2", "-limit", "6000", "-out", folder)
	require.Zero(t, status, errs)
	require.Contains(t, out, "seed 1")
	require.Regexp(t, `(?m)^epoch 2/2: loss \d\.\d{4}, accuracy 0\.9.*; \d+ images/s, \d+\.\d% of the time waiting for data$`, out)
	for _, name := range []string{"model.safetensors", "metrics.jsonl", "settings.json", "curves.png", "confusion.png"} {
		info, err := os.Stat(filepath.Join(folder, name))
		require.NoError(t, err)
		require.Positive(t, info.Size())
	}
	file := filepath.Join(folder, "model.safetensors")

	status, out, errs = demo(context.Background(), "eval", "-weights", file)
	require.Zero(t, status, errs)
	require.Regexp(t, `(?m)^accuracy 0\.9\d{3} \(9\d{3}/10000\)\n\z`, out)

	for _, small := range []string{"bfloat16", "int8"} {
		status, out, errs = demo(context.Background(), "eval", "-weights", file, "-weights-type", small, "-test-limit", "1000")
		require.Zero(t, status, errs)
		require.Regexp(t, `(?m)^the class is that of weights in float32 for (99\d|1000) of 1000\n\z`, out)
	}

	ranges := filepath.Join(dir, "ranges.json")
	status, out, errs = demo(context.Background(), "calibrate", "-weights", file, "-limit", "200", "-out", ranges)
	require.Zero(t, status, errs)
	require.Equal(t, ranges+": the ranges of 5 layers for 200 images\n", out)
	status, out, errs = demo(context.Background(), "eval", "-weights", file, "-ranges", ranges, "-test-limit", "1000")
	require.Zero(t, status, errs)
	require.Regexp(t, `(?m)^the class is that of arithmetic in float32 for (99\d|1000) of 1000\n\z`, out)

	right := 0
	var paths []string
	var labels []string
	for i := range 10 {
		path, label := writeDigit(t, dir, i)
		paths, labels = append(paths, path), append(labels, label)
	}
	status, _, errs = demo(context.Background(), "predict", "-weights", file, "-weights-type", "int8", paths[0])
	require.Zero(t, status, errs)
	status, out, errs = demo(context.Background(), append([]string{"predict", "-weights", file, "-ranges", ranges}, paths...)...)
	require.Zero(t, status, errs)
	for i, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if strings.HasPrefix(line, paths[i]+": "+labels[i]+" ") {
			right++
		}
	}
	require.GreaterOrEqual(t, right, 9, out)

	// A second run in the same folder moves the first aside.
	status, out, errs = demo(context.Background(), "train", "-epochs", "1", "-limit", "64", "-out", folder)
	require.Zero(t, status, errs)
	require.Contains(t, out, "the earlier run in "+folder+" has been moved to "+folder+"-1\n")
	require.Equal(t, 1, len(glob(t, folder+"-1/model.safetensors")))

	// Weights of another model are refused by the names of the parameters that differ.
	f, err := safetensors.ReadFile(file)
	require.NoError(t, err)
	for i := range f.Tensors {
		if f.Tensors[i].Name == "conv1.weight" {
			f.Tensors[i].Name = "first.weight"
		}
	}
	other := filepath.Join(dir, "other.safetensors")
	require.NoError(t, safetensors.WriteFile(other, f))
	status, _, errs = demo(context.Background(), "eval", "-weights", other)
	require.Equal(t, 1, status)
	require.Contains(t, errs, "conv1.weight")
	require.Equal(t, 1, strings.Count(errs, "\n"))
}

func glob(t *testing.T, pattern string) []string {
	found, err := filepath.Glob(pattern)
	require.NoError(t, err)
	return found
}

// writeDigit draws test image i as a picture: large, and every other one black on white.
func writeDigit(t *testing.T, dir string, i int) (path, label string) {
	ds, err := mnist.Test()
	require.NoError(t, err)
	e := data.Example{X: make([]float32, 28*28), Labels: make([]int32, 1)}
	require.NoError(t, ds.Read(i, e))
	const zoom = 5
	img := image.NewGray(image.Rect(0, 0, 28*zoom, 28*zoom))
	for y := range 28 * zoom {
		for x := range 28 * zoom {
			v := (e.X[y/zoom*28+x/zoom]*mnist.Std + mnist.Mean) * 255
			if i%2 == 1 {
				v = 255 - v
			}
			img.SetGray(x, y, color.Gray{Y: uint8(max(0, min(255, v+.5)))})
		}
	}
	path = filepath.Join(dir, "digit"+string(rune('0'+i))+".png")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, img))
	require.NoError(t, f.Close())
	return path, ds.Info().Classes[e.Labels[0]]
}

func TestSummaryHasThePublishedCounts(t *testing.T) {
	for _, c := range []struct{ model, parameters, macs string }{
		{"lenet", "61,706", "416,520"},
		{"lenet1998", "60,000", ""},
		{"mnistnet", "135,674", "8,134,976"},
		{"mnistnet-dense", "189,034", "4,795,648"},
		{"mnistnet-wide", "241,898", "14,677,760"},
		{"alexnet", "61,100,840", "714,188,480"},
		{"alexnet2012", "60,965,224", "724,406,816"},
		{"vgg11", "132,863,336", "7,609,090,048"},
		{"vgg16", "138,357,544", "15,470,264,320"},
		{"resnet18", "11,689,512", "1,814,073,344"},
		{"resnet50", "25,557,032", "4,089,184,256"},
		{"squeezenet", "1,235,496", "349,151,936"},
		{"mobilenetv2", "3,504,872", "300,774,272"},
	} {
		status, out, errs := demo(context.Background(), "summary", "-model", c.model)
		require.Zero(t, status, errs)
		require.Regexp(t, `(?m)^ +total +`+c.parameters+` +`+c.macs, out)
	}
}

// The packed forms of AlexNet at batch 1 have most of their bytes in the dense layers.
func TestSummaryShowsSmallWeights(t *testing.T) {
	packed := func(small string) int {
		status, out, errs := demo(context.Background(), "summary", "-model", "alexnet", "-batch", "8", "-weights-type", small)
		require.Zero(t, status, errs)
		m := regexp.MustCompile(`(?m)^ +infer +\S+ +\S+ +\S+ +(\S+)`).FindStringSubmatch(out)
		require.NotNil(t, m, out)
		n, err := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
		require.NoError(t, err)
		return n
	}
	const dense = 9216*4096 + 4096*4096 + 4096*1000
	full, half, quarter := packed("float32"), packed("bfloat16"), packed("int8")
	require.InDelta(t, 2*dense, full-half, .1*dense)
	require.InDelta(t, dense, half-quarter, .1*dense)
}

// Layers stand in the order in which they end, under the names of what they are.
func TestSummaryNamesLayers(t *testing.T) {
	for model, want := range map[string]string{
		"lenet":       `conv2 +Conv2D +\(N,16,10,10\) .*\n +4 +ReLU`,
		"alexnet2012": `conv1 +Conv2D .*\n +1 +ReLU .*\n +2 +LRN .*\n +3 +MaxPool2D`,
		"resnet18":    `layer1.0.bn2 +BatchNorm .*\n +layer1.0 +ReLU .*\n +layer1.1.conv1 +Conv2D`,
		"squeezenet":  `features.3.expand3x3 +Conv2D .*\n +features.3 +ReLU +\(N,128,55,55\)`,
	} {
		_, out, _ := demo(context.Background(), "summary", "-model", model)
		require.Regexp(t, want, out)
	}
}

func TestProgramNamesLinesAndLayers(t *testing.T) {
	for _, args := range [][]string{{"program"}, {"program", "-train"}} {
		status, out, errs := demo(context.Background(), args...)
		require.Zero(t, status, errs)
		require.Contains(t, out, "conv1")
		require.Contains(t, out, ".go:")
		require.Contains(t, out, "@")
	}
	for _, p := range vm.Passes() {
		status, out, errs := demo(context.Background(), "program", "-train", "-after", p.Name)
		require.Zero(t, status, errs)
		require.True(t, strings.HasPrefix(out, "after "+p.Name+":"), out)
	}
	_, out, _ := demo(context.Background(), "program", "-dot")
	require.True(t, strings.HasPrefix(out, "digraph"))
}

func TestGradCheckPrintsBothOrders(t *testing.T) {
	status, out, errs := demo(context.Background(), "gradcheck", "-op", "lstmcell")
	require.Zero(t, status, errs)
	require.Regexp(t, `(?m)^op +attributes +order 1 +order 2 *\nLSTMCell +\d\.\de-\d\d +\d\.\de-\d\d *\n\nall gradients agree`, out)
}

func TestVerifyAgrees(t *testing.T) {
	for _, m := range []string{"lenet", "lenet1998"} {
		status, out, errs := demo(context.Background(), "verify", "-model", m)
		require.Zero(t, status, errs)
		require.Equal(t, 2, strings.Count(out, "agree"))
	}
}

// The counter formula gives what PyTorch computes from it: mean absolute logit, and the loss
// of the third step (PyTorch, lr 0.01, momentum 0.9).
func TestChecksOfBenchAgreeWithPyTorch(t *testing.T) {
	e, err := findEngine("ref")
	require.NoError(t, err)
	for _, b := range benchCases() {
		want, ok := pytorchChecks[b.name]
		if !ok {
			continue
		}
		w, err := b.make(e)
		require.NoError(t, err)
		check, err := w.check(w)
		require.NoError(t, err)
		require.InEpsilon(t, want, check, 1e-4, b.name)
	}
}

func TestBenchPrintsOneObjectACase(t *testing.T) {
	if testing.Short() {
		t.Skip("takes four seconds")
	}
	status, out, errs := demo(context.Background(), "bench", "-json", "-case", "lenet/infer/1")
	require.Zero(t, status, errs)
	var r map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	for _, key := range []string{"case", "ms", "min", "max", "check", "share", "fma_gflops", "gb_s"} {
		require.Contains(t, r, key)
	}
}

func TestBenchForClients(t *testing.T) {
	if testing.Short() {
		t.Skip("takes four seconds")
	}
	status, out, errs := demo(context.Background(), "bench", "-json", "-case", "lenet/infer/1", "-clients", "2", "-threads", "1")
	require.Zero(t, status, errs)
	var r clientsResult
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Equal(t, "lenet/infer/1 2 1", fmt.Sprint(r.Case, " ", r.Clients, " ", r.Threads))
	require.Positive(t, r.Rate)
	require.Positive(t, r.Median)
	require.GreaterOrEqual(t, r.P99, r.Median)
}

func TestBenchOfOpsPrintsOneObjectACase(t *testing.T) {
	status, out, errs := demo(context.Background(), "bench", "-ops", "-json", "-case", "^ReLU/1x.*fwd$")
	require.Zero(t, status, errs)
	var r map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	for _, key := range []string{"case", "ms", "min", "max", "check"} {
		require.Contains(t, r, key)
	}
}

// TestBenchOfOpsTakesTurns: a line for each name, with the check value of its case.
func TestBenchOfOpsTakesTurns(t *testing.T) {
	e, err := findEngine("cpu")
	require.NoError(t, err)
	cases, err := opCases("^(ReLU|Exp)/1x.*fwd$")
	require.NoError(t, err)
	require.Len(t, cases, 2)
	var out strings.Builder
	in := strings.Join([]string{cases[1].Name(), cases[1].Name(), cases[0].Name()}, "\n")
	require.NoError(t, opsRun{e, &out, true}.turns(t.Context(), strings.NewReader(in), cases))
	var checks []float64
	for line := range strings.Lines(out.String()) {
		var r opResult
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		require.Positive(t, r.Ms)
		checks = append(checks, r.Check)
	}
	require.Len(t, checks, 3)
	require.Equal(t, checks[0], checks[1])
	require.NotEqual(t, checks[0], checks[2])
	require.ErrorContains(t, opsRun{e, &out, true}.turns(t.Context(), strings.NewReader("nonsense"), cases), `no case "nonsense"`)
}

var pytorchChecks = map[string]float64{
	"lenet/infer/1":  0.070482694,
	"lenet/infer/64": 0.070654288,
	"lenet/train/1":  2.3168461,
	"lenet/train/64": 2.3081028,
	"gemm/512":       2.4496922,
}
