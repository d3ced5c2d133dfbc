package main

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// How far logits are from those of weights in float32, relative to the largest of them, with the
// values of bench. PERFORMANCE.md has the figures.
func TestLogitsOfSmallWeights(t *testing.T) {
	if testing.Short() {
		t.Skip("runs networks for ImageNet")
	}
	of := models()
	for _, c := range []struct {
		model string
		limit map[shape.DType]float64
	}{
		{"alexnet", map[shape.DType]float64{shape.BFloat16: .004, shape.Int8: .003}},
		{"resnet18", map[shape.DType]float64{shape.BFloat16: .001, shape.Int8: .006}},
		{"mobilenetv2", map[shape.DType]float64{shape.BFloat16: .001, shape.Int8: .002}},
	} {
		logits := func(opts ...vm.Option) []float32 {
			w, err := inferCase(cpu.New(), of[c.model], 2, opts...)
			require.NoError(t, err)
			out, err := w.machine.Run(context.Background(), w.inputs...)
			require.NoError(t, err)
			return append([]float32(nil), out[0].Float32s()...)
		}
		want := logits()
		for as, limit := range c.limit {
			got := logits(vm.WithWeights(as))
			largest, worst := 0.0, 0.0
			for i, x := range want {
				largest = max(largest, math.Abs(float64(x)))
				worst = max(worst, math.Abs(float64(got[i])-float64(x)))
			}
			t.Logf("%s with weights in %v: %.2g of the largest logit", c.model, as, worst/largest)
			require.Less(t, worst/largest, limit, "%s, %v", c.model, as)
			require.NotZero(t, worst)
		}
	}
}

// BenchmarkSmallWeights runs a network with weights in float32 and in a small type in turn, and
// reports the median ratio of their times.
func BenchmarkSmallWeights(b *testing.B) {
	of := models()
	for _, name := range []string{"alexnet", "resnet18"} {
		for _, as := range weightsTypes[1:] {
			b.Run(name+"/"+as.String(), func(b *testing.B) {
				full, err := inferCase(cpu.New(), of[name], 1)
				require.NoError(b, err)
				small, err := inferCase(cpu.New(), of[name], 1, vm.WithWeights(as))
				require.NoError(b, err)
				took := func(w *workload) float64 {
					start := time.Now()
					_, err := w.run()
					require.NoError(b, err)
					return time.Since(start).Seconds()
				}
				took(full)
				took(small)
				ratios := make([]float64, b.N)
				for i := range ratios {
					ratios[i] = took(full) / took(small)
				}
				slices.Sort(ratios)
				b.ReportMetric(ratios[b.N/2], "float32/small")
			})
		}
	}
}
