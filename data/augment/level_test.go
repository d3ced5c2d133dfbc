package augment

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/data"
	"github.com/plexaura/plexaura/internal/simd"
	"github.com/plexaura/plexaura/shape"
)

// The test runs itself with an environment that a user got wrong. Only what multiplies matrices,
// whose bits depend on the level, heeds it, and says so by an error.
func TestALevelThatIsNoneIsAnErrorOfElastic(t *testing.T) {
	if os.Getenv(simd.LevelVariable) != "nonsense" {
		self, err := os.Executable()
		require.NoError(t, err)
		cmd := exec.Command(self, "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), simd.LevelVariable+"=nonsense")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	in := data.Info{Input: shape.F32(1, 8, 8), Target: shape.Type{DType: shape.Int32}}
	_, _, err := Elastic{Sigma: 4, Alpha: 30}.Bind(in)
	require.ErrorContains(t, err, `PLEXAURA_SIMD is "nonsense"; this processor has generic`)
	_, _, err = Affine{Rotate: Range{-10, 10}}.Bind(in)
	require.NoError(t, err)
	data.NewRand(1, 0, 0).Uniforms(make([]float32, 100))
}
