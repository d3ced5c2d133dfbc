package abi

// Bits of the flags of kernels that make results: what they do beside multiplying.
const (
	FlagAdd     = 1 << iota // add to what is there
	FlagColBias             // add a number of each column
	FlagRowBias             // add a number of each row
	FlagReLU                // rectify
	FlagReLU6               // and 6 where it is more; only with FlagReLU

	FlagMasked = 1 << 8 // of direct convolutions: whole vectors could reach beyond the memory of the image
	FlagWhole  = 1 << 9 // of Winograd's transforms: no mask leaves anything out
)

// Bits of the flags of the gradient of max pooling in interleaved batches.
const (
	FlagApart   = 1 << iota // no element is in two windows: set, do not add
	FlagRectify             // nothing where the maximum is at most 0
)

// BoolStep is how many elements the kernels between float32 and bool take at a time: they do only
// whole steps.
const BoolStep = 32

// ConvVector is one vector of outputs in a panel of a direct convolution: where it begins, in bytes
// from the panel's first element in image and output, and how many lanes are used.
type ConvVector struct{ B, C, Lanes int }

// Images is how many images an interleaved batch has side by side.
const Images = 16

// PixelBytes is the bytes of a pixel of an interleaved batch.
const PixelBytes = 4 * Images

// TileSteps are the distances, in bytes, and the numbers of taps that a convolution of an
// interleaved batch works with.
type TileSteps struct {
	PixelX, PixelY     int // from a pixel to the next
	FilterY            int // from a filter's results to the next one's
	Rows, Cols         int // taps
	ColX, ColW         int // from a tap to the next in its row
	RowX, RowW         int // from behind a row of taps to the next row
	ChannelX, ChannelW int // from behind a channel's taps to the next channel
}

// GradSteps are the distances, in bytes, of the gradient of its filters.
type GradSteps struct {
	FilterDy, FilterSums int // from a filter to the next
	RowDy                int // from behind a row of pixels to the next row
	ColX, RowX           int // from a pixel to the next, and from behind a row to the next
}

// GradTap is where, in bytes, the image begins that a tap meets, and where the tap's sums stand.
type GradTap struct{ X, Sums int }

// WindowSteps are the distances, in bytes, within and between windows of its poolings.
type WindowSteps struct {
	Col, Row int // from an element to the next, and from behind a row to the next
	Next     int // from a window to the next
}

// The tiles of Winograd's algorithm along the rows of interleaved batches, F(4,5).
const (
	RowTaps = 5
	RowTile = 4
	RowSide = RowTile + RowTaps - 1 // pixels that a tile sees, and values that it is transformed to
)

// Tap is where, in bytes, a tap of a window of channels-last images lies from the window's first one,
// and where its weights do.
type Tap struct{ X, W int }

// QuantTail is what kernels of 8-bit integers make of sums that are scaled and shifted: an addend times
// Addend is added, the result is clamped, and made a byte where FlagBytes is set.
type QuantTail struct {
	Lo, Hi float32
	Addend float32
	Flags  uint32
}

// Bits of QuantTail.Flags.
const (
	FlagBytes    = 1 << iota // results are bytes
	FlagAddBytes             // bytes are added
	FlagAddFloat             // float32s are added
)

// QuantScale is how float32 becomes bytes: times Inverse, clamped to [Least,Most], rounded, plus Zero.
type QuantScale struct {
	Inverse, Least, Most float32
	Zero                 int32
}
