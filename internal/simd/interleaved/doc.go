// Package interleaved convolves and pools batches that are stored interleaved: (N/16, C, H, W, 16),
// so that a pixel is a vector of 16 images. Whatever the shape, vectors are full, and filters are
// numbers to multiply them by. It is for few channels and filters, where other layouts leave
// vectors half empty.
//
// A block is 16 images. Results that meet the same taps form a rectangle, a line of which is
// computed tile by tile: some pixels for some filters. Filters with rows of 5 taps and stride 1
// also go by Winograd's algorithm along the rows of the image, F(4,5), whose values are pixels
// again.
//
// Knows abi, isa, window, gemm and vec. Never imports anything else of ours.
package interleaved
