package patterns_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/patterns"
)

func TestAPatternThatMatchesNothingIsAnErrorWithNamesThatAreNear(t *testing.T) {
	names := []string{"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "fc1.weight", "fc1.bias"}
	for pattern, want := range map[string]string{
		"conv1.*": "", "*": "", "conv[12].weight": "", "fc1.bias": "",
		"cov1.*":                    `Freeze: "cov1.*" matches no parameter; near it are conv1.*, conv2.*`,
		"fc1.wieght":                `Freeze: "fc1.wieght" matches no parameter; near it are fc1.weight`,
		"transformer.h.0.attention": `Freeze: "transformer.h.0.attention" matches no parameter`,
		"conv[":                     `Freeze: invalid pattern "conv[": syntax error in pattern`,
		strings.Repeat("a", 200):    "matches no parameter",
	} {
		err := patterns.Used("Freeze", []string{"conv*", pattern}, names)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
	}
	many := slices.Repeat([]string{"a"}, 1<<20)
	require.ErrorContains(t, patterns.Used("", []string{"b"}, many), "near it are a")
}
