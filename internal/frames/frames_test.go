package frames

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/nothing"
)

func TestStringsComeBackInTheirOrder(t *testing.T) {
	want := []string{"", "a", strings.Repeat("b", 300), "\x00"}
	var b []byte
	for i, s := range want {
		if i%2 == 0 {
			b = Append(b, s)
		} else {
			b = Append(b, []byte(s))
		}
	}
	for _, s := range want {
		v, rest, ok := Cut(b)
		require.True(t, ok)
		require.Equal(t, s, string(v))
		_ = append(v, "overwritten"...)
		b = rest
	}
	require.Empty(t, b)
}

func TestWhatIsCutOffIsNoString(t *testing.T) {
	whole := Append(nil, strings.Repeat("x", 200))
	for n := range whole {
		_, _, ok := Cut(whole[:n])
		require.False(t, ok, n)
	}
	for _, length := range []uint64{1, math.MaxInt64, math.MaxUint64} {
		_, _, ok := Cut(binary.AppendUvarint(nil, length))
		require.False(t, ok)
	}
	_, _, ok := Cut(bytes.Repeat([]byte{0xff}, 11)) // a length of more than 64 bits
	require.False(t, ok)
}

func TestNothingWhereSomethingIsWantedNeverPanics(t *testing.T) {
	nothing.Check(t, nothing.Exports{
		Funcs: map[string]any{"Append": Append[[]byte], "Cut": Cut},
		Good:  func() []any { return []any{[]byte("\x01a")} },
	})
}
