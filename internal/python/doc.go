// Package python finds an interpreter of Python that has what a test needs, such as PyTorch.
//
// Knows the operating system. Never imports anything of ours.
package python
