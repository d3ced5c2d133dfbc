package cpu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// A transposition to or from (N,H,W,C) moves nothing with channels last, and one of axes of extent 1 nothing at all.
func TestTranspositionsSayWhenTheyMoveNothing(t *testing.T) {
	e := New()
	if !e.simd.NHWC.Vector() {
		t.Skip("plain Go has no channels last")
	}
	x, y := shape.F32(2, 24, 5, 7), shape.F32(2, 5, 7, 24)
	toRows, toLast := engine.Perm{0, 2, 3, 1}, engine.Perm{0, 3, 1, 2}
	bind := func(p engine.Perm, in, out engine.Operand) engine.Bound {
		b, err := e.BindTranspose(p, []engine.Operand{in}, out)
		require.NoError(t, err)
		return b
	}
	gain := x.Bytes() - 1
	b := bind(toRows, engine.InRow(x), engine.InRow(y))
	require.False(t, b.Alias)
	require.Equal(t, []engine.Arrangement{{In: lastOnly, Gain: gain}}, b.Arrangements)
	b = bind(toLast, engine.InRow(y), engine.InRow(x))
	require.Equal(t, []engine.Arrangement{{In: []engine.Layout{engine.Rows}, Out: channelsLast, Gain: gain}}, b.Arrangements)
	b = bind(toRows, engine.Operand{Type: x, Layout: channelsLast}, engine.InRow(y))
	require.True(t, b.Alias)
	require.Empty(t, b.Arrangements)
	require.True(t, bind(engine.Perm{1, 0, 2}, engine.InRow(shape.F32(1, 50, 8)), engine.InRow(shape.F32(50, 1, 8))).Alias)
	_, err := e.BindTranspose(engine.Perm{0, 1, 3, 2}, []engine.Operand{{Type: x, Layout: channelsLast}}, engine.InRow(shape.F32(2, 24, 7, 5)))
	require.Error(t, err)
}
