package nn

import "fmt"

// Ends is the padding of a sequence, in elements. A plain number stands for both ends, so that
// Pad: 2 pads each of them by 2. [BeforeAfter] gives two numbers: a causal convolution has
// BeforeAfter(Kernel-1, 0).
type Ends int64

// A plain number is itself. Two others stand above one another, below a flag.
const (
	endBits  = 31
	maxEnd   = 1<<endBits - 1
	endsFlag = 1 << (2 * endBits)
)

// BeforeAfter returns a padding that differs from end to end. A number below 0 or above 1<<31-1
// makes it invalid, which the layer refuses.
func BeforeAfter(before, after int) Ends {
	if before < 0 || before > maxEnd || after < 0 || after > maxEnd {
		return -1
	}
	return endsFlag | Ends(before)<<endBits | Ends(after)
}

// pads returns the number before and after.
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
