package nn

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHW(t *testing.T) {
	for _, tt := range []struct {
		v     HW
		sides [2][2]int
		text  string
	}{
		{0, [2][2]int{}, "0"},
		{5, [2][2]int{{5, 5}, {5, 5}}, "5"},
		{maxHW, [2][2]int{{maxHW, maxHW}, {maxHW, maxHW}}, "32767"},
		{Rect(3, 5), [2][2]int{{3, 3}, {5, 5}}, "3×5"},
		{Rect(0, 0), [2][2]int{}, "0"},
		{Rect(4, 4), [2][2]int{{4, 4}, {4, 4}}, "4"},
		{Sides(1, 2, 3, 4), [2][2]int{{1, 2}, {3, 4}}, "1,2,3,4"},
		{Sides(maxHW, 0, maxHW, 1), [2][2]int{{maxHW, 0}, {maxHW, 1}}, "32767,0,32767,1"},
	} {
		sides, ok := tt.v.sides()
		require.True(t, ok, tt.text)
		require.Equal(t, tt.sides, sides, tt.text)
		require.Equal(t, tt.text, tt.v.String())
	}
	for _, v := range []HW{-1, maxHW + 1, 1 << 40, hwFlag * 2, 1 << 62, Rect(1, -1), Rect(maxHW+1, 1), Sides(0, 0, 0, 1<<20)} {
		_, ok := v.sides()
		require.False(t, ok, "%d", v)
		require.Equal(t, "invalid", v.String())
	}
}
