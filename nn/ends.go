package nn

import "fmt"

// Ends is the padding of a sequence, in elements. A plain number applies to both ends: Pad: 2 pads
// each end by 2. Use [BeforeAfter] for two numbers: a causal convolution has BeforeAfter(Kernel-1,
// 0).
type Ends int64

// A plain number represents itself. Two different numbers are packed into one, with a flag bit.
const (
	endBits  = 31
	maxEnd   = 1<<endBits - 1
	endsFlag = 1 << (2 * endBits)
)

// BeforeAfter returns a padding with a different number of elements at each end. If a number is
// negative or above 1<<31-1, the result is invalid and the layer rejects it.
func BeforeAfter(before, after int) Ends {
	if before < 0 || before > maxEnd || after < 0 || after > maxEnd {
		return -1
	}
	return endsFlag | Ends(before)<<endBits | Ends(after)
}

// pads returns the number of elements before and after.
func (e Ends) pads() [2]int {
	if e < endsFlag {
		return [2]int{int(e), int(e)}
	}
	return [2]int{int(e>>endBits) & maxEnd, int(e) & maxEnd}
}

// String returns "2", or "2,0" for before and after.
func (e Ends) String() string {
	p := e.pads()
	if p[0] != p[1] {
		return fmt.Sprintf("%d,%d", p[0], p[1])
	}
	return fmt.Sprint(p[0])
}
