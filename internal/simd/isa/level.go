package isa

import (
	"fmt"
	"strings"
)

// Level is a family of instructions that kernels are written for.
type Level uint8

// The levels, slowest first.
const (
	Generic Level = iota // plain Go
	AVX2                 // AVX2 and FMA
	AVX512               // AVX-512 F, BW, DQ and VL
)

// String returns the level's usual name.
func (l Level) String() string {
	switch l {
	case Generic:
		return "generic"
	case AVX2:
		return "AVX2"
	case AVX512:
		return "AVX-512"
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// Float is the element type of kernels that exist in both precisions.
type Float interface{ float32 | float64 }

// Levels returns the levels that this processor runs, slowest first.
func Levels() []Level { return append([]Level{Generic}, native()...) }

// Fastest returns the last of [Levels].
func Fastest() Level {
	all := Levels()
	return all[len(all)-1]
}

// Variable is what [LevelVariable] calls the level: "avx512" for AVX-512.
func (l Level) Variable() string { return strings.ReplaceAll(strings.ToLower(l.String()), "-", "") }
