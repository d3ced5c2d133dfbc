//go:build !amd64

package isa

func native() []Level { return nil }

func readCaches() Caches { return typicalCaches }
