package window

import "github.com/plexaura/plexaura/internal/simd/isa"

// Window describes how a convolution or pooling looks at one image of C×H×W: KH×KW windows at
// OH×OW places. Strides and dilations of 0 mean 1.
type Window struct {
	C, H, W   int
	KH, KW    int
	OH, OW    int
	SH, SW    int // strides
	DH, DW    int // dilations
	Top, Left int // rows and columns of zeros before the image

	// Adaptive windows divide the image; see [Axis]. KH and KW are the most that one has. No
	// convolution has them.
	Adaptive bool
}

// WithDefaults returns w with strides and dilations of 1 where they are 0.
func (w Window) WithDefaults() Window {
	w.SH, w.SW, w.DH, w.DW = max(w.SH, 1), max(w.SW, 1), max(w.DH, 1), max(w.DW, 1)
	return w
}

// Rows returns C*KH*KW, how many elements a filter has.
func (w Window) Rows() int { return w.C * w.KH * w.KW }

// Cols returns OH*OW, how many windows there are.
func (w Window) Cols() int { return w.OH * w.OW }

// Conv describes a convolution of N images of C×H×W with M filters of C×KH×KW, into N outputs of
// M×OH×OW, all row-major: y = act(conv(x, w) + bias). As in all of machine learning, filters are
// not turned round.
type Conv struct {
	Window
	N, M int

	// Add keeps what y holds. Bias, of M values, is RowBias or NoBias.
	Add  bool
	Bias isa.Bias
	Act  isa.Act
}
