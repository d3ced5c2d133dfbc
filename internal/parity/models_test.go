package parity_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/parity"
	"github.com/plexaura/plexaura/shape"
)

func TestModelsEqualPyTorch(t *testing.T) {
	models, err := parity.Models()
	require.NoError(t, err)
	require.Len(t, models, 3)
	for _, m := range models {
		for _, e := range []engine.Engine{ref.Engine{}, cpu.New()} {
			for _, d := range []shape.DType{shape.Float32, shape.Float64} {
				t.Run(fmt.Sprint(m, "/", e.Name(), "/", d), func(t *testing.T) {
					if m.Name == "alexnet" && (testing.Short() || e.Name() == "ref") {
						t.Skip("takes a gigabyte, or many seconds; see demo parity")
					}
					errs, err := m.Run(t.Context(), e, d)
					require.NoError(t, err)
					for i, v := range m.Values {
						require.LessOrEqual(t, errs.Values[i], errs.Bound, v.Name)
					}
				})
			}
		}
	}
}
