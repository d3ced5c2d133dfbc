package onnx

// What tests from outside ask about a Session.
var (
	ComputesIntegers = computesIntegers
	Stages           = func(s *Session) (n, bytes int) { return len(s.stages), s.bytes }
)
