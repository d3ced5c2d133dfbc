package simd

// Window describes how a convolution or pooling looks at one image of C×H×W: KH×KW windows at
// OH×OW places. Strides and dilations of 0 mean 1.
type Window struct {
	C, H, W   int
	KH, KW    int
	OH, OW    int
	SH, SW    int // strides
	DH, DW    int // dilations
	Top, Left int // rows and columns of zeros before the image
}

func (w Window) withDefaults() Window {
	w.SH, w.SW, w.DH, w.DW = max(w.SH, 1), max(w.SW, 1), max(w.DH, 1), max(w.DW, 1)
	return w
}

// Rows returns C*KH*KW, the rows of the matrix that Im2Col makes.
func (w Window) Rows() int { return w.C * w.KH * w.KW }

// Cols returns OH*OW, its columns.
func (w Window) Cols() int { return w.OH * w.OW }

// ConvOp describes a convolution of N images of C×H×W with M filters of C×KH×KW, into N outputs of
// M×OH×OW, all row-major: y = act(conv(x, w) + bias). As in all of machine learning, filters are not
// turned round.
type ConvOp struct {
	Window
	N, M int

	// Add keeps what y holds. Bias, of M values, is RowBias or NoBias.
	Add  bool
	Bias Bias
	Act  Act
}
