package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

func TestVerifyAgreesWithGorgonia(t *testing.T) {
	status, out, errs := demo(context.Background(), "verify", "-vm", "gorgonia", "-batch", "3")
	require.Zero(t, status, errs)
	require.Regexp(t, `^lenet, batch 3, float64: the loss, the output and 10 gradients by gorgonia agree with ours, worst relative difference \d\.\de-1\d, of the gradient of .*\n$`, out)
}

// wrongFilters is ref, but gradients by filters are off by 1e-9 of themselves.
type wrongFilters struct{ ref.Engine }

func (e wrongFilters) BindConv2DFilterGrad(p engine.Conv2D, in []engine.Operand, out engine.Operand) (engine.Bound, error) {
	b, err := e.Engine.BindConv2DFilterGrad(p, in, out)
	right := b.Kernel
	b.Kernel = func(c *engine.Call) error {
		err := right(c)
		dw := engine.Slice[float64](c.Out[0])
		for i := range dw {
			dw[i] *= 1 + 1e-9
		}
		return err
	}
	return b, err
}

func TestVerifyNamesTheGradientThatDiffers(t *testing.T) {
	c := newCall(command{name: "verify"}, nil, nil)
	s := subject{name: "lenet", model: models()["lenet"], engine: wrongFilters{}, batch: 2}
	err := verifyGorgonia(context.Background(), c, s)
	require.ErrorContains(t, err, "lenet: the gradient of conv")
	require.ErrorContains(t, err, ".weight by gorgonia differs from ours by 1.0e-09; want 1e-10 at most")
}

// kernelless is an op that no engine can compute.
type kernelless struct{}

func (kernelless) Name() string                              { return "Odd" }
func (kernelless) Infer(in []shape.Type) (shape.Type, error) { return in[0], nil }

func TestWhatGorgoniaCannotLowerIsOneLine(t *testing.T) {
	m := models()["lenet"]
	plain := m.layer(m.info())
	m.build = func(int) nn.Layer {
		return nn.Sequential{plain, nn.Named("odd", nn.Func(func(x *graph.Node) *graph.Node { return graph.Apply(kernelless{}, x) }))}
	}
	c := newCall(command{name: "verify"}, nil, nil)
	err := verifyGorgonia(context.Background(), c, subject{name: "odd", model: m, engine: ref.Engine{}, batch: 2})
	require.Regexp(t, `^odd: vm_test\.go:\d+: layer odd: Odd: op type main\.kernelless has no method Bind`, oneLine(err))
}

// A run by gorgonia is the same run, but for rounding, and goes on by ours.
func TestTrainByGorgonia(t *testing.T) {
	dir := t.TempDir()
	train := func(folder string, more ...string) string {
		args := append([]string{"train", "-out", filepath.Join(dir, folder)}, more...)
		status, out, errs := demo(context.Background(), args...)
		require.Zero(t, status, errs)
		return out
	}
	common := []string{"-limit", "200", "-batch", "32"}
	out := train("theirs", append(common, "-epochs", "1", "-vm", "gorgonia")...)
	require.Contains(t, out, "gradients by gorgonia, updates and the test by engine cpu")
	train("ours", append(common, "-epochs", "2")...)
	train("theirs", "-resume", "-epochs", "2", "-vm", "plexaura")
	require.Equal(t, losses(t, filepath.Join(dir, "ours")), losses(t, filepath.Join(dir, "theirs")))
}

// losses are those of each epoch, to 4 digits.
func losses(t *testing.T, folder string) (all []string) {
	file, err := os.Open(filepath.Join(folder, "metrics.jsonl"))
	require.NoError(t, err)
	defer file.Close()
	for d := json.NewDecoder(file); d.More(); {
		var line map[string]any
		require.NoError(t, d.Decode(&line))
		for _, key := range slices.Sorted(maps.Keys(line)) {
			if strings.Contains(key, "loss") {
				all = append(all, fmt.Sprintf("%s %.4f", key, line[key]))
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}
