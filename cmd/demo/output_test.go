package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/models/lenet"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/train"
	"github.com/plexaura/plexaura/vm"
)

// fullDisk takes so many bytes.
type fullDisk struct{ room int }

var errFull = errors.New("no space left")

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.room {
		return 0, errFull
	}
	d.room -= len(p)
	return len(p), nil
}

// What could not be printed is not success, with whatever command and wherever it ends.
func TestOutputThatFailsIsAnError(t *testing.T) {
	weights := savedWeights(t, nil, nil)
	digit, _ := writeDigit(t, t.TempDir(), 0)
	for _, args := range []string{
		"help", "train -h", "summary", "program", "program -dot", "program -costs", "program -after fold", "gradcheck -op relu", "verify",
		"verify -vm gorgonia -batch 2", "parity -op relu", "eval -test-limit 9 -weights " + weights, "predict -weights " + weights + " " + digit,
		"calibrate -limit 9 -weights " + weights + " -out " + filepath.Join(t.TempDir(), "r.json"),
		"train -limit 64 -test-limit 64 -epochs 1 -out " + t.TempDir(),
	} {
		for _, room := range []int{0, 20} {
			var errs bytes.Buffer
			status := run(context.Background(), calledAs("demo"), strings.Fields(args), &fullDisk{room}, &errs)
			require.Equal(t, 1, status, args)
			require.Contains(t, errs.String(), "what it printed is not complete: no space left\n", args)
		}
	}
}

// savedWeights is a file with weights of LeNet as they begin, for such classes, changed by with.
func savedWeights(t *testing.T, classes []string, with func(*vm.Store)) string {
	t.Helper()
	m := models()["lenet"]
	info := m.info()
	if classes != nil {
		info.Classes = classes
	}
	g := graph.New()
	lenet.Model.Apply(nn.Root(g), g.Input("x", shape.F32(shape.N, 1, 28, 28)))
	s := vm.NewStore(1)
	require.NoError(t, s.Init(g.Leaves()...))
	if with != nil {
		with(s)
	}
	file := filepath.Join(t.TempDir(), "weights.safetensors")
	require.NoError(t, (&train.Checkpoint{Name: "lenet", Info: info, Store: s}).Save(file))
	return file
}

// Names from files and command lines stand in a line of their own, printable and short.
func TestForeignNamesAreShownPlainly(t *testing.T) {
	classes := make([]string, 10)
	for i := range classes {
		classes[i] = fmt.Sprintf("class %d\x1b[2J\nsecond line\r%s", i, strings.Repeat("long", 1<<20))
	}
	weights := savedWeights(t, classes, nil)
	dir := filepath.Join(t.TempDir(), "fol\x1b[31mder")
	require.NoError(t, os.Mkdir(dir, 0o777))
	digit, _ := writeDigit(t, dir, 0)
	missing := "\x1b]0;title\a\n" + strings.Repeat("no", 1<<20)
	for _, args := range [][]string{
		{"predict", "-weights", weights, digit},
		{"predict", "-weights", weights, missing},
		{"predict", "-weights", missing, digit},
		{"eval", "-weights", weights},
		{"eval", "-data", missing, "-weights", weights},
		{"train", "-limit", "64", "-test-limit", "64", "-epochs", "1", "-out", filepath.Join(dir, "run")},
		{"train", "-data", missing, "-out", filepath.Join(dir, "other")},
		{"train", missing},
		{"program", "-after", missing},
		{"bench", "-case", missing},
		{missing},
	} {
		_, out, errs := demo(context.Background(), args...)
		for _, text := range []string{out, errs} {
			require.Less(t, len(text), 8000, args[0])
			require.False(t, strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }), "%q", text)
		}
		require.LessOrEqual(t, strings.Count(errs, "\n"), 1, errs)
		if args[0] == "predict" {
			require.LessOrEqual(t, strings.Count(out, "\n"), 1, out)
		}
	}
}

