package onnx

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/interop/onnx/ir"
)

func TestEachCodeOfASmallTypeIsThatOfItsNumber(t *testing.T) {
	for d, f := range smallFloats {
		for code := range 1 << d.Bits() {
			v := f.value(uint8(code))
			have := f.code(float64(v), false)
			if f.unsigned {
				have = powerCode(v, false, "nearest")
			}
			if math.IsNaN(float64(v)) {
				require.True(t, math.IsNaN(float64(f.value(have))), "%v %#x", d, code)
				continue
			}
			require.Equal(t, uint8(code), have, "%v %v", d, v)
		}
	}
}

// Rounding is to the nearest of all numbers, found by looking at each.
func TestSmallTypesRoundToTheNearest(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for d, f := range smallFloats {
		if f.unsigned {
			continue
		}
		top := float64(f.value(f.top))
		for range 2000 {
			v := top * math.Exp2(-12*r.Float64()) * math.Copysign(1, r.Float64()-0.5)
			least := math.Inf(1)
			for code := range 1 << d.Bits() {
				if w := float64(f.value(uint8(code))); !math.IsNaN(w) && !math.IsInf(w, 0) {
					least = min(least, math.Abs(w-v))
				}
			}
			require.Equal(t, least, math.Abs(float64(f.value(f.code(v, true)))-v), "%v %v", d, v)
		}
		require.Equal(t, top, float64(f.value(f.code(2*top, true))), d)
	}
}

func TestPackedElementsAreUnpacked(t *testing.T) {
	for _, tt := range []struct {
		d    ir.DataType
		raw  []byte
		want any
	}{
		{ir.Int4, []byte{0xf1, 0x08}, []int8{1, -1, -8}},
		{ir.Uint4, []byte{0xf1, 0x08}, []uint8{1, 15, 8}},
		{ir.Int2, []byte{0b11_10_01}, []int8{1, -2, -1}},
		{ir.Uint2, []byte{0b11_10_01}, []uint8{1, 2, 3}},
		{ir.Float4E2M1, []byte{0xf1, 0x08}, []uint8{1, 15, 8}},
	} {
		p := &ir.Tensor{Type: tt.d, Dims: []int64{3}, Raw: tt.raw, HasRaw: true}
		h, err := FromProto(p)
		require.NoError(t, err)
		require.Equal(t, tt.want, h.Data)
		listed := &ir.Tensor{Type: tt.d, Dims: []int64{3}, Int32s: converted[uint8, int32](tt.raw)}
		h, err = FromProto(listed)
		require.NoError(t, err)
		require.Equal(t, tt.want, h.Data)
	}
}
