package isa

import "golang.org/x/sys/cpu"

// native returns the levels beyond plain Go that this processor runs, slowest first.
func native() []Level {
	x := cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA || !x.HasBMI2:
		return nil
	case !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL:
		return []Level{AVX2}
	}
	return []Level{AVX2, AVX512}
}

// readCaches reads the deterministic cache parameters: leaf 4 of Intel's processors, leaf
// 0x8000001d of AMD's, in the same format.
func readCaches() Caches {
	c := typicalCaches
	leaf := uint32(4)
	if top, _, _, _ := cpuid(0x80000000, 0); top >= 0x8000001d {
		if _, _, extended, _ := cpuid(0x80000001, 0); extended&(1<<22) != 0 {
			leaf = 0x8000001d
		}
	}
	if top, _, _, _ := cpuid(0, 0); leaf == 4 && top < 4 {
		return c
	}
	for sub := uint32(0); sub < 8; sub++ {
		eax, ebx, ecx, _ := cpuid(leaf, sub)
		if eax&31 == 0 {
			break
		}
		if eax&31 == 2 { // instructions
			continue
		}
		size := int(ebx>>22+1) * int(ebx>>12&0x3ff+1) * int(ebx&0xfff+1) * int(ecx+1)
		switch eax >> 5 & 7 {
		case 1:
			c.L1 = size
		case 2:
			c.L2 = size
		case 3:
			c.L3 = size
		}
	}
	return c
}