// Probabilities and losses that are none are not printed.
func TestWeightsThatAreNotFiniteAreNamed(t *testing.T) {
	digit, _ := writeDigit(t, t.TempDir(), 0)
	for want, with := range map[string]func(*vm.Store){
		"not finite, since some weights are not: fc3.bias": func(s *vm.Store) { set(t, s, "fc3.bias", float32(math.NaN())) },
		"not finite, though weights and inputs are":        func(s *vm.Store) { set(t, s, "fc3.weight", 3e38) },
	} {
		weights := savedWeights(t, nil, with)
		for _, args := range [][]string{{"predict", "-weights", weights, digit}, {"eval", "-test-limit", "100", "-weights", weights}} {
			status, out, errs := demo(context.Background(), args...)
			require.Equal(t, 1, status)
			require.Empty(t, out)
			require.Contains(t, errs, want)
			require.Equal(t, 1, strings.Count(errs, "\n"))
		}
	}
}

func set(t *testing.T, s *vm.Store, name string, to float32) {
	v, err := s.Value(name)
	require.NoError(t, err)
	values := make([]float32, v.Size())
	for i := range values {
		values[i] = to
	}
	require.NoError(t, s.Set(name, tensor.New(tensor.WithShape(v.Shape()...), tensor.WithBacking(values))))
}

// Every number that a flag takes has a range, which its default keeps.
func TestEveryNumberHasARange(t *testing.T) {
	flags := 0
	for _, cmd := range commands() {
		c := newCall(cmd, []string{"-h"}, newOutput(&bytes.Buffer{}))
		require.ErrorIs(t, cmd.run(context.Background(), c), flag.ErrHelp)
		c.VisitAll(func(f *flag.Flag) {
			if _, number := float(f.Value.(flag.Getter).Get()); number {
				flags++
				require.Contains(t, spans(), f.Name, cmd.name)
			}
		})
		require.NoError(t, checkNumbers(c.FlagSet))
	}
	require.Greater(t, flags, 15)
	for name, s := range spans() {
		if name == "seed" {
			continue // any is right
		}
		require.NoError(t, checkNumber(name, s.least))
		require.NoError(t, checkNumber(name, s.most))
		for _, v := range []any{s.least / 2, s.most * 1.01, -s.most, math.NaN(), math.Inf(1), math.MaxInt, uint64(math.MaxUint64)} {
			require.ErrorContains(t, checkNumber(name, v), "-"+name+" ")
		}
		require.Equal(t, s.zero == "", checkNumber(name, 0) != nil, name)
	}
}

// A command that does not look at its context ends with it all the same; one that has something to
// save is waited for.
func TestASignalEndsACommand(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var out bytes.Buffer
	never := make(chan struct{})
	deaf := command{name: "deaf", run: func(_ context.Context, c *call) error {
		cancel()
		<-never
		return nil
	}}
	o := newOutput(&out)
	c := newCall(deaf, nil, o)
	var errs bytes.Buffer
	require.Equal(t, 1, report(&errs, "demo deaf", o, c.perform(ctx)))
	require.Equal(t, "demo deaf: interrupted\n", errs.String())
	close(never)
	_, err := o.Write([]byte("late"))
	require.ErrorIs(t, err, errClosed)
	require.Empty(t, out.String())

	for _, cmd := range commands() {
		require.Equal(t, slices.Contains([]string{"serve", "train", "watch"}, cmd.name), cmd.ends, cmd.name)
	}
	stopped := command{name: "stopped", run: func(ctx context.Context, _ *call) error { return fmt.Errorf("batch 3: %w", ctx.Err()) }}
	require.ErrorIs(t, newCall(stopped, nil, nil).perform(ctx), errInterrupted)
}

func TestTheProgramIsCalledAsItWas(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	for arg0, want := range map[string]string{
		"demo":                           "demo",
		"./demo":                         "./demo",
		"/opt/bin/demo":                  "/opt/bin/demo",
		"/my tools/demo":                 "'/my tools/demo'",
		"/tmp/go-build123/b001/exe/demo": "go run github.com/plexaura/plexaura/cmd/demo",
		"/home/u/.cache/go-build/0a/" + hash + "-d/demo": "go run github.com/plexaura/plexaura/cmd/demo",
	} {
		require.Equal(t, called{"demo", want}, calledAs(arg0), arg0)
	}
	require.Equal(t, called{"plexaura-demo", "./plexaura-demo"}, calledAs("./plexaura-demo"))
	require.Equal(t, "plexaura-demo", calledAs("plexaura-demo.exe").name)
	t.Chdir(filepath.Join("..", ".."))
	byGoRun := calledAs("/tmp/go-build123/b001/exe/demo")
	require.Equal(t, called{"demo", "go run ./cmd/demo"}, byGoRun)

	var out, errs bytes.Buffer
	require.Equal(t, 2, run(context.Background(), byGoRun, []string{"summary", "extra"}, &out, &errs))
	require.Equal(t, "demo summary: unexpected argument \"extra\"; see go run ./cmd/demo summary -h\n", errs.String())
	require.Equal(t, "go run ./cmd/demo train -resume -out 'my run'", (&call{called: byGoRun}).line("train", "-resume", "-out", "my run"))
}

