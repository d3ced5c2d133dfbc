// Package quant has the convolutions, products and poolings of images of 8-bit integers whose
// channels lie side by side in memory, (N,H,W,C): bytes times int8, added up exactly in int32, then
// scaled, and rounded to bytes again where the result is one. All levels give the same bits.
//
// [Conv] has any number of groups, [Depthwise] one filter a channel; [Pool] gives the maxima of
// windows, and [Bytes] makes bytes of float32. An image whose windows reach beyond it, or
// whose channels do not fill what a kernel reads, is first copied into a frame of zeros.
//
// Denormals are not flushed.
//
// Knows abi, isa and window. Never imports the other rooms.
package quant
