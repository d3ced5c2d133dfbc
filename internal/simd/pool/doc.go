// Package pool is max pooling and the places of the maxima: of windows of 2×2 or 3×3 elements, two
// columns apart, with the gradient; of windows next to each other; and of the columns of any others.
// It chooses and moves elements but computes nothing, so denormals are numbers like others here.
//
// Knows isa. Never imports anything else of ours.
package pool
