package parity_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/internal/parity"
	"github.com/plexaura/plexaura/shape"
)

// Rounding is the only difference, and the training makes it grow: in float32 PyTorch is 0.005 off
// its own float64 after 50 steps.
func TestTrainingFollowsPyTorch(t *testing.T) {
	for _, tt := range []struct {
		d     shape.DType
		steps int
		bound float64
	}{
		{shape.Float64, 100, 1e-10},
		{shape.Float32, 25, 1e-5},
	} {
		t.Run(tt.d.String(), func(t *testing.T) {
			want, err := parity.PyTorchSteps(tt.d)
			require.NoError(t, err)
			require.Len(t, want, 1876)
			i := 0
			for s, err := range parity.Train(t.Context(), cpu.New(), tt.d) {
				require.NoError(t, err)
				require.LessOrEqual(t, math.Abs(s.Loss-want[i].Loss), tt.bound*want[i].Loss, "step %d", i)
				require.Equal(t, want[i].Correct, s.Correct, "step %d", i)
				if i++; i == tt.steps {
					break
				}
			}
			require.Equal(t, tt.steps, i)
		})
	}
}
