package vec

import (
	"testing"
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/simdtest"
)

func TestVectorKernelsStayInsideTheirOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernels) {
		for n := 1; n < 100; n = n*5/4 + 1 {
			for _, behind := range []bool{false, true} {
				make := func() []float32 { return simdtest.Guarded[float32](t, n, behind) }
				dst, x, y := make(), make(), make()
				for op := range opCount {
					k.Map(op, dst, x, y, 1)
				}
				cond := simdtest.Guarded[uint8](t, n, behind)
				bools := unsafe.Slice((*bool)(unsafe.Pointer(&cond[0])), n)
				k.Equal(bools, x, y)
				k.NotEqual(bools, x, y)
				k.Less(bools, x, y)
				k.LessEqual(bools, x, y)
				k.Choose(dst, bools, x, y)
				k.Ones(dst, bools)
				k.Sum(x)
				k.Dot(x, y)
				k.Repeat(dst, n, x, 0)
				k.CopyPlanes(dst, x, Places{Planes: 1, Rows: 1, N: n})
				for op := range opCount {
					if ByRows(op) {
						k.MapRows(op, dst, x, n, y[:1], 1)
						k.MapRows64(op, guarded64(t, n, behind), guarded64(t, n, behind), n, guarded64(t, 1, behind), 1)
					}
				}
				k.Repeat64(guarded64(t, n, behind), n, guarded64(t, 1, behind), 1)
				starts, ids := simdtest.Guarded[int32](t, 2, behind), simdtest.Guarded[int32](t, 1, behind)
				starts[1], ids[0] = 1, 0
				k.Indices(simdtest.Guarded[int32](t, n, behind), 9)
				k.MixRows(dst, x, n, starts, ids, y[:1])
				k.MixRows64(guarded64(t, n, behind), guarded64(t, n, behind), n, starts, ids, guarded64(t, 1, behind))
			}
		}
	})
}
