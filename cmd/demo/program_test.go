package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/optim"
	"github.com/plexaura/plexaura/vm"
)

// Each of AlexNet's five convolutions, its filters' gradient and, but for the first, its images'
// gradient has one algorithm taken.
func TestCostsOfEveryConvolution(t *testing.T) {
	status, out, errs := demo(context.Background(), "program", "-model", "alexnet", "-train", "-batch", "4", "-costs")
	require.Zero(t, status, errs)
	for instruction, want := range map[string]int{`Conv2D\+Bias\+ReLU`: 5, "Conv2DFilterGrad": 5, "Conv2DInputGrad": 4} {
		require.Len(t, regexp.MustCompile(`(?m)^\d+ +`+instruction+` +\(`).FindAllString(out, -1), want, "%s in\n%s", instruction, out)
	}
	require.Len(t, regexp.MustCompile(`(?m) taken$`).FindAllString(out, -1), 14, out)
	require.Regexp(t, `(?m) winograd +- +for 3x3 or 5x5 filters, stride 1, one group$`, out)

	status, out, errs = demo(context.Background(), "program", "-model", "alexnet", "-train", "-batch", "4", "-costs", "-engine", "cpu-exact")
	require.Zero(t, status, errs)
	require.NotRegexp(t, `winograd .* taken`, out)
	require.Contains(t, out, "ruled out by ExactConv")
}

// The test runs itself with an environment that a user got wrong.
func TestALevelThatIsNoneIsOneLine(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	if os.Getenv(simd.LevelVariable) == "nonsense" {
		os.Exit(run(context.Background(), calledAs("demo"), []string{"summary"}, os.Stdout, os.Stderr))
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), simd.LevelVariable+"=nonsense")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var status *exec.ExitError
	require.ErrorAs(t, cmd.Run(), &status)
	require.Equal(t, 2, status.ExitCode())
	require.Empty(t, out.String())
	require.Regexp(t, `^demo summary: simd: PLEXAURA_SIMD is "nonsense"; this processor has generic[^\n]*\n$`, errs.String())
}

// Compiling a training step and lowering it for a batch size.
func BenchmarkCompile(b *testing.B) {
	for _, name := range []string{"lenet", "alexnet", "resnet18", "mobilenetv2"} {
		outs := models()[name].train(optim.SGD{LR: .01, Momentum: .9}).outs
		b.Run(name, func(b *testing.B) {
			var e engine.Engine = cpu.New()
			for b.Loop() {
				p, err := vm.Compile(e, outs, vm.Train)
				require.NoError(b, err)
				_, err = p.Memory(64)
				require.NoError(b, err)
			}
		})
	}
}
