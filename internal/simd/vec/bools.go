package vec

import (
	"unsafe"

	"github.com/plexaura/plexaura/internal/simd/abi"
	"github.com/plexaura/plexaura/internal/simd/isa"
)

// boolKernels are those of one level. They take n, a multiple of boolStep; nil ones take none.
type boolKernels struct {
	equal, notEqual, less, lessEqual func(n int, dst *bool, x, y *float32)
	choose                           func(n int, dst *float32, cond *bool, x, y *float32)
	ones                             func(n int, dst *float32, cond *bool)
}

// Equal sets dst[i] = x[i] == y[i]. Here and below dst sets how many elements are looked at; unlike
// elsewhere in the package, denormals are seen as they are.
func (k *Kernels) Equal(dst []bool, x, y []float32) {
	for i := k.compare(k.equal, dst, x, y); i < len(dst); i++ {
		dst[i] = x[i] == y[i]
	}
}

// NotEqual sets dst[i] = x[i] != y[i].
func (k *Kernels) NotEqual(dst []bool, x, y []float32) {
	for i := k.compare(k.notEqual, dst, x, y); i < len(dst); i++ {
		dst[i] = x[i] != y[i]
	}
}

// Less sets dst[i] = x[i] < y[i].
func (k *Kernels) Less(dst []bool, x, y []float32) {
	for i := k.compare(k.less, dst, x, y); i < len(dst); i++ {
		dst[i] = x[i] < y[i]
	}
}

// LessEqual sets dst[i] = x[i] <= y[i].
func (k *Kernels) LessEqual(dst []bool, x, y []float32) {
	for i := k.compare(k.lessEqual, dst, x, y); i < len(dst); i++ {
		dst[i] = x[i] <= y[i]
	}
}

// compare runs f as far as it goes, and returns how far.
func (k *Kernels) compare(f func(n int, dst *bool, x, y *float32), dst []bool, x, y []float32) (done int) {
	x, y = x[:len(dst)], y[:len(dst)]
	for n := whole(f == nil, len(dst)); done < n; done += isa.CallLen {
		f(min(isa.CallLen, n-done), &dst[done], &x[done], &y[done])
	}
	return min(done, whole(f == nil, len(dst)))
}

// Choose sets dst[i] to x[i] where cond[i] holds, else to y[i]. dst may be x or y.
func (k *Kernels) Choose(dst []float32, cond []bool, x, y []float32) {
	cond, x, y = cond[:len(dst)], x[:len(dst)], y[:len(dst)]
	n := whole(k.choose == nil, len(dst))
	for i := 0; i < n; i += isa.CallLen {
		k.choose(min(isa.CallLen, n-i), &dst[i], &cond[i], &x[i], &y[i])
	}
	for i := n; i < len(dst); i++ {
		v := y[i]
		if cond[i] {
			v = x[i]
		}
		dst[i] = v
	}
}

// Ones sets dst[i] to 1 where cond[i] holds, else to 0.
func (k *Kernels) Ones(dst []float32, cond []bool) {
	cond = cond[:len(dst)]
	n := whole(k.ones == nil, len(dst))
	for i := 0; i < n; i += isa.CallLen {
		k.ones(min(isa.CallLen, n-i), &dst[i], &cond[i])
	}
	for i := n; i < len(dst); i++ {
		dst[i] = float32(*(*uint8)(unsafe.Pointer(&cond[i])))
	}
}

// whole is how many of n elements are in whole steps, 0 without a kernel.
func whole(none bool, n int) int {
	if none {
		return 0
	}
	return n &^ (abi.BoolStep - 1)
}
