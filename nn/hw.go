package nn

import "fmt"

// HW is a pair of numbers for height and width: a kernel, a stride, a dilation or a padding. A
// plain number applies to both: Kernel: 5 is a 5×5 kernel, and Pad: 2 pads every side by 2. Use
// [Rect] for two numbers, and [Sides] for a padding that differs between sides. Numbers may be at
// most 32767.
type HW int64

// A plain number represents itself. Four different numbers are packed into one, with a flag bit.
const (
	hwBits = 15
	maxHW  = 1<<hwBits - 1
	hwFlag = 1 << (4 * hwBits)
	badHW  = HW(-1)
)

// Rect returns h for the height and w for the width.
func Rect(h, w int) HW { return Sides(h, h, w, w) }

// Sides returns a padding, in pixels.
func Sides(top, bottom, left, right int) HW {
	v := HW(1)
	for _, n := range [...]int{top, bottom, left, right} {
		if n < 0 || n > maxHW {
			return badHW
		}
		v = v<<hwBits | HW(n)
	}
	return v
}

// sides returns the number before and after each axis.
func (v HW) sides() (p [2][2]int, ok bool) {
	switch {
	case 0 <= v && v <= maxHW:
		v = Sides(int(v), int(v), int(v), int(v))
	case v < hwFlag || v >= 2*hwFlag:
		return p, false
	}
	for i := range 4 {
		p[i/2][i%2] = int(v>>((3-i)*hwBits)) & maxHW
	}
	return p, true
}

// pair returns the numbers for height and width of the field called name.
func (v HW) pair(name string) ([2]int, error) {
	p, err := v.pads(name)
	if err == nil && (p[0][0] != p[0][1] || p[1][0] != p[1][1]) {
		err = fmt.Errorf("%s is %v; only a padding can differ from side to side", name, v)
	}
	return [2]int{p[0][0], p[1][0]}, err
}

func (v HW) pads(name string) ([2][2]int, error) {
	p, ok := v.sides()
	if !ok {
		return p, fmt.Errorf("%s is out of range; its numbers go from 0 to %d", name, maxHW)
	}
	return p, nil
}

// String returns "5", "3×5", or "0,1,2,3" for top, bottom, left and right.
func (v HW) String() string {
	p, ok := v.sides()
	switch {
	case !ok:
		return "invalid"
	case p[0][0] != p[0][1] || p[1][0] != p[1][1]:
		return fmt.Sprintf("%d,%d,%d,%d", p[0][0], p[0][1], p[1][0], p[1][1])
	case p[0][0] != p[1][0]:
		return fmt.Sprintf("%d×%d", p[0][0], p[1][0])
	}
	return fmt.Sprint(p[0][0])
}

// window is the geometry that convolution and pooling share.
type window struct {
	kernel, stride, dilation [2]int
	pad                      [2][2]int
}

func newWindow(kernel, stride, dilation, pad HW) (w window, err error) {
	if w.kernel, err = kernel.pair("Kernel"); err != nil {
		return w, err
	}
	if w.stride, err = stride.pair("Stride"); err != nil {
		return w, err
	}
	if w.dilation, err = dilation.pair("Dilation"); err != nil {
		return w, err
	}
	w.pad, err = pad.pads("Pad")
	return w, err
}
