// Package totals is totals of rows, and maps along them, for float32 and float64: sums, sums of
// squares and products of centred numbers, extremes, and the affine functions of which
// normalisations and their gradients are made, and sums of lines, of which average pooling is. Many
// short rows are one call.
//
// Knows isa. Never imports anything else of ours.
package totals
