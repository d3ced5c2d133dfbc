package cases_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff/gradcheck/cases"
	"github.com/plexaura/plexaura/ops"
)

func TestEveryRowOfTheTableAgreesWithFiniteDifferences(t *testing.T) {
	for _, c := range cases.All() {
		t.Run(c.Op+"/"+c.Label, func(t *testing.T) {
			r, err := c.Run()
			require.NoError(t, err)
			require.NotEmpty(t, r.Worst.By, "nothing was compared")
		})
	}
}

func TestRowsHaveTheirOwnNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases.All() {
		require.False(t, seen[c.Op+"/"+c.Label], "%s/%s stands twice in the table", c.Op, c.Label)
		seen[c.Op+"/"+c.Label] = true
	}
}

func TestSummaryHasALineForEveryOp(t *testing.T) {
	lines := map[string]cases.Line{}
	for _, l := range cases.Summary() {
		require.NotContains(t, lines, l.Op)
		require.NoError(t, l.Err, l.Op)
		lines[l.Op] = l
	}
	for _, op := range ops.All {
		l := lines[op.Name()]
		require.True(t, l.Rows > 0 || l.Reason != "", "%s is neither checked nor said to have no gradient", op.Name())
		require.LessOrEqual(t, l.Worst.Error, cases.Tolerance)
	}
	require.Greater(t, lines["Conv2DFilterGrad"].Rows, 5)
	require.Equal(t, "Embed", lines["Embed"].Op)
	require.Positive(t, lines["Embed"].Rows)
}