// Nothing that the program prints has a name of its own but that of the file that was started.
func TestMessagesNameTheProgramAsItWasCalled(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "trainer")
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(self, exe))
	for args, want := range map[string]string{
		"nonsense":              "trainer: no command \"nonsense\"; see " + exe + " help\n",
		"summary extra":         "trainer summary: unexpected argument \"extra\"; see " + exe + " summary -h\n",
		"eval -weights missing": "trainer eval: ",
		"train -epochs -1":      "trainer train: ",
		"help":                  "",
		"train -h":              "",
		"lecture":               "",
		"bench -case none":      "trainer bench: ",
	} {
		cmd := exec.Command(exe, strings.Fields(args)...)
		cmd.Env = append(os.Environ(), asDemo+"=1")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run()
		require.True(t, strings.HasPrefix(errs.String(), want) && (want != "" || errs.Len() == 0), "%s: %s", args, errs.String())
		require.NotRegexp(t, `\bdemo (train|help|eval|predict|COMMAND|lecture|[a-z]+ -h)\b`, out.String()+errs.String(), args)
	}
}

// The bar never reaches the last column, at which a terminal scrolls.
func TestTheBarFitsTheTerminal(t *testing.T) {
	s := train.Step{Epoch: 999, Batch: 12345, Batches: 54321, Seconds: 3600, Timed: 1e6, SoFar: train.Metrics{Examples: 1, LossSum: 1234.5}}
	long := map[int]string{}
	for columns := 1; columns <= 200; columns++ {
		var out bytes.Buffer
		p := &progress{terminalLine: terminalLine{out: &out, columns: func() int { return columns }}, epochs: 1000}
		require.NoError(t, p.step(s))
		line := strings.TrimPrefix(out.String(), "\r")
		require.LessOrEqual(t, len(line), columns-1)
		require.NotContains(t, line, "\n")
		long[columns] = line
	}
	require.Equal(t, "epoch 999/1000 [==           ]  loss 1234.5000  ETA 7h48m2s", long[60])
	require.Regexp(t, `^epoch 999/1000 \[=====                   \]    278 images/s  loss 1234\.5000  ETA \d+h\d+m\d+s$`, long[120])
	require.Equal(t, "epoch 999", long[10])

	// Of a stream nobody knows how long it is.
	endless := s
	endless.Batches = 0
	p := &progress{epochs: 1000}
	require.Equal(t, "epoch 999/1000    278 images/s  loss 1234.5000  step 12,345", p.line(endless, 120))
	require.Equal(t, "epoch 999/1000  loss 1234.5000", p.line(endless, 40))

	// A terminal made narrower gets shorter lines, the rest of the line before is blanked as far as it goes.
	var out bytes.Buffer
	columns := 120
	p = &progress{terminalLine: terminalLine{out: &out, columns: func() int { return columns }}, epochs: 1000}
	require.NoError(t, p.step(s))
	columns, s.Batch = 60, s.Batches
	out.Reset()
	require.NoError(t, p.step(s))
	require.LessOrEqual(t, len(out.String()), 60)
	p.end()
	require.True(t, strings.HasSuffix(out.String(), " \r"))
}

func TestPicturesAreNormalised(t *testing.T) {
	m := models()["lenet"]
	digit, _ := writeDigit(t, t.TempDir(), 0)
	as, raw := m.info(), m.info()
	as.Preprocess.Mean, as.Preprocess.Std = []float32{.25}, []float32{.5}
	raw.Preprocess.Mean, raw.Preprocess.Std = nil, nil
	x, err := readPicture(digit, as)
	require.NoError(t, err)
	plain, err := readPicture(digit, raw)
	require.NoError(t, err)
	for i := range plain {
		require.Equal(t, (plain[i]-.25)/.5, x[i])
	}
}
