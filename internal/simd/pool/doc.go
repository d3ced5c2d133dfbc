// Package pool is max pooling with windows of 2×2 or 3×3 elements, two columns apart, and its
// gradient. It chooses and moves elements but computes nothing, so denormals are numbers like
// others here.
//
// Knows isa. Never imports anything else of ours.
package pool
