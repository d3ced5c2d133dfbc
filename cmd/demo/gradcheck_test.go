package main

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff/gradcheck/cases"
)

// A gradient that is wrong is told, and the command fails.
func TestAWrongGradientIsStatusOne(t *testing.T) {
	strict := cases.All()[0]
	strict.Op, strict.Tolerance = "Strict", 1e-300 // which no finite difference is good to
	table := gradients{
		lines: func() []cases.Line {
			return []cases.Line{{Op: "Right", Rows: 1, Orders: []float64{1e-9}}, {Op: "Wrong", Rows: 1, Err: errors.New("off")}}
		},
		rows: func() []cases.Case { return []cases.Case{cases.All()[0], strict} },
	}
	for _, args := range [][]string{nil, {"-op", "strict"}} {
		var out, errs bytes.Buffer
		o := newOutput(&out)
		cmd := command{name: "gradcheck", run: table.gradCheck}
		require.Equal(t, 1, report(&errs, "demo "+cmd.name, o, newCall(cmd, args, o).perform(context.Background())))
		require.Equal(t, "demo gradcheck: 1 gradients are off by more than 1e-07\n", errs.String())
		require.Contains(t, out.String(), "FAILED: ")
		require.NotContains(t, out.String(), "all gradients agree")
	}
}
