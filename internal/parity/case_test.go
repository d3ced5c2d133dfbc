package parity_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/engine/std"
	"github.com/plexaura/plexaura/internal/parity"
	"github.com/plexaura/plexaura/shape"
)

func TestOpsEqualPyTorch(t *testing.T) {
	cases, err := parity.Cases()
	require.NoError(t, err)
	for _, e := range []engine.Engine{ref.Engine{}, cpu.New(), std.New(tensor.StdEng{})} {
		for _, d := range []shape.DType{shape.Float32, shape.Float64} {
			t.Run(fmt.Sprint(e.Name(), "/", d), func(t *testing.T) {
				for _, c := range cases {
					errs, err := c.Run(t.Context(), e, d)
					if err != nil {
						t.Error(err)
						continue
					}
					if !(max(errs.Value, errs.Grad) <= parity.Bound(d)) {
						t.Errorf("%v: error %.1e of the result, %.1e of the gradients", c, errs.Value, errs.Grad)
					}
				}
			})
		}
	}
}
